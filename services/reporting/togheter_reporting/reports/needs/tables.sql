create table statement (
    organisation text not null,
    event_id uuid not null,
    need_id uuid not null,
    person_id uuid not null,
    area text not null,
    primary key (organisation, event_id)
);

create table access (
    organisation text not null,
    access_id uuid not null,
    topics text[] not null,                -- each once
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

-- See the function relink(). In the keys the persons come first: organisations are few, and the
-- planner, before it has statistics, would take them for a good way in.
create table pair (
    organisation text not null,
    person_a uuid not null,                -- the smaller of the two
    person_b uuid not null,
    same boolean not null,
    position bigint not null,
    primary key (person_a, person_b, organisation)
);

create index on pair (person_b, organisation);
create index on pair (position);

create table linked (
    organisation text not null,
    person_id uuid not null,
    root uuid not null,
    settled boolean not null default false,
    primary key (person_id, organisation)
);

create index on linked (root, organisation);
create index on linked (person_id) where not settled;
