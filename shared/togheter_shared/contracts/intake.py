"""What intake tells: doors, accesses, persons, cases and their needs."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from togheter_shared.contracts.contract import Audience, Contract
from togheter_shared.contracts.fields import PERSONAL, Code, LongText, MediumText, ShortText


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class Area(StrEnum):
    """Life areas of needs. `recognition` is that of studies and qualifications made abroad."""

    LANGUAGE = "language"
    WORK = "work"
    HOUSING = "housing"
    TRAINING = "training"
    HEALTH = "health"
    LEGAL = "legal"
    FAMILY = "family"
    PROTECTION = "protection"
    RECOGNITION = "recognition"


class AccessKind(StrEnum):
    INFORMATION = "information"
    ORIENTATION = "orientation"
    ACCOMPANIMENT = "accompaniment"
    REQUEST = "request"


class ResidenceTitle(StrEnum):
    """Kinds of permit to stay; `none` is stated, `unknown` is not."""

    ASYLUM_SEEKER = "asylum_seeker"
    REFUGEE = "refugee"
    SUBSIDIARY_PROTECTION = "subsidiary_protection"
    SPECIAL_PROTECTION = "special_protection"
    SPECIAL_CASES = "special_cases"
    TEMPORARY_PROTECTION = "temporary_protection"
    MEDICAL_CARE = "medical_care"
    FAMILY = "family"
    WORK = "work"
    SELF_EMPLOYMENT = "self_employment"
    STUDY = "study"
    MINOR = "minor"
    EU_LONG_TERM = "eu_long_term"
    RENEWAL = "renewal"
    OTHER = "other"
    NONE = "none"
    UNKNOWN = "unknown"


class IdentifierKind(StrEnum):
    CODICE_FISCALE = "codice_fiscale"
    PROVISIONAL = "provisional_codice_fiscale"
    STP = "stp"
    ENI = "eni"
    PASSPORT = "passport"
    OTHER = "other"


class BirthPrecision(StrEnum):
    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class ContactChannel(StrEnum):
    NONE = "none"
    PHONE = "phone"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    EMAIL = "email"
    THROUGH_OPERATOR = "through_operator"


class DuplicateDecision(StrEnum):
    SAME = "same"
    NOT_SAME = "not_same"
    UNSURE = "unsure"


@dataclass(frozen=True, kw_only=True)
class PersonName:
    """A full name as the person gives it; every part is optional, in any script."""

    given: MediumText = ""
    family: MediumText = ""
    native: MediumText = ""
    """The same name in the person's own script, when it is written beside a Latin one."""

    @property
    def full(self) -> str:
        return " ".join(part for part in (self.given, self.family) if part) or self.native


@dataclass(frozen=True, kw_only=True)
class Birth:
    """A date of birth as precise as it is known: what is not known is None, and never invented."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    precision: BirthPrecision = BirthPrecision.UNKNOWN
    source: Code = "stated"


@dataclass(frozen=True, kw_only=True)
class Contact:
    """How to reach the person; telephones in E.164."""

    phones: tuple[Code, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SafeContact:
    """What is safe. The default is: do not contact."""

    channel: ContactChannel = ContactChannel.NONE
    hours: ShortText = ""
    """When, in words; empty: at any hour."""
    voicemail: bool = False


@dataclass(frozen=True, kw_only=True)
class DoorOpened:
    """A Porta Sociale receives people."""

    door_id: UUID
    name: ShortText
    address: ShortText = ""
    languages: tuple[Code, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccessRecorded:
    """One visit or call at a door; without `person_id` it is anonymous and stays so."""

    access_id: UUID
    door_id: UUID
    on: date
    kind: AccessKind
    topics: tuple[Area, ...] = ()
    languages: tuple[Code, ...] = ()
    minutes: int | None = None
    mediator: bool | None = None
    sex: Sex = Sex.UNKNOWN
    citizenships: tuple[Code, ...] = ()
    person_id: UUID | None = None
    operator: Annotated[ShortText, PERSONAL] = ""
    note: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class AccessEnteredInError:
    """The access was never one: it counts nowhere, from the day it was recorded."""

    access_id: UUID
    on: date
    person_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class PersonRegistered:
    """A person is known to this organisation. `age` is in whole years on the day of registration.

    `citizenships` are ISO 3166-1 alpha-3, XXA for stateless; `languages` are BCP 47.
    """

    person_id: UUID
    on: date
    door_id: UUID | None = None
    sex: Sex = Sex.UNKNOWN
    age: int | None = None
    citizenships: tuple[Code, ...] = ()
    languages: tuple[Code, ...] = ()
    name: Annotated[PersonName, PERSONAL] = PersonName()
    birth: Annotated[Birth, PERSONAL] = Birth()
    birth_country: Annotated[Code | None, PERSONAL] = None
    contact: Annotated[Contact, PERSONAL] = Contact()


@dataclass(frozen=True, kw_only=True)
class IdentityCorrected:
    """What was registered of the person was wrong: all of it as it should have been.

    `age` is in whole years on the day of registration, by the birth date that is right.
    """

    person_id: UUID
    on: date
    sex: Sex = Sex.UNKNOWN
    age: int | None = None
    citizenships: tuple[Code, ...] = ()
    languages: tuple[Code, ...] = ()
    name: Annotated[PersonName, PERSONAL] = PersonName()
    birth: Annotated[Birth, PERSONAL] = Birth()
    birth_country: Annotated[Code | None, PERSONAL] = None


@dataclass(frozen=True, kw_only=True)
class IdentifierAdded:
    """An identifier of the person, normalised: upper case, no spaces."""

    person_id: UUID
    kind: IdentifierKind
    value: Annotated[Code, PERSONAL]


@dataclass(frozen=True, kw_only=True)
class IdentifierSuperseded:
    """The identifier is the person's no more: replaced by another one, or entered in error."""

    person_id: UUID
    kind: IdentifierKind
    value: Annotated[Code, PERSONAL]


@dataclass(frozen=True, kw_only=True)
class ContactChanged:
    """The person can be reached differently from now on; `on` is the day on which it was said."""

    person_id: UUID
    contact: Annotated[Contact, PERSONAL]
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class SafeContactSet:
    """What the person says is safe, and on which day."""

    person_id: UUID
    safe: Annotated[SafeContact, PERSONAL]
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class ResidenceTitleRecorded:
    """The person's title to stay, as stated on that day."""

    person_id: UUID
    on: date
    title: ResidenceTitle
    expires: Annotated[date | None, PERSONAL] = None


@dataclass(frozen=True, kw_only=True)
class DuplicateSuspected:
    """Two registrations may be one person; a person decides, nothing is merged.

    `score` is 0 to 100; `reasons` are codes.
    """

    person_id: UUID
    other_id: UUID
    score: int
    reasons: tuple[Code, ...]


@dataclass(frozen=True, kw_only=True)
class DuplicateDecided:
    """Somebody looked at the two registrations. The latest decision on a pair holds."""

    person_id: UUID
    other_id: UUID
    decision: DuplicateDecision


@dataclass(frozen=True, kw_only=True)
class CaseOpened:
    """The organisation follows the person from this day."""

    case_id: UUID
    person_id: UUID
    on: date
    door_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class NeedRecorded:
    """The person stated a need. Stated again while it is open, it keeps its `need_id`."""

    case_id: UUID
    person_id: UUID
    need_id: UUID
    area: Area
    on: date
    access_id: UUID | None = None


TO_REPORTING = (Audience.REPORTING,)

CONTRACTS = (
    Contract(
        event=DoorOpened,
        type="intake.door_opened",
        audience=(Audience.DIRECTORY, Audience.REPORTING),
    ),
    Contract(
        event=AccessRecorded,
        type="intake.access_recorded",
        audience=TO_REPORTING,
        subject="person_id",
    ),
    Contract(
        event=PersonRegistered,
        type="intake.person_registered",
        audience=TO_REPORTING,
        subject="person_id",
    ),
    Contract(
        event=AccessEnteredInError,
        type="intake.access_entered_in_error",
        audience=TO_REPORTING,
        subject="person_id",
    ),
    Contract(
        event=IdentityCorrected,
        type="intake.identity_corrected",
        audience=TO_REPORTING,
        subject="person_id",
    ),
    Contract(event=IdentifierAdded, type="intake.identifier_added", subject="person_id"),
    Contract(event=IdentifierSuperseded, type="intake.identifier_superseded", subject="person_id"),
    Contract(event=ContactChanged, type="intake.contact_changed", subject="person_id"),
    Contract(event=SafeContactSet, type="intake.safe_contact_set", subject="person_id"),
    Contract(
        event=ResidenceTitleRecorded,
        type="intake.residence_title_recorded",
        audience=TO_REPORTING,
        subject="person_id",
    ),
    Contract(event=DuplicateSuspected, type="intake.duplicate_suspected", subject="person_id"),
    Contract(
        event=DuplicateDecided,
        type="intake.duplicate_decided",
        audience=TO_REPORTING,
        subject="person_id",
    ),
    Contract(
        event=CaseOpened,
        type="intake.case_opened",
        audience=TO_REPORTING,
        subject="person_id",
    ),
    Contract(
        event=NeedRecorded,
        type="intake.need_recorded",
        audience=TO_REPORTING,
        subject="person_id",
    ),
)
