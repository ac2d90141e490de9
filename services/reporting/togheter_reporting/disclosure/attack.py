"""What an attacker can find out about counts, from sums that were published: extremes by HiGHS."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import NDArray

WIDTH = 3
"""How far apart the least and the greatest possible value of a small count must be."""
MOST = 1_000_000.0
"""No count is larger: an attacker knows how many people live here."""
_NEAR = 1e-6
_SOME, _BEST = 2, 2_000_000_000

Point = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Form:
    """A sum of counts with coefficients: what is published, or what must not be found out."""

    places: NDArray[np.int32]
    factors: NDArray[np.float64]

    def at(self, point: Point) -> float:
        """Its value when the counts are those of `point`."""
        return float(self.factors @ point[self.places])

    def over(self, points: Point) -> Point:
        """Its value at each row of `points`."""
        found: Point = points[:, self.places] @ self.factors
        return found


def form(terms: Iterable[tuple[int, float]]) -> Form:
    """The form with these (place of the count, coefficient); a place may come more than once."""
    summed: dict[int, float] = {}
    for place, factor in terms:
        summed[place] = summed.get(place, 0.0) + factor
    kept = {place: factor for place, factor in summed.items() if factor}
    return Form(
        np.fromiter(kept.keys(), np.int32, len(kept)),
        np.fromiter(kept.values(), np.float64, len(kept)),
    )


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """Somebody who reads what is published, and what this somebody knows besides.

    `truth` are the counts, `least` the lower bound that is known of each. `equal` are forms known
    to be zero, `positive` forms known to be zero or more, `known` forms whose value is known (from
    earlier releases). `cells[i]` are the forms of the i-th figure that is about to be published:
    more than one when several tables hold it. `targets` are the forms whose value must stay open.
    """

    truth: Point
    least: Point
    equal: Sequence[Form] = ()
    positive: Sequence[Form] = ()
    known: Sequence[Form] = ()
    cells: Sequence[Sequence[Form]] = ()
    targets: Sequence[Form] = ()


@dataclass
class Attack:
    """The attacker's linear programme, as figures are hidden from it and shown to it.

    Its variables are how much each count may be more, and how much less, than it is. `pool` has
    whole-numbered points, a row each, that agree with all that is visible: two of them that are
    `WIDTH` apart prove that a target is protected, without a programme to be solved. Points are
    sought near the truth, so that few of them are lost when a figure is shown.
    """

    attacker: Attacker
    pool: Point = field(init=False)
    solved: int = 0
    """How many programmes were solved."""

    def __post_init__(self) -> None:
        attacker = self.attacker
        self.pool = attacker.truth[np.newaxis, :]
        self._count = len(attacker.truth)
        self._solver = new_solver()
        for _ in range(self._count):
            self._solver.addVar(0.0, MOST)
        for room in attacker.truth - attacker.least:
            self._solver.addVar(0.0, float(room))
        self._rows = 0
        nothing, infinity = 0.0, highspy.kHighsInf
        for each in [*attacker.equal, *attacker.known]:
            self._row(each, nothing, nothing)
        for each in attacker.positive:
            self._row(each, -each.at(attacker.truth), infinity)
        self._of_cell = [
            [self._row(each, nothing, nothing) for each in forms] for forms in attacker.cells
        ]
        self._every = np.arange(2 * self._count, dtype=np.int32)
        self._near = np.ones(2 * self._count)
        self._cost(self._near)

    def _row(self, each: Form, low: float, high: float) -> int:
        places = np.concatenate([each.places, each.places + self._count]).astype(np.int32)
        factors = np.concatenate([each.factors, -each.factors])
        self._solver.addRow(low, high, len(places), places, factors)
        self._rows += 1
        return self._rows - 1

    def hide(self, cell: int) -> None:
        """The attacker does not see this figure any more."""
        for row in self._of_cell[cell]:
            self._solver.changeRowBounds(row, -highspy.kHighsInf, highspy.kHighsInf)

    def show(self, cell: int) -> None:
        """The attacker sees this figure."""
        for row in self._of_cell[cell]:
            self._solver.changeRowBounds(row, 0.0, 0.0)
        for each in self.attacker.cells[cell]:
            off = np.abs(each.over(self.pool) - each.at(self.attacker.truth))
            self.pool = self.pool[off < 0.5]

    def protects(self, target: Form, *, exactly: bool = False) -> bool:
        """Whether the target is shown to be two whole numbers that are `WIDTH` apart, or more.

        Unless it is asked `exactly`, what is not shown with little work counts as not protected.
        """
        if self._pooled(target) >= WIDTH:
            return True
        for away in (WIDTH, -WIDTH):
            point = self._nearest(target, away)
            if point is not None:
                self.learn(point)
                return True
        ends = [self._extreme(target, greatest) for greatest in (False, True)]
        if target.at(ends[1]) - target.at(ends[0]) < WIDTH - _NEAR:
            return False
        effort = _BEST if exactly else _SOME
        for greatest, end in enumerate(ends):
            point = end if is_whole(end) else self._extreme(target, bool(greatest), effort)
            self.learn(point)
            if self._pooled(target) >= WIDTH:
                return True
        return False

    def determines(self, target: Form) -> bool:
        """Whether only one whole number is left for the target."""
        if self._pooled(target) >= 1:
            return False
        ends = [self._extreme(target, greatest) for greatest in (False, True)]
        if target.at(ends[1]) - target.at(ends[0]) < 1 - _NEAR:
            return True
        for greatest in (False, True):
            self.learn(self._extreme(target, greatest, _BEST))
        return self._pooled(target) < 1

    def learn(self, point: Point) -> None:
        """Keep a point that agrees with all that is visible."""
        self.pool = np.vstack([self.pool, np.rint(point)])

    def _pooled(self, target: Form) -> float:
        return float(np.ptp(target.over(self.pool)))

    def _nearest(self, target: Form, away: float) -> Point | None:
        """The point of whole numbers near the truth where the target is `away` from what it is."""
        row = self._row(target, away, away)
        point = self._solve(0)
        if point is not None and not is_whole(point):
            point = self._solve(_SOME)
        self._solver.deleteRows(1, np.array([row], np.int32))
        self._rows -= 1
        return point

    def _extreme(self, target: Form, greatest: bool, solutions: int = 0) -> Point:
        """A point where the target is least or greatest; of whole numbers, when `solutions` says
        how many better and better ones are enough."""
        costs = np.zeros(2 * self._count)
        sign = -1.0 if greatest else 1.0
        costs[target.places] = sign * target.factors
        costs[target.places + self._count] = -sign * target.factors
        self._cost(costs)
        point = self._solve(solutions)
        self._cost(self._near)
        if point is None:
            raise RuntimeError("the true counts do not agree with what is published of them")
        return point

    def _cost(self, costs: Point) -> None:
        self._solver.changeColsCost(2 * self._count, self._every, costs)

    def _solve(self, solutions: int) -> Point | None:
        """The best point, None when there is none; of whole numbers when `solutions` is not 0."""
        self.solved += 1
        if solutions:
            self._integrality(highspy.HighsVarType.kInteger)
            self._solver.setOptionValue("mip_max_improving_sols", solutions)
        found = solve(self._solver)
        if solutions:
            self._integrality(highspy.HighsVarType.kContinuous)
        if found is None:
            return None
        return self.attacker.truth + found[: self._count] - found[self._count :]

    def _integrality(self, kind: highspy.HighsVarType) -> None:
        kinds = np.full(2 * self._count, int(kind), np.uint8)
        self._solver.changeColsIntegrality(2 * self._count, self._every, kinds)


def new_solver() -> highspy.Highs:
    """An empty programme; the class below `Highs`, which greets on standard output."""
    solver: highspy.Highs = highspy._Highs()  # type: ignore[attr-defined]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver


def solve(solver: highspy.Highs) -> Point | None:
    """The best point of a programme; None when there is none."""
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kSolutionLimit):
        raise RuntimeError(f"HiGHS gave up on a programme: {status.name}")
    return np.asarray(solver.getSolution().col_value)


def is_whole(point: Point) -> bool:
    """Whether all its counts are whole numbers."""
    return bool(np.all(np.abs(point - np.rint(point)) < _NEAR))
