"""What the naive counts share: an event of the log, and reading its values without trust.

Nothing here is shared with the SQL of the reports: it is what their figures are compared with.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A row of the network's log; `data` is as it was sent."""

    organisation: str
    service: str
    position: int
    type: str
    type_version: int
    stream_version: int
    event_id: UUID
    data: dict[str, Any]


def identifier(value: Any) -> UUID | None:
    """The UUID in its usual form with hyphens, or None."""
    if isinstance(value, str) and re.fullmatch(
        r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value
    ):
        return UUID(value)
    return None


def day(value: Any) -> date | None:
    """The day written YYYY-MM-DD, or None."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date(*map(int, value.split("-")))
    except ValueError:
        return None


def number(value: Any) -> int | None:
    """A whole number of at most nine digits, or None."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return value
    return None


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def texts(value: Any) -> list[str]:
    """The texts of a list, each once, sorted; nothing when it is no list."""
    return (
        sorted({item for item in value if isinstance(item, str)}) if isinstance(value, list) else []
    )


@dataclass
class Links:
    """Who is the same person as whom: the last word on each pair holds."""

    decided: dict[tuple[str, frozenset[UUID]], bool] = field(default_factory=dict)
    _neighbours: dict[tuple[str, UUID], set[UUID]] | None = None
    _components: dict[tuple[str, UUID], list[tuple[str, UUID]]] = field(default_factory=dict)

    def note(self, event: Event) -> None:
        if (event.type, event.type_version) != ("intake.duplicate_decided", 1):
            return
        one, other = identifier(event.data.get("person_id")), identifier(event.data.get("other_id"))
        decision = text(event.data.get("decision"))
        if one and other and one != other and decision is not None:
            self.decided[(event.organisation, frozenset((one, other)))] = decision == "same"

    def component(self, organisation: str, person: UUID) -> list[tuple[str, UUID]]:
        """Everybody who is that person, with them; when every event was noted."""
        if self._neighbours is None:
            self._neighbours = {}
            for place, one, other in self._same():
                self._neighbours.setdefault((place, one), set()).add(other)
                self._neighbours.setdefault((place, other), set()).add(one)
        known = self._components.get((organisation, person))
        if known is not None:
            return list(known)
        found, waiting = {person}, [person]
        while waiting:
            for other in self._neighbours.get((organisation, waiting.pop()), ()):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        members = [(organisation, member) for member in sorted(found)]
        for member in members:
            self._components[member] = members
        return list(members)

    def _same(self) -> Iterator[tuple[str, UUID, UUID]]:
        for (organisation, pair), same in self.decided.items():
            if same:
                one, other = pair
                yield organisation, one, other
