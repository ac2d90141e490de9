"""Rows with more or fewer cells than the header."""

from collections.abc import Callable
from dataclasses import replace

from togheter_intake.mapping import NAMES, REQUIRED
from togheter_intake.problems import Problem
from togheter_intake.register import RawRow


def shape_problem(raw: RawRow, delimiter: str, accepts: Callable[[RawRow], bool]) -> Problem | None:
    """What is wrong with the number of cells. Empty cells too many are nothing; optional cells that
    lack at the end are empty ones, as some programs save them."""
    width = len(raw.layout.header)
    if any(cell.strip() for cell in raw.cells[width:]):
        return _too_many(raw, delimiter, accepts)
    places = raw.layout.places
    needed = (places[field] for field in (*REQUIRED, *NAMES) if field in places)
    return _too_few(raw) if any(place >= len(raw.cells) for place in needed) else None


def _too_few(raw: RawRow) -> Problem:
    found, width = len(raw.cells), len(raw.layout.header)
    return Problem(
        raw.layout.header[found],
        "cells_missing",
        f"la riga ha {found} celle invece di {width}: da questa in poi mancano",
        "completa la riga; forse un testo con un a capo non è tra virgolette",
    )


def _too_many(raw: RawRow, delimiter: str, accepts: Callable[[RawRow], bool]) -> Problem:
    """Which cell was split: the last one that, joined again, makes the row a good one."""
    width = len(raw.layout.header)
    cells = list(raw.cells)
    while not cells[-1].strip():
        cells.pop()
    extra = len(cells) - width
    column = raw.layout.header[-1]
    for place in reversed(range(width)):
        end = place + extra + 1
        joined = (*cells[:place], delimiter.join(cells[place:end]), *cells[end:])
        if accepts(replace(raw, cells=joined)):
            column = raw.layout.header[place]
            break
    return Problem(
        column,
        "cells_too_many",
        f"la riga ha {len(cells)} celle invece di {width}",
        f"un testo che contiene «{delimiter}» va tra virgolette",
    )
