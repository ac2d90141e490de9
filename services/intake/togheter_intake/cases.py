"""Cases: a person whom the organisation follows, and the needs that the person stated."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID, uuid5

from togheter_shared.contracts.intake import Area, CaseOpened, NeedRecorded
from togheter_shared.decider import Decider, Rejected

_CASES = UUID("3f3a1c55-6a1e-5b0b-9d53-5b8a4f1f0c11")


def case_of(person_id: UUID) -> UUID:
    """The one case that an organisation can have for a person."""
    return uuid5(_CASES, person_id.hex)


@dataclass(frozen=True, kw_only=True)
class RecordNeeds:
    """The person stated these needs, at an access if `access_id` is given."""

    case_id: UUID
    person_id: UUID
    areas: tuple[Area, ...]
    on: date
    today: date
    door_id: UUID | None = None
    access_id: UUID | None = None


@dataclass(frozen=True)
class OpenNeed:
    need_id: UUID
    accesses: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class Case:
    opened: bool = False
    needs: Mapping[Area, OpenNeed] = field(default_factory=dict)


Event = CaseOpened | NeedRecorded


def decide(state: Case, command: RecordNeeds) -> list[Event]:
    """What happens, or `Rejected`. The first need opens the case."""
    if not command.areas:
        raise Rejected("Indica almeno un bisogno.", "no_needs", "areas")
    if command.on > command.today:
        raise Rejected("La data non è ancora venuta.", "date_in_future", "on")
    events: list[Event] = []
    if not state.opened:
        events.append(
            CaseOpened(
                case_id=command.case_id,
                person_id=command.person_id,
                on=command.on,
                door_id=command.door_id,
            )
        )
    for area in dict.fromkeys(command.areas):
        known = state.needs.get(area)
        if known and command.access_id is not None and command.access_id in known.accesses:
            continue
        events.append(
            NeedRecorded(
                case_id=command.case_id,
                person_id=command.person_id,
                need_id=known.need_id if known else uuid5(command.case_id, f"{area.value} 1"),
                area=area,
                on=command.on,
                access_id=command.access_id,
            )
        )
    return events


def evolve(state: Case, event: Event) -> Case:
    match event:
        case CaseOpened():
            return replace(state, opened=True)
        case NeedRecorded():
            known = state.needs.get(event.area) or OpenNeed(event.need_id)
            if event.access_id is not None:
                known = replace(known, accesses=known.accesses | {event.access_id})
            return replace(state, needs={**state.needs, event.area: known})
    return state


CASE = Decider(kind="case", initial=Case(), decide=decide, evolve=evolve)
