-- The key of each person (or of a stream about none): restricted and personal fields are sealed with
-- it, and it is wrapped with the organisation's own key. To forget a person is to destroy theirs.

create table subject_key (
    subject_id uuid primary key,
    wrapped bytea,                         -- null: destroyed
    wrapped_by text not null,              -- the id of the organisation's key
    created_at timestamptz not null default clock_timestamp(),
    destroyed_at timestamptz,
    constraint subject_key_destroyed check ((wrapped is null) = (destroyed_at is not null))
);

create index event_log_subject on event_log (subject_id) where subject_id is not null;
