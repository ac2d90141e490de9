"""Persons whom this organisation knows: who they are, how to reach them, who may be the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from togheter_intake.birthdates import MAX_AGE, UNKNOWN, age_on
from togheter_intake.identifiers import Identifier
from togheter_shared.contracts.intake import (
    Birth,
    BirthPrecision,
    Contact,
    ContactChanged,
    DuplicateDecided,
    DuplicateDecision,
    DuplicateSuspected,
    IdentifierAdded,
    IdentifierSuperseded,
    IdentityCorrected,
    PersonName,
    PersonRegistered,
    ResidenceTitle,
    ResidenceTitleRecorded,
    SafeContact,
    SafeContactSet,
    Sex,
)
from togheter_shared.decider import Decider, Rejected

# --- commands: `on` is the day on which it was said, `today` the last day that this can be --------


@dataclass(frozen=True, kw_only=True)
class RegisterPerson:
    """Name or identifier, one of them at least. What is None was not said."""

    person_id: UUID
    on: date
    today: date
    door_id: UUID | None = None
    name: PersonName = PersonName()
    birth: Birth = UNKNOWN
    birth_country: str | None = None
    sex: Sex = Sex.UNKNOWN
    citizenships: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    contact: Contact = Contact()
    identifiers: tuple[Identifier, ...] = ()
    safe: SafeContact | None = None
    title: ResidenceTitle | None = None
    title_expires: date | None = None


@dataclass(frozen=True, kw_only=True)
class CorrectIdentity:
    """All of the identity as it should have been: what is left out here is not known."""

    person_id: UUID
    on: date
    today: date
    name: PersonName = PersonName()
    birth: Birth = UNKNOWN
    birth_country: str | None = None
    sex: Sex = Sex.UNKNOWN
    citizenships: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AddIdentifier:
    """That nobody else has it is for the view to say."""

    person_id: UUID
    identifier: Identifier


@dataclass(frozen=True, kw_only=True)
class SupersedeIdentifier:
    """It was replaced, or entered in error: from now on somebody else may have it."""

    person_id: UUID
    identifier: Identifier


@dataclass(frozen=True, kw_only=True)
class ChangeContact:
    person_id: UUID
    on: date
    today: date
    contact: Contact


@dataclass(frozen=True, kw_only=True)
class SetSafeContact:
    person_id: UUID
    on: date
    today: date
    safe: SafeContact


@dataclass(frozen=True, kw_only=True)
class RecordResidenceTitle:
    person_id: UUID
    on: date
    today: date
    title: ResidenceTitle
    expires: date | None = None


@dataclass(frozen=True, kw_only=True)
class TakeStatement:
    """All that a known person says on one day; what is None was not said."""

    person_id: UUID
    on: date
    today: date
    contact: Contact | None = None
    safe: SafeContact | None = None
    title: ResidenceTitle | None = None
    title_expires: date | None = None


@dataclass(frozen=True, kw_only=True)
class SuspectDuplicate:
    person_id: UUID
    other_id: UUID
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DecideDuplicate:
    person_id: UUID
    other_id: UUID
    decision: DuplicateDecision


Said = ChangeContact | SetSafeContact | RecordResidenceTitle | TakeStatement | CorrectIdentity
Command = (
    RegisterPerson | AddIdentifier | SupersedeIdentifier | Said | SuspectDuplicate | DecideDuplicate
)
Event = (
    PersonRegistered
    | IdentityCorrected
    | IdentifierAdded
    | IdentifierSuperseded
    | ContactChanged
    | SafeContactSet
    | ResidenceTitleRecorded
    | DuplicateSuspected
    | DuplicateDecided
)


# --- state ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """What was said last of each thing, with its day. The day decides, not the order of entry."""

    registered: bool = False
    registered_on: date = date.min
    identity: PersonRegistered | IdentityCorrected | None = None
    identifiers: frozenset[Identifier] = frozenset()
    contact: Contact = Contact()
    contact_on: date = date.min
    safe: SafeContact | None = None
    safe_on: date = date.min
    title: tuple[ResidenceTitle, date | None] | None = None
    title_on: date = date.min
    suspected: Mapping[UUID, DuplicateDecision | None] = field(default_factory=dict)


def decide(state: Person, command: Command) -> list[Event]:
    """What happens, or `Rejected`. What changes nothing is no event."""
    if isinstance(command, RegisterPerson):
        return _register(state, command)
    if not state.registered:
        raise Rejected("Questa persona non è registrata.", "person_unknown")
    if isinstance(command, Said) and command.on > command.today:
        raise Rejected("La data non è ancora venuta.", "date_in_future", "on")
    match command:
        case AddIdentifier():
            if command.identifier in state.identifiers:
                return []
            return [_identifier(command.person_id, command.identifier)]
        case SupersedeIdentifier():
            if command.identifier not in state.identifiers:
                raise Rejected("La persona non ha questo identificativo.", "identifier_unknown")
            kind, value = command.identifier.kind, command.identifier.value
            return [IdentifierSuperseded(person_id=command.person_id, kind=kind, value=value)]
        case CorrectIdentity():
            return _correct(state, command)
        case ChangeContact():
            return _contact(state, command.person_id, command.on, command.contact)
        case SetSafeContact():
            return _safe(state, command.person_id, command.on, command.safe)
        case RecordResidenceTitle():
            return _title(state, command.person_id, command.on, command.title, command.expires)
        case TakeStatement():
            person_id, on = command.person_id, command.on
            return [
                *_contact(state, person_id, on, command.contact),
                *_safe(state, person_id, on, command.safe),
                *_title(state, person_id, on, command.title, command.title_expires),
            ]
        case SuspectDuplicate():
            return _suspect(state, command)
        case DecideDuplicate():
            return _decide_duplicate(state, command)


def evolve(state: Person, event: Event) -> Person:
    match event:
        case PersonRegistered():
            return replace(
                state,
                registered=True,
                registered_on=event.on,
                identity=event,
                contact=event.contact,
                contact_on=event.on,
            )
        case IdentityCorrected():
            return replace(state, identity=event)
        case IdentifierAdded():
            added = Identifier(event.kind, event.value)
            return replace(state, identifiers=state.identifiers | {added})
        case IdentifierSuperseded():
            gone = Identifier(event.kind, event.value)
            return replace(state, identifiers=state.identifiers - {gone})
        case ContactChanged():
            return replace(state, contact=event.contact, contact_on=event.on or state.contact_on)
        case SafeContactSet():
            return replace(state, safe=event.safe, safe_on=event.on or state.safe_on)
        case ResidenceTitleRecorded() if event.on >= state.title_on:
            return replace(state, title=(event.title, event.expires), title_on=event.on)
        case DuplicateSuspected():
            return replace(state, suspected={**state.suspected, event.other_id: None})
        case DuplicateDecided():
            return replace(state, suspected={**state.suspected, event.other_id: event.decision})
    return state


PERSON = Decider(kind="person", initial=Person(), decide=decide, evolve=evolve)


# --- rules ----------------------------------------------------------------------------------------


def _register(state: Person, command: RegisterPerson) -> list[Event]:
    if state.registered:
        raise Rejected("Questa persona è già registrata.", "person_exists")
    if not (command.name.full.strip() or command.identifiers):
        raise Rejected(
            "Serve un nome o un identificativo: chi non dà né l'uno né l'altro resta anonimo.",
            "nameless",
            "name",
        )
    if command.on > command.today:
        raise Rejected("La data non è ancora venuta.", "date_in_future", "on")
    _check_birth(command.birth, command.on)
    registered = PersonRegistered(
        person_id=command.person_id,
        on=command.on,
        door_id=command.door_id,
        sex=command.sex,
        age=age_on(command.birth, command.on),
        citizenships=command.citizenships,
        languages=command.languages,
        name=command.name,
        birth=command.birth,
        birth_country=command.birth_country,
        contact=command.contact,
    )
    person_id, on = command.person_id, command.on
    return [
        registered,
        *(_identifier(person_id, identifier) for identifier in dict.fromkeys(command.identifiers)),
        *_safe(state, person_id, on, command.safe),
        *_title(state, person_id, on, command.title, command.title_expires),
    ]


def _correct(state: Person, command: CorrectIdentity) -> list[Event]:
    if not (command.name.full.strip() or state.identifiers):
        raise Rejected(
            "Serve un nome: la persona non ha un identificativo che la distingua.",
            "nameless",
            "name",
        )
    _check_birth(command.birth, state.registered_on)
    corrected = IdentityCorrected(
        person_id=command.person_id,
        on=command.on,
        sex=command.sex,
        age=age_on(command.birth, state.registered_on),
        citizenships=command.citizenships,
        languages=command.languages,
        name=command.name,
        birth=command.birth,
        birth_country=command.birth_country,
    )
    known = state.identity
    same = known is not None and all(
        getattr(known, name) == getattr(corrected, name) for name in _IDENTITY
    )
    return [] if same else [corrected]


_IDENTITY = ("sex", "citizenships", "languages", "name", "birth", "birth_country")


def _check_birth(birth: Birth, on: date) -> None:
    year, month, day = birth.year, birth.month, birth.day
    known = (year is not None, month is not None, day is not None)
    needed = {
        BirthPrecision.DAY: [(True, True, True)],
        BirthPrecision.MONTH: [(True, True, False)],
        BirthPrecision.YEAR: [(True, False, False)],
        BirthPrecision.ESTIMATED: [(True, False, False), (True, True, False), (True, True, True)],
        BirthPrecision.UNKNOWN: [(False, False, False)],
    }
    if known not in needed[birth.precision]:
        raise Rejected(
            "La precisione indicata non corrisponde alle parti della data di nascita.",
            "birth_precision",
            "birth",
        )
    if year is None:
        return
    if year < 1900 or on.year - year > MAX_AGE:
        raise Rejected(
            f"Con questa data di nascita la persona avrebbe più di {MAX_AGE} anni.",
            "birth_too_old",
            "birth",
        )
    try:
        earliest = date(year, month or 1, day or 1)
    except ValueError:
        raise Rejected(
            "Questa data di nascita non esiste nel calendario.", "birth_impossible", "birth"
        ) from None
    if earliest > on:
        raise Rejected(
            "La data di nascita viene dopo il giorno della registrazione.",
            "birth_in_future",
            "birth",
        )


def _identifier(person_id: UUID, identifier: Identifier) -> IdentifierAdded:
    return IdentifierAdded(person_id=person_id, kind=identifier.kind, value=identifier.value)


def _contact(state: Person, person_id: UUID, on: date, contact: Contact | None) -> list[Event]:
    if contact is None or contact == state.contact or on < state.contact_on:
        return []
    return [ContactChanged(person_id=person_id, contact=contact, on=on)]


def _safe(state: Person, person_id: UUID, on: date, safe: SafeContact | None) -> list[Event]:
    """Said again on a later day it is recorded again: what was said between the two is outdated."""
    if safe is None or on < state.safe_on or (safe == state.safe and on == state.safe_on):
        return []
    return [SafeContactSet(person_id=person_id, safe=safe, on=on)]


def _title(
    state: Person, person_id: UUID, on: date, title: ResidenceTitle | None, expires: date | None
) -> list[Event]:
    """What was true on an earlier day is recorded too; the latest day holds."""
    if title is None or (title, expires) == state.title:
        return []
    return [ResidenceTitleRecorded(person_id=person_id, on=on, title=title, expires=expires)]


def _suspect(state: Person, command: SuspectDuplicate) -> list[Event]:
    if command.other_id == command.person_id:
        raise Rejected("Una persona non è il doppione di sé stessa.", "same_person")
    if command.other_id in state.suspected:
        return []
    return [
        DuplicateSuspected(
            person_id=command.person_id,
            other_id=command.other_id,
            score=command.score,
            reasons=command.reasons,
        )
    ]


def _decide_duplicate(state: Person, command: DecideDuplicate) -> list[Event]:
    if command.other_id not in state.suspected:
        raise Rejected("Per queste due persone non c'è alcun sospetto.", "suspicion_unknown")
    if state.suspected[command.other_id] is command.decision:
        return []
    return [
        DuplicateDecided(
            person_id=command.person_id, other_id=command.other_id, decision=command.decision
        )
    ]
