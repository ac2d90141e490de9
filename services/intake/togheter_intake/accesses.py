"""Accesses: one visit or call at a door, of a person or of nobody who gave a name."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from togheter_shared.contracts.intake import (
    AccessEnteredInError,
    AccessKind,
    AccessRecorded,
    Area,
    Sex,
)
from togheter_shared.decider import Decider, Rejected

LONGEST_MINUTES = 24 * 60


@dataclass(frozen=True, kw_only=True)
class RecordAccess:
    """`today` is the last day on which it can have been. Without `person_id` it is anonymous."""

    access_id: UUID
    door_id: UUID
    on: date
    today: date
    kind: AccessKind
    topics: tuple[Area, ...] = ()
    languages: tuple[str, ...] = ()
    minutes: int | None = None
    mediator: bool | None = None
    sex: Sex = Sex.UNKNOWN
    citizenships: tuple[str, ...] = ()
    person_id: UUID | None = None
    operator: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class EnterInError:
    """The access never was: a wrong row, or one recorded twice."""

    access_id: UUID
    on: date


Command = RecordAccess | EnterInError
Event = AccessRecorded | AccessEnteredInError


@dataclass(frozen=True)
class Access:
    recorded: bool = False
    in_error: bool = False
    person_id: UUID | None = None


def decide(state: Access, command: Command) -> list[Event]:
    """What happens, or `Rejected`."""
    match command:
        case RecordAccess():
            return _record(state, command)
        case EnterInError():
            if not state.recorded:
                raise Rejected("Questo accesso non è registrato.", "access_unknown")
            if state.in_error:
                return []
            access_id, person_id = command.access_id, state.person_id
            return [AccessEnteredInError(access_id=access_id, on=command.on, person_id=person_id)]


def _record(state: Access, command: RecordAccess) -> list[Event]:
    if state.recorded:
        raise Rejected("Questo accesso è già registrato.", "access_exists")
    if command.on > command.today:
        raise Rejected("La data dell'accesso non è ancora venuta.", "date_in_future", "on")
    if command.minutes is not None and not 0 <= command.minutes <= LONGEST_MINUTES:
        raise Rejected(
            "La durata dell'accesso è in minuti, da 0 a un giorno.", "minutes_impossible", "minutes"
        )
    return [
        AccessRecorded(
            access_id=command.access_id,
            door_id=command.door_id,
            on=command.on,
            kind=command.kind,
            topics=tuple(dict.fromkeys(command.topics)),
            languages=command.languages,
            minutes=command.minutes,
            mediator=command.mediator,
            sex=command.sex,
            citizenships=command.citizenships,
            person_id=command.person_id,
            operator=command.operator,
            note=command.note,
        )
    ]


def evolve(state: Access, event: Event) -> Access:
    match event:
        case AccessRecorded():
            return replace(state, recorded=True, person_id=event.person_id)
        case AccessEnteredInError():
            return replace(state, in_error=True)
    return state


ACCESS = Decider(kind="access", initial=Access(), decide=decide, evolve=evolve)
