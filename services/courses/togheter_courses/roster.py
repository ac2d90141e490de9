"""An edition as it stands: its places, its waitlist, its lessons, folded from its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from togheter_shared.contracts.courses import (
    Attendance,
    AttendanceCorrected,
    EditionClosed,
    EditionOpened,
    EnrolmentCompleted,
    EnrolmentConfirmed,
    EnrolmentDropped,
    EnrolmentRequested,
    EnrolmentWaitlisted,
    EnrolmentWithdrawn,
    EntryLevelTested,
    FinalTestRecorded,
    LessonHeld,
    LessonScheduled,
    Level,
    PlaceOffered,
    Presence,
)

ATTENDED = frozenset({Presence.PRESENT, Presence.LATE, Presence.LEFT_EARLY})
"""Who came late or left early was there; who was excused was not."""


class Standing(StrEnum):
    """The states of an enrolment. `requested` lasts no longer than the command that asks."""

    REQUESTED = "requested"
    WAITLISTED = "waitlisted"
    OFFERED = "offered"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    DROPPED = "dropped"
    CERTIFIED = "certified"
    NOT_CERTIFIED = "not_certified"


TAKES_A_PLACE = frozenset(
    {Standing.OFFERED, Standing.CONFIRMED, Standing.CERTIFIED, Standing.NOT_CERTIFIED}
)
"""A place that is offered is kept free for who may still say yes."""


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """One person's way through an edition; no name, the rules need none."""

    enrolment_id: UUID
    standing: Standing = Standing.REQUESTED
    referral_id: UUID | None = None
    birth_year: int | None = None
    offer_expires_on: date | None = None
    entry_level: Level | None = None
    exit_level: Level | None = None
    test_passed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson on the calendar; `attendance` is None until it was held."""

    scheduled: LessonScheduled
    held_on: date | None = None
    attendance: Mapping[UUID, Attendance] | None = None


@dataclass(frozen=True, kw_only=True)
class Edition:
    """The state of the stream. Enrolments stand in the order in which they were requested."""

    opened: EditionOpened | None = None
    closed: bool = False
    enrolments: Mapping[UUID, Enrolment] = field(default_factory=dict)
    lessons: Mapping[UUID, Lesson] = field(default_factory=dict)

    def standing(self, *standings: Standing) -> list[Enrolment]:
        return [found for found in self.enrolments.values() if found.standing in standings]

    @property
    def waitlist(self) -> list[Enrolment]:
        """Who waits, first come first."""
        return self.standing(Standing.WAITLISTED)

    @property
    def with_a_place(self) -> list[Enrolment]:
        """Who comes to the lessons."""
        return self.standing(Standing.CONFIRMED)

    @property
    def taken(self) -> int:
        return len(self.standing(*TAKES_A_PLACE))

    @property
    def free(self) -> int:
        return (self.opened.places if self.opened else 0) - self.taken

    @property
    def lessons_held(self) -> int:
        return sum(lesson.attendance is not None for lesson in self.lessons.values())

    def lessons_attended(self, enrolment_id: UUID) -> int:
        return sum(
            lesson.attendance is not None
            and enrolment_id in lesson.attendance
            and lesson.attendance[enrolment_id].presence in ATTENDED
            for lesson in self.lessons.values()
        )


def evolve(state: Edition, event: Any) -> Edition:
    """The edition after the event; what is not understood changes nothing."""
    match event:
        case EditionOpened():
            return replace(state, opened=event)
        case EnrolmentRequested():
            found = Enrolment(
                enrolment_id=event.enrolment_id,
                referral_id=event.referral_id,
                birth_year=event.birth_year,
            )
            return replace(state, enrolments={**state.enrolments, found.enrolment_id: found})
        case EnrolmentWaitlisted():
            return _enrolment(state, event.enrolment_id, standing=Standing.WAITLISTED)
        case PlaceOffered():
            return _enrolment(
                state,
                event.enrolment_id,
                standing=Standing.OFFERED,
                offer_expires_on=event.expires_on,
            )
        case EnrolmentConfirmed():
            return _enrolment(state, event.enrolment_id, standing=Standing.CONFIRMED)
        case EnrolmentWithdrawn():
            return _enrolment(state, event.enrolment_id, standing=Standing.WITHDRAWN)
        case EnrolmentDropped():
            return _enrolment(state, event.enrolment_id, standing=Standing.DROPPED)
        case EntryLevelTested():
            return _enrolment(state, event.enrolment_id, entry_level=event.level)
        case FinalTestRecorded():
            return _enrolment(
                state, event.enrolment_id, exit_level=event.level, test_passed=event.passed
            )
        case EnrolmentCompleted():
            standing = Standing.CERTIFIED if event.certified else Standing.NOT_CERTIFIED
            return _enrolment(state, event.enrolment_id, standing=standing)
        case LessonScheduled():
            lesson = Lesson(scheduled=event)
            return replace(state, lessons={**state.lessons, event.lesson_id: lesson})
        case LessonHeld():
            entries = {entry.enrolment_id: entry for entry in event.attendance}
            return _lesson(state, event.lesson_id, held_on=event.on, attendance=entries)
        case AttendanceCorrected() if event.lesson_id in state.lessons:
            before = state.lessons[event.lesson_id].attendance or {}
            entries = {**before, event.entry.enrolment_id: event.entry}
            return _lesson(state, event.lesson_id, attendance=entries)
        case EditionClosed():
            return replace(state, closed=True)
    return state


def _enrolment(state: Edition, enrolment_id: UUID, **changes: Any) -> Edition:
    found = state.enrolments.get(enrolment_id)
    if found is None:
        return state
    return replace(state, enrolments={**state.enrolments, enrolment_id: replace(found, **changes)})


def _lesson(state: Edition, lesson_id: UUID, **changes: Any) -> Edition:
    found = state.lessons.get(lesson_id)
    if found is None:
        return state
    return replace(state, lessons={**state.lessons, lesson_id: replace(found, **changes)})
