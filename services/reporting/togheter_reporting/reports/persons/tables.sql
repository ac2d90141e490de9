create table registered (
    organisation text not null,
    person_id uuid not null,
    registered_on date not null,
    sex text not null,
    age int,
    citizenship text not null,             -- codes joined by +; empty: not known
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, person_id)
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
