create table edition (
    organisation text not null,
    edition_id uuid not null,
    title text not null,
    level text not null,
    places int not null,
    starts_on date,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, edition_id)
);

-- The latest event of each kind in an enrolment.
create table step (
    organisation text not null,
    edition_id uuid not null,
    enrolment_id uuid not null,
    kind text not null,
    certified boolean not null,
    entry_level text,
    exit_level text,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, edition_id, enrolment_id, kind)
);

-- The latest word on each person at each lesson.
create table attendance (
    organisation text not null,
    edition_id uuid not null,
    lesson_id uuid not null,
    enrolment_id uuid not null,
    attended boolean not null,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, edition_id, lesson_id, enrolment_id)
);
