-- What the pages and the interface of courses read; written with the events, in their transaction.

create table edition (
    edition_id uuid primary key,
    title text not null,
    level text not null,
    places int not null,
    starts_on date not null,
    ends_on date not null,
    threshold int not null,                -- attendance for a certificate, per cent of lessons held
    evening boolean not null,
    childcare boolean not null,
    women_only boolean not null,
    state text not null default 'open' check (state in ('open', 'running', 'closed')),
    taken int not null default 0,          -- offered, confirmed and completed
    offered int not null default 0,
    waiting int not null default 0,
    lessons_held int not null default 0,
    lessons_to_come int not null default 0,
    closed_on date
);

create table enrolment (
    enrolment_id uuid primary key,
    edition_id uuid not null references edition,
    asked_at bigint not null,              -- position of the request: the order of the waitlist
    state text not null check (state in ('requested', 'waitlisted', 'offered', 'confirmed',
        'withdrawn', 'dropped', 'certified', 'not_certified')),
    reason text,                           -- why it was withdrawn or dropped
    requested_on date not null,
    referral_id uuid,
    given_name text not null,
    family_name text not null,
    native_name text not null,
    phone text,
    birth_year int,
    offer_expires_on date,
    entry_level text,
    exit_level text,
    test_passed boolean,
    attended int not null default 0,
    held int not null default 0,
    percentage int not null default 0,     -- attended of held, rounded down
    attainable int not null default 100,   -- the same, when no scheduled lesson is missed any more
    in_danger boolean not null default false  -- below the edition's threshold
);
create index on enrolment (edition_id, asked_at);
create index on enrolment (offer_expires_on) where state = 'offered';

create table lesson (
    lesson_id uuid primary key,
    edition_id uuid not null references edition,
    scheduled_on date not null,
    minutes int not null,
    room text not null,
    teacher text not null,
    held_on date
);
create index on lesson (edition_id, scheduled_on);

create table attendance (
    lesson_id uuid not null references lesson,
    enrolment_id uuid not null references enrolment,
    presence text not null,
    minutes int,
    primary key (lesson_id, enrolment_id)
);
create index on attendance (enrolment_id);

create table certificate (
    code text constraint certificate_code_once primary key,
    edition_id uuid not null references edition,
    enrolment_id uuid not null unique references enrolment,
    kind text not null,
    level text,
    issued_on date not null,
    valid boolean not null default true
);
