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

-- The latest correction replaces all of it but the day of registration, the unknown included.
create table corrected (
    organisation text not null,
    person_id uuid not null,
    sex text not null,
    age int,
    citizenship text not null,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, person_id)
);

-- Who was taken in charge, and on which day first.
create table opened (
    organisation text not null,
    person_id uuid not null,
    opened_on date not null,
    primary key (organisation, person_id)
);

-- The title to stay that was stated last.
create table title (
    organisation text not null,
    person_id uuid not null,
    title text not null,
    stated_on date not null,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, person_id)
);

-- A registration as it should have been: what every query counts.
create view known as
select
    r.organisation,
    r.person_id,
    r.registered_on,
    case when c.person_id is null then r.sex else c.sex end as sex,
    case when c.person_id is null then r.age else c.age end as age,
    case when c.person_id is null then r.citizenship else c.citizenship end as citizenship
from registered r
    left join corrected c using (organisation, person_id);

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
