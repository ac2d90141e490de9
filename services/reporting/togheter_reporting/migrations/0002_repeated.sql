-- What an origin told again when it began a new epoch of its channel counts once.
create or replace view batch as
select
    split_part(origin, '.', 1) as organisation,
    split_part(origin, '.', 2) as service,
    position,
    type,
    type_version,
    occurred_at,
    stream_id,
    stream_version,
    event_id,
    data
from inbox
where position > current_setting('togheter.after')::bigint
    and position <= current_setting('togheter.upto')::bigint
    and split_part(origin, '.', 2) = split_part(type, '.', 1)
    and not repeated;
