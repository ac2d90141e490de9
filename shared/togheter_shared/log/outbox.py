"""What the relay reads from the feed: what was not published yet, and what somebody asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from togheter_shared.log import crash
from togheter_shared.log.head import After, Head, Signer

MESSAGE_ENTRIES = 200
MESSAGE_BYTES = 524_288


@dataclass(frozen=True, kw_only=True)
class Run:
    """Consecutive entries of one channel; `last` is the last one's number, `head_hash` its hash."""

    channel: str
    epoch: UUID
    first: int
    last: int
    head_hash: bytes
    lines: tuple[bytes, ...]
    read_at: datetime
    after: After | None = None

    def body(self, origin: str, signer: Signer) -> bytes:
        """The body of a message: the entries, a line each, and the signed head that covers them."""
        head = Head(
            origin=origin,
            channel=self.channel,
            epoch=self.epoch,
            number=self.last,
            hash=self.head_hash,
            at=self.read_at,
            after=self.after,
        )
        return b"\n".join([*self.lines, signer.sign(head)])


def behind(conn: Connection) -> list[tuple[str, int]]:
    """The channels with entries that were not published, and the number of the last that was.

    A channel that somebody disputes waits for a person (see `log.epochs`).
    """
    rows = conn.execute(
        "select channel, published_number from feed_channel c"
        " where published_number < head_number and not exists (select from feed_dispute d"
        " where d.channel = c.channel and d.resolved_at is null) order by channel",
        prepare=True,
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


_RUNS = """
select f.number, f.entry, f.hash, e.epoch, e.after_number, e.after_hash, before.epoch,
    clock_timestamp()
from feed_epoch e
join feed f on f.channel = e.channel and f.epoch = e.epoch
left join feed_epoch before on before.channel = e.channel and before.ordinal = e.ordinal - 1
left join feed_epoch next on next.channel = e.channel and next.ordinal = e.ordinal + 1
where e.channel = %(channel)s and e.epoch = %(epoch)s and f.number > %(after)s
    and f.number <= coalesce(next.after_number, f.number)
order by f.number limit %(limit)s
"""


def runs(
    conn: Connection, channel: str, after: int, *, epoch: UUID | None = None, limit: int = 2_000
) -> list[Run]:
    """The next entries of a channel after number `after`, packed into messages.

    Of the channel's epoch today, unless an earlier one is named: of that one, what still holds.
    """
    if epoch is None:
        row = conn.execute(
            "select epoch from feed_channel where channel = %s", [channel], prepare=True
        ).fetchone()
        if row is None:
            return []
        epoch = row[0]
    rows = conn.execute(
        _RUNS, {"channel": channel, "epoch": epoch, "after": after, "limit": limit}, prepare=True
    ).fetchall()
    found: list[Run] = []
    start = size = 0
    for index, row in enumerate(rows):
        if index > start and (
            index - start >= MESSAGE_ENTRIES or size + len(row[1]) > MESSAGE_BYTES
        ):
            found.append(_run(channel, rows[start:index]))
            start, size = index, 0
        size += len(row[1]) + 1
    if rows:
        found.append(_run(channel, rows[start:]))
    return found


def _run(channel: str, rows: Sequence[Any]) -> Run:
    last, _, head_hash, epoch, after_number, after_hash, before, at = rows[-1]
    return Run(
        channel=channel,
        epoch=epoch,
        first=rows[0][0],
        last=last,
        head_hash=bytes(head_hash),
        lines=tuple(bytes(row[1]) for row in rows),
        read_at=at,
        after=after_of(before, after_number, after_hash),
    )


def after_of(before: UUID | None, number: int, hash_: bytes) -> After | None:
    """Where an epoch begins; None for the first one of a channel."""
    return None if before is None else After(epoch=before, number=number, hash=bytes(hash_))


def mark_published(conn: Connection, channel: str, last: int) -> None:
    """The broker has confirmed everything up to number `last`."""
    crash.point("mark.before")
    conn.execute(
        "update feed_channel set published_number = greatest(published_number, %s),"
        " announced_at = clock_timestamp() where channel = %s",
        [last, channel],
        prepare=True,
    )
    crash.point("mark.after")


def heads_to_announce(conn: Connection, origin: str, seconds: float) -> list[Head]:
    """The heads of channels that were silent for `seconds`, as far as all of them was published and
    nobody disputes it; notes that they are told."""
    rows = conn.execute(
        "update feed_channel c set announced_at = clock_timestamp() from feed f, feed_epoch e"
        " left join feed_epoch b on b.channel = e.channel and b.ordinal = e.ordinal - 1"
        " where c.announced_at < clock_timestamp() - make_interval(secs => %s)"
        " and c.published_number = c.head_number"
        " and f.channel = c.channel and f.epoch = c.epoch and f.number = c.published_number"
        " and e.channel = c.channel and e.epoch = c.epoch"
        " and not exists (select from feed_dispute d"
        " where d.channel = c.channel and d.resolved_at is null)"
        " returning c.channel, c.epoch, c.published_number, f.hash, c.announced_at,"
        " b.epoch, e.after_number, e.after_hash",
        [seconds],
        prepare=True,
    ).fetchall()
    return [
        Head(
            origin=origin,
            channel=row[0],
            epoch=row[1],
            number=row[2],
            hash=bytes(row[3]),
            at=row[4],
            after=after_of(row[5], row[6], row[7]),
        )
        for row in rows
    ]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Somebody wants a channel again from that number of that epoch; `id` is the request's."""

    id: int
    channel: str
    epoch: UUID
    number: int


def note_request(
    conn: Connection, requester: str, channel: str, from_number: int, epoch: UUID | None = None
) -> None:
    """Somebody who may read `channel` wants it again from that number of `epoch`; None: from the
    channel's first epoch on."""
    conn.execute(
        "insert into resend_request (requester, channel, from_number, epoch)"
        " select %(requester)s, %(channel)s, %(from)s, %(epoch)s"
        " where exists (select 1 from feed_epoch where channel = %(channel)s"
        " and (%(epoch)s::uuid is null or epoch = %(epoch)s))"
        " and not exists (select 1 from"
        " resend_request where requester = %(requester)s and channel = %(channel)s"
        " and epoch is not distinct from %(epoch)s and from_number <= %(from)s)",
        {
            "requester": requester,
            "channel": channel,
            "from": max(1, from_number),
            "epoch": epoch,
        },
    )


def requests(conn: Connection) -> list[Asked]:
    """What was asked for of channels that there are, oldest first."""
    rows = conn.execute(
        "select r.id, e.channel, e.epoch, r.from_number from resend_request r"
        " join feed_epoch e on e.channel = r.channel and (e.epoch = r.epoch"
        " or r.epoch is null and e.ordinal = 1) order by r.id",
        prepare=True,
    ).fetchall()
    return [Asked(id=row[0], channel=row[1], epoch=row[2], number=row[3]) for row in rows]


def answered(conn: Connection, asked: Asked, last: int | None) -> None:
    """Entries up to `last` were sent again; None: there are no more of that epoch, and the request
    goes on with the next one, if there is one."""
    if last is not None:
        conn.execute(
            "update resend_request set epoch = %s, from_number = %s where id = %s",
            [asked.epoch, last + 1, asked.id],
            prepare=True,
        )
        return
    moved = conn.execute(
        "update resend_request r set epoch = next.epoch, from_number = 1 from feed_epoch e"
        " join feed_epoch next on next.channel = e.channel and next.ordinal = e.ordinal + 1"
        " where r.id = %s and e.channel = %s and e.epoch = %s",
        [asked.id, asked.channel, asked.epoch],
    )
    if not moved.rowcount:
        conn.execute("delete from resend_request where id = %s", [asked.id])
