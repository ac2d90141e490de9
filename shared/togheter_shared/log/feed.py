"""The sequencer: numbers what was committed, chains it, and writes each event's public form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import namedtuple_row

from togheter_shared.contracts.contract import Contract, Registry
from togheter_shared.log import crash
from togheter_shared.log.entry import Entry, encode, hash_of
from togheter_shared.privacy import at_rest

LOCK = 7_203_002
"""The advisory lock of the one sequencer of a database."""

WAKE_CHANNEL = "togheter_pending"

Seal = Callable[[str, UUID, Contract, dict[str, Any]], bytes]


@dataclass
class _Head:
    epoch: UUID
    number: int
    hash: bytes


def number_pending(
    conn: Connection,
    registry: Registry,
    organisation: str,
    service: str,
    seal: Seal,
    *,
    reporting: str = "",
    limit: int = 500,
) -> int:
    """Give the oldest committed events their numbers, in one transaction; returns how many.

    Numbering what is already committed means that no reader ever sees number n + 1 before n, and no
    writer waits for another. Only open fields travel; disclosed and restricted ones go through
    `seal(recipient, event_id, contract, fields)`, in the channel `reporting` for the organisation
    of that name. Returns 0 when another sequencer is at work.
    """
    with conn.transaction(), conn.cursor(row_factory=namedtuple_row) as cursor:
        if not cursor.execute("select pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()[0]:  # type: ignore[index]
            return 0
        rows: list[Any] = cursor.execute(
            "with taken as (delete from pending where position in"
            " (select position from pending order by position limit %s) returning position)"
            " select e.*, k.wrapped, k.wrapped_by, k.destroyed_at"
            " from event_log e join taken using (position)"
            " left join subject_key k using (subject_id) order by e.position",
            [limit],
            prepare=True,
        ).fetchall()
        if not rows:
            return 0
        crash.point("number.before")
        heads = _heads(conn)
        written: list[tuple[str, UUID, int, int, bytes, bytes]] = []
        for row in rows:
            contract = registry.find(row.type, row.type_version)
            assert contract is not None, f"{row.type} is in the log and has no contract"
            for channel in contract.channels(row.open, organisation):
                if row.destroyed_at is not None and contract.sealed_fields(channel, organisation):
                    continue  # erased before it was told: there is nothing to disclose any more
                if channel not in heads:
                    heads[channel] = _open_channel(conn, channel)
                head = heads[channel]
                entry = encode(
                    _public_form(
                        row, contract, channel, head, organisation, service, seal, reporting
                    )
                )
                head.number, head.hash = head.number + 1, hash_of(entry)
                written.append((channel, head.epoch, head.number, row.position, entry, head.hash))
        if written:
            _store(conn, written, heads)
    crash.point("number.after")
    return len(rows)


def _public_form(
    row: Any,
    contract: Contract,
    channel: str,
    head: _Head,
    organisation: str,
    service: str,
    seal: Seal,
    reporting: str,
) -> Entry:
    sealed = sealed_for = None
    names = contract.sealed_fields(channel, organisation)
    if names:
        sealed_for = channel.removeprefix("to.") if channel.startswith("to.") else reporting
        stored = at_rest.fields_of(row)
        part = {name: stored[name] for name in contract.classes if name in names & stored.keys()}
        sealed = seal(sealed_for, row.event_id, contract, part)
    return Entry(
        event_id=row.event_id,
        organisation=organisation,
        service=service,
        type=row.type,
        type_version=row.type_version,
        time=row.recorded_at,
        stream_id=row.stream_id,
        stream_version=row.stream_version,
        channel=channel,
        epoch=head.epoch,
        number=head.number + 1,
        previous=head.hash,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        data=row.open,
        sealed=sealed,
        sealed_for=sealed_for,
    )


def _heads(conn: Connection) -> dict[str, _Head]:
    rows = conn.execute(
        "select channel, epoch, head_number, head_hash from feed_channel", prepare=True
    ).fetchall()
    return {row[0]: _Head(row[1], row[2], bytes(row[3])) for row in rows}


def _open_channel(conn: Connection, channel: str) -> _Head:
    row = conn.execute(
        "with opened as (insert into feed_channel (channel) values (%s) returning channel, epoch)"
        " insert into feed_epoch (channel, ordinal, epoch) select channel, 1, epoch from opened"
        " returning epoch",
        [channel],
    ).fetchone()
    assert row is not None
    return _Head(row[0], 0, b"")


def _store(
    conn: Connection,
    written: list[tuple[str, UUID, int, int, bytes, bytes]],
    heads: Mapping[str, _Head],
) -> None:
    columns = [list(column) for column in zip(*written, strict=True)]
    conn.execute(
        "insert into feed (channel, epoch, number, position, entry, hash)"
        " select * from unnest(%s::text[], %b::uuid[], %b::bigint[], %b::bigint[], %b::bytea[],"
        " %b::bytea[])",
        columns,
        prepare=True,
    )
    touched = sorted({row[0] for row in written})
    conn.execute(
        "update feed_channel set head_number = h.number, head_hash = h.hash"
        " from unnest(%s::text[], %s::bigint[], %s::bytea[]) as h (channel, number, hash)"
        " where feed_channel.channel = h.channel",
        [touched, [heads[c].number for c in touched], [heads[c].hash for c in touched]],
        prepare=True,
    )


def wake(conn: Connection) -> None:
    """Tell the sequencer that something was committed.

    Never within the append's transaction: commits that notify queue on one lock.
    """
    conn.execute(f"notify {WAKE_CHANNEL}")
