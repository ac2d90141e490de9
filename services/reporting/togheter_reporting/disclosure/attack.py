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

    `pool` has whole-numbered points, a row each, that agree with all that is visible: two of them
    that are `WIDTH` apart prove that a target is protected, without a programme to be solved.
    """

    attacker: Attacker
    pool: Point = field(init=False)

    def __post_init__(self) -> None:
        self.pool = self.attacker.truth[np.newaxis, :]
        self._solver = new_solver()
        count = len(self.attacker.truth)
        for low in self.attacker.least:
            self._solver.addVar(float(low), MOST)
        nothing, infinity = 0.0, highspy.kHighsInf
        self._rows = 0
        for each in self.attacker.equal:
            self._row(each, nothing, nothing)
        for each in self.attacker.positive:
            self._row(each, nothing, infinity)
        for each in self.attacker.known:
            value = each.at(self.attacker.truth)
            self._row(each, value, value)
        self._of_cell: list[list[tuple[int, float]]] = []
        for forms in self.attacker.cells:
            rows = []
            for each in forms:
                value = each.at(self.attacker.truth)
                rows.append((self._row(each, value, value), value))
            self._of_cell.append(rows)
        self._every = np.arange(count, dtype=np.int32)
        self._kinds = {
            whole: np.full(count, kind, np.uint8)
            for whole, kind in (
                (True, int(highspy.HighsVarType.kInteger)),
                (False, int(highspy.HighsVarType.kContinuous)),
            )
        }

    def _row(self, each: Form, low: float, high: float) -> int:
        self._solver.addRow(low, high, len(each.places), each.places, each.factors)
        self._rows += 1
        return self._rows - 1

    def hide(self, cell: int) -> None:
        """The attacker does not see this figure any more."""
        for row, _ in self._of_cell[cell]:
            self._solver.changeRowBounds(row, -highspy.kHighsInf, highspy.kHighsInf)

    def show(self, cell: int) -> None:
        """The attacker sees this figure."""
        for row, value in self._of_cell[cell]:
            self._solver.changeRowBounds(row, value, value)
        for each in self.attacker.cells[cell]:
            off = np.abs(each.over(self.pool) - each.at(self.attacker.truth))
            self.pool = self.pool[off < 0.5]

    def protects(self, target: Form, *, exactly: bool = False) -> bool:
        """Whether the target is shown to be two whole numbers that are `WIDTH` apart, or more.

        Unless it is asked `exactly`, what is not shown with little work counts as not protected.
        """
        if self._pooled(target) >= WIDTH:
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

    def _extreme(self, target: Form, greatest: bool, solutions: int = 0) -> Point:
        """A point where the target is least or greatest; of whole numbers, when `solutions` says
        how many better and better ones are enough."""
        self._solver.changeColsCost(len(target.places), target.places, target.factors)
        sense = highspy.ObjSense.kMaximize if greatest else highspy.ObjSense.kMinimize
        self._solver.changeObjectiveSense(sense)
        if solutions:
            self._integrality(True)
            self._solver.setOptionValue("mip_max_improving_sols", solutions)
        point = solve(self._solver)
        if solutions:
            self._integrality(False)
        self._solver.changeColsCost(len(target.places), target.places, np.zeros(len(target.places)))
        if point is None:
            raise RuntimeError("the true counts do not agree with what is published of them")
        return point

    def _integrality(self, whole: bool) -> None:
        count = len(self._every)
        self._solver.changeColsIntegrality(count, self._every, self._kinds[whole])


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
