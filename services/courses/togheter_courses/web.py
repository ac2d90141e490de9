"""The interface of courses: JSON for machines under /api/v1, and one page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4, uuid5

from psycopg import Connection

from togheter_courses import commands, messages, queries
from togheter_courses.codes import as_written, new_code
from togheter_courses.editions import EDITION
from togheter_courses.service import SERVICE
from togheter_shared.contracts.courses import Attendance
from togheter_shared.contracts.schema import dump, load
from togheter_shared.decider import Rejected
from togheter_shared.log.store import handle
from togheter_shared.run.carry import carry_out, context, scoped_key
from togheter_shared.run.http import Database, NotFound, Request, api, page
from togheter_shared.web.language import N_
from togheter_shared.web.render import Entry, Pages

T = TypeVar("T")
READ, WRITE = "courses.read", "courses.write"
EDITION_URL = "/api/v1/editions/<uuid:edition_id>"
ENROLMENT_URL = f"{EDITION_URL}/enrolments/<uuid:enrolment_id>"
LESSON_URL = f"{EDITION_URL}/lessons/<uuid:lesson_id>"

_IDS = UUID("6a2f0a0e-6f53-5d0c-9a4e-3f1f3c2b7d11")
"""The namespace of the ids that are derived from an idempotency key."""
_UNKNOWN = frozenset({"edition_unknown", "enrolment_unknown", "lesson_unknown"})
_STATES = {"open": N_("open for enrolment"), "running": N_("running"), "closed": N_("closed")}
PAGES = Pages(
    Path(__file__).parent, N_("Courses"), (Entry(operation="GET /", words=N_("Courses")),)
)


class CoursesWeb:
    """Editions, enrolments, lessons and certificates over HTTP."""

    name = "courses"
    pages = PAGES
    database = Database()

    # editions

    @api(
        "POST",
        "/api/v1/editions",
        scope=WRITE,
        summary="Open an edition of a course",
        body=messages.NewEdition,
        answer=messages.EditionAnswer,
        status=201,
    )
    def open_edition(self, request: Request) -> messages.EditionAnswer:
        body: messages.NewEdition = request.body
        edition_id = _new_id(request)
        command = commands.OpenEdition(
            edition_id=edition_id,
            title=body.title,
            level=body.level,
            places=body.places,
            starts_on=body.starts_on,
            ends_on=body.ends_on,
            threshold=body.threshold,
            evening=body.evening,
            childcare=body.childcare,
            women_only=body.women_only,
        )
        return self._edition_after(request, edition_id, command)

    @api(
        "GET",
        "/api/v1/editions",
        scope=READ,
        summary="Editions, the latest first",
        query=messages.EditionFilter,
        answer=messages.EditionAnswer,
        many=True,
    )
    def list_editions(self, request: Request) -> list[messages.EditionAnswer]:
        with self.database.connection() as conn:
            return queries.editions(conn, request.query)

    @api(
        "GET",
        EDITION_URL,
        scope=READ,
        summary="An edition in figures",
        answer=messages.EditionAnswer,
    )
    def read_edition(self, request: Request) -> messages.EditionAnswer:
        with self.database.connection() as conn:
            return _existing_edition(conn, request.path["edition_id"])

    @api(
        "POST",
        f"{EDITION_URL}/expire-offers",
        scope=WRITE,
        summary="End the offers that nobody answered in time; the next in line are offered a place",
        body=messages.Day,
        answer=messages.EditionAnswer,
    )
    def expire_offers(self, request: Request) -> messages.EditionAnswer:
        command = commands.ExpireOffers(on=_day(request))
        return self._edition_after(request, request.path["edition_id"], command)

    @api(
        "POST",
        f"{EDITION_URL}/close",
        scope=WRITE,
        summary="Close an edition: completes everybody who has a place, and issues certificates",
        body=messages.Day,
        answer=messages.EditionAnswer,
    )
    def close_edition(self, request: Request) -> messages.EditionAnswer:
        edition_id = request.path["edition_id"]
        with self.database.connection() as conn:
            places = _existing_edition(conn, edition_id).places
        codes = tuple(new_code() for _ in range(places))
        command = commands.CloseEdition(on=_day(request), codes=codes)
        return self._edition_after(request, edition_id, command)

    # enrolments

    @api(
        "POST",
        f"{EDITION_URL}/enrolments",
        scope=WRITE,
        summary="Ask for a place: confirmed when one is free, else on the waitlist",
        body=messages.NewEnrolment,
        answer=messages.EnrolmentState,
        status=201,
    )
    def request_enrolment(self, request: Request) -> messages.EnrolmentState:
        body: messages.NewEnrolment = request.body
        enrolment_id = _new_id(request)
        command = commands.RequestEnrolment(
            enrolment_id=enrolment_id,
            on=_day(request),
            name=body.name,
            phone=body.phone,
            birth_year=body.birth_year,
        )
        return self._enrolment_after(request, command, enrolment_id)

    @api(
        "GET",
        f"{EDITION_URL}/enrolments",
        scope=READ,
        summary="Enrolments with names and attendance, in the order of the requests",
        query=messages.EnrolmentFilter,
        answer=messages.EnrolmentAnswer,
        many=True,
    )
    def list_enrolments(self, request: Request) -> list[messages.EnrolmentAnswer]:
        with self.database.connection() as conn:
            _existing_edition(conn, request.path["edition_id"])
            return queries.enrolments(conn, request.path["edition_id"], request.query)

    @api(
        "POST",
        f"{ENROLMENT_URL}/withdraw",
        scope=WRITE,
        summary="Give up a place, or the wait for one, before the course begins",
        body=messages.Day,
        answer=messages.EnrolmentState,
    )
    def withdraw(self, request: Request) -> messages.EnrolmentState:
        return self._enrolment_after(
            request, commands.WithdrawEnrolment(enrolment_id=_enrolment(request), on=_day(request))
        )

    @api(
        "POST",
        f"{ENROLMENT_URL}/accept-offer",
        scope=WRITE,
        summary="Take the place that was offered",
        body=messages.Day,
        answer=messages.EnrolmentState,
    )
    def accept_offer(self, request: Request) -> messages.EnrolmentState:
        return self._enrolment_after(
            request, commands.AcceptOffer(enrolment_id=_enrolment(request), on=_day(request))
        )

    @api(
        "POST",
        f"{ENROLMENT_URL}/decline-offer",
        scope=WRITE,
        summary="Leave the place that was offered to the next in line",
        body=messages.Day,
        answer=messages.EnrolmentState,
    )
    def decline_offer(self, request: Request) -> messages.EnrolmentState:
        return self._enrolment_after(
            request, commands.DeclineOffer(enrolment_id=_enrolment(request), on=_day(request))
        )

    @api(
        "POST",
        f"{ENROLMENT_URL}/drop",
        scope=WRITE,
        summary="Leave a course that has begun, with the reason",
        body=messages.Drop,
        answer=messages.EnrolmentState,
    )
    def drop(self, request: Request) -> messages.EnrolmentState:
        command = commands.DropEnrolment(
            enrolment_id=_enrolment(request), on=_day(request), reason=request.body.reason
        )
        return self._enrolment_after(request, command)

    @api(
        "POST",
        f"{ENROLMENT_URL}/entry-level",
        scope=WRITE,
        summary="Record the placement test, before the first lesson",
        body=messages.EntryLevel,
        answer=messages.EnrolmentState,
    )
    def record_entry_level(self, request: Request) -> messages.EnrolmentState:
        command = commands.RecordEntryLevel(
            enrolment_id=_enrolment(request), on=_day(request), level=request.body.level
        )
        return self._enrolment_after(request, command)

    @api(
        "POST",
        f"{ENROLMENT_URL}/final-test",
        scope=WRITE,
        summary="Record the final test; recorded again, the later result holds",
        body=messages.FinalTest,
        answer=messages.EnrolmentState,
    )
    def record_final_test(self, request: Request) -> messages.EnrolmentState:
        body: messages.FinalTest = request.body
        command = commands.RecordFinalTest(
            enrolment_id=_enrolment(request),
            on=_day(request),
            passed=body.passed,
            level=body.level,
        )
        return self._enrolment_after(request, command)

    @api(
        "POST",
        f"{ENROLMENT_URL}/complete",
        scope=WRITE,
        summary="End the course for one person, with a certificate or a statement of attendance",
        body=messages.Day,
        answer=messages.EnrolmentState,
    )
    def complete(self, request: Request) -> messages.EnrolmentState:
        command = commands.CompleteEnrolment(
            enrolment_id=_enrolment(request), on=_day(request), code=new_code()
        )
        return self._enrolment_after(request, command)

    # lessons

    @api(
        "POST",
        f"{EDITION_URL}/lessons",
        scope=WRITE,
        summary="Put a lesson on the calendar",
        body=messages.NewLesson,
        answer=messages.LessonState,
        status=201,
    )
    def schedule_lesson(self, request: Request) -> messages.LessonState:
        body: messages.NewLesson = request.body
        lesson_id = _new_id(request)
        command = commands.ScheduleLesson(
            lesson_id=lesson_id,
            on=body.on,
            minutes=body.minutes,
            room=body.room,
            teacher=body.teacher,
        )
        return self._lesson_after(request, command, lesson_id)

    @api(
        "GET",
        f"{EDITION_URL}/lessons",
        scope=READ,
        summary="The calendar, with the attendance of the lessons held",
        answer=messages.LessonAnswer,
        many=True,
    )
    def list_lessons(self, request: Request) -> list[messages.LessonAnswer]:
        with self.database.connection() as conn:
            _existing_edition(conn, request.path["edition_id"])
            return queries.lessons(conn, request.path["edition_id"])

    @api(
        "POST",
        f"{LESSON_URL}/hold",
        scope=WRITE,
        summary="Record that a lesson took place, with everybody's attendance",
        body=messages.LessonRecord,
        answer=messages.LessonState,
    )
    def hold_lesson(self, request: Request) -> messages.LessonState:
        body: messages.LessonRecord = request.body
        lesson_id = request.path["lesson_id"]
        command = commands.HoldLesson(lesson_id=lesson_id, attendance=body.attendance, on=body.on)
        return self._lesson_after(request, command, lesson_id)

    @api(
        "POST",
        f"{LESSON_URL}/correct",
        scope=WRITE,
        summary="Correct one entry of a lesson's attendance",
        body=messages.Correction,
        answer=messages.LessonState,
    )
    def correct_attendance(self, request: Request) -> messages.LessonState:
        body: messages.Correction = request.body
        lesson_id = request.path["lesson_id"]
        entry = Attendance(
            enrolment_id=body.enrolment_id, presence=body.presence, minutes=body.minutes
        )
        command = commands.CorrectAttendance(lesson_id=lesson_id, on=_day(request), entry=entry)
        return self._lesson_after(request, command, lesson_id)

    # certificates and the page

    @api(
        "GET",
        "/api/v1/certificates/<code>",
        scope=None,
        summary="Whether a certificate is valid; says nothing about its holder",
        answer=messages.CertificateAnswer,
    )
    def verify_certificate(self, request: Request) -> messages.CertificateAnswer:
        code = as_written(request.path["code"])
        if code is None:
            return messages.CertificateAnswer(valid=False)
        with self.database.connection() as conn:
            return queries.certificate(conn, code)

    @page("/", scope=READ, summary="Editions with their places")
    def home(self, request: Request) -> str:
        with self.database.connection() as conn:
            found = queries.editions(conn, messages.EditionFilter())
        return PAGES("editions.html", request, editions=found, states=_STATES)

    # what the methods share

    def _edition_after(
        self, request: Request, edition_id: UUID, command: commands.Command
    ) -> messages.EditionAnswer:
        return self._carry_out(
            request,
            edition_id,
            command,
            messages.EditionAnswer,
            lambda conn: _existing_edition(conn, edition_id),
        )

    def _enrolment_after(
        self, request: Request, command: commands.Command, enrolment_id: UUID | None = None
    ) -> messages.EnrolmentState:
        found = enrolment_id or _enrolment(request)
        return self._carry_out(
            request,
            request.path["edition_id"],
            command,
            messages.EnrolmentState,
            lambda conn: queries.enrolment_state(conn, found),
        )

    def _lesson_after(
        self, request: Request, command: commands.Command, lesson_id: UUID
    ) -> messages.LessonState:
        return self._carry_out(
            request,
            request.path["edition_id"],
            command,
            messages.LessonState,
            lambda conn: queries.lesson_state(conn, lesson_id),
        )

    def _carry_out(
        self,
        request: Request,
        edition_id: UUID,
        command: commands.Command,
        answer: type[T],
        read: Callable[[Connection], T],
    ) -> T:
        """Run the command, and read the answer in the same transaction. It is kept for whoever
        asks again with the same key, so it never holds anything about a person."""
        with self.database.connection() as conn:

            def work() -> dict[str, Any]:
                handle(conn, SERVICE, EDITION, edition_id, command, context(request))
                return dump(read(conn))

            try:
                document = carry_out(conn, SERVICE, request, work)
            except Rejected as rejected:
                if rejected.code in _UNKNOWN:
                    raise NotFound(rejected.code, rejected.sentence) from None
                raise
        return load(answer, document)


def _existing_edition(conn: Connection, edition_id: UUID) -> messages.EditionAnswer:
    found = queries.edition(conn, edition_id)
    if found is None:
        raise NotFound("edition_unknown", "Questa edizione non esiste.")
    return found


def _day(request: Request) -> date:
    day: date | None = request.body.on
    return day or date.today()


def _enrolment(request: Request) -> UUID:
    found: UUID = request.path["enrolment_id"]
    return found


def _new_id(request: Request) -> UUID:
    """The id of what is made: the same whenever the same key comes again."""
    key = scoped_key(request)
    return uuid4() if key is None else uuid5(_IDS, key)
