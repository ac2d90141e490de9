"""A store that was restored from a backup has lost something: who notices, and how it goes on.

Others ask for what they lack, and say with it what they hold (`samples`), with the origin's own
signature as a proof (`proof`): nobody can silence somebody else. Who holds more than the origin
does, or other bytes, disputes the channel: it waits until a person begins a new epoch of it
(`begin`), which goes on behind the last entry that everybody holds alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from togheter_shared.log.head import After, Head, write
from togheter_shared.log.wish import MAX_HELD

Sample = tuple[int, bytes]
"""A number and the SHA-256 of its entry."""


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """`requester` holds `channel` up to `number`; up to `common_number` it is what we hold too."""

    channel: str
    requester: str
    number: int
    common_number: int


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A channel's new epoch. `orphaned` numbers are held by others and lost here, `told_again` are
    entries of ours that get new numbers."""

    channel: str
    epoch: UUID
    after_number: int
    orphaned: int
    told_again: int


# --- the receiver's side --------------------------------------------------------------------------


def samples(conn: Connection, origin: str, channel: str, epoch: UUID) -> list[Sample]:
    """What we hold of a channel: its last entry, and others ever further back."""
    rows = conn.execute(
        "with held as (select max(number) as last from inbox where origin = %(origin)s"
        " and channel = %(channel)s and epoch = %(epoch)s)"
        " select number, hash from inbox, held where origin = %(origin)s"
        " and channel = %(channel)s and epoch = %(epoch)s and number in"
        " (select last from held union select last - (1::bigint << step)"
        "  from generate_series(0, 61) as step) order by number desc",
        {"origin": origin, "channel": channel, "epoch": epoch},
    ).fetchall()
    return [(row[0], bytes(row[1])) for row in rows]


def proof(conn: Connection, origin: str, channel: str) -> bytes | None:
    """The last head of the channel that its origin signed and that we keep, as it came."""
    row = conn.execute(
        "select c.epoch, c.signed_number, coalesce(i.hash, c.head_hash), c.signed_at,"
        " c.signed_key, c.signature, c.after_epoch, c.after_number, c.after_hash"
        " from inbox_channel c left join inbox i"
        " on i.origin = c.origin and i.channel = c.channel and i.epoch = c.epoch"
        " and i.number = c.signed_number where c.origin = %s and c.channel = %s"
        " and c.signed_number is not null"
        " and (i.hash is not null or c.signed_number = c.next_number - 1)",
        [origin, channel],
    ).fetchone()
    if row is None:
        return None
    epoch, number, hash_, at, key, signature, after_epoch, after_number, after_hash = row
    after = None
    if after_epoch is not None:
        after = After(epoch=after_epoch, number=after_number, hash=bytes(after_hash))
    head = Head(
        origin=origin,
        channel=channel,
        epoch=epoch,
        number=number,
        hash=bytes(hash_),
        at=at,
        after=after,
    )
    return write(head, key, bytes(signature))


def continues(conn: Connection, told: Head, epoch: UUID) -> bool:
    """Whether the epoch of `told` begins behind an entry of `epoch` that we hold alike."""
    after = told.after
    if after is None or after.epoch != epoch:
        return False
    if after.number == 0:
        return True
    row = conn.execute(
        "select hash from inbox where origin = %(origin)s and channel = %(channel)s"
        " and epoch = %(epoch)s and number = %(number)s union all"
        " select head_hash from inbox_channel where origin = %(origin)s and channel = %(channel)s"
        " and epoch = %(epoch)s and next_number = %(number)s + 1 limit 1",
        {
            "origin": told.origin,
            "channel": told.channel,
            "epoch": epoch,
            "number": after.number,
        },
    ).fetchone()
    return row is not None and bytes(row[0]) == after.hash


def go_on(conn: Connection, told: Head, next_number: int) -> None:
    """Take the channel's new epoch from number 1 on; what we hold behind its beginning stays."""
    assert told.after is not None
    conn.execute(
        "insert into inbox_epoch (origin, channel, epoch, before_epoch, after_number, orphaned)"
        " values (%s, %s, %s, %s, %s, %s)",
        [
            told.origin,
            told.channel,
            told.epoch,
            told.after.epoch,
            told.after.number,
            next_number - 1 - told.after.number,
        ],
    )
    conn.execute(
        "update inbox_channel set epoch = %s, next_number = 1, head_hash = '', state = 'flowing',"
        " after_epoch = %s, after_number = %s, after_hash = %s, asked_at = '-infinity'"
        " where origin = %s and channel = %s",
        [
            told.epoch,
            told.after.epoch,
            told.after.number,
            told.after.hash,
            told.origin,
            told.channel,
        ],
    )
    conn.execute(
        "update quarantine set resolved_at = clock_timestamp(), resolution = 'a new epoch began'"
        " where origin = %s and channel = %s and resolved_at is null",
        [told.origin, told.channel],
    )


def is_past(conn: Connection, told: Head) -> bool:
    """Whether it is an epoch of the channel that ended before."""
    row = conn.execute(
        "select 1 from inbox_epoch where origin = %s and channel = %s and before_epoch = %s",
        [told.origin, told.channel, told.epoch],
    ).fetchone()
    return row is not None


def told_before(conn: Connection, head: Head, event_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the events that came in the epoch before, behind the point where it ended."""
    if head.after is None:
        return set()
    rows = conn.execute(
        "select event_id from inbox where origin = %s and channel = %s and epoch = %s"
        " and number > %s and event_id = any(%s)",
        [head.origin, head.channel, head.after.epoch, head.after.number, list(event_ids)],
        prepare=True,
    ).fetchall()
    return {row[0] for row in rows}


# --- the origin's side ----------------------------------------------------------------------------


def compare(conn: Connection, requester: str, told: Head, held: Sequence[Sample]) -> bool:
    """Note a dispute when somebody holds what we once told and do not hold now; returns whether
    they do. `told` is a head that we have signed, which the caller has verified."""
    row = conn.execute(
        "select f.hash from feed_channel c left join feed f on f.channel = c.channel"
        " and f.epoch = c.epoch and f.number = %s where c.channel = %s and c.epoch = %s",
        [told.number, told.channel, told.epoch],
    ).fetchone()
    if row is None or (row[0] is not None and bytes(row[0]) == told.hash):
        return False
    channel, epoch, last = told.channel, told.epoch, told.number
    rows = conn.execute(
        "select number, hash from feed where channel = %s and epoch = %s and number = any(%s)",
        [channel, epoch, [number for number, _ in held[:MAX_HELD]]],
    ).fetchall()
    ours = {number: bytes(hash_) for number, hash_ in rows}
    common = max((n for n, hash_ in held if n < last and ours.get(n) == hash_), default=0)
    conn.execute(
        "insert into feed_dispute (channel, requester, epoch, number, common_number)"
        " values (%s, %s, %s, %s, %s) on conflict (channel, requester) do update set"
        " (epoch, number, common_number, told_at, resolved_at) ="
        " (excluded.epoch, excluded.number, excluded.common_number, clock_timestamp(), null)",
        [channel, requester, epoch, last, common],
    )
    return True


def disputes(conn: Connection) -> list[Dispute]:
    """What others hold and we do not, as far as nobody has decided on it."""
    rows = conn.execute(
        "select channel, requester, number, common_number from feed_dispute"
        " where resolved_at is null order by channel, requester"
    ).fetchall()
    return [
        Dispute(channel=row[0], requester=row[1], number=row[2], common_number=row[3])
        for row in rows
    ]


def begin(conn: Connection, actor: str, reason: str) -> list[Begun]:
    """Begin a new epoch of every channel, behind what nobody disputes, in one transaction.

    All channels at once, for a restored store has lost of all of them: what they tell after the
    earliest such point gets new numbers. Receivers know an event that they had before.
    """
    with conn.transaction():
        conn.execute("lock table feed_channel in exclusive mode")
        rows = conn.execute(
            "select c.channel, c.epoch, c.head_number, coalesce(min(d.common_number),"
            " c.head_number), coalesce(max(d.number), c.head_number) from feed_channel c"
            " left join feed_dispute d on d.channel = c.channel and d.resolved_at is null"
            " and d.epoch = c.epoch group by c.channel order by c.channel"
        ).fetchall()
        since = _first_in_doubt(conn, rows)
        begun = [_begin(conn, row, since, actor, reason) for row in rows]
        if since is not None:
            conn.execute(
                "insert into pending (position) select distinct position from feed"
                " where position >= %s on conflict do nothing",
                [since],
            )
        conn.execute(
            "update feed_dispute set resolved_at = clock_timestamp() where resolved_at is null"
        )
        conn.execute("delete from resend_request")
    return begun


def _first_in_doubt(conn: Connection, rows: Sequence[Any]) -> int | None:
    """The first position of our log that somebody does not hold as we do; None: there is none."""
    positions = [
        row[0]
        for channel, epoch, _, common, _ in rows
        for row in conn.execute(
            "select min(position) from feed where channel = %s and epoch = %s and number > %s",
            [channel, epoch, common],
        ).fetchall()
        if row[0] is not None
    ]
    return min(positions, default=None)


def _begin(conn: Connection, row: Any, since: int | None, actor: str, reason: str) -> Begun:
    channel, epoch, head, _, theirs = row
    last = conn.execute(
        "select number, hash from feed where channel = %s and epoch = %s"
        " and (%s::bigint is null or position < %s) order by number desc limit 1",
        [channel, epoch, since, since],
    ).fetchone()
    after_number, after_hash = (last[0], bytes(last[1])) if last else (0, b"")
    new = uuid4()
    conn.execute(
        "insert into feed_epoch (channel, ordinal, epoch, after_number, after_hash, actor, reason)"
        " select channel, max(ordinal) + 1, %s, %s, %s, %s, %s from feed_epoch"
        " where channel = %s group by channel",
        [new, after_number, after_hash, actor, reason, channel],
    )
    conn.execute(
        "update feed_channel set epoch = %s, head_number = 0, head_hash = '',"
        " published_number = 0, announced_at = '-infinity' where channel = %s",
        [new, channel],
    )
    return Begun(
        channel=channel,
        epoch=new,
        after_number=after_number,
        orphaned=max(0, theirs - after_number),
        told_again=head - after_number,
    )
