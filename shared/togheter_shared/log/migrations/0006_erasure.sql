-- To forget a person: the key is destroyed, and what it sealed is nulled. Nothing else of the log changes.

create table erasure (
    subject_id uuid primary key,
    part_of uuid not null,                 -- the person who was asked to be forgotten
    erased_by text not null,
    erased_at timestamptz not null default clock_timestamp(),
    events int not null,                   -- how many had something sealed
    boxes int not null                     -- how many disclosures to us were nulled in the inbox
);
comment on table erasure is 'append-only: what was erased, and by whom; nothing of whom it was';

-- With the owner's rights, because the service's own role may not change the logs at all: so it can do
-- this to them, and this alone, and only for a key that is destroyed already.
create function erase_sealed(subject uuid, out events int, out boxes int)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not exists (
        select from subject_key where subject_id = subject and destroyed_at is not null
    ) then
        raise exception 'the key of this subject is not destroyed';
    end if;
    update event_log set restricted = null, personal = null
        where subject_id = subject and (restricted is not null or personal is not null);
    get diagnostics events = row_count;
    -- The hash stays, so that the chain still holds; the bytes hold the box.
    update inbox set sealed = null, entry = '' where stream_id = subject and sealed is not null;
    get diagnostics boxes = row_count;
end
$$;
