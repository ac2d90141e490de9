"""The ledger of releases: what was published, as it is read by pages and programs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from togheter_reporting.disclosure.cells import Audience, Figure, Filter, Key


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the ledger."""

    number: int
    report: str
    code: str
    version: int
    audience: Audience
    position: int
    events_up_to: datetime | None
    filter: Filter
    tables: tuple[str, ...]
    released_by: str
    released_at: datetime


@dataclass(frozen=True, kw_only=True)
class Published:
    """A release as it stands in the ledger: `new` when it was not there before."""

    entry: Entry
    figures: tuple[Figure, ...]
    """The value of those that are `hidden` is not to be used."""
    hidden: frozenset[int]
    new: bool = False


@dataclass(frozen=True, kw_only=True)
class File:
    """A form in which a release is handed out."""

    name: str
    media: str
    body: bytes

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def entries(
    conn: Connection,
    *,
    report: str | None = None,
    audience: Audience | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Entry]:
    """The ledger in its order, from after the release `after`; of one report, for one audience."""
    return _entries(conn, report=report, audience=audience, after=after, limit=limit)


def latest(
    conn: Connection, audience: Audience, *, before: int | None = None, limit: int
) -> list[Entry]:
    """The latest releases for an audience, the newest first, from before the release `before`."""
    return _entries(conn, audience=audience, before=before, limit=limit, newest_first=True)


def entry_of(conn: Connection, number: int) -> Entry | None:
    """One line of the ledger."""
    found = _entries(conn, after=number - 1, before=number + 1)
    return found[0] if found else None


def _entries(
    conn: Connection,
    *,
    report: str | None = None,
    audience: Audience | None = None,
    after: int = 0,
    before: int | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> list[Entry]:
    rows = conn.execute(
        "select number, report, code, version, audience, position, events_up_to, filter, tables,"
        " released_by, released_at from release where number > %(after)s"
        " and (%(before)s::bigint is null or number < %(before)s)"
        " and (%(report)s::text is null or report = %(report)s)"
        " and (%(audience)s::text is null or audience = %(audience)s)"
        " order by case when %(newest_first)s then -number else number end limit %(limit)s",
        {
            "report": report,
            "audience": audience,
            "after": after,
            "before": before,
            "limit": limit,
            "newest_first": newest_first,
        },
    ).fetchall()
    return [_entry(row) for row in rows]


def published(conn: Connection, entry: Entry) -> Published:
    """A release of the ledger with its figures, those that are hidden as zero."""
    rows = conn.execute(
        "select table_name, measure, key, value from release_figure where number = %s"
        " order by place",
        [entry.number],
    ).fetchall()
    return Published(
        entry=entry,
        figures=tuple(
            Figure(table=table, measure=measure, key=key_of(key), value=value or 0)
            for table, measure, key, value in rows
        ),
        hidden=frozenset(place for place, row in enumerate(rows) if row[3] is None),
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(
        number=row[0],
        report=row[1],
        code=row[2],
        version=row[3],
        audience=Audience(row[4]),
        position=row[5],
        events_up_to=row[6],
        filter=filter_of(row[7]),
        tables=tuple(row[8]),
        released_by=row[9],
        released_at=row[10],
    )


def files(conn: Connection, number: int) -> list[tuple[str, str, str, int]]:
    """Name, media type, ETag and size in bytes of each file of a release."""
    return conn.execute(
        "select name, media, etag, octet_length(body) from release_file where number = %s"
        " order by name",
        [number],
    ).fetchall()


def file_of(conn: Connection, number: int, name: str) -> File | None:
    """One file of a release."""
    row = conn.execute(
        "select name, media, body from release_file where number = %s and name = %s",
        [number, name],
    ).fetchone()
    return None if row is None else File(name=row[0], media=row[1], body=row[2])


def line_of(entry: Entry) -> dict[str, Any]:
    """A line of the ledger as JSON; who published is not for everybody, and is not in it."""
    return {
        "number": entry.number,
        "report": entry.report,
        "code": entry.code,
        "version": entry.version,
        "audience": entry.audience.value,
        "position": entry.position,
        "events_up_to": entry.events_up_to and entry.events_up_to.isoformat(),
        "filter": {column: sorted(values) for column, values in entry.filter.values},
        "tables": list(entry.tables),
        "released_at": entry.released_at.isoformat(),
    }


def filter_of(document: Mapping[str, Sequence[str]]) -> Filter:
    """A filter from columns to the values that it takes."""
    return Filter(
        values=tuple((column, frozenset(values)) for column, values in sorted(document.items()))
    )


def key_of(document: Sequence[Sequence[str]]) -> Key:
    """A key that was written as JSON."""
    return tuple(tuple(path) for path in document)
