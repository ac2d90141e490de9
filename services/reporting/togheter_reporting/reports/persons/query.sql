with person as (
    select organisation, sex, age, citizenship
    from known r
    where not exists (
        select from linked l
        where l.organisation = r.organisation and l.person_id = r.person_id
    )
    union all
    select
        organisation,
        coalesce(
            (array_agg(sex order by registered_on, person_id) filter (where sex <> 'unknown'))[1],
            'unknown'
        ),
        (array_agg(age order by registered_on, person_id) filter (where age is not null))[1],
        coalesce(
            (array_agg(citizenship order by registered_on, person_id)
                filter (where citizenship <> ''))[1],
            ''
        )
    from linked join known using (organisation, person_id)
    group by organisation, root
), counted as (
    select organisation, sex, age, citizenship, count(*) as persons
    from person
    group by organisation, sex, age, citizenship
)
select
    c.organisation,
    c.sex,
    coalesce(band.code, 'unknown') as age_band,
    c.citizenship,
    sum(c.persons)::bigint as persons
from counted c
    left join jsonb_to_recordset(current_setting('togheter.definition')::jsonb -> 'bands')
        as band (code text, from_age int, to_age int)
        on c.age between band.from_age and coalesce(band.to_age, 2147483647)
group by c.organisation, c.sex, age_band, c.citizenship
