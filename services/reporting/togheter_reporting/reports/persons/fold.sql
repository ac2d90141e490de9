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

insert into corrected as t
    (organisation, person_id, sex, age, citizenship, stream_version, event_id)
select distinct on (organisation, person_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'person_id') as person_id,
        coalesce(as_text(data -> 'sex'), 'unknown') as sex,
        as_int(data -> 'age') as age,
        array_to_string(as_texts(data -> 'citizenships'), '+') as citizenship,
        stream_version,
        event_id
    from batch
    where type = 'intake.identity_corrected' and type_version = 1
) e
where person_id is not null
order by organisation, person_id, stream_version desc, event_id desc
on conflict (organisation, person_id) do update
set (sex, age, citizenship, stream_version, event_id) = (
    excluded.sex, excluded.age, excluded.citizenship, excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

insert into opened as t (organisation, person_id, opened_on)
select organisation, person_id, min(opened_on)
from (
    select
        organisation,
        as_uuid(data ->> 'person_id') as person_id,
        as_date(data ->> 'on') as opened_on
    from batch
    where type = 'intake.case_opened' and type_version = 1
) e
where person_id is not null and opened_on is not null
group by organisation, person_id
on conflict (organisation, person_id) do update
set opened_on = excluded.opened_on
where excluded.opened_on < t.opened_on;

insert into title as t
    (organisation, person_id, title, stated_on, stream_version, event_id)
select distinct on (organisation, person_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'person_id') as person_id,
        as_text(data -> 'title') as title,
        as_date(data ->> 'on') as stated_on,
        stream_version,
        event_id
    from batch
    where type = 'intake.residence_title_recorded' and type_version = 1
) e
where person_id is not null and title is not null and stated_on is not null
order by organisation, person_id, stated_on desc, stream_version desc, event_id desc
on conflict (organisation, person_id) do update
set (title, stated_on, stream_version, event_id) = (
    excluded.title, excluded.stated_on, excluded.stream_version, excluded.event_id
)
where (excluded.stated_on, excluded.stream_version, excluded.event_id)
    > (t.stated_on, t.stream_version, t.event_id);

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
