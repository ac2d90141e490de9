-- The kernel's tables, the same in every service.

-- What happened, private to the service. Append-only by grant.
create table stream (
    stream_id uuid primary key,
    kind text not null,
    version int not null
);

create table event_log (
    position bigint generated always as identity primary key,
    event_id uuid not null unique,
    stream_id uuid not null,
    stream_kind text not null,
    stream_version int not null,
    type text not null,
    type_version smallint not null,
    recorded_at timestamptz not null default clock_timestamp(),
    actor text not null,
    correlation_id uuid not null,
    causation_id uuid,
    subject_id uuid,                       -- the person it is about: whose key seals it
    open jsonb not null,
    seal smallint not null default 0,      -- 0: the next two columns are plain canonical JSON
    restricted bytea,
    personal bytea,
    unique (stream_id, stream_version)
);

-- Positions that have no number in the feed yet. Written with the event, deleted by the sequencer.
create table pending (
    position bigint primary key
);

-- What the service tells the network: exact bytes, gapless and chained in each channel.
create table feed_channel (
    channel text primary key,
    epoch uuid not null default gen_random_uuid(),
    head_number bigint not null default 0,
    head_hash bytea not null default '',
    published_number bigint not null default 0,
    announced_at timestamptz not null default '-infinity'
);

create table feed (
    channel text not null references feed_channel,
    epoch uuid not null,
    number bigint not null,
    position bigint not null,
    entry bytea not null,
    hash bytea not null,                   -- SHA-256 of entry; entry holds the hash before it
    signature bytea,                       -- Ed25519 over hash, where a run ends
    primary key (channel, epoch, number)
);

-- What others asked us to send again.
create table resend_request (
    id bigint generated always as identity primary key,
    requester text not null,
    channel text not null,
    from_number bigint not null,
    received_at timestamptz not null default clock_timestamp()
);

-- What others told us: their exact bytes, contiguous per channel, kept for ever.
create table inbox_channel (
    origin text not null,
    channel text not null,
    epoch uuid not null,
    next_number bigint not null default 1,
    head_hash bytea not null default '',
    state text not null default 'flowing' check (state in ('flowing', 'waiting', 'frozen')),
    asked_at timestamptz not null default '-infinity',
    duplicates bigint not null default 0,
    primary key (origin, channel)
);

create table inbox (
    position bigint generated always as identity primary key,
    origin text not null,
    channel text not null,
    epoch uuid not null,
    number bigint not null,
    entry bytea not null,
    hash bytea not null,
    received_at timestamptz not null default clock_timestamp(),
    event_id uuid not null,
    type text not null,
    type_version smallint not null,
    occurred_at timestamptz not null,
    stream_id uuid not null,
    stream_version int not null,
    correlation_id uuid,
    data jsonb not null,
    sealed bytea,                          -- for this organisation alone
    unique (origin, channel, epoch, number)
);

-- Bytes that could not be taken, with the reason; never a value in the reason.
create table quarantine (
    id bigint generated always as identity primary key,
    origin text not null,
    channel text not null,
    number bigint,
    reason text not null,
    body bytea not null,
    body_hash bytea not null,
    received_at timestamptz not null default clock_timestamp(),
    seen int not null default 1,
    resolved_at timestamptz,
    resolution text,
    unique (origin, channel, body_hash, reason)
);

-- How far each reader of the inbox got.
create table follower (
    name text primary key,
    position bigint not null default 0,
    definition text not null default ''
);

-- A reaction whose command was refused by the rules: kept, for a person to look at.
create table refused_reaction (
    event_id uuid not null,
    ordinal int not null,
    code text not null,
    refused_at timestamptz not null default clock_timestamp(),
    primary key (event_id, ordinal)
);

-- Commands that were carried out, and what was answered, for those who ask again.
create table command_receipt (
    key text primary key,
    request_hash bytea not null,
    answer jsonb,
    created_at timestamptz not null default clock_timestamp()
);

create table access_token (
    token_hash bytea primary key,
    name text not null,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);

-- What the engine (sequencer, relay, receiver, follower) says of itself.
create table engine_state (
    role text primary key,
    state text not null,
    detail text not null default '',
    beat_at timestamptz not null default clock_timestamp()
);
