"""What is wrong with a value, in words for the operator and in codes for programs."""

from dataclasses import dataclass
from enum import StrEnum


class ProblemKind(StrEnum):
    PROBLEM = "problem"
    """The row is refused."""
    WARNING = "warning"
    """The row is accepted; somebody should look."""


@dataclass(frozen=True)
class Problem:
    """A problem of one cell. `column` is the header as the file writes it.

    `value_problem` and `way_out` are sentences in Italian; they may show the value of this cell,
    never that of another, and belong into the file of refused rows only, never into a log.
    """

    column: str
    code: str
    value_problem: str
    way_out: str
    kind: ProblemKind = ProblemKind.PROBLEM


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a value, before anybody knows which column it stands in."""

    code: str
    value_problem: str
    way_out: str

    def at(self, column: str, kind: ProblemKind = ProblemKind.PROBLEM) -> Problem:
        return Problem(column, self.code, self.value_problem, self.way_out, kind)


def shown(value: str, limit: int = 60) -> str:
    """The value between quotation marks, on one line, without characters that do harm."""
    line = " ".join(value.split())
    visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return f"«{visible[:limit]}…»" if len(visible) > limit else f"«{visible}»"
