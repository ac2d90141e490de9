-- The work on a case: no text about a person, which stands in the event log alone.

alter table case_file
    add column state text not null default 'registered',
    add column caseworker text not null default '',
    add column protected boolean not null default false,
    add column plan_id uuid,
    add column review_on date,
    add column last_on date;               -- the last day on which something was done
update case_file set last_on = opened_on;
create index on case_file (caseworker, state);
create index on case_file (review_on) where review_on is not null and state <> 'closed';

alter table need
    add column resolved_on date,
    add column outcome text;

create table goal (
    goal_id uuid primary key,
    case_id uuid not null references case_file,
    person_id uuid not null references person,
    area text not null,
    set_on date not null,
    due_on date,
    outcome text not null default 'ongoing',
    reviewed_on date,
    next_review_on date
);
create index on goal (case_id);
create index on goal (coalesce(next_review_on, due_on)) where outcome = 'ongoing';

-- Why somebody needs particular protection; sealed in the log, and never leaves this database plain.
create table vulnerability (
    person_id uuid not null references person,
    kind text not null,
    flagged_on date not null,
    primary key (person_id, kind)
);

-- The answer that holds, for each purpose.
create table consent (
    person_id uuid not null references person,
    purpose text not null,
    consent_id uuid not null,
    granted boolean not null,
    answered_on date not null,
    valid_until date,
    recipients text[] not null,
    text_version text not null,
    language text not null,
    given_by text not null,
    primary key (person_id, purpose)
);
create index on consent (valid_until) where granted and valid_until is not null;

alter table access add column in_error_on date;
create index on person (title_expires) where title_expires is not null;
