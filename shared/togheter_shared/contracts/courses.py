"""What courses tells: editions, places, lessons and attendance, tests and certificates."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from togheter_shared.contracts.contract import Audience, Contract
from togheter_shared.contracts.fields import PERSONAL, Code, ShortText
from togheter_shared.contracts.intake import PersonName


class Level(StrEnum):
    """Levels of Italian: literacy, then the Common European Framework of Reference."""

    ALFA = "Alfa"
    PRE_A1 = "Pre-A1"
    A1 = "A1"
    A2 = "A2"
    B1 = "B1"
    B2 = "B2"
    C1 = "C1"
    C2 = "C2"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class Presence(StrEnum):
    PRESENT = "present"
    ABSENT = "absent"
    EXCUSED = "excused"
    LATE = "late"
    LEFT_EARLY = "left_early"


class DropReason(StrEnum):
    WORK = "work"
    FAMILY = "family"
    CHILDCARE = "childcare"
    TRANSPORT = "transport"
    MOVED = "moved"
    HEALTH = "health"
    UNKNOWN = "unknown"
    OTHER = "other"


class WithdrawalReason(StrEnum):
    """Who or what ended the wait, or gave the place back."""

    PERSON = "person"
    OFFER_DECLINED = "offer_declined"
    OFFER_EXPIRED = "offer_expired"
    EDITION_CLOSED = "edition_closed"
    """No place came free before the edition was over, or it closed without a lesson."""


class CertificateKind(StrEnum):
    LEVEL = "level"
    """A level reached: attendance over the threshold and a positive final test."""
    ATTENDANCE = "attendance"
    """A statement of attendance."""


@dataclass(frozen=True, kw_only=True)
class Attendance:
    """One person at one lesson; `minutes` late, when late."""

    enrolment_id: UUID
    presence: Presence
    minutes: int | None = None


@dataclass(frozen=True, kw_only=True)
class EditionOpened:
    """A course can be joined: everybody may refer people to it."""

    edition_id: UUID
    title: ShortText
    level: Level
    places: int
    starts_on: date
    ends_on: date
    threshold: int = 70
    """Attendance needed for a certificate, in per cent of the lessons held."""
    evening: bool = False
    childcare: bool = False
    women_only: bool = False


@dataclass(frozen=True, kw_only=True)
class EnrolmentRequested:
    """Somebody asks for a place; `referral_id` when an organisation referred them."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    referral_id: UUID | None = None
    name: Annotated[PersonName, PERSONAL] = PersonName()
    phone: Annotated[Code | None, PERSONAL] = None
    birth_year: Annotated[int | None, PERSONAL] = None


@dataclass(frozen=True, kw_only=True)
class EnrolmentWaitlisted:
    """No place is free: the enrolment waits its turn."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    referral_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class PlaceOffered:
    """A place became free for the first who waits, until `expires_on`."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    expires_on: date
    referral_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class EnrolmentConfirmed:
    """The person has a place."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    referral_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class EnrolmentWithdrawn:
    """The place, or the wait for it, was given up before the person's first lesson."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    referral_id: UUID | None = None
    reason: WithdrawalReason = WithdrawalReason.PERSON


@dataclass(frozen=True, kw_only=True)
class EnrolmentDropped:
    """The person left a course that had begun."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    reason: DropReason
    referral_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class EntryLevelTested:
    """The level before the first lesson, by a placement test."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    level: Level


@dataclass(frozen=True, kw_only=True)
class LessonScheduled:
    """A lesson is on the calendar; `minutes` long."""

    edition_id: UUID
    lesson_id: UUID
    on: date
    minutes: int
    room: ShortText = ""
    teacher: Annotated[ShortText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class LessonHeld:
    """A lesson took place, with the attendance of everybody who had a place."""

    edition_id: UUID
    lesson_id: UUID
    on: date
    attendance: tuple[Attendance, ...]


@dataclass(frozen=True, kw_only=True)
class AttendanceCorrected:
    """One entry of a lesson's attendance was wrong."""

    edition_id: UUID
    lesson_id: UUID
    on: date
    entry: Attendance


@dataclass(frozen=True, kw_only=True)
class FinalTestRecorded:
    """The result of the final test; `level` is the one reached, None when none was."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    level: Level | None
    passed: bool


@dataclass(frozen=True, kw_only=True)
class EnrolmentCompleted:
    """The course ended for this person. `lessons_attended` of `lessons_held`."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    lessons_held: int
    lessons_attended: int
    certified: bool
    referral_id: UUID | None = None
    entry_level: Level | None = None
    exit_level: Level | None = None


@dataclass(frozen=True, kw_only=True)
class CertificateIssued:
    """A certificate or statement; `code` is what anybody can verify it with."""

    edition_id: UUID
    enrolment_id: UUID
    on: date
    kind: CertificateKind
    level: Level | None = None
    code: Annotated[Code | None, PERSONAL] = None


@dataclass(frozen=True, kw_only=True)
class EditionClosed:
    """The edition is over."""

    edition_id: UUID
    on: date


TO_REPORTING = (Audience.REPORTING,)
TO_DESK = (Audience.REPORTING, Audience.OWN)
"""Reporting, and the referral desk of the same organisation, which answers who referred."""

CONTRACTS = (
    Contract(
        event=EditionOpened,
        type="courses.edition_opened",
        audience=(Audience.DIRECTORY, Audience.REPORTING),
    ),
    Contract(
        event=EnrolmentRequested,
        type="courses.enrolment_requested",
        audience=TO_REPORTING,
        subject="enrolment_id",
    ),
    Contract(event=EnrolmentWaitlisted, type="courses.enrolment_waitlisted", audience=TO_DESK),
    Contract(event=PlaceOffered, type="courses.place_offered", audience=TO_DESK),
    Contract(event=EnrolmentConfirmed, type="courses.enrolment_confirmed", audience=TO_DESK),
    Contract(event=EnrolmentWithdrawn, type="courses.enrolment_withdrawn", audience=TO_DESK),
    Contract(event=EnrolmentDropped, type="courses.enrolment_dropped", audience=TO_DESK),
    Contract(event=EntryLevelTested, type="courses.entry_level_tested", audience=TO_REPORTING),
    Contract(event=LessonScheduled, type="courses.lesson_scheduled", audience=TO_REPORTING),
    Contract(event=LessonHeld, type="courses.lesson_held", audience=TO_REPORTING),
    Contract(event=AttendanceCorrected, type="courses.attendance_corrected", audience=TO_REPORTING),
    Contract(event=FinalTestRecorded, type="courses.final_test_recorded", audience=TO_REPORTING),
    Contract(event=EnrolmentCompleted, type="courses.enrolment_completed", audience=TO_DESK),
    Contract(
        event=CertificateIssued,
        type="courses.certificate_issued",
        audience=TO_REPORTING,
        subject="enrolment_id",
    ),
    Contract(
        event=EditionClosed,
        type="courses.edition_closed",
        audience=(Audience.DIRECTORY, Audience.REPORTING),
    ),
)
