"""What can be asked of an edition; dates, ids and codes come with the command."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from togheter_shared.contracts.courses import Attendance, DropReason, Level
from togheter_shared.contracts.intake import PersonName


@dataclass(frozen=True, kw_only=True)
class OpenEdition:
    edition_id: UUID
    title: str
    level: Level
    places: int
    starts_on: date
    ends_on: date
    threshold: int = 70
    evening: bool = False
    childcare: bool = False
    women_only: bool = False


@dataclass(frozen=True, kw_only=True)
class RequestEnrolment:
    enrolment_id: UUID
    on: date
    name: PersonName
    phone: str | None = None
    birth_year: int | None = None
    referral_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class WithdrawEnrolment:
    enrolment_id: UUID
    on: date


@dataclass(frozen=True, kw_only=True)
class AcceptOffer:
    enrolment_id: UUID
    on: date


@dataclass(frozen=True, kw_only=True)
class DeclineOffer:
    enrolment_id: UUID
    on: date


@dataclass(frozen=True, kw_only=True)
class ExpireOffers:
    """`on` is today: what expired before it is over."""

    on: date


@dataclass(frozen=True, kw_only=True)
class DropEnrolment:
    enrolment_id: UUID
    on: date
    reason: DropReason


@dataclass(frozen=True, kw_only=True)
class RecordEntryLevel:
    enrolment_id: UUID
    on: date
    level: Level


@dataclass(frozen=True, kw_only=True)
class ScheduleLesson:
    lesson_id: UUID
    on: date
    minutes: int
    room: str = ""
    teacher: str = ""


@dataclass(frozen=True, kw_only=True)
class HoldLesson:
    """`on` is None when the lesson took place on the day of the calendar."""

    lesson_id: UUID
    attendance: tuple[Attendance, ...]
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class CorrectAttendance:
    lesson_id: UUID
    on: date
    entry: Attendance


@dataclass(frozen=True, kw_only=True)
class RecordFinalTest:
    enrolment_id: UUID
    on: date
    passed: bool
    level: Level | None = None


@dataclass(frozen=True, kw_only=True)
class CompleteEnrolment:
    """`code` is for the certificate, random, from outside."""

    enrolment_id: UUID
    on: date
    code: str


@dataclass(frozen=True, kw_only=True)
class CloseEdition:
    """`codes` are for the certificates: at least as many as there may be, random, from outside."""

    on: date
    codes: tuple[str, ...]


OfOneEnrolment = (
    WithdrawEnrolment
    | AcceptOffer
    | DeclineOffer
    | DropEnrolment
    | RecordEntryLevel
    | RecordFinalTest
    | CompleteEnrolment
)
Command = (
    OpenEdition
    | RequestEnrolment
    | OfOneEnrolment
    | ExpireOffers
    | ScheduleLesson
    | HoldLesson
    | CorrectAttendance
    | CloseEdition
)
