"""`rebuild` and `as-of`: views made anew, and reports of the past, beside plain SQL."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from tests.benchmarks.measure import Result, database, in_turns, postgres, result, say

from togheter_reporting.catalogue import Report, views
from togheter_reporting.histories import history, interleave, store
from togheter_reporting.past import as_of
from togheter_reporting.rebuild import rebuild
from togheter_reporting.service import SERVICE
from togheter_shared.run.migrate import migrate

EVENTS = int(os.environ.get("EVENTS") or 100_000)
PERSONS_A_PART = 2_000
ROUNDS = int(os.environ.get("ROUNDS") or 3)
PLAIN = (
    "select origin, type, data ->> 'area', count(*), count(distinct stream_id) from inbox"
    " group by 1, 2, 3"
)


def run_rebuild() -> Iterator[Result]:
    """Every view rebuilt from `EVENTS` events, beside plain passes over the same log."""
    with _log() as (owner, _, role, last):
        yield from _rebuilds(owner, role, last)


def run_as_of() -> Iterator[Result]:
    """Every report at random positions of `EVENTS` events, beside its rebuild."""
    with _log() as (owner, conn, role, last):
        yield from _pasts(owner, conn, role, last)


@contextmanager
def _log() -> Iterator[tuple[Connection, Connection, str, int]]:
    """Owner, runtime role's connection and name, and how many events there are."""
    with postgres() as server, database(server, "reports") as place:
        role = str(conninfo_to_dict(place.url)["user"])
        with (
            psycopg.connect(place.owner_url, autocommit=True) as owner,
            psycopg.connect(place.url, autocommit=True) as conn,
        ):
            migrate(owner, list(SERVICE.packages), role)
            last = fill(conn)
            owner.execute("vacuum analyze inbox")
            yield owner, conn, role, last


def fill(conn: Connection) -> int:
    """Histories of the network in the inbox, `EVENTS` events or a few more; returns how many."""
    written = seed = 0
    while written < EVENTS:
        seed += 1
        written += store(conn, interleave(history(seed, PERSONS_A_PART), seed))
        say(f"  {written:,} events")
    return written


def _rebuilds(owner: Connection, role: str, last: int) -> Iterator[Result]:
    sides: dict[str, Callable[[], float]] = {
        item.name: partial(_timed, lambda name=item.name: rebuild(owner, [name], runtime_role=role))
        for item in views()
    }
    sides["GROUP BY"] = partial(_timed, lambda: owner.execute(PLAIN).fetchall())
    times = in_turns(sides, ROUNDS)
    plain = times.pop("GROUP BY")
    title, note = "one plain GROUP BY pass over the log", f"{last} events"
    for name, found in times.items():
        yield result(f"rebuild/{name}", found, plain, peer_name=title, unit="ms", n=last, note=note)
    whole = [sum(found) for found in zip(*times.values(), strict=True)]
    passes = [each * len(times) for each in plain]
    yield result(
        "rebuild", whole, passes, peer_name=f"{title} for each view", unit="ms", n=last, reach=5
    )


def _pasts(owner: Connection, conn: Connection, role: str, last: int) -> Iterator[Result]:
    rebuild(owner, runtime_role=role)
    random = Random(1)
    for item in views():
        sides: dict[str, Callable[[], float]] = {
            "as of": lambda item=item: _timed(partial(_past, conn, item, random, last)),
            "rebuild": lambda item=item: _timed(
                partial(rebuild, owner, [item.name], runtime_role=role)
            ),
        }
        times = in_turns(sides, ROUNDS)
        yield result(
            f"as-of/{item.name}",
            times["as of"],
            times["rebuild"],
            peer_name="a rebuild of that report",
            unit="ms",
            n=ROUNDS,
            reach=0.2,
            note=f"random positions of {last} events",
        )


def _past(conn: Connection, item: Report, random: Random, last: int) -> None:
    as_of(conn, item, random.randrange(1, last + 1))


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return (time.monotonic() - began) * 1000
