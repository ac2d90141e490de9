"""The figures of a report, read whole: from one view, at one position of the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from togheter_reporting.catalogue import Report, Row, reports, settings

SWAP = 7_203_102
"""The advisory lock that readers share and that a rebuild's swap holds alone."""


class StaleView(Exception):
    """The view was never built, or by another definition; the message says the way out."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the view of the report {name} does not have the definition that the report has now;"
            f" run: togheter-reporting rebuild {name}"
        )
        self.name = name


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How far a view has folded the log; the times are those of the last event folded, if any."""

    position: int
    occurred_at: datetime | None
    received_at: datetime | None
    rebuilt_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Rows of figures in the order of the report's columns, and how fresh they are."""

    report: Report
    freshness: Freshness
    rows: list[Row]


@contextmanager
def whole(conn: Connection) -> Iterator[None]:
    """A transaction in which no view is swapped for another."""
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock_shared(%s)", [SWAP])
        yield


def read(conn: Connection, report: Report) -> Figures:
    """The figures of a report. Raises `StaleView`.

    One statement gives figures and freshness, so that both are of one moment.
    """
    with whole(conn):
        row = conn.execute(
            "select definition_hash from public.report_view where name = %s", [report.view]
        ).fetchone()
        if row is None or row[0] != report.view_hash:
            raise StaleView(report.name)
        conn.execute(*settings(report, report.schema))
        cursor = conn.execute(
            b"select v.position, i.occurred_at, i.received_at, v.rebuilt_at, figures.is_row,"
            b" figures.* from public.report_view v left join public.inbox i using (position)"
            b" left join lateral (select true as is_row, q.* from (\n"
            + report.query.encode()
            + b"\n) as q) as figures on true where v.name = '"
            + report.view.encode()
            + b"'"
        )
        names = [column.name for column in cursor.description or ()][6:]
        if names != [column.name for column in report.columns]:
            raise ValueError(f"{report.name}: query.sql gives {names}, not the columns defined")
        found = cursor.fetchall()
        conn.execute("select set_config('search_path', 'public', true)")
        position, occurred_at, received_at, rebuilt_at = found[0][:4]
        return Figures(
            report=report,
            freshness=Freshness(
                position=position,
                occurred_at=occurred_at,
                received_at=received_at,
                rebuilt_at=rebuilt_at,
            ),
            rows=report.sorted(tuple(row[6:]) for row in found if row[4]),
        )


def catalogue(conn: Connection) -> list[tuple[Report, Freshness | None]]:
    """Every report and how fresh its view is; None when it is stale."""
    rows: dict[str, Any] = {
        row[0]: row
        for row in conn.execute(
            "select v.name, v.definition_hash, v.position, i.occurred_at, i.received_at,"
            " v.rebuilt_at from public.report_view v left join public.inbox i using (position)"
        ).fetchall()
    }
    found: list[tuple[Report, Freshness | None]] = []
    for item in reports().values():
        row = rows.get(item.view)
        if row is None or row[1] != item.view_hash:
            found.append((item, None))
        else:
            found.append(
                (
                    item,
                    Freshness(
                        position=row[2],
                        occurred_at=row[3],
                        received_at=row[4],
                        rebuilt_at=row[5],
                    ),
                )
            )
    return found
