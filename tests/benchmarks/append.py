"""`append`: one event per transaction from eight writers, beside `eventsourcing` and pgbench."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import psycopg
from tests.benchmarks import message_db
from tests.benchmarks.events import WRITES, NeedNoted, need
from tests.benchmarks.measure import Result, database, in_turns, postgres, result

from togheter_shared.contracts import strictjson
from togheter_shared.contracts.schema import dump
from togheter_shared.log.store import Context, append
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.servers import Postgres

WRITERS = 8
SECONDS = 2.0
EVENTS_PER_STREAM = 10
LINES = {
    "append": ("ours", "functions", "eventsourcing 9.5 with database functions", 1.5),
    "append/as-it-comes": ("ours", "table lock", "eventsourcing 9.5 as it comes", 3),
    "append/message-db": ("ours", "one category", "message-db, all in one category", 1.7),
    "append/message-db-8": ("ours", "eight categories", "message-db, eight categories", None),
    "append/processes": (
        "ours in processes",
        "functions in processes",
        "eventsourcing 9.5 with database functions, in 8 processes",
        None,
    ),
    "append/pgbench-plain": ("ours", "pgbench", "pgbench, plain insert", None),
}

Write = Callable[[float], int]
"""Writes until that moment (of `time.monotonic`) and says how many events were written."""

PLAIN = """
create table plain (position bigint generated always as identity primary key,
    stream_id uuid not null, stream_version int not null, type text not null, data jsonb not null,
    recorded_at timestamptz not null default clock_timestamp());
grant insert, truncate on plain to public;
"""


def run() -> Iterator[Result]:
    """Eight connections a side, in turns, on one server that waits for the disk."""
    with postgres() as server, ExitStack() as stack:
        mine = stack.enter_context(database(server, "store"))
        functions = stack.enter_context(database(server, "functions"))
        tables = stack.enter_context(database(server, "tables"))
        plain = stack.enter_context(database(server, "plain"))
        with psycopg.connect(mine.owner_url, autocommit=True) as conn:
            migrate(conn, ["togheter_shared.log"], mine.name)
        with psycopg.connect(plain.owner_url, autocommit=True) as conn:
            conn.execute(PLAIN)
        streams = stack.enter_context(database(server, "messages"))
        message_db.install(server, streams)
        create_their_tables(functions.owner_url)
        create_their_tables(tables.owner_url)
        store = (mine, "stream, event_log, pending")
        sides: dict[str, tuple[ServiceDatabase, str, Callable[[], float]]] = {}
        for name, processes in (("", 1), (" in processes", WRITERS)):

            def side(make: Any, *rest: Any, processes: int = processes) -> Callable[[], float]:
                return stack.enter_context(writers(processes, make, *rest))

            ours_writes = side(our_writer, mine.url)
            theirs_writes = side(their_writer, functions.owner_url, True)
            sides[f"ours{name}"] = (*store, ours_writes)
            sides[f"functions{name}"] = (functions, "bench_events", theirs_writes)
            if not name:
                safe_writes = side(their_writer, tables.owner_url, False)
                sides["table lock"] = (tables, "bench_events", safe_writes)
                for title, categories in (("one category", 1), ("eight categories", WRITERS)):
                    writes = side(message_db.writer, streams.owner_url, categories)
                    sides[title] = (streams, "message_store.messages", writes)
                sides["pgbench"] = (plain, "plain", partial(pgbench, server, plain))
        rates = in_turns({name: partial(_fresh, server, *one) for name, one in sides.items()})
    for name, (ours, peer, title, reach) in LINES.items():
        yield result(
            name,
            rates[ours],
            rates[peer],
            peer_name=title,
            unit="events/s",
            n=round(sum(rates[ours]) * SECONDS),
            reach=reach,
        )


def our_writer(url: str) -> Write:
    """The public way into the store, in autocommit: version tested, pending row, one statement."""
    conn = psycopg.connect(url, autocommit=True)
    door, me = uuid4(), Context(actor="bench", correlation_id=uuid4())

    def write(until: float) -> int:
        done = 0
        while time.monotonic() < until:
            stream = uuid4()
            for version in range(EVENTS_PER_STREAM):
                append(conn, WRITES, "case", stream, version, [need(stream, door, version)], me)
            done += EVENTS_PER_STREAM
        return done

    return write


def their_writer(url: str, functions: bool) -> Write:
    """The library's own recorder, from its own factory, given bytes that are already serialised."""
    from eventsourcing.persistence import StoredEvent

    recorder = their_factory(url, functions=functions).application_recorder()
    topic = f"{NeedNoted.__module__}:{NeedNoted.__qualname__}"
    state = strictjson.canonical(dump(need(uuid4(), uuid4(), 1)))

    def write(until: float) -> int:
        done = 0
        while time.monotonic() < until:
            stream = uuid4()
            for version in range(1, EVENTS_PER_STREAM + 1):
                recorder.insert_events([StoredEvent(stream, version, topic, state)])
            done += EVENTS_PER_STREAM
        return done

    return write


def their_factory(url: str, *, functions: bool = False, create: bool = False) -> Any:
    """The library's factory, with its settings as its manual has them."""
    from eventsourcing.persistence import InfrastructureFactory
    from eventsourcing.utils import Environment

    parts = urlsplit(url)
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": parts.hostname or "",
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": unquote(parts.username or ""),
        "POSTGRES_PASSWORD": unquote(parts.password or ""),
        "POSTGRES_POOL_SIZE": "1",
        "POSTGRES_MAX_OVERFLOW": "0",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "yes" if functions else "no",
        "CREATE_TABLE": "yes" if create else "no",
    }
    factory: Any = InfrastructureFactory.construct(Environment("bench", settings))
    factory.datastore.pool_open_timeout = 30.0
    return factory


def create_their_tables(url: str) -> None:
    """Its tables, types and functions, made once before the writers come."""
    with their_factory(url, create=True) as factory:
        factory.application_recorder()


def pgbench(server: Postgres, place: ServiceDatabase) -> float:
    """What the machine gives to a C program that inserts a row and promises nothing else."""
    program = server.bin_dir / "pgbench" if server.bin_dir else Path("pgbench")
    text = json.dumps(dump(need(uuid4(), uuid4(), 1)), ensure_ascii=False).replace("'", "''")
    statement = (
        "insert into plain (stream_id, stream_version, type, data)"
        f" values (gen_random_uuid(), 1, 'bench.need_noted', '{text}');\n"
    )
    command: list[str | Path] = [program, "-n", "-M", "prepared", "-c", str(WRITERS), "-j", "2"]
    command += ["-T", str(round(SECONDS)), "-f", "/dev/stdin", place.url]
    done = subprocess.run(command, input=statement, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-500:]}")
    return float(found[1])


# --- many events in one transaction ---------------------------------------------------------------

BATCH = 100


def run_batches() -> Iterator[Result]:
    """One writer, a hundred events of one stream in each transaction."""
    with postgres() as server, ExitStack() as stack:
        mine = stack.enter_context(database(server, "store"))
        theirs = stack.enter_context(database(server, "functions"))
        tables = stack.enter_context(database(server, "tables"))
        streams = stack.enter_context(database(server, "messages"))
        message_db.install(server, streams)
        with psycopg.connect(mine.owner_url, autocommit=True) as conn:
            migrate(conn, ["togheter_shared.log"], mine.name)
        create_their_tables(theirs.owner_url)
        create_their_tables(tables.owner_url)
        makers: dict[str, tuple[ServiceDatabase, str, Any]] = {
            "ours": (mine, "stream, event_log, pending", (our_batches, mine.url)),
            "functions": (theirs, "bench_events", (their_batches, theirs.owner_url, True)),
            "table lock": (tables, "bench_events", (their_batches, tables.owner_url, False)),
            "message-db": (
                streams,
                "message_store.messages",
                (message_db.batch_writer, streams.owner_url, BATCH),
            ),
        }
        sides = {
            name: partial(_fresh, server, place, emptied, partial(_alone, make[0](*make[1:])))
            for name, (place, emptied, make) in makers.items()
        }
        rates = in_turns(sides)
    best = [max(one) for one in zip(rates["functions"], rates["table lock"], strict=True)]
    for name, peer, title in (
        ("append-batch", best, "eventsourcing 9.5, the better of its two ways"),
        ("append-batch/message-db", rates["message-db"], "message-db, pipelined"),
    ):
        yield result(
            name,
            rates["ours"],
            peer,
            peer_name=title,
            unit="events/s",
            n=round(sum(rates["ours"]) * SECONDS),
            reach=1.6,
        )


def _alone(write: Write) -> float:
    began = time.monotonic()
    return write(began + SECONDS) / (time.monotonic() - began)


def our_batches(url: str) -> Write:
    conn = psycopg.connect(url, autocommit=True)
    door, me = uuid4(), Context(actor="bench", correlation_id=uuid4())

    def write(until: float) -> int:
        done = 0
        while time.monotonic() < until:
            stream = uuid4()
            events = [need(stream, door, version) for version in range(BATCH)]
            append(conn, WRITES, "case", stream, 0, events, me)
            done += BATCH
        return done

    return write


def their_batches(url: str, functions: bool) -> Write:
    from eventsourcing.persistence import StoredEvent

    recorder = their_factory(url, functions=functions).application_recorder()
    topic = f"{NeedNoted.__module__}:{NeedNoted.__qualname__}"
    state = strictjson.canonical(dump(need(uuid4(), uuid4(), 1)))

    def write(until: float) -> int:
        done = 0
        while time.monotonic() < until:
            stream = uuid4()
            recorder.insert_events(
                [StoredEvent(stream, version, topic, state) for version in range(1, BATCH + 1)]
            )
            done += BATCH
        return done

    return write


# --- writers that wait for their turn ------------------------------------------------------------


@contextmanager
def writers(
    processes: int, make: Callable[..., Write], *arguments: Any
) -> Iterator[Callable[[], float]]:
    """`WRITERS` connections, spread over that many processes, a thread each, that wait; calling
    what is yielded lets them write for `SECONDS`, and gives their events per second."""
    context = get_context("spawn")
    start, counts = context.Barrier(processes + 1), context.SimpleQueue()
    started: list[SpawnProcess] = []
    for _ in range(processes):
        serving = (start, counts, WRITERS // processes, make, arguments)
        process = context.Process(target=_serve, args=serving, daemon=True)
        process.start()
        started.append(process)

    def write() -> float:
        start.wait(60)
        began = time.monotonic()
        told = [counts.get() for _ in started]
        for one in told:
            if isinstance(one, str):
                raise RuntimeError(one)
        return float(sum(told)) / (time.monotonic() - began)

    try:
        yield write
    finally:
        for process in started:
            process.terminate()
            process.join(10)


def _serve(
    start: Any, counts: Any, threads: int, make: Callable[..., Write], arguments: tuple[Any, ...]
) -> None:
    try:
        each = [make(*arguments) for _ in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            while True:
                start.wait()
                until = time.monotonic() + SECONDS
                counts.put(sum(pool.map(_until, each, [until] * threads)))
    except Exception as error:
        start.abort()
        counts.put(f"a writer failed: {type(error).__name__}: {error}")


def _until(write: Write, until: float) -> int:
    return write(until)


def _fresh(
    server: Postgres, place: ServiceDatabase, tables: str, side: Callable[[], float]
) -> float:
    """Run a side on empty tables, with nothing of the side before it left to be written."""
    with psycopg.connect(place.owner_url, autocommit=True) as conn:
        conn.execute(f"truncate {tables}")
    with server.connect() as conn:
        conn.execute("checkpoint")
    return side()
