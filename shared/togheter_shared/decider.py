"""A decider: the pure rules of one kind of stream, as a value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Command = TypeVar("Command")
Event = TypeVar("Event")
State = TypeVar("State")


class Rejected(Exception):
    """The command cannot be carried out in this state; the message is a sentence for the operator.

    `code` is stable and for programs; `field` names the part of the command at fault, if one is.
    Neither ever holds a value that somebody entered.
    """

    def __init__(self, sentence: str, code: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.field = field


@dataclass(frozen=True)
class Decider(Generic[Command, Event, State]):
    """`decide(state, command) -> events`, `evolve(state, event) -> state`, for streams of `kind`.

    Both are pure: clock and ids come in with the command. `decide` raises `Rejected` or returns the
    events, none when there is nothing to change. `evolve` never fails.
    """

    kind: str
    initial: State
    decide: Callable[[State, Command], list[Event]]
    evolve: Callable[[State, Event], State]

    def fold(self, events: Iterable[Event], state: State | None = None) -> State:
        """The state after `events`, from the initial state or from `state`."""
        current = self.initial if state is None else state
        for event in events:
            current = self.evolve(current, event)
        return current


AnyDecider = Decider[Any, Any, Any]
