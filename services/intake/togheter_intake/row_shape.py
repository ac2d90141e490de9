"""Rows with more or fewer cells than the header."""

from collections.abc import Callable
from dataclasses import replace

from togheter_intake.mapping import NAMES, REQUIRED
from togheter_intake.problems import Problem
from togheter_intake.register import RawRow


def shape_problem(raw: RawRow, delimiter: str, accepts: Callable[[RawRow], bool]) -> Problem | None:
    """What is wrong with the number of cells. Optional cells that lack at the end are empty ones,
    as some programs save them."""
    width = len(raw.layout.header)
    if any(cell.strip() for cell in raw.cells[width:]):
        column = _split_cell(raw, delimiter, accepts) or raw.layout.header[-1]
        return _too_many(raw, column, delimiter)
    if len(raw.cells) > width + raw.layout.blank and not accepts(
        replace(raw, cells=raw.cells[:width])
    ):
        split = _split_cell(raw, delimiter, accepts)
        return _too_many(raw, split, delimiter) if split else None
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


def _split_cell(raw: RawRow, delimiter: str, accepts: Callable[[RawRow], bool]) -> str | None:
    """The column of the last cell that, joined again, makes the row a good one."""
    width = len(raw.layout.header)
    extra = len(raw.cells) - width
    for place in reversed(range(width)):
        end = place + extra + 1
        joined = (*raw.cells[:place], delimiter.join(raw.cells[place:end]), *raw.cells[end:])
        if accepts(replace(raw, cells=joined)):
            return raw.layout.header[place]
    return None


def _too_many(raw: RawRow, column: str, delimiter: str) -> Problem:
    return Problem(
        column,
        "cells_too_many",
        f"la riga ha {len(raw.cells)} celle invece di {len(raw.layout.header)}",
        f"un testo che contiene «{delimiter}» va tra virgolette",
    )
