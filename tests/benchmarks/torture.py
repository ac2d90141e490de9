"""`torture`: writers that commit late and in disorder; the feed loses nothing, a naive reader does.

Eight writers take their transaction's id early, dawdle, and now and then give up; another database
of the same server has a long write transaction open. The sequencer runs in a process of its own.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import quantiles
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg
from tests.benchmarks.events import WRITES, need
from tests.benchmarks.measure import Result, database, in_turns, postgres, result

from togheter_shared.log import store
from togheter_shared.log.feed import WAKE_CHANNEL, number_pending, wake
from togheter_shared.log.store import Context, append
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase

EVENTS = int(os.environ.get("SIZE") or 25_000)
WRITERS = 8
GIVEN_UP, HELD = 0.02, 0.01
HOLD_SECONDS = (0.05, 0.3)
OTHER_SECONDS = 3.0
MOST_LAG = 100.0
WAITING = """), waiting as (
    insert into pending (position) select position from logged
)"""


class Dropped(Exception):
    """This transaction is given up on purpose."""


@dataclass(frozen=True)
class Written:
    """What a writer did: the events of the store, when their transaction began and was committed.

    Moments are of the monotonic clock, which the processes of a machine share.
    """

    stream: UUID
    version: int
    began: float
    committed: float


def run() -> Iterator[Result]:
    """The same work with and without what protects readers, in turns; the last round is judged."""
    with postgres() as server, ExitStack() as stack:
        mine = stack.enter_context(database(server, "torture"))
        other = stack.enter_context(database(server, "elsewhere"))
        with psycopg.connect(mine.owner_url, autocommit=True) as conn:
            migrate(conn, ["togheter_shared.log"], mine.name)
        found: dict[str, Any] = {}

        def protected() -> float:
            _empty(mine)
            with sequencer(mine.url) as numbered, naive_reader(mine.url) as seen:
                rate, written = write_all(mine, other)
                found.update(written=written, moments=numbered(EVENTS), missed=EVENTS - seen())
            with psycopg.connect(mine.url) as conn:
                found["fed"] = conn.execute(
                    "select f.number, e.stream_id, e.stream_version from feed f"
                    " join event_log e using (position) order by f.number"
                ).fetchall()
            return rate

        def unprotected() -> float:
            _empty(mine)
            assert WAITING in store._ONE
            with (
                patch.object(store, "_ONE", store._ONE.replace(WAITING, ")")),
                naive_reader(mine.url),  # its only reader; ours has the sequencer beside it
            ):
                return write_all(mine, other, wake_up=False)[0]

        rates = in_turns({"ours": protected, "unprotected": unprotected}, 3)
    fed, written, missed = found["fed"], found["written"], found["missed"]
    lost = EVENTS - len({(row[1], row[2]) for row in fed})
    by_event = {(one.stream, one.version): one for one in written}
    disorder = inversions(fed, by_event)
    lags = lags_of(fed, found["moments"], by_event)
    p99 = quantiles(lags, n=100, method="inclusive")[98]
    yield _figure("torture/lost", lost, 0, "events", missed, "naive reader by position")
    yield _figure("torture/inversions", disorder, 0, "events")
    yield _figure("torture/lag-p99", p99, MOST_LAG, "ms")
    if not missed:
        raise RuntimeError("the naive reader lost nothing: this run was no torture")
    yield result(
        "torture/writers",
        rates["ours"],
        rates["unprotected"],
        peer_name="the same appends and the naive reader, without pending rows and sequencer",
        unit="events/s",
        n=EVENTS * 3,
        reach=0.9,
    )


def _figure(
    name: str,
    value: float,
    reach: float | None,
    unit: str,
    peer: float | None = None,
    peer_name: str | None = None,
) -> Result:
    return Result(
        name=name,
        ours=float(value),
        peer=None if peer is None else float(peer),
        peer_name=peer_name,
        ratio=None,
        unit=unit,
        n=EVENTS,
        rounds=1,
        reach=reach,
        met=None if reach is None else value <= reach,
    )


# --- the work -------------------------------------------------------------------------------------


def write_all(
    place: ServiceDatabase, other: ServiceDatabase, *, wake_up: bool = True
) -> tuple[float, list[Written]]:
    """`EVENTS` events that are committed, by all writers together: events a second, and which."""
    done = threading.Event()
    elsewhere = threading.Thread(target=_write_elsewhere, args=(other.owner_url, done))
    elsewhere.start()
    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        parts = pool.map(
            lambda number: _write(place.url, number, EVENTS // WRITERS, wake_up), range(WRITERS)
        )
        written = [one for part in parts for one in part]
    seconds = time.monotonic() - began
    done.set()
    elsewhere.join()
    return len(written) / seconds, written


def _write(url: str, number: int, wanted: int, wake_up: bool) -> list[Written]:
    chance, me, door = (
        random.Random(number),
        Context(actor="bench", correlation_id=uuid4()),
        uuid4(),
    )
    written: list[Written] = []
    with psycopg.connect(url, autocommit=True) as conn:
        while len(written) < wanted:
            stream, version = uuid4(), 0
            while version < 10 and len(written) < wanted:
                began = time.monotonic()
                try:
                    with conn.transaction():
                        conn.execute("select pg_current_xact_id()")  # early: it orders nothing
                        append(conn, WRITES, "case", stream, version, [need(stream, door, 1)], me)
                        dice = chance.random()
                        if dice < GIVEN_UP:
                            raise Dropped
                        if dice < GIVEN_UP + HELD:
                            time.sleep(chance.uniform(*HOLD_SECONDS))  # a client that dawdles
                except Dropped:
                    continue
                version += 1
                written.append(Written(stream, version, began, time.monotonic()))
                if wake_up:
                    wake(conn)
    return written


def _write_elsewhere(url: str, done: threading.Event) -> None:
    """A long write transaction of another database of the server holds its horizon back."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create table if not exists long (number int)")
        with conn.transaction():
            conn.execute("insert into long values (1)")
            done.wait(OTHER_SECONDS)


def _empty(place: ServiceDatabase) -> None:
    with psycopg.connect(place.owner_url, autocommit=True) as conn:
        conn.execute("truncate stream, event_log, pending, feed, feed_epoch, feed_channel cascade")


# --- who reads ------------------------------------------------------------------------------------


@contextmanager
def sequencer(url: str) -> Iterator[Any]:
    """The engine's way to number, in a process of its own; what is yielded waits until so many
    entries have their numbers, and gives (moment, highest number) for each of its transactions."""
    context = get_context("spawn")
    ready, wanted, told = context.Event(), context.Value("q", 0), context.SimpleQueue()
    process = context.Process(target=_number, args=(url, ready, wanted, told), daemon=True)
    process.start()
    if not ready.wait(60):
        raise RuntimeError("the sequencer did not start")

    def numbered(count: int) -> list[tuple[float, int]]:
        wanted.value = count
        moments: list[tuple[float, int]] = told.get()
        return moments

    try:
        yield numbered
    finally:
        process.terminate()
        process.join(10)


def _number(url: str, ready: Any, wanted: Any, told: Any) -> None:
    moments: list[tuple[float, int]] = []
    head = 0
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"listen {WAKE_CHANNEL}")
        ready.set()
        while not wanted.value or head < wanted.value:
            count = number_pending(conn, WRITES, "comune", "bench", lambda *_: b"")
            if count:
                head += count
                moments.append((time.monotonic(), head))
            else:
                for _ in conn.notifies(timeout=0.2, stop_after=1):
                    pass
    told.put(moments)


@contextmanager
def naive_reader(url: str) -> Iterator[Any]:
    """Who follows the log by its highest position so far; what is yielded gives how many it saw."""
    stop, count = threading.Event(), 0

    def read() -> None:
        nonlocal count
        last = 0
        with psycopg.connect(url, autocommit=True) as conn:
            while True:
                ending = stop.is_set()
                rows = conn.execute(
                    "select position from event_log where position > %s order by position", [last]
                ).fetchall()
                count += len(rows)
                last = rows[-1][0] if rows else last
                if ending and not rows:
                    return
                stop.wait(0.005)

    thread = threading.Thread(target=read)
    thread.start()

    def seen() -> int:
        stop.set()
        thread.join()
        return count

    try:
        yield seen
    finally:
        stop.set()
        thread.join()


# --- the verdict ----------------------------------------------------------------------------------


def inversions(fed: list[Any], written: dict[tuple[UUID, int], Written]) -> int:
    """Entries that stand behind one which was begun only after they had been committed."""
    found = 0
    first_commit = float("inf")
    for _, stream, version in reversed(fed):
        one = written[stream, version]
        if first_commit < one.began:
            found += 1
        first_commit = min(first_commit, one.committed)
    return found


def lags_of(
    fed: list[Any], moments: list[tuple[float, int]], written: dict[tuple[UUID, int], Written]
) -> list[float]:
    """Milliseconds from each event's commit, as its writer saw it, to its number's."""
    lags, step = [], 0
    for number, stream, version in fed:
        while moments[step][1] < number:
            step += 1
        lags.append(max(0.0, (moments[step][0] - written[stream, version].committed) * 1000))
    return lags
