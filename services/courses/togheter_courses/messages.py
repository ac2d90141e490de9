"""What goes in and out of the interface: bodies of requests, and answers."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from togheter_courses.roster import Standing
from togheter_shared.contracts.courses import (
    Attendance,
    CertificateKind,
    DropReason,
    Level,
    Presence,
)
from togheter_shared.contracts.fields import Code, ShortText
from togheter_shared.contracts.intake import PersonName


class EditionState(StrEnum):
    OPEN = "open"
    RUNNING = "running"
    CLOSED = "closed"


# --- bodies: a date that is left out is today -----------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewEdition:
    """A course to be joined; `threshold` is the attendance for a certificate, in per cent."""

    title: Annotated[ShortText, validate.Length(min=1)]
    level: Level
    places: int
    starts_on: date
    ends_on: date
    threshold: int = 70
    evening: bool = False
    childcare: bool = False
    women_only: bool = False


@dataclass(frozen=True, kw_only=True)
class NewEnrolment:
    """Somebody who asks for a place without a referral."""

    name: PersonName
    phone: Code | None = None
    birth_year: int | None = None
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Day:
    """When it happened."""

    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Why somebody left a course that had begun."""

    reason: DropReason
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class EntryLevel:
    """What the placement test said."""

    level: Level
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class FinalTest:
    """What the final test said; `level` is the one reached."""

    passed: bool
    level: Level | None = None
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class NewLesson:
    """A lesson for the calendar; `minutes` long."""

    on: date
    minutes: int
    room: ShortText = ""
    teacher: ShortText = ""


@dataclass(frozen=True, kw_only=True)
class LessonRecord:
    """Who was there, one entry for everybody who has a place.

    `on` is the day of the calendar unless the lesson was moved.
    """

    attendance: tuple[Attendance, ...]
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Correction:
    """How one entry of a lesson's attendance should read."""

    enrolment_id: UUID
    presence: Presence
    minutes: int | None = None
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class EditionFilter:
    state: EditionState | None = None
    level: Level | None = None


@dataclass(frozen=True, kw_only=True)
class EnrolmentFilter:
    state: Standing | None = None


# --- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class EditionAnswer:
    """An edition in figures. A place that is offered is taken for as long as the offer lasts."""

    edition_id: UUID
    title: str
    level: Level
    state: EditionState
    places: int
    taken: int
    offered: int
    waiting: int
    starts_on: date
    ends_on: date
    threshold: int
    evening: bool
    childcare: bool
    women_only: bool
    lessons_held: int
    lessons_to_come: int


@dataclass(frozen=True, kw_only=True)
class EnrolmentState:
    """Where an enrolment stands; `waiting_position` counts from 1. Nothing about the person."""

    enrolment_id: UUID
    edition_id: UUID
    state: Standing
    waiting_position: int | None = None
    offer_expires_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class EnrolmentAnswer:
    """An enrolment with its person. `percentage` is attendance over the lessons held so far,
    `attainable` the same if no scheduled lesson is missed any more, `in_danger` says that it is
    below the edition's threshold.
    """

    enrolment_id: UUID
    edition_id: UUID
    state: Standing
    reason: str | None
    requested_on: date
    referral_id: UUID | None
    name: PersonName
    phone: str | None
    birth_year: int | None
    waiting_position: int | None
    offer_expires_on: date | None
    entry_level: Level | None
    exit_level: Level | None
    test_passed: bool | None
    attended: int
    held: int
    percentage: int
    attainable: int
    in_danger: bool
    certificate_code: str | None
    certificate_kind: CertificateKind | None


@dataclass(frozen=True, kw_only=True)
class LessonState:
    """A lesson of the calendar; `held_on` when it took place."""

    lesson_id: UUID
    edition_id: UUID
    scheduled_on: date
    minutes: int
    held_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class LessonAnswer:
    """A lesson with its attendance, which is empty until it was held."""

    lesson_id: UUID
    edition_id: UUID
    scheduled_on: date
    minutes: int
    room: str
    teacher: str
    held_on: date | None
    attendance: tuple[Attendance, ...]


@dataclass(frozen=True, kw_only=True)
class CertificateAnswer:
    """Whether a code is that of a valid certificate, and of what; never whose."""

    valid: bool
    kind: CertificateKind | None = None
    level: Level | None = None
    edition_title: str | None = None
