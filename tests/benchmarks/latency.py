"""`latency`: from POST to the figure in the city's report, beside a bare nameko event."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from uuid import UUID, uuid4

import psycopg
from tests.benchmarks.measure import (
    ROOT,
    ROUNDS,
    Result,
    broker,
    database,
    in_turns,
    postgres,
    result,
)
from tests.benchmarks.network import Running, prepared, serving
from tests.benchmarks.publish import nameko

PER_SECOND = 20
SECONDS = 6.0
POLL = 0.005
HANDLER = "tests.benchmarks.nameko_handler"
FIGURE = "report_accesses.access"
NAME = "nameko 2.14.1, dispatch and one insert"
TO_INBOX = """
select percentile_cont(0.5) within group (
    order by extract(epoch from received_at - occurred_at) * 1000)
from inbox where type = 'intake.access_recorded'
"""


def run() -> Iterator[Result]:
    """Twenty commands a second, evenly, for six seconds a side and round."""
    with postgres() as server, broker() as rabbit, ExitStack() as stack:
        intake = stack.enter_context(
            prepared(server, "ponte", "intake", rabbit.amqp_url_for("ponte"))
        )
        reporting = stack.enter_context(
            prepared(server, "comune", "reporting", rabbit.amqp_url_for("comune"))
        )
        theirs = stack.enter_context(database(server, "handled"))
        with psycopg.connect(theirs.owner_url, autocommit=True) as conn:
            conn.execute("create table handled (id uuid primary key)")
        reporting.run("rebuild", "--stale")
        stack.enter_context(serving(reporting))
        stack.enter_context(serving(intake))
        stack.enter_context(handler(rabbit.admin_url, theirs.owner_url))
        dispatch = stack.enter_context(nameko(rabbit.admin_url, '{"note": "una nota"}'))
        post = access_of(intake)
        p99: dict[str, list[float]] = {"ours": [], "nameko": []}
        answered: dict[str, list[float]] = {"ours": [], "nameko": []}

        def side(name: str, act: Callable[[], UUID], url: str, table: str, column: str) -> float:
            times, answers = follow(act, url, table, column)
            cuts = quantiles(times, n=100, method="inclusive")
            answered[name].append(median(answers))
            p99[name].append(cuts[98])
            return cuts[49]

        turn = threading.Lock()  # their process answers one line at a time

        def dispatched() -> UUID:
            id_ = uuid4()
            with turn:
                dispatch(str(id_))
            return id_

        sides = {
            "ours": lambda: side("ours", post, reporting.database.url, FIGURE, "access_id"),
            "nameko": lambda: side("nameko", dispatched, theirs.owner_url, "handled", "id"),
        }
        p50 = in_turns(sides)
        with psycopg.connect(reporting.database.url) as conn:
            row = conn.execute(TO_INBOX).fetchone()
            assert row is not None
    n = round(PER_SECOND * SECONDS) * ROUNDS
    lines = {"p50": p50, "p99": p99, "answered-p50": answered}
    for name, values in lines.items():
        yield result(
            f"latency/{name}",
            values["ours"][-ROUNDS:],  # without the round that warmed up
            values["nameko"][-ROUNDS:],
            peer_name=NAME,
            unit="ms",
            n=n,
            reach=1.5 if name == "p50" else None,
        )
    yield Result(
        name="latency/from-commit-to-inbox-p50",
        ours=float(row[0]),
        peer=None,
        peer_name=None,
        ratio=None,
        unit="ms",
        n=n,
        rounds=ROUNDS,
        reach=None,
        met=None,
        note="sequencer, relay, quorum queue and receiver; the rest is the POST and the projection",
    )


def access_of(intake: Running) -> Callable[[], UUID]:
    """Records an anonymous access through the interface of intake."""
    door = intake.post("doors", {"name": "Porta Sociale Centro"})["door_id"]

    def post() -> UUID:
        body = {"door_id": door, "kind": "information", "topics": ["work"], "minutes": 15}
        return UUID(intake.post("accesses", body)["access_id"])

    return post


def follow(
    act: Callable[[], UUID], url: str, table: str, column: str
) -> tuple[list[float], list[float]]:
    """Milliseconds from the moment at which each command was due until its row can be read, and
    until the command was answered."""
    count = round(PER_SECOND * SECONDS)
    due: dict[UUID, float] = {}
    seen: dict[UUID, float] = {}
    answered: list[float] = []
    with psycopg.connect(url, autocommit=True) as conn, ThreadPoolExecutor(16) as pool:
        query = f"select {column} from {table} where {column} = any(%s)"
        start = time.monotonic() + 0.2

        def one(number: int) -> None:
            moment = start + number / PER_SECOND
            time.sleep(max(0.0, moment - time.monotonic()))
            id_ = act()
            answered.append((time.monotonic() - moment) * 1000)
            due[id_] = moment

        futures = [pool.submit(one, number) for number in range(count)]
        deadline = start + SECONDS + 30
        while len(seen) < count:
            if time.monotonic() > deadline:
                for future in futures:
                    future.result(timeout=1)
                raise RuntimeError(f"{count - len(seen)} of {count} did not arrive within 30 s")
            waiting = [id_ for id_ in list(due) if id_ not in seen]
            if waiting:
                now = conn.execute(query, [waiting], prepare=True).fetchall()
                moment = time.monotonic()
                seen |= {row[0]: moment for row in now}
            time.sleep(POLL)
        for future in futures:
            future.result()
    return [(seen[id_] - due[id_]) * 1000 for id_ in seen], answered


@contextmanager
def handler(amqp_url: str, database_url: str) -> Iterator[None]:
    """The peer's other half in a process of its own: one insert for each event."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-Wignore",
            "-m",
            "tests.benchmarks.nameko_handler",
            amqp_url,
            database_url,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the peer's handler did not start")
        yield
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
