insert into edition as t (
    organisation, edition_id, title, level, places, starts_on, stream_version, event_id
)
select distinct on (organisation, edition_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'edition_id') as edition_id,
        coalesce(as_text(data -> 'title'), '') as title,
        coalesce(as_text(data -> 'level'), '') as level,
        coalesce(as_int(data -> 'places'), 0) as places,
        as_date(data ->> 'starts_on') as starts_on,
        stream_version,
        event_id
    from batch
    where type = 'courses.edition_opened' and type_version = 1
) e
where edition_id is not null
order by organisation, edition_id, stream_version desc, event_id desc
on conflict (organisation, edition_id) do update
set (title, level, places, starts_on, stream_version, event_id) = (
    excluded.title, excluded.level, excluded.places, excluded.starts_on,
    excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

insert into step as t (
    organisation, edition_id, enrolment_id, kind, certified, entry_level, exit_level,
    stream_version, event_id
)
select distinct on (organisation, edition_id, enrolment_id, kind) *
from (
    select
        organisation,
        as_uuid(data ->> 'edition_id') as edition_id,
        as_uuid(data ->> 'enrolment_id') as enrolment_id,
        told.kind,
        coalesce(data -> 'certified' = 'true'::jsonb, false) as certified,
        as_text(data -> case told.kind when 'entry' then 'level' else 'entry_level' end),
        as_text(data -> case told.kind when 'final' then 'level' else 'exit_level' end),
        stream_version,
        event_id
    from batch
        join (
            values
                ('courses.enrolment_requested', 'requested'),
                ('courses.enrolment_waitlisted', 'waitlisted'),
                ('courses.place_offered', 'offered'),
                ('courses.enrolment_confirmed', 'confirmed'),
                ('courses.enrolment_withdrawn', 'withdrawn'),
                ('courses.enrolment_dropped', 'dropped'),
                ('courses.entry_level_tested', 'entry'),
                ('courses.final_test_recorded', 'final'),
                ('courses.enrolment_completed', 'completed'),
                ('courses.certificate_issued', 'certificate')
        ) as told (type, kind) using (type)
    where type_version = 1
        and (told.kind <> 'certificate' or data ->> 'kind' = 'level')
) e
where edition_id is not null and enrolment_id is not null
order by organisation, edition_id, enrolment_id, kind, stream_version desc, event_id desc
on conflict (organisation, edition_id, enrolment_id, kind) do update
set (certified, entry_level, exit_level, stream_version, event_id) = (
    excluded.certified, excluded.entry_level, excluded.exit_level,
    excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

insert into attendance as t (
    organisation, edition_id, lesson_id, enrolment_id, attended, stream_version, event_id
)
select distinct on (organisation, edition_id, lesson_id, enrolment_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'edition_id') as edition_id,
        as_uuid(data ->> 'lesson_id') as lesson_id,
        as_uuid(entry.item ->> 'enrolment_id') as enrolment_id,
        entry.item ->> 'presence' in ('present', 'late', 'left_early') as attended,
        stream_version,
        event_id
    from batch
        cross join lateral jsonb_array_elements(
            case type
                when 'courses.lesson_held' then as_array(data -> 'attendance')
                else jsonb_build_array(data -> 'entry')
            end
        ) as entry (item)
    where type in ('courses.lesson_held', 'courses.attendance_corrected') and type_version = 1
) e
where edition_id is not null
    and lesson_id is not null
    and enrolment_id is not null
    and attended is not null
order by
    organisation, edition_id, lesson_id, enrolment_id, stream_version desc, event_id desc, attended desc
on conflict (organisation, edition_id, lesson_id, enrolment_id) do update
set (attended, stream_version, event_id) = (
    excluded.attended, excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);
