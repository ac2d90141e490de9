"""The file of refused rows: to be corrected in a spreadsheet and imported again as it is."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from togheter_intake.problems import Problem
from togheter_intake.register import Layout, RawRow
from togheter_intake.rowkeys import OWN_COLUMNS

_FORMULA = ("=", "+", "-", "@", "|", "%", "\t", "\r")


class RefusedRows:
    """Writes refused rows as they come. Our own columns stand first, so that a row with too many
    cells keeps them where they were; the cells of the register are written back unchanged.

    `file` wants newline="" and errors="surrogateescape"; `open_refused` opens such a one.
    """

    def __init__(self, file: TextIO, layout: Layout, delimiter: str = ";") -> None:
        self._width = len(layout.header)
        self._writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
        self._writer.writerow([*OWN_COLUMNS, *layout.header])

    def write(self, row: RawRow, problems: Sequence[Problem]) -> None:
        """One row, with every problem that it has."""
        own = (
            row.key,
            str(row.number),
            str(row.line),
            _joined([problem.column for problem in problems]),
            _joined([problem.value_problem for problem in problems]),
            _joined([problem.way_out for problem in problems]),
        )
        missing = [""] * (self._width - len(row.cells))
        self._writer.writerow([*map(_inert, own), *row.cells, *missing])


def open_refused(path: Path) -> TextIO:
    """The file to give to `RefusedRows`, in UTF-8 with the mark that spreadsheets look for."""
    return path.open("w", encoding="utf-8-sig", errors="surrogateescape", newline="")


def _joined(texts: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _inert(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
