"""What every benchmark shares: its result, rounds that take turns, and servers of its own."""

from __future__ import annotations

import fcntl
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from togheter_shared.testing.databases import ServiceDatabase, drop_database, ensure_database
from togheter_shared.testing.servers import (
    Broker,
    Postgres,
    remove_broker,
    start_broker,
    start_postgres,
)
from togheter_shared.testing.topology import definitions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("TOGHETER_LOCAL") or ROOT / ".local") / "bench"
PREFIX = "togheter_bench_"
ORGANISATIONS = {"comune": True, "ponte": False}  # id → hosts reporting
ROUNDS = int(os.environ.get("ROUNDS") or 7)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One line. `ratio` is ours ÷ peer: the median over rounds in which both ran, one after the
    other; `lowest` and `highest` are the extremes. A rate has to reach at least `reach`, a time
    (`unit` ms) at most; None is a figure that is reported and not judged. `n` counts what was done
    by ours, in all rounds.
    """

    name: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    unit: str
    n: int
    rounds: int
    reach: float | None
    met: bool | None
    lowest: float | None = None
    highest: float | None = None
    note: str | None = None

    def document(self) -> dict[str, object]:
        """The result as JSON, figures with four digits."""
        return {key: _short(value) for key, value in asdict(self).items() if key != "note" or value}


def result(
    name: str,
    ours: list[float],
    peer: list[float],
    *,
    peer_name: str,
    unit: str,
    n: int,
    reach: float | None = None,
    note: str | None = None,
) -> Result:
    """The result of rounds in which both ran; `ours[i]` and `peer[i]` ran next to each other."""
    ratios = [mine / other for mine, other in zip(ours, peer, strict=True)]
    ratio = median(ratios)
    met = None
    if reach is not None:
        met = ratio <= reach if unit == "ms" else ratio >= reach
    return Result(
        name=name,
        ours=median(ours),
        peer=median(peer),
        peer_name=peer_name,
        ratio=ratio,
        unit=unit,
        n=n,
        rounds=len(ratios),
        reach=reach,
        met=met,
        lowest=min(ratios),
        highest=max(ratios),
        note=note,
    )


def in_turns(
    sides: dict[str, Callable[[], float]], rounds: int = ROUNDS, warm_up: bool = True
) -> dict[str, list[float]]:
    """Run every side once a round, A B A B …; the first round only warms up and is not counted."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(0 if warm_up else 1, rounds + 1):
        for name, side in sides.items():
            value = side()
            if number:
                measured[name].append(value)
            say(f"  {f'round {number}' if number else 'warm-up'}  {name:32} {value:12,.1f}")
    return measured


def say(text: str) -> None:
    """Progress, for people: on standard error."""
    print(text, file=sys.stderr, flush=True)


# --- servers -----------------------------------------------------------------------------------


@contextmanager
def alone() -> Iterator[None]:
    """Only one run of the benchmarks at a time: two would measure each other."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "run").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                "the benchmarks run already in this clone; wait for their end"
            ) from None
        yield


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of our own that waits for the disk (fsync on), stopped at the end."""
    say("PostgreSQL …")
    server = start_postgres(FOLDER / "postgres", durable=True)
    try:
        with server.connect() as conn:
            left = conn.execute(
                "select datname from pg_database where starts_with(datname, %s)", [PREFIX]
            ).fetchall()
            for (name,) in left:
                drop_database(conn, name)
        yield server
    finally:
        server.stop()


@contextmanager
def database(server: Postgres, name: str) -> Iterator[ServiceDatabase]:
    """An empty database with its two roles, dropped at the end."""
    full = PREFIX + name
    with server.connect() as conn:
        made = ensure_database(
            conn, server.admin_url, full, secrets.token_hex(12), secrets.token_hex(12)
        )
    try:
        yield made
    finally:
        with server.connect() as conn:
            drop_database(conn, full)


@contextmanager
def broker(organisations: Mapping[str, bool] = ORGANISATIONS) -> Iterator[Broker]:
    """An empty RabbitMQ of our own with these users, deleted at the end."""
    say("RabbitMQ …")
    folder = FOLDER / "rabbitmq"
    remove_broker(folder)
    passwords = {name: secrets.token_urlsafe(16) for name in organisations}
    server = start_broker(folder, definitions(organisations, passwords), passwords)
    try:
        yield server
    finally:
        if server.folder:
            remove_broker(folder)


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value
