"""Given / when / then for deciders: `given(DECIDER, events).when(command).then(events)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from togheter_shared.decider import AnyDecider, Rejected


@dataclass(frozen=True)
class Given:
    """What has happened in a stream."""

    decider: AnyDecider
    events: tuple[Any, ...]

    def when(self, command: Any) -> Outcome:
        """Decide `command`; what comes of it is kept for `then` or `refused`."""
        state = self.decider.fold(self.events)
        try:
            return Outcome(self.decider.decide(state, command), None)
        except Rejected as rejected:
            return Outcome([], rejected)


@dataclass(frozen=True)
class Outcome:
    """What a command led to: events, or a refusal."""

    events: list[Any]
    rejected: Rejected | None

    def then(self, events: Sequence[Any] = ()) -> None:
        """The command was accepted, and recorded exactly these events (none: nothing changed)."""
        assert self.rejected is None, f"refused: {self.rejected and self.rejected.code}"
        assert self.events == list(events)

    def refused(self, code: str, field: str | None = None) -> str:
        """The command was refused with that code and field; returns the sentence."""
        assert self.rejected is not None, f"accepted: {self.events}"
        assert (self.rejected.code, self.rejected.field) == (code, field)
        return self.rejected.sentence


def given(decider: AnyDecider, events: Sequence[Any] = ()) -> Given:
    """A stream in which `events` have happened."""
    return Given(decider, tuple(events))
