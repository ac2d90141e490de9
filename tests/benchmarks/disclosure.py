"""`disclosure`: sparse tables and consecutive releases, protected by us and attacked by another."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import log1p
from random import Random
from statistics import median

from tests.benchmarks.attacker import Attacker, Published
from tests.benchmarks.measure import Result, say

from togheter_reporting.disclosure.cells import (
    MINIMUM,
    Audience,
    Dimension,
    Filter,
    Key,
    Measure,
    Plan,
    Table,
)
from togheter_reporting.disclosure.joint import Release, Snapshot, figures_of, protected

TABLES = int(os.environ.get("TABLES") or 500)
SERIES = 8
MONTHS = 5
SEED = 20261127
LEAST = MINIMUM[Audience.PUBLIC]
WIDE = 3
SHAPES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((5,), (6,)),
    ((8,), (7,)),
    ((4,), (3,), (4,)),
    ((3, 3), (5,)),  # doors in organisations
    ((3, 2), (2,), (3,)),
    ((3,), (2,), (3,), (2,)),
)


@dataclass
class Score:
    """What an attacker found out, and how much was left to readers."""

    hidden: int = 0
    small: int = 0
    recovered: int = 0
    narrow: int = 0
    changes: int = 0
    narrow_changes: int = 0
    shown: float = 0.0
    all: float = 0.0

    @property
    def kept(self) -> float:
        """The share of the information that is shown: logarithms of figures, margins too."""
        return self.shown / self.all

    def note(self) -> str:
        return (
            f"{self.hidden} hidden, {self.recovered} recovered exactly; of {self.small} small ones"
            f" {self.narrow} narrowed; of {self.changes} small changes {self.narrow_changes}"
            f" narrowed; {self.kept:.0%} of the information kept"
        )


def run() -> Iterator[Result]:
    """Single tables first, then releases one month after the other."""
    yield from _judged("disclosure", _tables())
    yield from _judged("disclosure/consecutive", _series())


def _judged(name: str, cases: Sequence[list[Release]]) -> Iterator[Result]:
    ours, plain, seconds = Score(), Score(), []
    for number, drafts in enumerate(cases, 1):
        made: list[Release] = []
        began = time.monotonic()
        for draft in drafts:
            made.append(protected(_plan(draft), made, draft))
        seconds.append((time.monotonic() - began) / len(drafts))
        attack(made, ours)
        attack([hide_small(draft) for draft in drafts], plain)
        if number % max(1, len(cases) // 5) == 0:
            say(f"  {number} of {len(cases)}: {ours.note()}")
    rounds = len(cases)
    releases = sum(len(drafts) for drafts in cases)
    peer = "only counts under 5 hidden, attacked alike"

    def line(
        part: str, mine: float, other: float, unit: str, met: bool | None, note: str
    ) -> Result:
        return Result(
            name=f"{name}/{part}",
            ours=mine,
            peer=other,
            peer_name=peer,
            ratio=mine / other if other else None,
            unit=unit,
            n=releases,
            rounds=rounds,
            reach=0.0 if met is not None else None,
            met=met,
            note=note,
        )

    broken = plain.recovered > 0 and plain.narrow > 0
    if not broken:
        raise RuntimeError("the attack breaks nothing: it is no measure of what withstands it")
    yield line(
        "recovered", ours.recovered, plain.recovered, "cells", ours.recovered == 0, ours.note()
    )
    yield line("narrowed", ours.narrow, plain.narrow, "small cells", ours.narrow == 0, plain.note())
    yield line(
        "changes-narrowed",
        ours.narrow_changes,
        plain.narrow_changes,
        "small changes",
        ours.narrow_changes == 0,
        "",
    )
    yield line("information-kept", ours.kept, plain.kept, "share", None, "")
    yield line("seconds", median(seconds), 0.0, "s", None, f"the slowest {max(seconds):.1f} s")


# --- tables --------------------------------------------------------------------------------------


def _tables() -> list[list[Release]]:
    random = Random(SEED)
    return [[_draft(random.choice(SHAPES), 1, random)] for _ in range(TABLES)]


def _series() -> list[list[Release]]:
    random = Random(SEED + 1)
    found = []
    for _ in range(SERIES):
        shape = random.choice(SHAPES[:4])
        first = _draft(shape, 1, random)
        drafts = [first]
        for month in range(2, MONTHS + 1):
            counts = dict(drafts[-1].snapshot.counts["t"]["persons"])
            for key in list(counts):
                grown = random.choice((0, 0, 0, 1, 2, 3, 7)) if random.random() > 0.03 else -1
                counts[key] += grown
                if counts[key] == 0:
                    del counts[key]
            drafts.append(_release(shape, month, counts))
        found.append(drafts)
    return found


def _draft(shape: tuple[tuple[int, ...], ...], position: int, random: Random) -> Release:
    counts: dict[Key, int] = {}
    while sum(counts.values()) < 40:
        counts.clear()
        for key in _keys(shape):
            drawn = random.random()
            if drawn > 0.6:
                counts[key] = 1 + int(random.expovariate(1 / 15))
            elif drawn > 0.35:
                counts[key] = random.randint(1, 4)
    return _release(shape, position, counts)


def _release(
    shape: tuple[tuple[int, ...], ...], position: int, counts: Mapping[Key, int]
) -> Release:
    snapshot = Snapshot(position=position, counts={"t": {"persons": counts}})
    plan = _plan_of(tuple(len(levels) for levels in shape))
    return Release(
        snapshot=snapshot,
        audience=Audience.PUBLIC,
        figures=figures_of(plan, snapshot, Filter(), ["t"]),
    )


def _keys(shape: tuple[tuple[int, ...], ...]) -> Iterator[Key]:
    paths = []
    for place, levels in enumerate(shape):
        found: list[tuple[str, ...]] = [()]
        for size in levels:
            found = [
                (*path, ".".join([f"d{place}", *path[-1:], str(number)]))
                for path in found
                for number in range(size)
            ]
        paths.append(found)
    yield from product(*paths)


def _plan(release: Release) -> Plan:
    finest = max(release.figures, key=lambda each: sum(map(len, each.key)))
    return _plan_of(tuple(map(len, finest.key)))


def _plan_of(depths: tuple[int, ...]) -> Plan:
    dimensions = tuple(
        Dimension(title=f"d{place}", levels=tuple(f"d{place}.{level}" for level in range(depth)))
        for place, depth in enumerate(depths)
    )
    everywhere = frozenset(range(len(dimensions)))
    table = Table(
        name="t",
        title="t",
        dimensions=dimensions,
        measures=(Measure(name="persons", over=everywhere),),
    )
    return Plan(report="benchmark", code="B", version=1, tables=(table,))


def hide_small(draft: Release) -> Release:
    """Plain primary suppression: what is under the least count is not shown, and nothing else."""
    small = (place for place, each in enumerate(draft.figures) if 0 < each.value < LEAST)
    return replace(draft, hidden=frozenset(small))


# --- the attack ----------------------------------------------------------------------------------


def attack(releases: Sequence[Release], score: Score) -> None:
    """Solve all releases together, and count what comes out."""
    known = [{each.key: each.value for each in release.figures} for release in releases]
    attacker = Attacker(
        [
            Published(
                {
                    (each.measure, each.key): None if place in release.hidden else each.value
                    for place, each in enumerate(release.figures)
                }
            )
            for release in releases
        ],
        {
            (number, "persons", key): value >= known[number - 1].get(key, 0)
            for number, release in enumerate(releases)
            if number
            for key, value in release.snapshot.counts["t"]["persons"].items()
        },
    )
    for number, measure, key in attacker.hidden():
        low, high = attacker.interval(((number, measure, key), 1.0))
        value = known[number][key]
        if not low <= value <= high:
            raise RuntimeError("the attacker computed what is not true")
        score.hidden += 1
        score.recovered += low == high
        if value < LEAST:
            score.small += 1
            score.narrow += high - low < WIDE
    for later, earlier in ((a, b) for a in range(len(known)) for b in range(a)):
        for key, value in known[later].items():
            old = known[earlier].get(key)
            if 0 < abs(value - (old or 0)) < LEAST:
                terms = [((later, "persons", key), 1.0)]
                terms += [] if old is None else [((earlier, "persons", key), -1.0)]
                low, high = attacker.interval(*terms)
                score.changes += 1
                score.narrow_changes += high - low < WIDE
    attacker.close()
    for release in releases:
        score.all += sum(0.1 + log1p(each.value) for each in release.figures)
        score.shown += sum(0.1 + log1p(each.value) for each in release.shown)
