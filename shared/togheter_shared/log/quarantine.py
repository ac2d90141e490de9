"""What lies in quarantine, and what a person can do: have it tried again, or give it up."""

from dataclasses import dataclass, field

from psycopg import Connection

from togheter_shared.log.entry import BadEntry, decode


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A delivery in quarantine, without its bytes."""

    id: int
    origin: str
    channel: str
    number: int | None
    reason: str
    seen: int
    resolution: str | None = field(default=None)


def quarantined(conn: Connection, *, resolved: bool = False) -> list[Quarantined]:
    """What lies in quarantine, oldest first."""
    rows = conn.execute(
        "select id, origin, channel, number, reason, seen, resolution from quarantine"
        " where (resolved_at is not null) = %s order by id",
        [resolved],
    ).fetchall()
    return [
        Quarantined(
            id=row[0],
            origin=row[1],
            channel=row[2],
            number=row[3],
            reason=row[4],
            seen=row[5],
            resolution=row[6],
        )
        for row in rows
    ]


def resolve(conn: Connection, id_: int, resolution: str) -> bool:
    """Mark a quarantined delivery as looked at and let its channel flow: it will be asked for anew.

    An entry that still cannot be taken comes back. Returns False when there is no such delivery.
    """
    with conn.transaction():
        row = conn.execute(
            "update quarantine set resolved_at = clock_timestamp(), resolution = %s"
            " where id = %s and resolved_at is null returning origin, channel",
            [resolution, id_],
        ).fetchone()
        if row is None:
            return False
        conn.execute(
            "update inbox_channel set state = 'flowing', asked_at = '-infinity'"
            " where origin = %s and channel = %s and state = 'waiting'",
            list(row),
        )
    return True


def discard(conn: Connection, id_: int, reason: str) -> bool:
    """Give an entry up for good, with a reason, and go on behind it. False: no such delivery.

    The entry's number is passed over and its chain kept; the bytes stay in quarantine.
    """
    with conn.transaction():
        row = conn.execute(
            "update quarantine set resolved_at = clock_timestamp(), resolution = %s"
            " where id = %s and resolved_at is null returning origin, channel, number, body_hash",
            [f"discarded: {reason}", id_],
        ).fetchone()
        if row is None:
            return False
        origin, channel, number, body_hash = row
        conn.execute(
            "update inbox_channel set state = 'flowing', next_number = next_number + 1,"
            " head_hash = %s, asked_at = '-infinity' where origin = %s and channel = %s"
            " and state = 'waiting' and next_number = %s",
            [body_hash, origin, channel, number],
        )
    return True


def shape(conn: Connection, id_: int) -> dict[str, object] | None:
    """What a person may see of a delivery: sizes, hash, and the types of its entries; no value."""
    row = conn.execute(
        "select origin, channel, number, reason, seen, received_at, resolved_at, resolution, body,"
        " body_hash from quarantine where id = %s",
        [id_],
    ).fetchone()
    if row is None:
        return None
    body = bytes(row[8])
    return {
        "id": id_,
        "origin": row[0],
        "channel": row[1],
        "number": row[2],
        "reason": row[3],
        "seen": row[4],
        "received_at": row[5],
        "resolved_at": row[6],
        "resolution": row[7],
        "bytes": len(body),
        "lines": body.count(b"\n") + 1,
        "sha256": bytes(row[9]).hex(),
        "types": sorted({type_ for line in body.split(b"\n") if (type_ := _type_of(line))}),
    }


def _type_of(line: bytes) -> str | None:
    try:
        entry = decode(line)
    except BadEntry:
        return None
    return f"{entry.type} {entry.type_version}"
