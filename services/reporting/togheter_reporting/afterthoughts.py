"""What random histories tell afterwards: titles to stay, corrections, and what never was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from random import Random
from typing import Protocol
from uuid import UUID

from togheter_shared.contracts import intake


class Making(Protocol):
    """What is needed of a history in the making."""

    random: Random

    def chance(self, share: float) -> bool: ...

    def day(self, most: int = 300) -> date: ...


def title(made: Making, person: UUID) -> Iterator[intake.ResidenceTitleRecorded]:
    """Up to two titles to stay, not always in the order of their days."""
    for _ in range(made.random.randrange(3)):
        yield intake.ResidenceTitleRecorded(
            person_id=person, on=made.day(), title=made.random.choice(list(intake.ResidenceTitle))
        )


def correction(
    made: Making, person: UUID, countries: Sequence[str]
) -> Iterator[intake.IdentityCorrected]:
    """One registration in ten was wrong, and some corrections are too."""
    while made.chance(0.1):
        yield intake.IdentityCorrected(
            person_id=person,
            on=made.day(),
            sex=made.random.choice(list(intake.Sex)),
            age=None if made.chance(0.2) else made.random.randrange(90),
            citizenships=tuple(made.random.choices(countries, k=made.random.randrange(2))),
        )


def error(made: Making, access: UUID, person: UUID | None) -> Iterator[intake.AccessEnteredInError]:
    """One access in thirty never was one."""
    if made.chance(0.03):
        yield intake.AccessEnteredInError(access_id=access, on=made.day(), person_id=person)
