"""To publish: what may be shown beside all that was published before, written into the ledger."""

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from togheter_reporting.catalogue import FOLDER, Report
from togheter_reporting.disclosure.cells import (
    Audience,
    Counts,
    Filter,
    NotReleasable,
    Plan,
    plan_of,
)
from togheter_reporting.disclosure.joint import Release, Snapshot, figures_of, protected
from togheter_reporting.disclosure.ledger import (
    Entry,
    File,
    Published,
    entries,
    entry_of,
    key_of,
)
from togheter_reporting.figures import Figures

LOCK = 7_203_110
"""The advisory lock of whoever publishes: each release sees all earlier ones."""


class Refused(Exception):
    """The release is not made; the message says why and the way out."""


def load_plan(report: Report) -> tuple[Plan, str]:
    """What the report may publish, and the hash of that. Raises `NotReleasable`."""
    path = FOLDER / report.name / "release.toml"
    if not path.exists():
        raise NotReleasable(
            f"{report.name} may not be published: its folder has no release.toml that says what"
        )
    text = path.read_text("utf-8")
    plan = plan_of(report, tomllib.loads(text))
    return plan, hashlib.sha256(text.encode()).hexdigest()


def publish(
    conn: Connection,
    found: Figures,
    audience: Audience,
    by: str,
    *,
    filter_: Filter | None = None,
    new_series: str | None = None,
    render: Callable[[Published], Iterable[File]] = lambda _: (),
) -> Published:
    """Publish what may be of these figures, and write it into the ledger.

    The same figures for the same readers again are the release that there is. `new_series` is the
    reason why releases that were made by another plan are not looked at. What `render` makes of
    the release is kept with it, or the release is not made. Raises `Refused` and
    `NotReleasable`. The caller's transaction must not hold the lock of readers: this takes seconds.
    """
    report = found.report
    plan, digest = load_plan(report)
    filter_ = filter_ or Filter()
    columns = [column.name for column in report.columns]
    tables = [table.name for table in plan.tables if filter_.fits(table)]
    if not tables:
        raise Refused(
            f"no table of {report.name} has all the columns of the filter; leave out one of"
            f" {', '.join(column for column, _ in filter_.values)}"
        )
    snapshot = Snapshot(
        position=found.freshness.position,
        counts={table.name: table.counts(columns, found.rows) for table in plan.tables},
    )
    with _alone(conn):
        known = entries(conn, report=report.name)
        history = _history(conn, plan, digest, known, new_series)
        for known_entry, past in history:
            if (past.audience, past.filter) == (audience, filter_) and (
                past.snapshot.counts == snapshot.counts
            ):
                return Published(entry=known_entry, figures=past.figures, hidden=past.hidden)
        draft = Release(
            snapshot=snapshot,
            audience=audience,
            filter=filter_,
            figures=figures_of(plan, snapshot, filter_, tables),
        )
        release = protected(plan, [past for _, past in history], draft)
        if not any(True for _ in release.shown):
            raise Refused(
                f"nothing of {report.name} can be shown without giving a small count away;"
                " publish it when more has been counted since the last release, or without a filter"
            )
        with conn.transaction():
            number = _write(conn, found, release, tables, digest, by, new_series)
            entry = entry_of(conn, number)
            assert entry is not None  # it was written by this transaction
            made = Published(entry=entry, figures=release.figures, hidden=release.hidden, new=True)
            for file in render(made):
                conn.execute(
                    "insert into release_file (number, name, media, etag, body)"
                    " values (%s, %s, %s, %s, %s)",
                    [number, file.name, file.media, file.etag, file.body],
                )
    return made


@contextmanager
def _alone(conn: Connection) -> Iterator[None]:
    conn.execute("select pg_advisory_lock(%s)", [LOCK])
    try:
        yield
    finally:
        conn.execute("select pg_advisory_unlock(%s)", [LOCK])


def _history(
    conn: Connection, plan: Plan, digest: str, known: Sequence[Entry], new_series: str | None
) -> list[tuple[Entry, Release]]:
    """The releases of the same plan, with what is hidden in each."""
    plans: dict[int, str] = dict(
        conn.execute("select number, plan from release where report = %s", [plan.report]).fetchall()
    )
    other = [entry.number for entry in known if plans[entry.number] != digest]
    begun = [entry.number for entry in known if plans[entry.number] == digest]
    if other and not begun and new_series is None:
        raise Refused(
            f"what {plan.report} publishes was changed since release {other[-1]}, so that the two"
            " cannot be checked together; put release.toml back, or begin a new series and say why:"
            " --new-series REASON"
        )
    return [(entry, _load(conn, plan, entry)) for entry in known if plans[entry.number] == digest]


def _load(conn: Connection, plan: Plan, entry: Entry) -> Release:
    row = conn.execute(
        "select counts from release_snapshot where number = %s", [entry.number]
    ).fetchone()
    assert row is not None
    snapshot = Snapshot(position=entry.position, counts=_counts(row[0]))
    hidden = {
        (table, measure, key_of(key))
        for table, measure, key in conn.execute(
            "select table_name, measure, key from release_figure where number = %s"
            " and value is null",
            [entry.number],
        ).fetchall()
    }
    figures = figures_of(plan, snapshot, entry.filter, entry.tables)
    return Release(
        snapshot=snapshot,
        audience=entry.audience,
        filter=entry.filter,
        figures=figures,
        hidden=frozenset(
            place
            for place, each in enumerate(figures)
            if (each.table, each.measure, each.key) in hidden
        ),
    )


def _write(
    conn: Connection,
    found: Figures,
    release: Release,
    tables: Sequence[str],
    digest: str,
    by: str,
    reason: str | None,
) -> int:
    report = found.report
    plan, _ = load_plan(report)
    row = conn.execute(
        "insert into release (number, report, code, version, definition_hash, plan, audience,"
        " position, events_up_to, filter, tables, reason, released_by)"
        " select coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s"
        " from release returning number",
        [
            report.name,
            report.code,
            report.version,
            report.hash,
            digest,
            release.audience,
            release.snapshot.position,
            found.freshness.received_at,
            Jsonb({column: sorted(values) for column, values in release.filter.values}),
            list(tables),
            reason,
            by,
        ],
    ).fetchone()
    assert row is not None
    number: int = row[0]
    conn.execute(
        "insert into release_snapshot (number, counts) values (%s, %s)",
        [number, Jsonb(_document(release.snapshot.counts))],
    )
    with conn.cursor().copy(
        "copy release_figure (number, place, table_name, measure, told, key, value) from stdin"
    ) as copy:
        for place, each in enumerate(release.figures):
            told = plan.by_name[each.table].named(each.key)
            value = None if place in release.hidden else each.value
            copy.write_row(
                (
                    number,
                    place,
                    each.table,
                    each.measure,
                    json.dumps(told, ensure_ascii=False),
                    json.dumps(each.key, ensure_ascii=False),
                    value,
                )
            )
    return number


def _document(counts: Mapping[str, Counts]) -> dict[str, Any]:
    return {
        table: {
            measure: [[key, value] for key, value in sorted(keys.items())]
            for measure, keys in measures.items()
        }
        for table, measures in counts.items()
    }


def _counts(document: Mapping[str, Any]) -> dict[str, Counts]:
    return {
        table: {
            measure: {key_of(key): value for key, value in pairs}
            for measure, pairs in measures.items()
        }
        for table, measures in document.items()
    }
