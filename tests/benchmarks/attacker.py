"""An attacker of published tables: independent of what protects them, solving with GLPK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import swiglpk as glpk

Path = tuple[str, ...]
Key = tuple[Path, ...]
Cell = tuple[int, str, Key]
"""Number of the release, measure, place in the table."""
FAR = 1e7


@dataclass(frozen=True)
class Published:
    """A table as a reader has it: the value of each cell, None where it is hidden.

    `zeros`: a cell that is not in the table is zero, and one that is hidden is not.
    """

    cells: Mapping[tuple[str, Key], int | None]
    zeros: bool = True


@dataclass
class Attacker:
    """Reads releases of one table, in their order, and computes what hidden cells can be.

    `grew` says of a finest cell from one release to the next whether it did not shrink: we let the
    attacker guess that right always.
    """

    releases: Sequence[Published]
    grew: Mapping[tuple[int, str, Key], bool] = field(default_factory=dict)
    whole: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Measures that are the sum of others."""
    same: Sequence[tuple[tuple[str, Key], tuple[str, Key]]] = ()
    """Cells of every release that are one and the same, as those that two tables share."""

    made_of: Mapping[tuple[str, Key], Sequence[tuple[str, Key]]] = field(default_factory=dict)
    """Cells that are the sum of others of the same release, as those of a filter."""

    def __post_init__(self) -> None:
        glpk.glp_term_out(glpk.GLP_OFF)
        self._problem = glpk.glp_create_prob()
        self._columns: dict[Cell, int] = {}
        self._rows: list[tuple[list[tuple[Cell, float]], float, float]] = []
        for number, release in enumerate(self.releases):
            for (measure, key), value in release.cells.items():
                self._column((number, measure, key), value, release.zeros)
            self._rows.extend(self._sums(number, release))
        self._rows.extend(self._time())
        self._build()

    def _column(self, cell: Cell, value: int | None, zeros: bool) -> None:
        number = glpk.glp_add_cols(self._problem, 1)
        self._columns[cell] = number
        glpk.glp_set_col_kind(self._problem, number, glpk.GLP_IV)
        if value is not None:
            glpk.glp_set_col_bnds(self._problem, number, glpk.GLP_FX, value, value)
        else:
            glpk.glp_set_col_bnds(self._problem, number, glpk.GLP_DB, 1 if zeros else 0, FAR)

    def _sums(
        self, number: int, release: Published
    ) -> Iterator[tuple[list[tuple[Cell, float]], float, float]]:
        """A cell is the sum of those one step finer in one dimension."""
        finer: dict[tuple[str, Key, int], list[Cell]] = {}
        for measure, key in release.cells:
            for place, path in enumerate(key):
                if path:
                    parent = (*key[:place], path[:-1], *key[place + 1 :])
                    if (measure, parent) in release.cells:
                        finer.setdefault((measure, parent, place), []).append(
                            (number, measure, key)
                        )
        for (measure, parent, _), parts in finer.items():
            yield [((number, measure, parent), -1.0), *((part, 1.0) for part in parts)], 0.0, 0.0
        for cell, parts in self.made_of.items():
            if cell in release.cells:
                present = [((number, *part), 1.0) for part in parts if part in release.cells]
                yield [((number, *cell), -1.0), *present], 0.0, 0.0
        for one, other in self.same:
            if one in release.cells and other in release.cells:
                yield [((number, *one), 1.0), ((number, *other), -1.0)], 0.0, 0.0
        for total, names in self.whole:
            for measure, key in release.cells:
                if measure == total:
                    parts = [(number, name, key) for name in names if (name, key) in release.cells]
                    yield [((number, total, key), -1.0), *((part, 1.0) for part in parts)], 0.0, 0.0

    def _time(self) -> Iterator[tuple[list[tuple[Cell, float]], float, float]]:
        for (number, measure, key), up in self.grew.items():
            before, after = (number - 1, measure, key), (number, measure, key)
            if before in self._columns and after in self._columns:
                sign = 1.0 if up else -1.0
                yield [(after, sign), (before, -sign)], 0.0, FAR

    def _build(self) -> None:
        if self._rows:
            glpk.glp_add_rows(self._problem, len(self._rows))
        for number, (terms, low, high) in enumerate(self._rows, 1):
            kind = glpk.GLP_FX if low == high else glpk.GLP_LO
            glpk.glp_set_row_bnds(self._problem, number, kind, low, high)
            places, factors = glpk.intArray(len(terms) + 1), glpk.doubleArray(len(terms) + 1)
            for place, (cell, factor) in enumerate(terms, 1):
                places[place], factors[place] = self._columns[cell], factor
            glpk.glp_set_mat_row(self._problem, number, len(terms), places, factors)
        self._simplex = glpk.glp_smcp()
        glpk.glp_init_smcp(self._simplex)
        self._branch = glpk.glp_iocp()
        glpk.glp_init_iocp(self._branch)
        glpk.glp_adv_basis(self._problem, 0)

    def interval(self, *terms: tuple[Cell, float]) -> tuple[int, int]:
        """The least and the greatest whole number that the sum of the cells can be."""
        for cell, factor in terms:
            glpk.glp_set_obj_coef(self._problem, self._columns[cell], factor)
        ends = []
        for direction in (glpk.GLP_MIN, glpk.GLP_MAX):
            glpk.glp_set_obj_dir(self._problem, direction)
            if glpk.glp_simplex(self._problem, self._simplex) != 0:
                raise RuntimeError("GLPK gave up")
            if glpk.glp_get_status(self._problem) != glpk.GLP_OPT:
                raise RuntimeError("the published figures contradict each other")
            if any(
                abs((value := glpk.glp_get_col_prim(self._problem, column)) - round(value)) > 1e-6
                for column in self._columns.values()
            ):
                glpk.glp_intopt(self._problem, self._branch)
                ends.append(round(glpk.glp_mip_obj_val(self._problem)))
            else:
                ends.append(round(glpk.glp_get_obj_val(self._problem)))
        for cell, _ in terms:
            glpk.glp_set_obj_coef(self._problem, self._columns[cell], 0.0)
        return ends[0], ends[1]

    def hidden(self) -> Iterator[Cell]:
        """The cells that were not published."""
        for number, release in enumerate(self.releases):
            for (measure, key), value in release.cells.items():
                if value is None:
                    yield number, measure, key

    def close(self) -> None:
        """Give the solver's memory back."""
        glpk.glp_delete_prob(self._problem)
