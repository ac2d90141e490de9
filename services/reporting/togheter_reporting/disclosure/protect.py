"""Which figures of a release are hidden, so that no small count can be found out from the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from togheter_reporting.disclosure.attack import (
    MOST,
    WIDTH,
    Attack,
    Attacker,
    Form,
    Point,
    is_whole,
    new_solver,
    solve,
)

_ROUNDS = 2
"""How often the costs of a design are weighed anew, so that few figures carry the change."""
_ENOUGH = 4_000
"""After so many programmes no more figures are given back: of a large table more stays hidden."""


def protect(
    attackers: Sequence[Attacker], primary: Iterable[int], weights: Sequence[float]
) -> frozenset[int]:
    """The cells to hide from all attackers, who see the same cells: the primary ones and more.

    `weights[i]` is the information lost with the i-th cell. Every target of every attacker may
    then be two whole numbers at least `WIDTH` apart, or is lost already: found out from what the
    attacker knows without any of the cells.
    """
    always = frozenset(primary)
    attacks = [Attack(attacker) for attacker in attackers]
    hidden = set(always)
    for attack in attacks:
        for cell in hidden:
            attack.hide(cell)
    held: list[list[Form]] = []
    for attack in attacks:
        held.append([])
        for target in attack.attacker.targets:
            if _hold(target, attack, attacks, hidden, weights):
                held[-1].append(target)
    _give_back(attacks, held, hidden, always, weights)
    return frozenset(hidden)


def _hold(
    target: Form,
    attack: Attack,
    attacks: Sequence[Attack],
    hidden: set[int],
    weights: Sequence[float],
) -> bool:
    """Hide from all what protects the target; False when it was lost before."""
    if attack.protects(target):
        return True
    found = _design(attack.attacker, target, hidden, weights) or _everything(attack, target)
    if found is None:
        return False
    for cell in found.cells - hidden:
        hidden.add(cell)
        for each in attacks:
            each.hide(cell)
    for point in found.points:
        attack.learn(point)
    return True


@dataclass(frozen=True)
class _Design:
    """Cells to hide, and other counts that are possible then."""

    cells: frozenset[int]
    points: Sequence[Point]


def _everything(attack: Attack, target: Form) -> _Design | None:
    """All cells, for a target that is open only when none is seen; None: it is not even then."""
    blind = Attack(attack.attacker)
    cells = range(len(attack.attacker.cells))
    for cell in cells:
        blind.hide(cell)
    if not blind.protects(target, exactly=True):
        return None
    return _Design(frozenset(cells), list(blind.pool))


def _design(
    attacker: Attacker, target: Form, hidden: set[int], weights: Sequence[float]
) -> _Design | None:
    """The cheapest cells that let the target be `WIDTH` away from what it is; None: there is none.

    Another table in which the target is larger (or smaller) is sought, as near to the true one as
    can be; the figures in which the two differ are those to hide. Where neither can be, two tables
    are: one in which it is a little larger, and one in which it is a little smaller.
    """
    truth = target.at(attacker.truth)

    def at(away: int) -> _Design | None:
        return _nearest(attacker, target, truth + away, hidden, weights)

    def cost(design: _Design) -> float:
        return sum(weights[cell] for cell in design.cells)

    whole = [design for away in (WIDTH, -WIDTH) if (design := at(away)) is not None]
    if whole:
        return min(whole, key=cost)
    parts = []
    for up in range(1, WIDTH):
        above, below = at(up), at(up - WIDTH)
        if above is not None and below is not None:
            parts.append(_Design(above.cells | below.cells, [*above.points, *below.points]))
    return min(parts, key=cost, default=None)


def _nearest(
    attacker: Attacker, target: Form, wanted: float, hidden: set[int], weights: Sequence[float]
) -> _Design | None:
    count = len(attacker.truth)
    infinity = highspy.kHighsInf
    solver = new_solver()
    for low in attacker.least:
        solver.addVar(float(low), MOST)
    for each in attacker.equal:
        solver.addRow(0.0, 0.0, len(each.places), each.places, each.factors)
    for each in attacker.positive:
        solver.addRow(0.0, infinity, len(each.places), each.places, each.factors)
    for each in attacker.known:
        value = each.at(attacker.truth)
        solver.addRow(value, value, len(each.places), each.places, each.factors)
    solver.addRow(wanted, wanted, len(target.places), target.places, target.factors)
    owners: list[int] = []
    for cell, forms in enumerate(attacker.cells):
        if cell in hidden:
            continue
        for each in forms:
            value = each.at(attacker.truth)
            more = count + len(owners)
            for cost in (weights[cell], weights[cell]):
                solver.addVar(0.0, infinity)
                solver.changeColCost(count + len(owners), cost)
                owners.append(cell)
            places = np.append(each.places, [more, more + 1]).astype(np.int32)
            factors = np.append(each.factors, [-1.0, 1.0])
            solver.addRow(value, value, len(places), places, factors)
    point = solve(solver)
    for _ in range(_ROUNDS):
        if point is None:
            return None
        for place, cell in enumerate(owners):
            change = max(0.0, float(point[count + place]))
            solver.changeColCost(count + place, weights[cell] / (0.1 + change))
        point = solve(solver)
    if point is not None and not is_whole(point):
        whole = np.full(count + len(owners), int(highspy.HighsVarType.kInteger), np.uint8)
        solver.changeColsIntegrality(len(whole), np.arange(len(whole), dtype=np.int32), whole)
        solver.setOptionValue("mip_rel_gap", 0.2)  # cheap enough: what is too much is given back
        point = solve(solver)
    if point is None:
        return None
    return _Design(
        frozenset(cell for place, cell in enumerate(owners) if point[count + place] > 0.5),
        [point[:count]],
    )


def _give_back(
    attacks: Sequence[Attack],
    held: Sequence[Sequence[Form]],
    hidden: set[int],
    always: frozenset[int],
    weights: Sequence[float],
) -> None:
    """Show again, the weightiest first, each cell that is hidden without need.

    A last look shows those that everybody could find out: hidden, they would only seem to be so.
    """
    asked = [
        (attack, target)
        for attack, targets in zip(attacks, held, strict=True)
        for target in targets
    ]
    for cell in sorted(hidden - always, key=lambda cell: (-weights[cell], cell)):
        if sum(attack.solved for attack in attacks) > _ENOUGH:
            break
        before = [attack.pool for attack in attacks]
        for attack in attacks:
            attack.show(cell)
        lost = next(
            (place for place, (attack, target) in enumerate(asked) if not attack.protects(target)),
            None,
        )
        if lost is None:
            hidden.discard(cell)
            continue
        asked.insert(0, asked.pop(lost))  # who was lost once is lost again most likely
        for attack, pool in zip(attacks, before, strict=True):
            attack.hide(cell)
            attack.pool = pool
    for cell in sorted(hidden - always):
        if all(attack.determines(attack.attacker.cells[cell][0]) for attack in attacks):
            hidden.discard(cell)
            for attack in attacks:
                attack.show(cell)
