"""What happens at the lessons of an edition: the calendar, who was there, corrections."""

from typing import Any
from uuid import UUID

from togheter_courses.commands import CorrectAttendance, HoldLesson, ScheduleLesson
from togheter_courses.roster import Edition, Standing
from togheter_shared.contracts.courses import (
    Attendance,
    AttendanceCorrected,
    LessonHeld,
    LessonScheduled,
    Presence,
)
from togheter_shared.decider import Rejected

MAX_MINUTES = 600


def schedule(state: Edition, edition_id: UUID, command: ScheduleLesson) -> list[Any]:
    event = LessonScheduled(
        edition_id=edition_id,
        lesson_id=command.lesson_id,
        on=command.on,
        minutes=command.minutes,
        room=command.room,
        teacher=command.teacher,
    )
    known = state.lessons.get(command.lesson_id)
    if known is not None and known.scheduled == event:
        return []
    if known is not None:
        raise Rejected("Questa lezione è già in calendario, con altri dati.", "lesson_exists")
    if not 1 <= command.minutes <= MAX_MINUTES:
        raise Rejected(
            f"La durata va da 1 a {MAX_MINUTES} minuti.", "minutes_out_of_range", "minutes"
        )
    return [event]


def hold(state: Edition, edition_id: UUID, command: HoldLesson) -> list[Any]:
    lesson = state.lessons.get(command.lesson_id)
    if lesson is None:
        raise Rejected("Questa lezione non è in calendario.", "lesson_unknown")
    event = LessonHeld(
        edition_id=edition_id,
        lesson_id=command.lesson_id,
        on=command.on or lesson.scheduled.on,
        attendance=command.attendance,
    )
    if lesson.attendance is not None:
        if (lesson.held_on, lesson.attendance) == (event.on, _by_enrolment(event.attendance)):
            return []
        raise Rejected(
            "La lezione è già registrata: le presenze si cambiano con una correzione.",
            "lesson_held",
        )
    expected = {found.enrolment_id for found in state.with_a_place}
    if not expected:
        raise Rejected("Nessuno ha un posto in questa edizione.", "nobody_enrolled")
    named: set[UUID] = set()
    for index, entry in enumerate(command.attendance):
        field = f"attendance.{index}"
        if entry.enrolment_id not in expected:
            raise Rejected(
                "Le presenze riguardano qualcuno che non ha un posto in questa edizione.",
                "attendance_foreign",
                f"{field}.enrolment_id",
            )
        if entry.enrolment_id in named:
            raise Rejected(
                "La stessa iscrizione compare due volte.",
                "attendance_twice",
                f"{field}.enrolment_id",
            )
        _check_minutes(entry, lesson.scheduled.minutes, f"{field}.minutes")
        named.add(entry.enrolment_id)
    if missing := len(expected - named):
        raise Rejected(
            f"Manca la presenza o l'assenza di chi ha un posto ({missing}).",
            "attendance_missing",
            "attendance",
        )
    return [event]


def correct(state: Edition, edition_id: UUID, command: CorrectAttendance) -> list[Any]:
    lesson = state.lessons.get(command.lesson_id)
    if lesson is None:
        raise Rejected("Questa lezione non è in calendario.", "lesson_unknown")
    if lesson.attendance is None:
        raise Rejected("La lezione non si è ancora tenuta.", "lesson_not_held")
    entry = command.entry
    found = state.enrolments.get(entry.enrolment_id)
    recorded = lesson.attendance.get(entry.enrolment_id)
    if found is None or (recorded is None and found.standing is not Standing.CONFIRMED):
        raise Rejected(
            "Le presenze riguardano qualcuno che non era in questa lezione.",
            "attendance_foreign",
            "enrolment_id",
        )
    if found.standing in (Standing.CERTIFIED, Standing.NOT_CERTIFIED):
        raise Rejected(
            "Il corso di questa persona è concluso: le presenze non cambiano più.",
            "enrolment_over",
        )
    _check_minutes(entry, lesson.scheduled.minutes, "minutes")
    if recorded == entry:
        return []
    return [
        AttendanceCorrected(
            edition_id=edition_id, lesson_id=command.lesson_id, on=command.on, entry=entry
        )
    ]


def _by_enrolment(attendance: tuple[Attendance, ...]) -> dict[UUID, Attendance]:
    return {entry.enrolment_id: entry for entry in attendance}


def _check_minutes(entry: Attendance, longest: int, field: str) -> None:
    if entry.minutes is None:
        return
    if entry.presence is not Presence.LATE:
        raise Rejected(
            "I minuti si indicano soltanto per chi è arrivato in ritardo.",
            "minutes_without_delay",
            field,
        )
    if not 1 <= entry.minutes <= longest:
        raise Rejected(
            "Il ritardo va da un minuto alla durata della lezione.",
            "minutes_out_of_range",
            field,
        )
