"""Profiles: what a person can do, has learned, worked at and wants; and who lives with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID, uuid5

from togheter_shared.contracts.intake_cases import (
    HouseholdMemberAdded,
    HouseholdMemberRemoved,
    ProfileItemRecorded,
    ProfileItemRemoved,
    ProfileKind,
    Recognition,
    Relation,
)
from togheter_shared.decider import Decider, Rejected

_PROFILES = UUID("7a6f2f4e-94c5-5c5e-9d65-2f7f0b8f6a10")
OLDEST_YEAR = 1900


def profile_of(person_id: UUID) -> UUID:
    """The stream of a person's profile."""
    return uuid5(_PROFILES, person_id.hex)


@dataclass(frozen=True, kw_only=True)
class RecordItem:
    """A skill, a study, a job or an aspiration; with a known `item_id` it is changed."""

    person_id: UUID
    item_id: UUID
    kind: ProfileKind
    text: str
    on: date
    today: date
    where: str = ""
    years: str = ""
    recognition: Recognition = Recognition.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class RemoveItem:
    person_id: UUID
    item_id: UUID
    on: date
    today: date


@dataclass(frozen=True, kw_only=True)
class AddMember:
    """Somebody of the household: registered (`other_id`), or named, or a relation only."""

    person_id: UUID
    member_id: UUID
    relation: Relation
    on: date
    today: date
    other_id: UUID | None = None
    name: str = ""
    birth_year: int | None = None


@dataclass(frozen=True, kw_only=True)
class RemoveMember:
    person_id: UUID
    member_id: UUID
    on: date
    today: date


Command = RecordItem | RemoveItem | AddMember | RemoveMember
Event = ProfileItemRecorded | ProfileItemRemoved | HouseholdMemberAdded | HouseholdMemberRemoved


@dataclass(frozen=True)
class Profile:
    items: Mapping[UUID, ProfileItemRecorded] = field(default_factory=dict)
    members: Mapping[UUID, HouseholdMemberAdded] = field(default_factory=dict)


def guardians(state: Profile) -> tuple[HouseholdMemberAdded, ...]:
    """Those who answer for the person."""
    answering = (Relation.GUARDIAN, Relation.PARENT)
    return tuple(member for member in state.members.values() if member.relation in answering)


def decide(state: Profile, command: Command) -> list[Event]:
    """What happens, or `Rejected`. What changes nothing is no event."""
    if command.on > command.today:
        raise Rejected("La data non è ancora venuta.", "date_in_future", "on")
    match command:
        case RecordItem():
            if not command.text.strip():
                raise Rejected("Scrivi di che cosa si tratta.", "missing", "text")
            recorded = ProfileItemRecorded(
                person_id=command.person_id,
                item_id=command.item_id,
                kind=command.kind,
                on=command.on,
                recognition=command.recognition,
                text=command.text,
                where=command.where,
                years=command.years,
            )
            return [] if state.items.get(command.item_id) == recorded else [recorded]
        case RemoveItem():
            if command.item_id not in state.items:
                raise Rejected("Questa voce non c'è (più).", "item_unknown", "item_id")
            person_id, item_id, on = command.person_id, command.item_id, command.on
            return [ProfileItemRemoved(person_id=person_id, item_id=item_id, on=on)]
        case AddMember():
            return _add_member(state, command)
        case RemoveMember():
            if command.member_id not in state.members:
                raise Rejected("Questo familiare non c'è (più).", "member_unknown", "member_id")
            person_id, member_id, on = command.person_id, command.member_id, command.on
            return [HouseholdMemberRemoved(person_id=person_id, member_id=member_id, on=on)]


def evolve(state: Profile, event: Event) -> Profile:
    match event:
        case ProfileItemRecorded():
            return Profile({**state.items, event.item_id: event}, state.members)
        case ProfileItemRemoved():
            left = {id_: item for id_, item in state.items.items() if id_ != event.item_id}
            return Profile(left, state.members)
        case HouseholdMemberAdded():
            return Profile(state.items, {**state.members, event.member_id: event})
        case HouseholdMemberRemoved():
            stay = {id_: one for id_, one in state.members.items() if id_ != event.member_id}
            return Profile(state.items, stay)
    return state


PROFILE = Decider(kind="profile", initial=Profile(), decide=decide, evolve=evolve)


def _add_member(state: Profile, command: AddMember) -> list[Event]:
    if command.other_id == command.person_id:
        raise Rejected("Una persona non è familiare di sé stessa.", "same_person", "other_id")
    year = command.birth_year
    if year is not None and not OLDEST_YEAR <= year <= command.today.year:
        raise Rejected("Questo anno di nascita non è possibile.", "birth_impossible", "birth_year")
    added = HouseholdMemberAdded(
        person_id=command.person_id,
        member_id=command.member_id,
        on=command.on,
        relation=command.relation,
        other_id=command.other_id,
        birth_year=year,
        name=command.name,
    )
    return [] if state.members.get(command.member_id) == added else [added]
