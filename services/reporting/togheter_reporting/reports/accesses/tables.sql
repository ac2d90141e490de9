create table door (
    organisation text not null,
    door_id uuid not null,
    name text not null,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, door_id)
);

create table access (
    organisation text not null,
    access_id uuid not null,
    door_id uuid not null,
    month text not null,                   -- YYYY-MM
    kind text not null,
    anonymous boolean not null,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, access_id)
);

-- Accesses that never were: which event said so does not matter, nor when.
create table void (
    organisation text not null,
    access_id uuid not null,
    primary key (organisation, access_id)
);
