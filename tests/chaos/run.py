"""One run: a network, its load, its faults, and then the question whether it kept its promises."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import amqp
import psycopg
from deploy.plan import LOCAL
from tests.chaos import faults, sabotage
from tests.chaos.checker import Evidence, Verdict, check
from tests.chaos.desk import Desks
from tests.chaos.faults import SCENARIOS, Storm
from tests.chaos.journal import Journal
from tests.chaos.network import Network
from tests.chaos.programs import FOLDER, PROGRAMS

RECOVERY = 60.0
"""Seconds after the last fault in which everything has to be at rest."""

PATIENCE = 240.0
"""How long the harness waits all the same, to say how long it took."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--size", type=float, default=1.0, help="how much each scenario does")
    parser.add_argument("--scenario", default="", help="names, with commas; none: all of them")
    parser.add_argument("--sabotage", default="", help="a name, data, programs, or all")
    parser.add_argument("--posters", type=int, default=4)
    parser.add_argument("--full", action="store_true", help=f"until {minima()}; half an hour")
    parser.add_argument("--keep", action="store_true", help="keep the databases of the run")
    parser.add_argument("--judge", action="store_true", help="judge the run that was kept again")
    chosen = parser.parse_args(arguments)
    if chosen.full and chosen.scenario:
        parser.error("a full run does every scenario: leave out either --full or --scenario")
    names = [name for name in chosen.scenario.split(",") if name] or list(SCENARIOS)
    for name in names:
        if name not in SCENARIOS:
            parser.error(f"no scenario is called {name}; there is {', '.join(SCENARIOS)}")
    every = [*sabotage.SABOTAGES, *PROGRAMS]
    wanted = {
        "all": every,
        "data": list(sabotage.SABOTAGES),
        "programs": list(PROGRAMS),
        "": [],
    }.get(chosen.sabotage, [chosen.sabotage])
    for name in wanted:
        if name not in every:
            parser.error(f"no sabotage is called {name}; there is {', '.join(every)}")
    network = Network()
    try:
        if not chosen.judge:
            rounds = MOST_ROUNDS if chosen.full else chosen.rounds
            posters = max(8, chosen.posters) if chosen.full else chosen.posters
            enough = is_enough if chosen.full else None
            run(network, names, chosen.seed, rounds, chosen.size, posters, enough=enough)
        evidence = left_behind(network)
        verdict = check(evidence)
        report(verdict)
        if chosen.full:
            note(network, verdict, chosen.seed)
        caught = True
        if wanted and verdict.is_good:
            found = sabotage.caught(evidence, [n for n in wanted if n not in PROGRAMS], say)
            network.stop()
            found += spoilt([n for n in wanted if n in PROGRAMS], chosen.seed, chosen.posters)
            print(f"sabotages={len(wanted)} caught={found}", flush=True)
            caught = found == len(wanted)
    finally:
        network.stop()
        if not chosen.keep:
            network.remove()
    return 0 if verdict.is_good and caught else 1


def run(
    network: Network,
    names: Sequence[str],
    seed: int,
    rounds: int,
    size: float,
    posters: int,
    scenarios: Mapping[str, Callable[[Storm], None]] = SCENARIOS,
    patience: float = PATIENCE,
    enough: Callable[[Storm, int], bool] | None = None,
) -> None:
    """Start, load, break and mend; the processes are stopped when it returns."""
    began = time.monotonic()
    network.start()
    network.wait_until_well()
    say(f"the network stands after {time.monotonic() - began:.0f} s")
    journal = Journal()
    desks = Desks(network.addresses(), journal, seed)
    desks.open_doors()
    storm = Storm(network, desks, random.Random(seed), size)
    desks.begin(posters)
    storm.work(60, 60)
    for round_ in range(1, rounds + 1):
        order = list(names) if round_ == 1 or enough is None else list(AGAIN)
        storm.rng.shuffle(order)
        for name in order:
            before, at = network.kills, time.monotonic()
            scenarios[name](storm)
            storm.network.wires.heal()
            say(
                f"round {round_}: {name}, {network.kills - before} kills in"
                f" {time.monotonic() - at:.0f} s, {desks.answered()} commands so far"
            )
            if name != order[-1]:
                storm.calm()
        if enough is not None:
            if enough(storm, round_):
                break
            storm.calm()
    else:
        if enough is not None:
            raise AssertionError(f"{rounds} rounds have not come to {minima()}")
    last_fault = time.monotonic()
    desks.end(patience)
    converged = storm.until(lambda: at_rest(network), patience)
    recovery = time.monotonic() - last_fault
    if not converged:
        say(f"not at rest: {unrest(network)}")
    network.stop()
    record = {
        "seed": seed,
        "kills": network.kills,
        "recover_s": recovery,
        "converged": converged and recovery <= RECOVERY,
        "forged": storm.forged,
        "crashed": sorted(network.crashed),
        "seconds": time.monotonic() - began,
    }
    journal.write(LOCAL / "journal.json", **record)


@dataclass(frozen=True)
class Minima:
    """What a full run must have done."""

    kills: int = 1_000
    commands: int = 20_000
    brokers: int = 10
    databases: int = 20

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.commands} commands, {self.brokers} brokers killed or wiped,"
            f" {self.databases} crashes of the database, every crash point"
        )


AT_LEAST = Minima()
MOST_ROUNDS = 200
SIDES = ("before", "after")
AGAIN = ("kills", "kills", "kills", "postgres", "wires", "broker", "wipe")
"""What a full run does again and again after it has done everything once."""


def minima() -> str:
    return str(AT_LEAST)


def is_enough(storm: Storm, round_: int) -> bool:
    """Whether a full run has done what it must; says how far it is."""
    network = storm.network
    done = (
        network.kills,
        storm.desks.answered(),
        network.brokers_lost,
        network.databases_crashed,
        {point.partition(":")[0] for point in network.crashed},
    )
    left = not_reached(*done)
    say(f"after round {round_}: {', '.join(left) or 'everything is reached'}")
    return not left


def not_reached(
    kills: int, commands: int, brokers: int, databases: int, died: set[str]
) -> list[str]:
    """The minima of a full run that are still to be reached, each with how far it is."""
    every = {
        f"{step}.{side}" for steps in faults.POINTS.values() for step in steps for side in SIDES
    }
    counts = {
        "kills": (kills, AT_LEAST.kills),
        "commands": (commands, AT_LEAST.commands),
        "brokers": (brokers, AT_LEAST.brokers),
        "databases": (databases, AT_LEAST.databases),
        "crash points": (len(died & every), len(every)),
    }
    return [f"{name} {have}/{must}" for name, (have, must) in counts.items() if have < must]


def note(network: Network, verdict: Verdict, seed: int) -> None:
    """Keep what a full run gave, good or bad, beside the harness."""
    record = json.loads((LOCAL / "journal.json").read_text("utf-8"))
    document = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "seed": seed,
        "machine": f"{os.cpu_count()} processors, Python {platform.python_version()}",
        "minutes": round(record["seconds"] / 60, 1),
        "brokers_killed_or_wiped": network.brokers_lost,
        "database_crashes": network.databases_crashed,
        "crash_points": len({point.partition(":")[0] for point in record["crashed"]}),
        "line": verdict.line(),
        "kept": verdict.is_good,
    }
    LAST_RUN.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")


LAST_RUN = Path(__file__).with_name("last-run.json")


def spoilt(names: Sequence[str], seed: int, posters: int) -> int:
    """Run each spoilt program under its fault; returns how many the checker has caught."""
    caught = 0
    for name in names:
        program = PROGRAMS[name]
        network = Network()
        network.extra = {"PYTHONPATH": str(FOLDER), "CHAOS_SPOILT": program.name}
        scenarios = {program.name: program.fault}
        try:
            run(network, [program.name], seed, 1, 0.6, posters, scenarios, patience=15)
            verdict = check(left_behind(network))
        finally:
            network.stop()
            network.remove()
        words = {word for word, found in verdict.faults.items() if found}
        caught += program.word in words
        say(f"{'caught' if program.word in words else 'MISSED'}: {name}: {', '.join(words)}")
        say(verdict.line())
    return caught


def left_behind(network: Network) -> Evidence:
    """Where the checker finds what it needs."""
    return Evidence(
        databases=network.databases(),
        record=json.loads((LOCAL / "journal.json").read_text("utf-8")),
        registry=LOCAL / "network.json",
        files=[LOCAL / "rabbitmq", LOCAL / "logs", LOCAL / "postgres" / "postgres.log"],
    )


def at_rest(network: Network) -> bool:
    return not unrest(network)


def unrest(network: Network) -> str:
    """The first thing that is still on its way; empty: all is told, taken and counted."""
    try:
        heads: dict[tuple[str, str], int] = {}
        urls = network.databases()
        for name, url in urls.items():
            with psycopg.connect(url, autocommit=True) as conn:
                rows = conn.execute("select channel, head_number from feed_channel").fetchall()
                heads |= {(name, channel): number for channel, number in rows}
                left = conn.execute(
                    "select (select count(*) from pending), (select count(*) from resend_request)"
                ).fetchone()
                if left != (0, 0):
                    return f"{name} has {left} to number and to send again"
        for name, url in urls.items():
            if missing := _not_taken(name, url, heads):
                return missing
        messages = faults.waiting(network)
        return f"{messages} messages in queues" if messages else ""
    except (psycopg.OperationalError, amqp.exceptions.AMQPError, OSError) as error:
        return f"a server does not answer ({type(error).__name__})"


def _not_taken(name: str, url: str, heads: dict[tuple[str, str], int]) -> str:
    organisation, _, service = name.partition(".")
    own = f"to.{organisation}"
    channels = {"referrals": {"directory", own}, "courses": {own}, "reporting": {"reporting"}}
    with psycopg.connect(url, autocommit=True) as conn:
        rows = conn.execute("select origin, channel, next_number - 1 from inbox_channel").fetchall()
        taken = {(row[0], row[1]): row[2] for row in rows}
        for (origin, channel), head in heads.items():
            mine = channel in channels.get(service, set()) and origin != name
            if mine and taken.get((origin, channel), 0) < head:
                return (
                    f"{name} has {taken.get((origin, channel), 0)} of {head} of {origin} {channel}"
                )
        table = "report_view" if service == "reporting" else "follower"
        row = conn.execute(
            f"select (select coalesce(max(position), 0) from inbox)"
            f" - (select coalesce(min(position), 0) from {table}), (select count(*) from inbox)"
        ).fetchone()
        if row and row[1] and row[0]:
            return f"{name} has {row[0]} to follow"
    return ""


def report(verdict: Verdict) -> None:
    for word, found in verdict.faults.items():
        for what in found[:10]:
            say(f"{word}: {what}")
        if len(found) > 10:
            say(f"{word}: and {len(found) - 10} more")
    print(verdict.line(), flush=True)


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
