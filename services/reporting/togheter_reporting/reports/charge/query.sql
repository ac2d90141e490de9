with definition as (
    select current_setting('togheter.definition')::jsonb as d
), rules as (
    select
        array(
            select jsonb_array_elements_text(coalesce(d -> 'excluded_citizenships', '[]'))
        ) as excluded,
        coalesce(as_date(d ->> 'valid_from'), '-infinity'::date) as valid_from,
        coalesce(as_date(d ->> 'valid_until'), 'infinity'::date) as valid_until
    from definition
), single as (
    select
        k.organisation,
        coalesce(l.root, k.person_id) as root,
        k.person_id,
        k.registered_on,
        k.sex,
        k.age,
        k.citizenship,
        o.opened_on,
        t.title,
        t.stated_on
    from known k
        left join linked l using (organisation, person_id)
        left join opened o using (organisation, person_id)
        left join title t using (organisation, person_id)
), person as (
    select
        organisation,
        coalesce(
            (array_agg(sex order by registered_on, person_id) filter (where sex <> 'unknown'))[1],
            'unknown'
        ) as sex,
        (array_agg(age order by registered_on, person_id) filter (where age is not null))[1] as age,
        coalesce(
            (array_agg(citizenship order by registered_on, person_id)
                filter (where citizenship <> ''))[1],
            ''
        ) as citizenship,
        coalesce(
            (array_agg(title order by stated_on desc, person_id)
                filter (where title is not null))[1],
            'unknown'
        ) as residence_title,
        min(opened_on) as opened_on
    from single
    group by organisation, root
)
select
    p.organisation,
    p.sex,
    coalesce(band.code, 'unknown') as age_band,
    p.citizenship,
    p.residence_title,
    count(*) as persons
from person p
    cross join rules
    left join jsonb_to_recordset((select d -> 'bands' from definition))
        as band (code text, from_age int, to_age int)
        on p.age between band.from_age and coalesce(band.to_age, 2147483647)
where p.opened_on between rules.valid_from and rules.valid_until
    and not string_to_array(p.citizenship, '+') && rules.excluded
group by p.organisation, p.sex, age_band, p.citizenship, p.residence_title
