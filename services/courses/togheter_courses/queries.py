"""What the interface and the page read from the views."""

from typing import Any, TypeVar
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from togheter_courses.messages import (
    CertificateAnswer,
    EditionAnswer,
    EditionFilter,
    EditionState,
    EnrolmentAnswer,
    EnrolmentFilter,
    EnrolmentState,
    LessonAnswer,
    LessonState,
)
from togheter_courses.roster import Standing
from togheter_shared.contracts.courses import Attendance, CertificateKind, Level, Presence
from togheter_shared.contracts.intake import PersonName

T = TypeVar("T")

_EDITION = (
    "select edition_id, title, level, state, places, taken, offered, waiting, starts_on, ends_on,"
    " threshold, evening, childcare, women_only, lessons_held, lessons_to_come from edition"
)
"""The columns of `EditionAnswer`."""

_ENROLMENT = """
select n.*, c.code as certificate_code, c.kind as certificate_kind,
    case when n.state = 'waitlisted' then (
        select count(*) from enrolment w where w.edition_id = n.edition_id
        and w.state = 'waitlisted' and w.asked_at <= n.asked_at) end as waiting_position
from enrolment n left join certificate c using (enrolment_id)
"""


def editions(conn: Connection, wanted: EditionFilter) -> list[EditionAnswer]:
    """Editions, the ones that begin last first."""
    rows = _rows(
        conn,
        _EDITION + " where (%(state)s::text is null or state = %(state)s)"
        " and (%(level)s::text is null or level = %(level)s)"
        " order by starts_on desc, title, edition_id",
        {"state": wanted.state, "level": wanted.level},
    )
    return [_edition(row) for row in rows]


def edition(conn: Connection, edition_id: UUID) -> EditionAnswer | None:
    rows = _rows(conn, _EDITION + " where edition_id = %(id)s", {"id": edition_id})
    return _edition(rows[0]) if rows else None


def enrolments(
    conn: Connection, edition_id: UUID, wanted: EnrolmentFilter
) -> list[EnrolmentAnswer]:
    """The enrolments of an edition with their persons, in the order of the requests."""
    rows = _rows(
        conn,
        _ENROLMENT + " where n.edition_id = %(id)s"
        " and (%(state)s::text is null or n.state = %(state)s) order by n.asked_at",
        {"id": edition_id, "state": wanted.state},
    )
    return [
        EnrolmentAnswer(
            enrolment_id=row["enrolment_id"],
            edition_id=row["edition_id"],
            state=Standing(row["state"]),
            reason=row["reason"],
            requested_on=row["requested_on"],
            referral_id=row["referral_id"],
            name=PersonName(
                given=row["given_name"], family=row["family_name"], native=row["native_name"]
            ),
            phone=row["phone"],
            birth_year=row["birth_year"],
            waiting_position=row["waiting_position"],
            offer_expires_on=_live_offer(row),
            entry_level=_level(row["entry_level"]),
            exit_level=_level(row["exit_level"]),
            test_passed=row["test_passed"],
            attended=row["attended"],
            held=row["held"],
            percentage=row["percentage"],
            attainable=row["attainable"],
            in_danger=row["in_danger"],
            certificate_code=row["certificate_code"],
            certificate_kind=_kind(row["certificate_kind"]),
        )
        for row in rows
    ]


def enrolment_state(conn: Connection, enrolment_id: UUID) -> EnrolmentState:
    """Where an enrolment that exists stands."""
    (row,) = _rows(conn, _ENROLMENT + " where n.enrolment_id = %(id)s", {"id": enrolment_id})
    return EnrolmentState(
        enrolment_id=row["enrolment_id"],
        edition_id=row["edition_id"],
        state=Standing(row["state"]),
        waiting_position=row["waiting_position"],
        offer_expires_on=_live_offer(row),
    )


def lessons(conn: Connection, edition_id: UUID) -> list[LessonAnswer]:
    """The calendar of an edition, with the attendance of what was held."""
    entries: dict[UUID, list[Attendance]] = {}
    for row in _rows(
        conn,
        "select a.* from attendance a join lesson using (lesson_id)"
        " join enrolment n using (enrolment_id) where lesson.edition_id = %(id)s"
        " order by n.asked_at",
        {"id": edition_id},
    ):
        entries.setdefault(row["lesson_id"], []).append(
            Attendance(
                enrolment_id=row["enrolment_id"],
                presence=Presence(row["presence"]),
                minutes=row["minutes"],
            )
        )
    rows = _rows(
        conn,
        "select lesson_id, edition_id, scheduled_on, minutes, room, teacher, held_on from lesson"
        " where edition_id = %(id)s order by scheduled_on, lesson_id",
        {"id": edition_id},
    )
    return [
        LessonAnswer(**row, attendance=tuple(entries.get(row["lesson_id"], ()))) for row in rows
    ]


def lesson_state(conn: Connection, lesson_id: UUID) -> LessonState:
    """A lesson that exists."""
    (row,) = _rows(
        conn,
        "select lesson_id, edition_id, scheduled_on, minutes, held_on from lesson"
        " where lesson_id = %(id)s",
        {"id": lesson_id},
    )
    return LessonState(**row)


def certificate(conn: Connection, code: str) -> CertificateAnswer:
    """Whether the code is that of a valid certificate; one that was revoked is like none."""
    rows = _rows(
        conn,
        "select c.kind, c.level, e.title from certificate c join edition e using (edition_id)"
        " where c.code = %(code)s and c.valid",
        {"code": code},
    )
    if not rows:
        return CertificateAnswer(valid=False)
    return CertificateAnswer(
        valid=True,
        kind=_kind(rows[0]["kind"]),
        level=_level(rows[0]["level"]),
        edition_title=rows[0]["title"],
    )


def _rows(conn: Connection, text: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text, values, prepare=True).fetchall()


def _edition(row: dict[str, Any]) -> EditionAnswer:
    typed = {"level": Level(row["level"]), "state": EditionState(row["state"])}
    return EditionAnswer(**{**row, **typed})


def _live_offer(row: dict[str, Any]) -> Any:
    return row["offer_expires_on"] if row["state"] == "offered" else None


def _level(value: str | None) -> Level | None:
    return None if value is None else Level(value)


def _kind(value: str | None) -> CertificateKind | None:
    return None if value is None else CertificateKind(value)
