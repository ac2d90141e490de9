-- Who may sign in to the services of one organisation: a database of its own, used by all of them.

create table account (
    account_id uuid primary key default gen_random_uuid(),
    name text not null unique check (name = lower(name)),
    full_name text not null default '',
    roles text[] not null,
    doors uuid[] not null default '{}',
    language text,
    password_hash text,
    totp_secret bytea,
    totp_confirmed boolean not null default false,
    totp_step bigint not null default 0,
    email text unique check (email = lower(email)),
    issuer text,
    subject text,
    demonstration boolean not null default false,
    set_up_hash bytea unique,
    set_up_until timestamptz,
    disabled_at timestamptz,
    created_at timestamptz not null default now(),
    unique (issuer, subject)
);

comment on column account.totp_step is 'the last time step whose code was used: it is not taken again';

create table recovery_code (
    account_id uuid not null references account on delete cascade,
    code_hash bytea not null,
    primary key (account_id, code_hash)
);

-- A browser that has begun to sign in (`provider`: it is at the provider; `password`: its second
-- factor is missing) or has done so (`full`).
create table session (
    session_id uuid primary key default gen_random_uuid(),
    token_hash bytea not null unique,
    account_id uuid references account on delete cascade,
    stage text not null check (stage in ('provider', 'password', 'full')),
    second_factor boolean not null default false,
    provider jsonb,
    next text not null default '/',
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    ends_at timestamptz not null,
    check ((account_id is null) = (stage = 'provider'))
);

create index on session (account_id);
create index on session (ends_at);

-- Failed attempts to sign in, by a hash of what they have in common.
create table attempt (
    key bytea primary key,
    failures int not null,
    last_at timestamptz not null,
    closed_until timestamptz not null
);

create index on attempt (last_at);

-- Tokens of machines, good at every service of the organisation.
create table access_token (
    token_hash bytea primary key,
    name text not null,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);
