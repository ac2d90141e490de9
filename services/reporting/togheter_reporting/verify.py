"""Counting every report a second time, naively, over the whole log, and comparing every row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import Connection

from togheter_reporting.catalogue import Report, Row, report, reports
from togheter_reporting.figures import Figures, read
from togheter_reporting.naive import Event
from togheter_reporting.parts import require

CHUNK = 5_000


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row of figures that the view and the naive count do not share; None: has no such row."""

    report: str
    dimensions: Row
    view: Row | None
    naive: Row | None


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What became of one report: how many rows it has, at which position, and what differs."""

    report: str
    position: int
    rows: int
    differences: tuple[Difference, ...]


def verify(conn: Connection, names: Sequence[str] | None = None) -> list[Verified]:
    """Compare those reports (or all) with a naive count of the same events.

    `conn` is in autocommit mode; nothing is written and nobody is kept waiting: events up to the
    position of a view do not change any more. Raises `StaleView`, `NoSuchReport`, `PartAway`.
    """
    chosen = [report(name) for name in names] if names else list(reports().values())
    return [_compare(conn, read(conn, item)) for item in chosen]


def count(conn: Connection, item: Report, upto: int) -> list[Row]:
    """The naive figures from the events up to that position."""
    return item.sorted(item.naive(_events(conn, upto), dict(item.definition)))


def _compare(conn: Connection, figures: Figures) -> Verified:
    item = figures.report
    view = _by_dimensions(item, figures.rows)
    naive = _by_dimensions(item, count(conn, item, figures.freshness.position))
    differences = [
        Difference(report=item.name, dimensions=key, view=view.get(key), naive=naive.get(key))
        for key in sorted(view.keys() | naive.keys())
        if view.get(key) != naive.get(key)
    ]
    return Verified(
        report=item.name,
        position=figures.freshness.position,
        rows=len(figures.rows),
        differences=tuple(differences),
    )


def _by_dimensions(item: Report, rows: list[Row]) -> dict[Row, Row]:
    found = {row[: item.dimensions]: row[item.dimensions :] for row in rows}
    if len(found) != len(rows):
        raise ValueError(f"{item.name}: two rows of figures have the same dimensions")
    return found


def _events(conn: Connection, upto: int) -> Iterator[Event]:
    """The log in its order; an event counts from the service in whose language it is told only."""
    require(conn, 0, upto)
    with conn.transaction(), conn.cursor(name="verify") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(
            "select origin, position, type, type_version, stream_version, event_id, data"
            " from public.inbox where position <= %s and not repeated order by position",
            [upto],
        )
        for origin, position, type_, type_version, stream_version, event_id, data in cursor:
            organisation, _, service = origin.partition(".")
            if type_.partition(".")[0] == service:
                yield Event(
                    organisation=organisation,
                    service=service,
                    position=position,
                    type=type_,
                    type_version=type_version,
                    stream_version=stream_version,
                    event_id=event_id,
                    data=data,
                )
