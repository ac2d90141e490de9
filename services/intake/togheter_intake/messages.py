"""What goes in and out of the interface: bodies of requests, and answers."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from togheter_shared.contracts.fields import Code, LongText, ShortText
from togheter_shared.contracts.intake import (
    AccessKind,
    Area,
    Birth,
    ContactChannel,
    DuplicateDecision,
    IdentifierKind,
    PersonName,
    ResidenceTitle,
    SafeContact,
    Sex,
)

Country = Annotated[str, validate.Regexp(r"[A-Z]{3}\Z")]
"""ISO 3166-1 alpha-3; XXA for stateless."""
Language = Annotated[str, validate.Regexp(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\Z")]
"""BCP 47."""


class SuspicionState(StrEnum):
    WAITING = "waiting"
    DECIDED = "decided"
    ALL = "all"


class ImportState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


# --- bodies: a date that is left out is today -----------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewDoor:
    """A Porta Sociale that receives people."""

    name: Annotated[ShortText, validate.Length(min=1)]
    address: ShortText = ""
    languages: tuple[Language, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GivenIdentifier:
    """As it was given; spaces and lower case do no harm."""

    kind: IdentifierKind
    value: Code


@dataclass(frozen=True, kw_only=True)
class NewPerson:
    """Name or identifier, one of them at least; everything else as far as it is known.

    A precision of the date of birth that is left out follows from its parts.
    """

    name: PersonName = PersonName()
    birth: Birth = Birth()
    birth_country: Country | None = None
    sex: Sex = Sex.UNKNOWN
    citizenships: tuple[Country, ...] = ()
    languages: tuple[Language, ...] = ()
    phones: tuple[Code, ...] = ()
    identifiers: tuple[GivenIdentifier, ...] = ()
    safe_contact: SafeContact | None = None
    title: ResidenceTitle | None = None
    title_expires: date | None = None
    door_id: UUID | None = None
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class PersonSearch:
    """By an identifier, which one person has; or by a name in any spelling and script, whole or in
    part, a telephone, and a date of birth as far as it is known."""

    identifier: GivenIdentifier | None = None
    name: ShortText = ""
    birth: Birth = Birth()
    phones: tuple[Code, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NewIdentifier:
    """One more identifier of a person."""

    identifier: GivenIdentifier


@dataclass(frozen=True, kw_only=True)
class NewContact:
    """How the person can be reached from now on."""

    phones: tuple[Code, ...]
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class NewSafeContact:
    """What is safe, as the person says it."""

    channel: ContactChannel
    hours: ShortText = ""
    voicemail: bool = False
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class NewTitle:
    """The title to stay, as stated."""

    title: ResidenceTitle
    expires: date | None = None
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class NewAccess:
    """One visit or call at a door; anonymous without `person_id`."""

    door_id: UUID
    kind: AccessKind
    topics: tuple[Area, ...] = ()
    languages: tuple[Language, ...] = ()
    minutes: int | None = None
    mediator: bool | None = None
    sex: Sex = Sex.UNKNOWN
    citizenships: tuple[Country, ...] = ()
    person_id: UUID | None = None
    operator: ShortText = ""
    note: LongText = ""
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class NewNeeds:
    """Needs that the person stated; the first one opens the case."""

    areas: tuple[Area, ...]
    on: date | None = None
    access_id: UUID | None = None
    door_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether two registrations are one person; another decision may follow."""

    decision: DuplicateDecision


@dataclass(frozen=True, kw_only=True)
class SuspicionFilter:
    state: SuspicionState = SuspicionState.WAITING
    limit: Annotated[int, validate.Range(min=1, max=500)] = 100


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """`column` is field=header, as often as needed; `mapping` the name of a stored mapping."""

    dry_run: bool = False
    mapping: ShortText = ""
    column: tuple[ShortText, ...] = ()


# --- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DoorAnswer:
    """A door with its accesses, anonymous ones too."""

    door_id: UUID
    name: str
    address: str
    languages: tuple[str, ...]
    accesses: int
    accesses_this_month: int


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Somebody who may be the same person; `score` is 50 to 100, `reasons` are codes."""

    person_id: UUID
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The person, and who it may be: suspicions for somebody to decide."""

    person_id: UUID
    duplicates: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True)
class PersonReference:
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class Identified:
    """An identifier, normalised."""

    kind: IdentifierKind
    value: str


@dataclass(frozen=True, kw_only=True)
class NeedAnswer:
    """A need that is open; `stated` says how often it was stated."""

    need_id: UUID
    area: Area
    first_on: date
    last_on: date
    stated: int


@dataclass(frozen=True, kw_only=True)
class NeedsAnswer:
    case_id: UUID
    needs: tuple[NeedAnswer, ...]


@dataclass(frozen=True, kw_only=True)
class PersonAnswer:
    """All that is known of a person; `age` on the day of registration."""

    person_id: UUID
    registered_on: date
    door_id: UUID | None
    name: PersonName
    birth: Birth
    birth_country: str | None
    sex: Sex
    age: int | None
    citizenships: tuple[str, ...]
    languages: tuple[str, ...]
    phones: tuple[str, ...]
    safe_contact: SafeContact
    title: ResidenceTitle | None
    title_on: date | None
    title_expires: date | None
    identifiers: tuple[Identified, ...]
    case_id: UUID | None
    needs: tuple[NeedAnswer, ...]
    accesses: int
    suspicions: int


@dataclass(frozen=True, kw_only=True)
class AccessAnswer:
    access_id: UUID
    door_id: UUID
    on: date
    kind: AccessKind
    person_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One of two who may be one: what a person needs to decide."""

    person_id: UUID
    name: PersonName
    birth: Birth
    sex: Sex
    citizenships: tuple[str, ...]
    phones: tuple[str, ...]
    registered_on: date


@dataclass(frozen=True, kw_only=True)
class SuspicionAnswer:
    person: Compared
    other: Compared
    score: int
    reasons: tuple[str, ...]
    suspected_at: datetime
    decision: DuplicateDecision | None


@dataclass(frozen=True, kw_only=True)
class Decided:
    person_id: UUID
    other_id: UUID
    decision: DuplicateDecision


@dataclass(frozen=True, kw_only=True)
class Count:
    name: str
    count: int


@dataclass(frozen=True, kw_only=True)
class ImportSummary:
    """`rows` = `accepted` + `already` + `refused`; `accepted` = `registered` + `recognised` +
    `anonymous`."""

    rows: int
    accepted: int
    already: int
    refused: int
    registered: int
    recognised: int
    anonymous: int
    suspected: int
    refused_by_column: tuple[Count, ...]
    warnings: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class ImportAnswer:
    """How far an import is; `problem` says why the file as a whole could not be read."""

    import_id: UUID
    state: ImportState
    dry_run: bool
    asked_at: datetime
    lines_done: int
    lines_total: int | None = None
    summary: ImportSummary | None = None
    problem: str | None = None
    refused_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ImportStarted:
    import_id: UUID
