"""`publish`: a feed to a quorum queue, confirmed, beside nameko's `EventDispatcher`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch
from uuid import uuid4

import psycopg
from kombu import Connection
from tests.benchmarks.events import WRITES, need
from tests.benchmarks.measure import (
    ROOT,
    Result,
    broker,
    database,
    in_turns,
    postgres,
    result,
    say,
)

from togheter_shared.log import bus, outbox
from togheter_shared.log.feed import number_pending
from togheter_shared.log.head import Signer
from togheter_shared.log.store import Context, append
from togheter_shared.privacy.keys import generate_keys, key_id
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase

ENTRIES = 20_000
"""Published by ours in a round; one by one, and by the peer, as many as take about two seconds."""
ONE_BY_ONE = 4_000
PEER = 1_500
CHANNEL = "reporting"
ORIGIN = "comune.bench"
KEY = f"{ORIGIN}.{CHANNEL}"
QUEUE = "comune.bench"
THEIR_QUEUE = "peer.bench"
NAME = "nameko 2.14.1 EventDispatcher"


def run() -> Iterator[Result]:
    """The relay's own loop over 20,000 entries; the peer is handed the same documents in memory."""
    with postgres() as server, broker() as rabbit, ExitStack() as stack:
        place = stack.enter_context(database(server, "feed"))
        fill(place, ENTRIES)
        admin = stack.enter_context(Connection(rabbit.admin_url))
        channel = admin.channel()
        bus.queue(QUEUE, [KEY])(channel).declare()
        conn = stack.enter_context(psycopg.connect(place.url, autocommit=True))
        connection = stack.enter_context(bus.connect(rabbit.amqp_url_for("comune"), heartbeat=0))
        publisher = bus.Publisher(connection, "comune")
        keys = generate_keys()
        signer = Signer(key=key_id(keys["sign_public"]), private_key=keys["sign_private"])
        peer = stack.enter_context(nameko(rabbit.admin_url, example(conn)))
        channel.queue_declare(
            THEIR_QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
        )
        channel.queue_bind(THEIR_QUEUE, "bench.events", "need_noted")

        def ours(publish: Callable[[], int]) -> float:
            with psycopg.connect(place.owner_url, autocommit=True) as owner:
                owner.execute("update feed_channel set published_number = 0")
            began = time.monotonic()
            done = publish()
            seconds = time.monotonic() - began
            channel.queue_purge(QUEUE)
            return done / seconds

        def theirs() -> float:
            seconds = peer(PEER)
            arrived = channel.queue_purge(THEIR_QUEUE)
            if arrived != PEER:
                raise RuntimeError(f"{arrived} of {PEER} events of the peer are in its queue")
            return PEER / seconds

        rates = in_turns(
            {
                "ours": lambda: ours(lambda: as_the_relay(conn, publisher, signer, ENTRIES)),
                "one entry per message": lambda: ours(lambda: one_by_one(conn, publisher, signer)),
                "nameko": theirs,
            }
        )
    rounds = len(rates["ours"])
    yield result(
        "publish",
        rates["ours"],
        rates["nameko"],
        peer_name=NAME,
        unit="events/s",
        n=ENTRIES * rounds,
        reach=5,
    )
    yield result(
        "publish/one-entry-per-message",
        rates["one entry per message"],
        rates["nameko"],
        peer_name=NAME,
        unit="events/s",
        n=ONE_BY_ONE * rounds,
    )


def fill(place: ServiceDatabase, entries: int) -> None:
    """A feed with so many entries, numbered and chained by the sequencer."""
    say(f"{entries:,} entries …")
    me, door = Context(actor="bench", correlation_id=uuid4()), uuid4()
    with psycopg.connect(place.owner_url, autocommit=True) as conn:
        migrate(conn, ["togheter_shared.log"], place.name)
    with psycopg.connect(place.url, autocommit=True) as conn:
        for _ in range(entries // 100):
            stream = uuid4()
            events = [need(stream, door, number) for number in range(100)]
            append(conn, WRITES, "case", stream, 0, events, me)
        while number_pending(conn, WRITES, "comune", "bench", lambda *_: b"", limit=2_000):
            pass


def example(conn: psycopg.Connection) -> str:
    """One entry of the feed, as the document that the peer is to send."""
    return outbox.runs(conn, CHANNEL, 0, limit=1)[0].lines[0].decode()


def as_the_relay(
    conn: psycopg.Connection, publisher: bus.Publisher, signer: Signer, most: int
) -> int:
    """What the engine's relay does with a backlog: read, sign, publish, confirm, note."""
    done = 0
    while done < most:
        runs = outbox.runs(conn, CHANNEL, done)
        for run in runs:
            publisher.publish(KEY, bus.FEED, run.body(ORIGIN, signer))
        publisher.confirm()
        outbox.mark_published(conn, CHANNEL, runs[-1].last)
        done = runs[-1].last
    return done


def one_by_one(conn: psycopg.Connection, publisher: bus.Publisher, signer: Signer) -> int:
    """The same with one entry in each message, and so a signature for each."""
    with patch.object(outbox, "MESSAGE_ENTRIES", 1):
        return as_the_relay(conn, publisher, signer, ONE_BY_ONE)


@contextmanager
def nameko(url: str, document: str) -> Iterator[Callable[[int | str], float]]:
    """The peer in a process of its own, made cooperative as it wants; seconds that n events
    took, or one event with that id."""
    process = subprocess.Popen(
        [sys.executable, "-Wignore", "-m", "tests.benchmarks.nameko_publisher", url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    given, told = process.stdin, process.stdout

    def ask(line: str) -> str:
        given.write(line + "\n")
        given.flush()
        answer = told.readline()
        if not answer:
            raise RuntimeError("the peer's process ended")
        return answer

    try:
        ask(json.dumps(json.loads(document)))
        yield lambda count: float(ask(str(count)))
    finally:
        process.terminate()
        process.wait(20)
        given.close()
        told.close()
