"""`growth`: append and drain with ten million events in the store, beside a hundred thousand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
from psycopg.types.json import Jsonb
from tests.benchmarks import publish
from tests.benchmarks.append import SECONDS, our_writer, writers
from tests.benchmarks.events import WRITES
from tests.benchmarks.measure import Result, database, in_turns, postgres, result, say

from togheter_shared.contracts import strictjson
from togheter_shared.log import outbox
from togheter_shared.log.head import Signer
from togheter_shared.log.inbox import Delivery, Receiver
from togheter_shared.privacy.keys import generate_keys, is_signed, key_id
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase

STORED = int(os.environ.get("SIZE") or 10_000_000)
FEW = 100_000
ENTRIES = 20_000
WINDOW = 500_000

EVENTS = """
with new as (select gen_random_uuid() as id from generate_series(1, %(count)s / 10)),
streams as (insert into stream (stream_id, kind, version) select id, 'case', 10 from new)
insert into event_log (event_id, stream_id, stream_kind, stream_version, type, type_version, actor,
    correlation_id, open)
select gen_random_uuid(), id, 'case', version, 'bench.need_noted', 1, 'bench', gen_random_uuid(),
    %(open)s
from new, generate_series(1, 10) as version
"""
TOLD = """
insert into inbox (origin, channel, epoch, number, entry, hash, event_id, type, type_version,
    occurred_at, stream_id, stream_version, correlation_id, data)
select 'scuola.bench', 'reporting', %(epoch)s, number, %(entry)s, sha256(int8send(number)),
    gen_random_uuid(), 'bench.need_noted', 1, now(), gen_random_uuid(), 1, gen_random_uuid(),
    %(open)s
from generate_series(%(first)s::bigint, %(last)s::bigint) as number
"""


def run() -> Iterator[Result]:
    """Two stores, one small and one large, take turns; ours beside ours, as the aim asks."""
    with postgres() as server, ExitStack() as stack:
        origin = stack.enter_context(database(server, "feed"))
        publish.fill(origin, ENTRIES)
        bodies, receiver, entry = feed_of(origin)
        stores: dict[int, ServiceDatabase] = {}
        for name, stored in (("few", FEW), ("many", STORED)):
            stores[stored] = place = stack.enter_context(database(server, name))
            fill(place, stored, entry)
        with server.connect() as conn:
            conn.execute("checkpoint")
        sides: dict[str, Callable[[], float]] = {}
        for stored, place in stores.items():
            sides[f"append/{stored}"] = stack.enter_context(writers(1, our_writer, place.url))
            sides[f"drain/{stored}"] = drained(place, receiver, bodies)
        rates = in_turns(sides, 5)
    appended = round(sum(rates[f"append/{STORED}"]) * SECONDS)
    for what, n in (("append", appended), ("drain", ENTRIES * len(rates[f"drain/{STORED}"]))):
        yield result(
            f"growth/{what}",
            rates[f"{what}/{STORED}"],
            rates[f"{what}/{FEW}"],
            peer_name=f"the same with {FEW:,} stored events in place of {STORED:,}",
            unit="events/s",
            n=n,
            reach=0.8,
        )


def fill(place: ServiceDatabase, stored: int, entry: bytes) -> None:
    """A store whose log and whose inbox hold so many events, as large as real ones."""
    open_ = Jsonb(strictjson.loads(entry)["data"])
    with psycopg.connect(place.owner_url, autocommit=True) as conn:
        migrate(conn, ["togheter_shared.log"], place.name)
        row = conn.execute("select gen_random_uuid()").fetchone()
        assert row is not None
        for first in range(1, stored + 1, WINDOW):
            count = min(WINDOW, stored - first + 1)
            conn.execute(EVENTS, {"count": count, "open": open_})
            told = {"epoch": row[0], "entry": entry, "open": open_}
            conn.execute(TOLD, {**told, "first": first, "last": first + count - 1})
            say(f"  {place.name}: {first + count - 1:,} of {stored:,}")
        conn.execute("vacuum analyze event_log, stream, inbox")


def feed_of(origin: ServiceDatabase) -> tuple[list[bytes], Receiver, bytes]:
    """The messages of a feed, who believes them, and one of its entries."""
    keys = generate_keys()
    public = keys["sign_public"]
    signer = Signer(key=key_id(public), private_key=keys["sign_private"])
    runs: list[outbox.Run] = []
    with psycopg.connect(origin.url, autocommit=True) as conn:
        while not runs or runs[-1].last < ENTRIES:
            runs += outbox.runs(conn, publish.CHANNEL, runs[-1].last if runs else 0)
    receiver = Receiver(
        "ponte",
        frozenset({publish.CHANNEL}),
        WRITES,
        lambda *_: {},
        lambda _, key, signature, statement: is_signed(public, signature, statement),
    )
    return [run.body(publish.ORIGIN, signer) for run in runs], receiver, runs[0].lines[0]


def drained(place: ServiceDatabase, receiver: Receiver, bodies: list[bytes]) -> Callable[[], float]:
    """Entries a second from a message's bytes into the inbox; the broker, which does not grow with
    what is stored, is left out."""

    def side() -> float:
        with psycopg.connect(place.owner_url, autocommit=True) as owner:
            owner.execute("delete from inbox where origin = %s", [publish.ORIGIN])
            owner.execute("delete from inbox_channel where origin = %s", [publish.ORIGIN])
        with psycopg.connect(place.url, autocommit=True) as conn:
            began = time.monotonic()
            for body in bodies:
                receiver.take(conn, Delivery(routing_key=publish.KEY, user="comune", body=body))
            seconds = time.monotonic() - began
            row = conn.execute("select next_number - 1 from inbox_channel").fetchone()
        if row != (ENTRIES,):
            raise RuntimeError(f"the inbox is at {row}")
        return ENTRIES / seconds

    return side
