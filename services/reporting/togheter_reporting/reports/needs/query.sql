with stated as (
    select
        organisation,
        area,
        count(distinct coalesce(l.root, s.person_id)) as persons,
        count(distinct s.need_id) as needs,
        count(*) as statements
    from statement s
        left join linked l using (organisation, person_id)
    group by organisation, area
), named as (
    select organisation, topic as area, count(*) as accesses
    from access cross join unnest(topics) as topic
    where anonymous
        and not exists (
            select from void v
            where v.organisation = access.organisation and v.access_id = access.access_id
        )
    group by organisation, topic
)
select
    organisation,
    area,
    coalesce(stated.persons, 0) as persons,
    coalesce(stated.needs, 0) as needs,
    coalesce(stated.statements, 0) as statements,
    coalesce(named.accesses, 0) as anonymous_accesses
from stated
    full join named using (organisation, area)
