insert into registered as t
    (organisation, person_id, registered_on, sex, age, citizenship, stream_version, event_id)
select distinct on (organisation, person_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'person_id') as person_id,
        as_date(data ->> 'on') as registered_on,
        coalesce(as_text(data -> 'sex'), 'unknown') as sex,
        as_int(data -> 'age') as age,
        array_to_string(as_texts(data -> 'citizenships'), '+') as citizenship,
        stream_version,
        event_id
    from batch
    where type = 'intake.person_registered' and type_version = 1
) e
where person_id is not null and registered_on is not null
order by organisation, person_id, stream_version desc, event_id desc
on conflict (organisation, person_id) do update
set (registered_on, sex, age, citizenship, stream_version, event_id) = (
    excluded.registered_on, excluded.sex, excluded.age, excluded.citizenship,
    excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

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
