-- Reports as they were handed in: the exact bytes that were signed, for ever.
create table frozen (
    number bigint primary key,
    report text not null,
    position bigint not null,
    document bytea not null,
    signature bytea not null,              -- Ed25519 over the document
    key text not null,                     -- which key of this organisation: see the registry
    restates bigint references frozen,
    frozen_at timestamptz not null
);

comment on table frozen is 'append-only: reports that were handed in';

-- The tables of a view as they were at a position, in the schema of that name: where the way to
-- any later position begins.
create table report_snapshot (
    name text not null,
    definition_hash text not null,
    position bigint not null,
    schema text not null unique,
    primary key (name, position)
);
