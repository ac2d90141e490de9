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

-- See the function relink().
create table pair (
    organisation text not null,
    person_a uuid not null,                -- the smaller of the two
    person_b uuid not null,
    same boolean not null,
    position bigint not null,
    primary key (organisation, person_a, person_b)
);

create index on pair (organisation, person_b);
create index on pair (position);

create table linked (
    organisation text not null,
    person_id uuid not null,
    root uuid not null,
    settled boolean not null default false,
    primary key (organisation, person_id)
);

create index on linked (organisation, root);
create index on linked (organisation, person_id) where not settled;
