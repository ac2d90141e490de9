insert into door as t (organisation, door_id, name, stream_version, event_id)
select distinct on (organisation, door_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'door_id') as door_id,
        as_text(data -> 'name') as name,
        stream_version,
        event_id
    from batch
    where type = 'intake.door_opened' and type_version = 1
) e
where door_id is not null and name is not null
order by organisation, door_id, stream_version desc, event_id desc
on conflict (organisation, door_id) do update
set (name, stream_version, event_id) = (excluded.name, excluded.stream_version, excluded.event_id)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

insert into access as t
    (organisation, access_id, door_id, month, kind, anonymous, stream_version, event_id)
select distinct on (organisation, access_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'access_id') as access_id,
        as_uuid(data ->> 'door_id') as door_id,
        to_char(as_date(data ->> 'on'), 'YYYY-MM') as month,
        as_text(data -> 'kind') as kind,
        (data ->> 'person_id') is null as anonymous,
        stream_version,
        event_id
    from batch
    where type = 'intake.access_recorded' and type_version = 1
) e
where access_id is not null and door_id is not null and month is not null and kind is not null
order by organisation, access_id, stream_version desc, event_id desc
on conflict (organisation, access_id) do update
set (door_id, month, kind, anonymous, stream_version, event_id) = (
    excluded.door_id, excluded.month, excluded.kind, excluded.anonymous,
    excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

insert into void (organisation, access_id)
select distinct organisation, as_uuid(data ->> 'access_id')
from batch
where type = 'intake.access_entered_in_error'
    and type_version = 1
    and as_uuid(data ->> 'access_id') is not null
on conflict do nothing;
