with scale as (
    select array(
        select jsonb_array_elements_text(
            current_setting('togheter.definition')::jsonb -> 'levels'
        )
    ) as levels
), enrolment as (
    select
        organisation,
        edition_id,
        enrolment_id,
        array_agg(kind) as kinds,
        (array_agg(kind order by stream_version desc, event_id desc) filter (
            where kind not in ('entry', 'final', 'certificate')
        ))[1] as standing,
        bool_or(kind = 'certificate' or kind = 'completed' and certified) as certified,
        coalesce(
            max(entry_level) filter (where kind = 'completed'),
            max(entry_level) filter (where kind = 'entry')
        ) as entry_level,
        coalesce(
            max(exit_level) filter (where kind = 'completed'),
            max(exit_level) filter (where kind = 'final')
        ) as exit_level
    from step
    group by organisation, edition_id, enrolment_id
), counted as (
    select
        organisation,
        edition_id,
        count(*) filter (where 'requested' = any(kinds)) as requested,
        count(*) filter (where standing = 'waitlisted') as waitlisted,
        count(*) filter (where 'confirmed' = any(kinds)) as confirmed,
        count(*) filter (where 'withdrawn' = any(kinds)) as withdrawn,
        count(*) filter (where 'dropped' = any(kinds)) as dropped,
        count(*) filter (where 'completed' = any(kinds)) as completed,
        count(*) filter (where certified) as certified,
        count(*) filter (
            where 'completed' = any(kinds)
                and array_position(levels, exit_level) > array_position(levels, entry_level)
        ) as level_up
    from enrolment cross join scale
    group by organisation, edition_id
), came as (
    select organisation, edition_id, count(distinct enrolment_id) as attended
    from attendance
    where attended
    group by organisation, edition_id
)
select
    organisation,
    edition_id::text,
    coalesce(e.title, '') as title,
    coalesce(e.level, '') as level,
    coalesce(to_char(e.starts_on, 'YYYY-MM-DD'), '') as starts_on,
    coalesce(e.places, 0) as places,
    coalesce(counted.requested, 0) as requested,
    coalesce(counted.waitlisted, 0) as waitlisted,
    coalesce(counted.confirmed, 0) as confirmed,
    coalesce(counted.withdrawn, 0) as withdrawn,
    coalesce(counted.dropped, 0) as dropped,
    coalesce(came.attended, 0) as attended,
    coalesce(counted.completed, 0) as completed,
    coalesce(counted.certified, 0) as certified,
    coalesce(counted.level_up, 0) as level_up
from edition e
    full join counted using (organisation, edition_id)
    full join came using (organisation, edition_id)
