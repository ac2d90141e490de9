"""What the relay reads from the feed: what was not published yet, and what somebody asked for."""

from dataclasses import dataclass

from psycopg import Connection

from togheter_shared.contracts import strictjson

MESSAGE_ENTRIES = 200
MESSAGE_BYTES = 524_288


@dataclass(frozen=True, kw_only=True)
class Run:
    """Consecutive entries of one channel, as the body of one message; `last` is its last number."""

    channel: str
    first: int
    last: int
    body: bytes


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
        "select f.number, f.entry from feed f join feed_channel c using (channel, epoch)"
        " where channel = %s and number > %s order by number limit %s",
        [channel, after, limit],
        prepare=True,
    ).fetchall()
    found: list[Run] = []
    lines: list[bytes] = []
    size = 0
    for number, entry in rows:
        line = bytes(entry)
        if lines and (len(lines) >= MESSAGE_ENTRIES or size + len(line) > MESSAGE_BYTES):
            found.append(_run(channel, number - 1, lines))
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        found.append(_run(channel, rows[-1][0], lines))
    return found


def _run(channel: str, last: int, lines: list[bytes]) -> Run:
    return Run(channel=channel, first=last - len(lines) + 1, last=last, body=b"\n".join(lines))


def mark_published(conn: Connection, channel: str, last: int) -> None:
    """The broker has confirmed everything up to number `last`."""
    conn.execute(
        "update feed_channel set published_number = greatest(published_number, %s),"
        " announced_at = clock_timestamp() where channel = %s",
        [last, channel],
        prepare=True,
    )


def heads_to_announce(conn: Connection, seconds: float) -> list[tuple[str, bytes]]:
    """Channels that were silent for `seconds`, with the announcement of their head; notes it."""
    rows = conn.execute(
        "update feed_channel set announced_at = clock_timestamp()"
        " where announced_at < clock_timestamp() - make_interval(secs => %s)"
        " and published_number > 0 returning channel, epoch, published_number",
        [seconds],
        prepare=True,
    ).fetchall()
    return [(row[0], head(str(row[1]), row[2])) for row in rows]


def head(epoch: str, number: int) -> bytes:
    """The body of an announcement."""
    return strictjson.canonical({"epoch": epoch, "number": number})


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
