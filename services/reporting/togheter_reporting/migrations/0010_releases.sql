-- What was published, for ever: two releases must never be subtracted, so that none is forgotten.

-- A release. `plan` is the hash of what the report may publish: releases of one plan are checked
-- together; a changed plan begins a new series, for the reason that is given.
create table release (
    number bigint primary key,
    report text not null,
    code text not null,
    version int not null,
    definition_hash text not null,
    plan text not null,
    audience text not null check (audience in ('public', 'authorities')),
    position bigint not null,
    events_up_to timestamptz,
    filter jsonb not null,
    tables text[] not null,
    reason text,                           -- of a new series
    released_by text not null,
    released_at timestamptz not null default clock_timestamp()
);

create index on release (report, number);

comment on table release is 'append-only: a ledger of what was published';

-- The finest counts behind a release, which the next one is checked with. They never leave.
create table release_snapshot (
    number bigint primary key references release,
    counts jsonb not null
);

comment on table release_snapshot is 'append-only: the counts behind each release';

-- The figures of a release; `value` is null where it is hidden, and `told` says of each level of
-- the table's dimensions what the figure is about: a level that is not in it is added up.
create table release_figure (
    number bigint not null references release,
    place int not null,
    table_name text not null,
    measure text not null,
    told jsonb not null,
    key jsonb not null,
    value bigint,
    primary key (number, place)
);

comment on table release_figure is 'append-only: the figures of each release';

-- The forms in which a release is handed out, made once: what was published stays as it was.
create table release_file (
    number bigint not null references release,
    name text not null,
    media text not null,
    etag text not null,
    body bytea not null,
    primary key (number, name)
);

comment on table release_file is 'append-only: the files of each release';

-- What the city's own tools may read, and nothing else: `togheter-reporting migrate` lets the role
-- <runtime role>_reader read this schema when there is such a role.
create schema published;

create view published.release as
select
    number, report, code, version, audience, position, events_up_to, filter, tables, released_at
from public.release;

comment on view published.release is
    'A release: a report as it was published at a position of the log.';
comment on column published.release.audience is 'Whom it was for: public, or authorities.';
comment on column published.release.events_up_to is 'When the last event counted was received.';
comment on column published.release.filter is 'The part of the report that it is about; {}: all.';

create view published.figure as
select
    r.number, r.report, r.audience, f.table_name, f.told, f.measure, f.value,
    f.value is null as hidden
from public.release_figure f
    join public.release r using (number);

comment on view published.figure is
    'A figure of a release. No row is about one person, and small counts are hidden.';
comment on column published.figure.told is
    'What the figure is about, by column; a column that is not in it is added up.';
comment on column published.figure.value is 'The count; null where it is hidden.';
