-- Releases that are made by themselves, and brought to a folder or sent by mail.

-- `next_at` is when the next one is due; after a failure it is tried again at `retry_at`.
create table release_schedule (
    name text primary key,
    report text not null,
    audience text not null check (audience in ('public', 'authorities')),
    every text not null check (every in ('day', 'week', 'month')),
    targets text[] not null,               -- file:///folder, mailto:address
    set_by text not null,
    next_at timestamptz not null,
    retry_at timestamptz,
    error text,
    ended_at timestamptz
);

-- What came of each time that one was due: a release, or the reason why there is none.
create table release_run (
    schedule text not null references release_schedule,
    due_at timestamptz not null,
    number bigint references release,
    refused text,
    run_at timestamptz not null default clock_timestamp(),
    primary key (schedule, due_at),
    check ((number is null) <> (refused is null))
);

-- A release on its way to one target.
create table release_delivery (
    schedule text not null,
    due_at timestamptz not null,
    target text not null,
    number bigint not null references release,
    attempts int not null default 0,
    try_at timestamptz not null default clock_timestamp(),
    error text,
    delivered_at timestamptz,
    primary key (schedule, due_at, target),
    foreign key (schedule, due_at) references release_run
);

create index on release_delivery (try_at) where delivered_at is null;
