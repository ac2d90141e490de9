"""`drain`: a feed through RabbitMQ into another service's inbox, verified, beside nameko's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

import psycopg
from tests.benchmarks import publish
from tests.benchmarks.latency import handler
from tests.benchmarks.measure import (
    ROOT,
    ROUNDS,
    Result,
    broker,
    database,
    in_turns,
    postgres,
    result,
    say,
)

from togheter_shared.log import bus, outbox
from togheter_shared.log.head import Signer
from togheter_shared.privacy.keys import generate_keys, key_id
from togheter_shared.run.migrate import migrate

ENTRIES = int(os.environ.get("SIZE") or 100_000)
PEER = 1_500
MOST_MIB = 200
READERS = {"comune": True, "ponte": True}
NAME = "nameko 2.14.1, EventDispatcher → event_handler → one insert for each event"


def run() -> Iterator[Result]:
    """The relay's own loop and the engine's own receiver, until the last entry is in the inbox."""
    with postgres() as server, broker(READERS) as rabbit, ExitStack() as stack:
        origin = stack.enter_context(database(server, "feed"))
        inbox = stack.enter_context(database(server, "inbox"))
        theirs = stack.enter_context(database(server, "handled"))
        publish.fill(origin, ENTRIES)
        with psycopg.connect(inbox.owner_url, autocommit=True) as owner:
            migrate(owner, ["togheter_shared.log"], inbox.name)
        with psycopg.connect(theirs.owner_url, autocommit=True) as owner:
            owner.execute("create table handled (id uuid primary key)")
        keys = generate_keys()
        signer = Signer(key=key_id(keys["sign_public"]), private_key=keys["sign_private"])
        settings = {"database_url": inbox.url, "amqp_url": rabbit.amqp_url_for("ponte")}
        conn = stack.enter_context(psycopg.connect(origin.url, autocommit=True))
        connection = stack.enter_context(bus.connect(rabbit.amqp_url_for("comune"), heartbeat=0))
        publisher = bus.Publisher(connection, "comune")
        memory: list[int] = []
        processor: list[float] = []

        def ours() -> float:
            with psycopg.connect(inbox.owner_url, autocommit=True) as owner:
                owner.execute("truncate inbox, inbox_channel, inbox_epoch")
                with psycopg.connect(origin.owner_url, autocommit=True) as other:
                    other.execute("update feed_channel set published_number = 0")
                with receiver(settings | {"keys": keys}) as ask:
                    _until_listening(conn, publisher, signer)
                    _, busy = ask()
                    began = time.monotonic()
                    publish.as_the_relay(conn, publisher, signer, ENTRIES)
                    memory.append(ask()[0])
                    _until(owner, "select count(*) from inbox", ENTRIES)
                    seconds = time.monotonic() - began
                    held, now_busy = ask()
                    memory.append(held)
                    processor.append((now_busy - busy) * 1000 / ENTRIES)
                equal = owner.execute("select next_number - 1 from inbox_channel").fetchone()
                if equal != (ENTRIES,):
                    raise RuntimeError(f"the inbox is at {equal}")
            return ENTRIES / seconds

        stack.enter_context(handler(rabbit.admin_url, theirs.owner_url))
        dispatch = stack.enter_context(publish.nameko(rabbit.admin_url, publish.example(conn)))

        def peer() -> float:
            with psycopg.connect(theirs.owner_url, autocommit=True) as owner:
                owner.execute("truncate handled")
                owner.execute("alter table handled drop constraint if exists handled_pkey")
                began = time.monotonic()
                dispatch(PEER)
                _until(owner, "select count(*) from handled", PEER)
                return PEER / (time.monotonic() - began)

        rates = in_turns({"ours": ours, "nameko": peer}, min(ROUNDS, 5))
    rounds = len(rates["ours"])
    yield result(
        "drain",
        rates["ours"],
        rates["nameko"],
        peer_name=NAME,
        unit="events/s",
        n=ENTRIES * rounds,
        reach=15,
    )
    each = processor[-rounds:]  # without the round that warmed up
    yield Result(
        name="drain/receiver-processor",
        ours=median(each),
        peer=None,
        peer_name=None,
        ratio=None,
        unit="µs an entry",
        n=ENTRIES * rounds,
        rounds=rounds,
        reach=None,
        met=None,
        lowest=min(each),
        highest=max(each),
    )
    most, first = max(memory) / 1024, memory[0] / 1024
    yield Result(
        name="drain/receiver-memory",
        ours=most,
        peer=None,
        peer_name=None,
        ratio=None,
        unit="MiB",
        n=len(memory),
        rounds=rounds,
        reach=MOST_MIB,
        met=most <= MOST_MIB,
        note=f"{first:.0f} MiB when the first feed had been sent",
    )


def _until(conn: psycopg.Connection, query: str, wanted: int, patience: float = 300) -> None:
    deadline = time.monotonic() + patience
    while (conn.execute(query).fetchone() or (0,))[0] < wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not everything arrived within {patience:.0f} s")
        time.sleep(0.02)


def _until_listening(conn: psycopg.Connection, publisher: bus.Publisher, signer: Signer) -> None:
    """A message that no queue takes is refused: then the receiver is not there yet."""
    deadline = time.monotonic() + 60
    run = outbox.runs(conn, publish.CHANNEL, 0, limit=1)[0]
    while True:
        try:
            publisher.publish(publish.KEY, bus.FEED, run.body(publish.ORIGIN, signer))
            publisher.confirm()
            return
        except bus.NotTaken:
            if time.monotonic() > deadline:
                raise RuntimeError("the receiver did not start") from None
            time.sleep(0.1)


@contextmanager
def receiver(settings: dict[str, Any]) -> Iterator[Callable[[], tuple[int, int]]]:
    """The receiver in its process; calling what is yielded gives its memory in KiB, and the
    milliseconds for which it has had the processor."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.drain_receiver", json.dumps(settings)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    given, told = process.stdin, process.stdout

    def ask() -> tuple[int, int]:
        given.write("?\n")
        given.flush()
        memory, processor = told.readline().split()
        return int(memory), int(processor)

    try:
        if told.readline().strip() != "ready":
            raise RuntimeError("the receiver did not start")
        yield ask
    finally:
        process.terminate()
        process.wait(20)
        given.close()
        told.close()
    say(f"  receiver ended with {process.returncode}")
