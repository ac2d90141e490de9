-- What the pages and the interface of intake read; written with the events, in their transaction.

create table door (
    door_id uuid primary key,
    name text not null,
    name_key text not null constraint door_name_once unique,   -- the name as it is compared
    address text not null,
    languages text[] not null
);

create table person (
    person_id uuid primary key,
    registered_on date not null,
    door_id uuid constraint person_door_known references door,
    sex text not null,
    age int,                               -- in whole years, on the day of registration
    citizenships text[] not null,
    languages text[] not null,
    given_name text not null,
    family_name text not null,
    native_name text not null,
    birth_year int,
    birth_month int,
    birth_day int,
    birth_precision text not null,
    birth_source text not null,
    birth_country text,
    phones text[] not null,
    safe_channel text not null default 'none',
    safe_hours text not null default '',
    safe_voicemail boolean not null default false,
    title text,
    title_on date,
    title_expires date
);

create table identifier (
    kind text not null,
    value text not null,
    person_id uuid not null references person,
    constraint identifier_once primary key (kind, value)
);
create index on identifier (person_id);

-- Hashes of what a name, a date of birth and a telephone share with those of the same person.
create table person_key (
    key bigint not null,
    person_id uuid not null references person,
    primary key (key, person_id)
);

-- Two registrations that may be one person. The stream of `person_id` holds the events.
create table suspicion (
    person_id uuid not null references person,
    other_id uuid not null constraint suspicion_other_known references person,
    score int not null,
    reasons text[] not null,
    suspected_at timestamptz not null,
    decision text,                         -- the latest; null while nobody has looked
    decided_at timestamptz,
    primary key (person_id, other_id)
);
create unique index suspicion_pair_once
    on suspicion (least(person_id, other_id), greatest(person_id, other_id));
create index on suspicion (other_id);
create index on suspicion (suspected_at) where decision is null;

create table access (
    access_id uuid primary key,
    door_id uuid not null constraint access_door_known references door,
    on_day date not null,
    kind text not null,
    topics text[] not null,
    languages text[] not null,
    minutes int,
    mediator boolean,
    sex text not null,
    citizenships text[] not null,
    person_id uuid constraint access_person_known references person,
    operator text not null,
    note text not null
);
create index on access (door_id, on_day);
create index on access (person_id) where person_id is not null;

create table case_file (
    case_id uuid primary key,
    person_id uuid not null unique constraint case_person_known references person,
    opened_on date not null,
    door_id uuid constraint case_door_known references door
);

create table need (
    need_id uuid primary key,
    case_id uuid not null references case_file,
    person_id uuid not null references person,
    area text not null,
    first_on date not null,
    last_on date not null,
    stated int not null default 1          -- how often
);
create index on need (person_id);

-- Registers that came through the interface. The file is removed when it is done.
create table import_job (
    job_id uuid primary key,
    asked_by text not null,
    asked_at timestamptz not null default clock_timestamp(),
    correlation_id uuid not null,
    dry_run boolean not null,
    columns jsonb not null,                -- field → header, where the mapping has another
    mapping text not null default '',      -- name of a register_mapping
    body bytea,
    state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
    started_at timestamptz,
    finished_at timestamptz,
    lines_done int not null default 0,
    lines_total int,
    summary jsonb,
    problem text,                          -- why the file as a whole could not be read
    refused bytea,                         -- the file of refused rows, until expires_at
    expires_at timestamptz,
    constraint import_job_forgets check (state in ('waiting', 'running') or body is null)
);
create index on import_job (asked_at) where state in ('waiting', 'running');
create index on import_job (expires_at) where expires_at is not null;

-- Mapping files of registers, by name.
create table register_mapping (
    name text primary key,
    content text not null,
    changed_at timestamptz not null default clock_timestamp()
);
