"""The tables that pages and interface read: kept in the transaction of each command."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import Connection

from togheter_shared.contracts.courses import (
    AttendanceCorrected,
    CertificateIssued,
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
    PlaceOffered,
)
from togheter_shared.log.service import Recorded, View


def edition_opened(conn: Connection, recorded: Recorded) -> None:
    event: EditionOpened = recorded.event
    conn.execute(
        "insert into edition (edition_id, title, level, places, starts_on, ends_on, threshold,"
        " evening, childcare, women_only) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            event.edition_id,
            event.title,
            event.level.value,
            event.places,
            event.starts_on,
            event.ends_on,
            event.threshold,
            event.evening,
            event.childcare,
            event.women_only,
        ],
        prepare=True,
    )


def enrolment_requested(conn: Connection, recorded: Recorded) -> None:
    event: EnrolmentRequested = recorded.event
    conn.execute(
        "insert into enrolment (enrolment_id, edition_id, asked_at, state, requested_on,"
        " referral_id, given_name, family_name, native_name, phone, birth_year)"
        " values (%s, %s, %s, 'requested', %s, %s, %s, %s, %s, %s, %s)",
        [
            event.enrolment_id,
            event.edition_id,
            recorded.position,
            event.on,
            event.referral_id,
            event.name.given,
            event.name.family,
            event.name.native,
            event.phone,
            event.birth_year,
        ],
        prepare=True,
    )


def enrolment_waitlisted(conn: Connection, recorded: Recorded) -> None:
    _move(conn, recorded.event, "waitlisted")


def place_offered(conn: Connection, recorded: Recorded) -> None:
    event: PlaceOffered = recorded.event
    conn.execute(
        "update enrolment set offer_expires_on = %s where enrolment_id = %s",
        [event.expires_on, event.enrolment_id],
        prepare=True,
    )
    _move(conn, event, "offered")


def enrolment_confirmed(conn: Connection, recorded: Recorded) -> None:
    event: EnrolmentConfirmed = recorded.event
    _move(conn, event, "confirmed")
    _recount_attendance(conn, event.edition_id)


def enrolment_withdrawn(conn: Connection, recorded: Recorded) -> None:
    event: EnrolmentWithdrawn = recorded.event
    _move(conn, event, "withdrawn", event.reason.value)


def enrolment_dropped(conn: Connection, recorded: Recorded) -> None:
    event: EnrolmentDropped = recorded.event
    _move(conn, event, "dropped", event.reason.value)


def entry_level_tested(conn: Connection, recorded: Recorded) -> None:
    event: EntryLevelTested = recorded.event
    conn.execute(
        "update enrolment set entry_level = %s where enrolment_id = %s",
        [event.level.value, event.enrolment_id],
        prepare=True,
    )


def lesson_scheduled(conn: Connection, recorded: Recorded) -> None:
    event: LessonScheduled = recorded.event
    conn.execute(
        "insert into lesson (lesson_id, edition_id, scheduled_on, minutes, room, teacher)"
        " values (%s, %s, %s, %s, %s, %s)",
        [
            event.lesson_id,
            event.edition_id,
            event.on,
            event.minutes,
            event.room,
            event.teacher,
        ],
        prepare=True,
    )
    _recount_lessons(conn, event.edition_id)


def lesson_held(conn: Connection, recorded: Recorded) -> None:
    event: LessonHeld = recorded.event
    conn.execute(
        "update lesson set held_on = %s where lesson_id = %s",
        [event.on, event.lesson_id],
        prepare=True,
    )
    conn.execute(
        "insert into attendance (lesson_id, enrolment_id, presence, minutes)"
        " select %s, * from unnest(%s::uuid[], %s::text[], %s::int[])",
        [
            event.lesson_id,
            [entry.enrolment_id for entry in event.attendance],
            [entry.presence.value for entry in event.attendance],
            [entry.minutes for entry in event.attendance],
        ],
        prepare=True,
    )
    _recount_lessons(conn, event.edition_id)


def attendance_corrected(conn: Connection, recorded: Recorded) -> None:
    event: AttendanceCorrected = recorded.event
    conn.execute(
        "insert into attendance (lesson_id, enrolment_id, presence, minutes)"
        " values (%s, %s, %s, %s) on conflict (lesson_id, enrolment_id)"
        " do update set presence = excluded.presence, minutes = excluded.minutes",
        [
            event.lesson_id,
            event.entry.enrolment_id,
            event.entry.presence.value,
            event.entry.minutes,
        ],
        prepare=True,
    )
    _recount_attendance(conn, event.edition_id)


def final_test_recorded(conn: Connection, recorded: Recorded) -> None:
    event: FinalTestRecorded = recorded.event
    conn.execute(
        "update enrolment set exit_level = %s, test_passed = %s where enrolment_id = %s",
        [event.level.value if event.level else None, event.passed, event.enrolment_id],
        prepare=True,
    )


def enrolment_completed(conn: Connection, recorded: Recorded) -> None:
    event: EnrolmentCompleted = recorded.event
    _move(conn, event, "certified" if event.certified else "not_certified")


def certificate_issued(conn: Connection, recorded: Recorded) -> None:
    event: CertificateIssued = recorded.event
    conn.execute(
        "insert into certificate (code, edition_id, enrolment_id, kind, level, issued_on)"
        " values (%s, %s, %s, %s, %s, %s)",
        [
            event.code,
            event.edition_id,
            event.enrolment_id,
            event.kind.value,
            event.level.value if event.level else None,
            event.on,
        ],
        prepare=True,
    )


def edition_closed(conn: Connection, recorded: Recorded) -> None:
    event: EditionClosed = recorded.event
    conn.execute(
        "update edition set state = 'closed', closed_on = %s where edition_id = %s",
        [event.on, event.edition_id],
        prepare=True,
    )


def _move(conn: Connection, event: Any, state: str, reason: str | None = None) -> None:
    """Set the state of the event's enrolment, and count the places of its edition anew."""
    conn.execute(
        "update enrolment set state = %s, reason = %s where enrolment_id = %s",
        [state, reason, event.enrolment_id],
        prepare=True,
    )
    conn.execute(
        "update edition set taken = c.taken, offered = c.offered, waiting = c.waiting from ("
        " select count(*) filter (where state in ('offered', 'confirmed', 'certified',"
        "  'not_certified')) as taken,"
        " count(*) filter (where state = 'offered') as offered,"
        " count(*) filter (where state = 'waitlisted') as waiting"
        " from enrolment where edition_id = %s) as c where edition_id = %s",
        [event.edition_id, event.edition_id],
        prepare=True,
    )


def _recount_lessons(conn: Connection, edition_id: UUID) -> None:
    conn.execute(
        "update edition set lessons_held = c.held, lessons_to_come = c.to_come,"
        " state = case when c.held > 0 then 'running' else 'open' end from ("
        " select count(held_on) as held, count(*) - count(held_on) as to_come"
        " from lesson where edition_id = %s) as c where edition_id = %s",
        [edition_id, edition_id],
        prepare=True,
    )
    _recount_attendance(conn, edition_id)


def _recount_attendance(conn: Connection, edition_id: UUID) -> None:
    """Attendance so far, and what can still be reached, of everybody who has a place."""
    conn.execute(
        "update enrolment set attended = c.attended, held = e.lessons_held,"
        " percentage = coalesce(c.attended * 100 / nullif(e.lessons_held, 0), 0),"
        " attainable = coalesce((c.attended + e.lessons_to_come) * 100"
        "  / nullif(e.lessons_held + e.lessons_to_come, 0), 100),"
        " in_danger = c.attended * 100 < e.threshold * e.lessons_held"
        " from edition e, ("
        "  select n.enrolment_id,"
        "   count(*) filter (where a.presence in ('present', 'late', 'left_early')) as attended"
        "  from enrolment n left join attendance a using (enrolment_id)"
        "  where n.edition_id = %s and n.state = 'confirmed' group by n.enrolment_id) as c"
        " where enrolment.enrolment_id = c.enrolment_id and e.edition_id = %s",
        [edition_id, edition_id],
        prepare=True,
    )


VIEWS: Mapping[type, View] = {
    EditionOpened: edition_opened,
    EnrolmentRequested: enrolment_requested,
    EnrolmentWaitlisted: enrolment_waitlisted,
    PlaceOffered: place_offered,
    EnrolmentConfirmed: enrolment_confirmed,
    EnrolmentWithdrawn: enrolment_withdrawn,
    EnrolmentDropped: enrolment_dropped,
    EntryLevelTested: entry_level_tested,
    LessonScheduled: lesson_scheduled,
    LessonHeld: lesson_held,
    AttendanceCorrected: attendance_corrected,
    FinalTestRecorded: final_test_recorded,
    EnrolmentCompleted: enrolment_completed,
    CertificateIssued: certificate_issued,
    EditionClosed: edition_closed,
}
