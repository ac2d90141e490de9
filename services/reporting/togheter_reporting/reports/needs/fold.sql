insert into statement (organisation, event_id, need_id, person_id, area)
select *
from (
    select
        organisation,
        event_id,
        as_uuid(data ->> 'need_id') as need_id,
        as_uuid(data ->> 'person_id') as person_id,
        as_text(data -> 'area') as area
    from batch
    where type = 'intake.need_recorded' and type_version = 1
    order by position
) e
where need_id is not null and person_id is not null and area is not null
on conflict do nothing;

insert into access as t (organisation, access_id, topics, anonymous, stream_version, event_id)
select distinct on (organisation, access_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'access_id') as access_id,
        as_texts(data -> 'topics') as topics,
        (data ->> 'person_id') is null as anonymous,
        stream_version,
        event_id
    from batch
    where type = 'intake.access_recorded' and type_version = 1
) e
where access_id is not null
order by organisation, access_id, stream_version desc, event_id desc
on conflict (organisation, access_id) do update
set (topics, anonymous, stream_version, event_id) = (
    excluded.topics, excluded.anonymous, excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

insert into void (organisation, access_id)
select distinct organisation, as_uuid(data ->> 'access_id')
from batch
where type = 'intake.access_entered_in_error'
    and type_version = 1
    and as_uuid(data ->> 'access_id') is not null
on conflict do nothing;

-- The latest decision on a pair holds: one organisation's events stand in the log in its own order.
insert into pair as t (organisation, person_a, person_b, same, position)
select distinct on (organisation, person_a, person_b) *
from (
    select
        organisation,
        least(as_uuid(data ->> 'person_id'), as_uuid(data ->> 'other_id')) as person_a,
        greatest(as_uuid(data ->> 'person_id'), as_uuid(data ->> 'other_id')) as person_b,
        data ->> 'decision' = 'same' as same,
        position
    from batch
    where type = 'intake.duplicate_decided'
        and type_version = 1
        and as_uuid(data ->> 'person_id') <> as_uuid(data ->> 'other_id')
        and as_text(data -> 'decision') is not null
) e
order by organisation, person_a, person_b, position desc
on conflict (organisation, person_a, person_b) do update
set (same, position) = (excluded.same, excluded.position)
where excluded.position > t.position;

select relink();
