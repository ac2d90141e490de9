-- What arrived and could not be read: of a type or version that this service does not know yet, or,
-- once it knows it, not as its contract says. Its bytes are in the inbox; every start tries again.
create table not_understood (
    position bigint primary key,
    type text not null,
    type_version smallint not null,
    known boolean not null,                -- false: an upgrade will read it
    noted_at timestamptz not null default clock_timestamp()
);
