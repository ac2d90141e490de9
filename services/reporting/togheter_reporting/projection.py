"""Folding the log into the views as it grows: the same SQL for one event and for many."""

from psycopg import Connection

from togheter_reporting.catalogue import Report, reports, settings
from togheter_reporting.parts import require

WINDOW = 10_000
"""Positions that are folded by one run of a report's SQL."""


def fold(conn: Connection, report: Report, schema: str, after: int, upto: int) -> None:
    """Bring the events after `after`, up to `upto`, into the tables in `schema`.

    In the transaction of the caller, whose search path is left as it was. Raises `PartAway`.
    """
    require(conn, after, upto)
    path = _one(conn, "select current_setting('search_path')")
    conn.execute(*settings(report, schema, after, upto), prepare=True)
    conn.execute(report.fold.encode())
    conn.execute("select set_config('search_path', %s, true)", [path])


def next_window(conn: Connection, after: int, size: int = WINDOW) -> int | None:
    """The position that the next window of at most `size` events ends with; None: no more."""
    found: int | None = _one(
        conn,
        "select max(position) from (select position from public.inbox where position > %s"
        " order by position limit %s) as next",
        after,
        size,
    )
    return found


def project(conn: Connection, after: int, upto: int) -> None:
    """Bring every live view up to position `upto`, in the transaction of the caller.

    Each view goes on from its own position, whatever `after` says. A view that was never built, or
    whose definition is another now, stands still until it is rebuilt. The rows that are locked here
    are what a rebuild's swap waits for, and the other way round.
    """
    standing = conn.execute(
        "select name, definition_hash, position from public.report_view"
        " where position < %s order by name for update",
        [upto],
        prepare=True,
    ).fetchall()
    types: dict[int, set[str]] = {}
    done = []
    for name, definition_hash, position in standing:
        report = reports().get(name)
        if report is None or report.hash != definition_hash:
            continue
        done.append(name)
        if position not in types:
            types[position] = _types(conn, position, upto)
        if report.types and report.types.isdisjoint(types[position]):
            continue
        while position < upto:
            end = min(next_window(conn, position) or upto, upto)
            fold(conn, report, report.schema, position, end)
            position = end
    conn.execute(
        "update public.report_view set position = %s where name = any(%s)",
        [upto, done],
        prepare=True,
    )


def _types(conn: Connection, after: int, upto: int) -> set[str]:
    """The types of the events after `after`, up to `upto`."""
    rows = conn.execute(
        "select distinct type from public.inbox where position > %s and position <= %s",
        [after, upto],
        prepare=True,
    ).fetchall()
    return {row[0] for row in rows}


def _one(conn: Connection, query: str, *parameters: object) -> int | None:
    row = conn.execute(query.encode(), parameters or None).fetchone()
    assert row is not None
    found: int | None = row[0]
    return found
