-- Where each report stands, and what every report's SQL reads the network's log through.

-- A report's tables live in a schema of its own, report_<name>; a rebuild fills
-- report_<name>_next and renames. `position` is how far the view has folded the log.
create table report_view (
    name text primary key,
    definition_hash text not null default '',
    position bigint not null default 0,
    rebuilt_at timestamptz
);

-- How far a rebuild got, so that one that was killed goes on where it was.
create table report_rebuild (
    name text primary key,
    definition_hash text not null,
    position bigint not null default 0,
    started_at timestamptz not null default clock_timestamp()
);

-- The window of the log that a fold reads: positions after the first setting, up to the second.
-- An event counts only when it comes from the service in whose language it is told.
create view batch as
select
    split_part(origin, '.', 1) as organisation,
    split_part(origin, '.', 2) as service,
    position,
    type,
    type_version,
    occurred_at,
    stream_id,
    stream_version,
    event_id,
    data
from inbox
where position > current_setting('togheter.after')::bigint
    and position <= current_setting('togheter.upto')::bigint
    and split_part(origin, '.', 2) = split_part(type, '.', 1);

-- A fold never fails on what somebody sent: what cannot be read is null. Not strict and not
-- immutable, so that the planner puts their bodies in place.
create function as_uuid(v text) returns uuid stable parallel safe language sql
return case
    when v ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then v::uuid
end;

-- A day of the calendar, leap years included, written YYYY-MM-DD.
create function as_date(v text) returns date stable parallel safe language sql
return case
    when v ~ ('^(?!0000)([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])'
        '|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))'
        '|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)$')
    then make_date(substr(v, 1, 4)::int, substr(v, 6, 2)::int, substr(v, 9, 2)::int)
end;

create function as_int(v jsonb) returns int stable parallel safe language sql
return case
    when jsonb_typeof(v) = 'number' and v::text ~ '^-?[0-9]{1,9}$' then v::text::int
end;

create function as_text(v jsonb) returns text stable parallel safe language sql
return case when jsonb_typeof(v) = 'string' then v #>> '{}' end;

create function as_array(v jsonb) returns jsonb stable parallel safe language sql
return case when jsonb_typeof(v) = 'array' then v else '[]'::jsonb end;

-- The texts of a JSON array, each once, in the order of their code points.
create function as_texts(v jsonb) returns text[] stable parallel safe language sql
return array(
    select distinct (item #>> '{}') collate "C"
    from jsonb_array_elements(as_array(v)) as item
    where jsonb_typeof(item) = 'string'
    order by 1
);

-- Who is the same person as whom, for a report that counts persons. It works on two tables of the
-- report that runs it: `pair` (organisation, person_a, person_b, same, position), the latest
-- decision on each unordered pair, and `linked` (organisation, person_id, root, settled), where
-- all persons that are one have the same root. Only components that the batch touches are made
-- anew: their members stand alone again, then components hook onto the smallest neighbouring root
-- until none is left to hook; their number at least halves each round. What is touched is little
-- and the tables are large, whatever the statistics say: by index only.
create function relink() returns void language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
as $$
declare
    changed bigint;
begin
    if not exists (select from batch where type = 'intake.duplicate_decided') then
        return;
    end if;

    insert into linked (organisation, person_id, root)
    select distinct p.organisation, person.id, person.id
    from pair p
        cross join lateral (values (p.person_a), (p.person_b)) as person (id)
    where p.position > current_setting('togheter.after')::bigint
        and p.position <= current_setting('togheter.upto')::bigint
    on conflict do nothing;

    update linked t
    set root = t.person_id, settled = false
    from (
        select distinct l.organisation, l.root
        from pair p
            cross join lateral (values (p.person_a), (p.person_b)) as person (id)
            join linked l on l.organisation = p.organisation and l.person_id = person.id
        where p.position > current_setting('togheter.after')::bigint
            and p.position <= current_setting('togheter.upto')::bigint
    ) touched
    where t.organisation = touched.organisation and t.root = touched.root;

    loop
        with loose as materialized (
            select organisation, person_id, root from linked where not settled
        ), edge as materialized (
            select u.organisation, u.root, e.other_id
            from loose u
                cross join lateral (
                    select person_b as other_id
                    from pair
                    where organisation = u.organisation and person_a = u.person_id and same
                    union all
                    select person_a
                    from pair
                    where organisation = u.organisation and person_b = u.person_id and same
                ) e
        ), neighbour as materialized (
            select
                e.organisation,
                e.root,
                (
                    select n.root::text collate "C"
                    from linked n
                    where n.person_id = e.other_id and n.organisation = e.organisation
                ) as other_root
            from edge e
        ), least_root as materialized (
            select organisation, root as person_id, min(other_root) as root
            from neighbour
            where other_root < root::text collate "C"
            group by organisation, root
        )
        update linked t
        set root = l.root::uuid
        from least_root l
        where t.organisation = l.organisation and t.person_id = l.person_id;
        get diagnostics changed = row_count;
        exit when changed = 0;
        loop
            update linked t
            set root = r.root
            from linked r
            where not t.settled
                and r.organisation = t.organisation
                and r.person_id = t.root
                and r.root::text <> t.root::text;
            get diagnostics changed = row_count;
            exit when changed = 0;
        end loop;
    end loop;

    update linked set settled = true where not settled;
end
$$;
