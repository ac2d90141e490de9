"""Reports that were handed in: frozen at a position, signed, restated openly, and proven again."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from togheter_reporting.catalogue import Report, Row
from togheter_reporting.parts import require
from togheter_reporting.past import as_of, changes

FORMAT = "togheter.frozen.1"

FREEZING = 7_203_103
"""The advisory lock under which a number is given."""

Sign = Callable[[bytes], tuple[str, bytes]]
"""Signs a document: the short name of the key, and the signature."""

Believe = Callable[[str, bytes, bytes, datetime], bool]
"""Whether (key, signature, document) is this organisation's, by a key that was valid then."""


class NoSuchFrozenReport(Exception):
    """There is no frozen report of that number, or it is another report's."""


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A report as it was handed in: `document` are the bytes that were signed."""

    number: int
    report: str
    position: int
    document: bytes
    signature: bytes
    key: str
    frozen_at: datetime

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.document)
        return found


def freeze(
    conn: Connection,
    report: Report,
    position: int,
    sign: Sign,
    *,
    by: str,
    restates: int | None = None,
) -> Frozen:
    """Freeze the report as of that position; a restatement says what changed, and by which events.

    The document holds figures, the whole definition with its SQL, so that it can be computed when
    the program has another one, and the last hash of every channel up to the position.
    Raises `BeyondTheLog`, `NoSuchFrozenReport`, `PartAway`.
    """
    earlier = None if restates is None else read(conn, restates)
    if earlier is not None and earlier.report != report.name:
        raise NoSuchFrozenReport(f"frozen report {restates} is of {earlier.report}")
    figures = as_of(conn, report, position)
    content: dict[str, Any] = {
        "format": FORMAT,
        "report": report.name,
        "code": report.code,
        "version": report.version,
        "definition_hash": report.hash,
        "definition": dict(report.definition),
        "sql": {"tables": report.tables, "fold": report.fold, "query": report.query},
        "columns": [column.name for column in report.columns],
        "rows": [list(row) for row in figures.rows],
        "position": position,
        "heads": _heads(conn, position),
        "by": by,
    }
    if earlier is not None:
        content["restates"] = _restatement(conn, report, earlier, position, figures.rows)
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", [FREEZING])
        row = conn.execute("select coalesce(max(number), 0) + 1 from frozen").fetchone()
        assert row is not None
        number, at = int(row[0]), datetime.now(UTC)
        document = _canonical(content | {"number": number, "frozen_at": at.isoformat()})
        key, signature = sign(document)
        conn.execute(
            "insert into frozen (number, report, position, document, signature, key, restates,"
            " frozen_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [number, report.name, position, document, signature, key, restates, at],
        )
    return read(conn, number)


def read(conn: Connection, number: int) -> Frozen:
    """The frozen report of that number. Raises `NoSuchFrozenReport`."""
    found = [item for item in entries(conn) if item.number == number]
    if not found:
        raise NoSuchFrozenReport(f"there is no frozen report {number}")
    return found[0]


def entries(conn: Connection) -> list[Frozen]:
    """All frozen reports, in the order of their numbers."""
    rows = conn.execute(
        "select number, report, position, document, signature, key, frozen_at from public.frozen"
        " order by number"
    ).fetchall()
    names = ("number", "report", "position", "document", "signature", "key", "frozen_at")
    return [Frozen(**dict(zip(names, row, strict=True))) for row in rows]


def prove(conn: Connection, item: Frozen, report: Report, believe: Believe) -> list[str]:
    """Where the frozen report cannot be had again from the log; nothing: it is proven.

    The signature, the hash of every entry of the log up to the position, the heads that the
    document names, and every figure, computed anew with the document's own definition and SQL. SQL
    of a document that is not signed by this organisation is never run. `report` is the report as
    it is now.
    """
    content = item.content
    at = datetime.fromisoformat(content["frozen_at"])
    if not believe(item.key, item.signature, item.document, at):
        return ["the signature is not one of this organisation's over this document"]
    require(conn, 0, item.position)
    faults = [
        f"position {row[0]}: the entry does not have the hash that it came with"
        for row in conn.execute(
            "select position from public.inbox where position <= %s and sha256(entry) <> hash"
            " order by position limit 20",
            [item.position],
        ).fetchall()
    ]
    now = {(head["origin"], head["channel"]): head for head in _heads(conn, item.position)}
    for head in content["heads"]:
        if now.pop((head["origin"], head["channel"]), None) != head:
            faults.append(f"{head['origin']} {head['channel']}: the log has another head there")
    faults += [f"{origin} {channel}: not in the document" for origin, channel in now]
    then = replace(
        report,
        definition=content["definition"],
        tables=content["sql"]["tables"],
        fold=content["sql"]["fold"],
        query=content["sql"]["query"],
        view_hash=report.view_hash if _same_facts(report, content) else "",
    )
    again = [list(row) for row in as_of(conn, then, item.position).rows]
    faults += [
        f"{each['dimensions']}: frozen {each['old']}, from the log {each['new']}"
        for each in _differences(report, content["rows"], again)
    ]
    return faults


def _same_facts(report: Report, content: dict[str, Any]) -> bool:
    """Whether snapshots of the view may be used: they were made by the same tables and fold."""
    return (report.tables, report.fold) == (content["sql"]["tables"], content["sql"]["fold"])


def _restatement(
    conn: Connection, report: Report, earlier: Frozen, position: int, rows: list[Row]
) -> dict[str, Any]:
    old = earlier.content
    differences = _differences(report, old["rows"], [list(row) for row in rows])
    touched = {tuple(each["dimensions"]) for each in differences}

    def pick(found: list[Row]) -> list[Row]:
        return [row for row in found if row[: report.dimensions] in touched]

    causes, more = changes(conn, report, earlier.position, position, pick)
    return {
        "number": earlier.number,
        "position": earlier.position,
        "definition_changed": old["definition_hash"] != report.hash,
        "differences": differences,
        "events": [
            asdict(cause)
            | {
                "occurred_at": cause.occurred_at.isoformat(),
                "received_at": cause.received_at.isoformat(),
            }
            for cause in causes
        ],
        "more_events": more,
    }


def _differences(report: Report, old: list[Any], new: list[Any]) -> list[dict[str, Any]]:
    size = report.dimensions
    before = {tuple(row[:size]): row[size:] for row in old}
    after = {tuple(row[:size]): row[size:] for row in new}
    return [
        {"dimensions": list(key), "old": before.get(key), "new": after.get(key)}
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _heads(conn: Connection, position: int) -> list[dict[str, Any]]:
    require(conn, 0, position)
    rows = conn.execute(
        "select distinct on (origin, channel) origin, channel, epoch::text, number,"
        " encode(hash, 'hex') from public.inbox where position <= %s"
        " order by origin, channel, position desc",
        [position],
    ).fetchall()
    names = ("origin", "channel", "epoch", "number", "hash")
    return [dict(zip(names, row, strict=True)) for row in sorted(rows)]


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()
