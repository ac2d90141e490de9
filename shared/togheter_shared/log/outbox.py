"""What the relay reads from the feed: what was not published yet, and what somebody asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from togheter_shared.log import crash
from togheter_shared.log.head import Head, Signer

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

    def body(self, origin: str, signer: Signer) -> bytes:
        """The body of a message: the entries, a line each, and the signed head that covers them."""
        head = Head(
            origin=origin,
            channel=self.channel,
            epoch=self.epoch,
            number=self.last,
            hash=self.head_hash,
        )
        return b"\n".join([*self.lines, signer.sign(head)])


def behind(conn: Connection) -> list[tuple[str, int]]:
    """The channels with entries that were not published, and the number of the last that was."""
    rows = conn.execute(
        "select channel, published_number from feed_channel where published_number < head_number"
        " order by channel",
        prepare=True,
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


def runs(conn: Connection, channel: str, after: int, *, limit: int = 2_000) -> list[Run]:
    """The next entries of a channel after number `after`, packed into messages."""
    rows = conn.execute(
        "select f.number, f.entry, epoch, f.hash from feed f"
        " join feed_channel c using (channel, epoch)"
        " where channel = %s and number > %s order by number limit %s",
        [channel, after, limit],
        prepare=True,
    ).fetchall()
    found: list[Run] = []
    start = size = 0
    for index, (_, entry, _, _) in enumerate(rows):
        if index > start and (
            index - start >= MESSAGE_ENTRIES or size + len(entry) > MESSAGE_BYTES
        ):
            found.append(_run(channel, rows[start:index]))
            start, size = index, 0
        size += len(entry) + 1
    if rows:
        found.append(_run(channel, rows[start:]))
    return found


def _run(channel: str, rows: Sequence[Any]) -> Run:
    last, _, epoch, head_hash = rows[-1]
    return Run(
        channel=channel,
        epoch=epoch,
        first=rows[0][0],
        last=last,
        head_hash=bytes(head_hash),
        lines=tuple(bytes(row[1]) for row in rows),
    )


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
    """The published heads of channels that were silent for `seconds`; notes that they are told."""
    rows = conn.execute(
        "update feed_channel c set announced_at = clock_timestamp() from feed f"
        " where c.announced_at < clock_timestamp() - make_interval(secs => %s)"
        " and f.channel = c.channel and f.epoch = c.epoch and f.number = c.published_number"
        " returning c.channel, c.epoch, c.published_number, f.hash",
        [seconds],
        prepare=True,
    ).fetchall()
    return [
        Head(origin=origin, channel=row[0], epoch=row[1], number=row[2], hash=bytes(row[3]))
        for row in rows
    ]


def note_request(conn: Connection, requester: str, channel: str, from_number: int) -> None:
    """Somebody who may read `channel` wants it again from that number."""
    conn.execute(
        "insert into resend_request (requester, channel, from_number)"
        " select %(requester)s, %(channel)s, %(from)s where not exists (select 1 from"
        " resend_request where requester = %(requester)s and channel = %(channel)s"
        " and from_number <= %(from)s)",
        {"requester": requester, "channel": channel, "from": max(1, from_number)},
    )


def requests(conn: Connection) -> list[tuple[int, str, int]]:
    """What was asked for: (id, channel, from number), oldest first."""
    rows = conn.execute(
        "select id, channel, from_number from resend_request order by id", prepare=True
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def request_done(conn: Connection, id_: int) -> None:
    conn.execute("delete from resend_request where id = %s", [id_])
