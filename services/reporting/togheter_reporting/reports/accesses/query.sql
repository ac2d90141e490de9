select
    a.organisation,
    a.door_id::text,
    coalesce(d.name, '') as door,
    a.month,
    a.accesses,
    a.identified,
    a.anonymous,
    a.information,
    a.orientation,
    a.accompaniment,
    a.request
from (
    select
        organisation,
        door_id,
        month,
        count(*) as accesses,
        count(*) filter (where not anonymous) as identified,
        count(*) filter (where anonymous) as anonymous,
        count(*) filter (where kind = 'information') as information,
        count(*) filter (where kind = 'orientation') as orientation,
        count(*) filter (where kind = 'accompaniment') as accompaniment,
        count(*) filter (where kind = 'request') as request
    from access
    where not exists (
        select from void v
        where v.organisation = access.organisation and v.access_id = access.access_id
    )
    group by organisation, door_id, month
) a
    left join door d using (organisation, door_id)
