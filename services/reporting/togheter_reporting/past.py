"""Reports as of a past position: the same SQL over the log up to there, in tables of no one else's.

The way begins at the last snapshot before the position, and ends with a rollback: nothing stays.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import Connection, sql

from togheter_reporting.catalogue import Report, Row, settings
from togheter_reporting.figures import Figures, Freshness
from togheter_reporting.parts import require_since
from togheter_reporting.projection import WINDOW, fold, next_window

SNAPSHOTS = 8
"""How many snapshots of a view a rebuild leaves, evenly over the log."""

MOST_CHANGES = 1_000
"""How many events `changes` names before it says that there are more."""

Pick = Callable[[list[Row]], list[Row]]


class BeyondTheLog(Exception):
    """The position or the moment is not in the log; the message says where the log ends."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """An event at which figures changed. Nothing of what it says is here, and no name anywhere."""

    position: int
    origin: str
    type: str
    event_id: str
    occurred_at: datetime
    received_at: datetime


def as_of(conn: Connection, report: Report, position: int) -> Figures:
    """The figures exactly as they were when the log ended at that position.

    `conn` is in autocommit mode. The definition is the one in `report`, whatever it was then.
    Raises `BeyondTheLog`, `PartAway`.
    """
    with _standing(conn, report, position):
        return Figures(
            report=report, freshness=_freshness(conn, position), rows=_rows(conn, report)
        )


def position_at(conn: Connection, moment: datetime) -> int:
    """The last position before everything that came at that moment or later.

    Raises `PartAway`.
    """
    require_since(conn, moment)
    row = conn.execute(
        "select coalesce((select position - 1 from public.inbox where received_at >= %s"
        " order by position limit 1), (select max(position) from public.inbox), 0)",
        [moment],
    ).fetchone()
    assert row is not None
    return int(row[0])


def changes(
    conn: Connection, report: Report, after: int, upto: int, pick: Pick = lambda rows: rows
) -> tuple[list[Cause], bool]:
    """The events after `after`, up to `upto`, at which what `pick` takes of the rows changed.

    True beside them: there were more than `MOST_CHANGES`, and these are the first. Events that
    take each other back within the range may be left out; the sum of those named is the difference.
    """
    with _standing(conn, report, after):
        places = [after, *_positions(conn, after, upto)]
        before = pick(_rows(conn, report))
        with conn.transaction(force_rollback=True):
            _go(conn, report, after, upto)
            end = pick(_rows(conn, report))
        found: list[int] = []
        _search(conn, report, places, (0, len(places) - 1), (before, end), pick, found)
        return [_cause(conn, place) for place in found[:MOST_CHANGES]], len(found) > MOST_CHANGES


def take_snapshot(conn: Connection, report: Report, schema: str, position: int) -> None:
    """Keep what the tables in `schema` hold at that position. As the owner, in its transaction."""
    name = f"{report.schema}_at_{position}"
    conn.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))
    conn.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
    for table in _tables(conn, schema):
        conn.execute(
            sql.SQL("create table {} as table {}").format(
                sql.Identifier(name, table), sql.Identifier(schema, table)
            )
        )
    conn.execute(
        "insert into public.report_snapshot (name, definition_hash, position, schema)"
        " values (%(name)s, %(hash)s, %(position)s, %(schema)s) on conflict (name, position)"
        " do update set definition_hash = excluded.definition_hash",
        {"name": report.view, "hash": report.view_hash, "position": position, "schema": name},
    )


def drop_snapshots(conn: Connection, report: Report) -> None:
    """Forget the snapshots of a view that is made anew. As the owner."""
    for (schema,) in conn.execute(
        "delete from public.report_snapshot where name = %s returning schema", [report.view]
    ).fetchall():
        conn.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


def let_look_back(conn: Connection, runtime_role: str) -> None:
    """Let the runtime role have tables of its own for a moment. As the owner of the database."""
    conn.execute(
        sql.SQL("grant temporary on database {} to {}").format(
            sql.Identifier(conn.info.dbname), sql.Identifier(runtime_role)
        )
    )


@contextmanager
def _standing(conn: Connection, report: Report, position: int) -> Iterator[None]:
    """A transaction in which the report's tables are as they were at that position."""
    with conn.transaction(force_rollback=True):
        last = _last(conn)
        if not 0 <= position <= last:
            raise BeyondTheLog(f"there is no position {position}: the log ends at {last}")
        conn.execute(*settings(report, "pg_temp"))
        conn.execute(report.tables.encode())
        _go(conn, report, _begin(conn, report, position), position)
        yield


def _begin(conn: Connection, report: Report, position: int) -> int:
    found = conn.execute(
        "select schema, position from public.report_snapshot where name = %s"
        " and definition_hash = %s and position <= %s order by position desc limit 1",
        [report.view, report.view_hash, position],
    ).fetchone()
    if found is None:
        return 0
    schema, begin = found
    for table in _tables(conn, schema):
        conn.execute(
            sql.SQL("insert into {} select * from {}").format(
                sql.Identifier("pg_temp", table), sql.Identifier(schema, table)
            )
        )
        conn.execute(sql.SQL("analyze {}").format(sql.Identifier("pg_temp", table)))
    return int(begin)


def _go(conn: Connection, report: Report, after: int, upto: int) -> None:
    while after < upto:
        end = min(next_window(conn, after, WINDOW) or upto, upto)
        fold(conn, report, "pg_temp", after, end)
        after = end


def _rows(conn: Connection, report: Report) -> list[Row]:
    conn.execute(*settings(report, "pg_temp"))
    return report.sorted(conn.execute(report.query.encode()).fetchall())


def _search(
    conn: Connection,
    report: Report,
    places: list[int],
    span: tuple[int, int],
    rows: tuple[list[Row], list[Row]],
    pick: Pick,
    found: list[int],
) -> None:
    """Halve the span while its ends differ; leaves the tables at its end."""
    low, high = span
    if rows[0] == rows[1] or high - low == 1 or len(found) > MOST_CHANGES:
        if rows[0] != rows[1] and high - low == 1:
            found.append(places[high])
        _go(conn, report, places[low], places[high])
        return
    middle = (low + high) // 2
    with conn.transaction(force_rollback=True):
        _go(conn, report, places[low], places[middle])
        between = pick(_rows(conn, report))
    _search(conn, report, places, (low, middle), (rows[0], between), pick, found)
    _search(conn, report, places, (middle, high), (between, rows[1]), pick, found)


def _positions(conn: Connection, after: int, upto: int) -> list[int]:
    return [
        row[0]
        for row in conn.execute(
            "select position from public.inbox where position > %s and position <= %s"
            " order by position",
            [after, upto],
        ).fetchall()
    ]


def _cause(conn: Connection, position: int) -> Cause:
    row = conn.execute(
        "select origin, type, event_id::text, occurred_at, received_at from public.inbox"
        " where position = %s",
        [position],
    ).fetchone()
    assert row is not None
    return Cause(
        position=position,
        origin=row[0],
        type=row[1],
        event_id=row[2],
        occurred_at=row[3],
        received_at=row[4],
    )


def _freshness(conn: Connection, position: int) -> Freshness:
    row = conn.execute(
        "select occurred_at, received_at from public.inbox where position = %s", [position]
    ).fetchone()
    nothing = Freshness(position=position, occurred_at=None, received_at=None, rebuilt_at=None)
    return replace(nothing, occurred_at=row[0], received_at=row[1]) if row else nothing


def _tables(conn: Connection, schema: str) -> list[str]:
    return [
        row[0]
        for row in conn.execute(
            "select tablename from pg_tables where schemaname = %s order by tablename", [schema]
        ).fetchall()
    ]


def _last(conn: Connection) -> int:
    row = conn.execute("select coalesce(max(position), 0) from public.inbox").fetchone()
    return int(row[0]) if row else 0
