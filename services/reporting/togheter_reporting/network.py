"""How the network stands, seen from its log: channels, views and rebuilds, types of events."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from togheter_shared.contracts.contract import Registry

CHANNELS = """
select
    c.origin,
    c.channel,
    c.state,
    c.next_number - 1 as taken,
    c.duplicates,
    i.received_at,
    (
        select count(*) from public.quarantine q
        where q.origin = c.origin and q.channel = c.channel and q.resolved_at is null
    ) as quarantined,
    (
        select count(*) from public.inbox_epoch e
        where e.origin = c.origin and e.channel = c.channel
    ) as epochs
from public.inbox_channel c
    left join public.inbox i
        on i.origin = c.origin
        and i.channel = c.channel
        and i.epoch = c.epoch
        and i.number = c.next_number - 1
order by c.origin, c.channel
"""

VIEWS = """
select
    v.name,
    v.position,
    (select coalesce(max(position), 0) from public.inbox) as last,
    r.position as rebuilt_to
from public.report_view v
    left join public.report_rebuild r using (name)
order by v.name
"""

TYPES = """
with recursive type as (
    (select type from public.inbox order by type limit 1)
    union all
    select (select i.type from public.inbox i where i.type > t.type order by i.type limit 1)
    from type t
    where t.type is not null
)
select t.type, i.type_version, i.received_at
from type t
    cross join lateral (
        select type_version, received_at
        from public.inbox where type = t.type order by position desc limit 1
    ) i
order by t.type
"""
"""Each type once, by the index, and its newest event: the log is not counted."""


def network(conn: Connection, reads: Registry) -> dict[str, list[dict[str, Any]]]:
    """Channels, views and types; sizes, times and states, and nothing that an event says.

    A type is `known` when this program reads its newest version.
    """
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        channels = cursor.execute(CHANNELS).fetchall()
        views = cursor.execute(VIEWS).fetchall()
        types = cursor.execute(TYPES).fetchall()
    for row in types:
        row["known"] = reads.find(row["type"], row["type_version"]) is not None
    return {"channels": channels, "views": views, "types": types}
