"""The tables that pages read, on a real PostgreSQL, and people who ask at the same moment."""

import random
import threading
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from togheter_courses import commands, queries
from togheter_courses.editions import EDITION
from togheter_courses.messages import (
    CertificateAnswer,
    EditionFilter,
    EditionState,
    EnrolmentAnswer,
    EnrolmentFilter,
)
from togheter_courses.reactions import enrolment_of, seek_place
from togheter_courses.roster import Standing
from togheter_courses.service import SERVICE
from togheter_shared.contracts.courses import (
    Attendance,
    CertificateKind,
    DropReason,
    Level,
    Presence,
)
from togheter_shared.contracts.intake import PersonName
from togheter_shared.contracts.referrals import AgeBand, Identity, PlaceSought
from togheter_shared.decider import Rejected
from togheter_shared.log.erase import erase_subject
from togheter_shared.log.service import Received
from togheter_shared.log.store import Context, execute, load
from togheter_shared.testing.databases import ServiceDatabase

DAY = date(2026, 3, 2)
ME = Context(actor="test", correlation_id=uuid4())


class School:
    """Commands on one edition, as short as they can be said."""

    def __init__(self, conn: psycopg.Connection, places: int = 2) -> None:
        self.conn = conn
        self.edition_id = uuid4()
        self.run(
            commands.OpenEdition(
                edition_id=self.edition_id,
                title="Italiano A1",
                level=Level.A1,
                places=places,
                starts_on=DAY,
                ends_on=DAY + timedelta(days=60),
            )
        )

    def run(self, command: commands.Command) -> None:
        execute(self.conn, SERVICE, EDITION, self.edition_id, command, ME)

    def enrol(self, name: str) -> UUID:
        enrolment_id = uuid4()
        self.run(
            commands.RequestEnrolment(
                enrolment_id=enrolment_id, on=DAY, name=PersonName(given=name), birth_year=1990
            )
        )
        return enrolment_id

    def schedule(self) -> UUID:
        lesson_id = uuid4()
        self.run(commands.ScheduleLesson(lesson_id=lesson_id, on=DAY, minutes=90, room="2"))
        return lesson_id

    def hold(self, lesson_id: UUID, presences: dict[UUID, Presence]) -> None:
        attendance = tuple(
            Attendance(enrolment_id=who, presence=presence) for who, presence in presences.items()
        )
        self.run(commands.HoldLesson(lesson_id=lesson_id, attendance=attendance))

    def enrolments(self) -> dict[UUID, EnrolmentAnswer]:
        found = queries.enrolments(self.conn, self.edition_id, EnrolmentFilter())
        return {item.enrolment_id: item for item in found}

    def figures(self) -> tuple[int, int, int]:
        edition = queries.edition(self.conn, self.edition_id)
        assert edition is not None
        return edition.taken, edition.offered, edition.waiting


def test_places_and_waitlist_are_counted(conn: psycopg.Connection) -> None:
    school = School(conn)
    people = [school.enrol(name) for name in ("A", "B", "C", "D")]
    assert school.figures() == (2, 0, 2)
    found = school.enrolments()
    assert [found[who].waiting_position for who in people] == [None, None, 1, 2]
    school.run(commands.WithdrawEnrolment(enrolment_id=people[0], on=DAY))
    assert school.figures() == (2, 1, 1)
    found = school.enrolments()
    assert found[people[2]].state is Standing.OFFERED
    assert found[people[2]].offer_expires_on == DAY + timedelta(days=3)
    assert found[people[3]].waiting_position == 1
    assert found[people[0]].reason == "person"


def test_who_was_enrolled_is_forgotten_and_the_edition_goes_on(conn: psycopg.Connection) -> None:
    school = School(conn)
    one, two = school.enrol("Zqvcanary"), school.enrol("Bianca")
    assert erase_subject(conn, SERVICE, one, "officer").events == 1
    found = school.enrolments()
    assert (found[one].name.given, found[two].name.given) == ("", "Bianca")
    school.hold(school.schedule(), {one: Presence.PRESENT, two: Presence.PRESENT})
    assert school.figures() == (2, 0, 0)
    for table in ("enrolment", "event_log"):
        rows = conn.execute(f"select t::text from {table} t").fetchall()
        assert not [row for row in rows if "Zqvcanary" in row[0]]


def test_attendance_shows_the_share_so_far_what_can_be_reached_and_who_is_in_danger(
    conn: psycopg.Connection,
) -> None:
    school = School(conn)
    one, two = school.enrol("A"), school.enrol("B")
    lessons = [school.schedule() for _ in range(4)]
    fresh = school.enrolments()[one]
    assert (fresh.percentage, fresh.attainable, fresh.in_danger) == (0, 100, False)
    school.hold(lessons[0], {one: Presence.LATE, two: Presence.ABSENT})
    school.hold(lessons[1], {one: Presence.PRESENT, two: Presence.EXCUSED})
    found = school.enrolments()
    assert [
        (found[who].attended, found[who].held, found[who].percentage, found[who].attainable)
        for who in (one, two)
    ] == [(2, 2, 100, 100), (0, 2, 0, 50)]
    assert [found[who].in_danger for who in (one, two)] == [False, True]
    entry = Attendance(enrolment_id=two, presence=Presence.LEFT_EARLY)
    school.run(commands.CorrectAttendance(lesson_id=lessons[0], on=DAY, entry=entry))
    corrected = school.enrolments()[two]
    assert (corrected.attended, corrected.percentage, corrected.attainable) == (1, 50, 75)
    calendar = queries.lessons(conn, school.edition_id)
    assert sum(bool(lesson.attendance) for lesson in calendar) == 2
    assert entry in next(item for item in calendar if item.lesson_id == lessons[0]).attendance


def test_who_comes_late_into_the_course_is_measured_over_all_its_lessons(
    conn: psycopg.Connection,
) -> None:
    school = School(conn)
    one = school.enrol("A")
    school.hold(school.schedule(), {one: Presence.PRESENT})
    school.schedule()
    two = school.enrol("B")
    late = school.enrolments()[two]
    assert (late.attended, late.held, late.attainable, late.in_danger) == (0, 1, 50, True)


def test_the_end_issues_certificates_that_anybody_can_verify_and_that_name_nobody(
    conn: psycopg.Connection,
) -> None:
    school = School(conn, places=3)
    one, two, three = (school.enrol(name) for name in "ABC")
    school.run(commands.RecordEntryLevel(enrolment_id=one, on=DAY, level=Level.PRE_A1))
    school.hold(
        school.schedule(),
        {one: Presence.PRESENT, two: Presence.PRESENT, three: Presence.ABSENT},
    )
    school.run(commands.RecordFinalTest(enrolment_id=one, on=DAY, passed=True, level=Level.A1))
    school.run(commands.CloseEdition(on=DAY, codes=("C-1", "C-2", "C-3")))
    found = school.enrolments()
    assert [found[who].state for who in (one, two, three)] == [
        Standing.CERTIFIED,
        Standing.NOT_CERTIFIED,
        Standing.NOT_CERTIFIED,
    ]
    assert [found[who].certificate_code for who in (one, two, three)] == ["C-1", "C-2", None]
    assert (found[one].entry_level, found[one].exit_level) == (Level.PRE_A1, Level.A1)
    assert queries.certificate(conn, "C-1") == CertificateAnswer(
        valid=True, kind=CertificateKind.LEVEL, level=Level.A1, edition_title="Italiano A1"
    )
    assert queries.certificate(conn, "C-2").kind is CertificateKind.ATTENDANCE
    assert queries.certificate(conn, "C-9") == CertificateAnswer(valid=False)
    closed = queries.editions(conn, EditionFilter(state=EditionState.CLOSED))
    assert [item.edition_id for item in closed] == [school.edition_id]
    assert queries.editions(conn, EditionFilter(state=EditionState.OPEN)) == []


def test_a_code_that_was_used_before_is_refused_whole(conn: psycopg.Connection) -> None:
    school = School(conn)
    one, two = school.enrol("A"), school.enrol("B")
    school.hold(school.schedule(), {one: Presence.PRESENT, two: Presence.PRESENT})
    school.run(commands.CompleteEnrolment(enrolment_id=one, on=DAY, code="C-1"))
    with pytest.raises(Rejected) as refused:
        school.run(commands.CompleteEnrolment(enrolment_id=two, on=DAY, code="C-1"))
    assert refused.value.code == "code_used"
    assert school.enrolments()[two].state is Standing.CONFIRMED


def test_names_stay_out_of_what_is_published(conn: psycopg.Connection) -> None:
    School(conn).enrol("Segretissima")
    rows = conn.execute("select open::text from event_log").fetchall()
    assert rows and not [row for row in rows if "Segretissima" in row[0]]


def test_the_tables_say_what_the_rules_say_after_anything_that_people_do(
    conn: psycopg.Connection,
) -> None:
    chance = random.Random(20260302)
    school = School(conn, places=4)
    people: list[UUID] = []
    lessons: list[UUID] = []
    accepted = 0
    for step in range(250):
        on = DAY + timedelta(days=step // 10)
        try:
            _anything(chance, school, people, lessons, on)
            accepted += 1
        except Rejected:
            continue
    assert accepted > 80, "the walk was refused too often to say anything"

    events, _ = load(conn, SERVICE.writes, school.edition_id)
    state = EDITION.fold(events)
    assert school.figures() == (
        state.taken,
        len(state.standing(Standing.OFFERED)),
        len(state.waitlist),
    )
    found = school.enrolments()
    assert {who: item.state for who, item in found.items()} == {
        who: item.standing for who, item in state.enrolments.items()
    }
    waiting = {item.waiting_position: who for who, item in found.items() if item.waiting_position}
    assert waiting == {turn: item.enrolment_id for turn, item in enumerate(state.waitlist, start=1)}
    for item in state.with_a_place:
        view = found[item.enrolment_id]
        assert (view.held, view.attended) == (
            state.lessons_held,
            state.lessons_attended(item.enrolment_id),
        )


def _anything(
    chance: random.Random, school: School, people: list[UUID], lessons: list[UUID], on: date
) -> None:
    who: dict[str, Any] = {"enrolment_id": chance.choice(people or [uuid4()]), "on": on}
    presences = list(Presence)
    match chance.randrange(10):
        case 0 | 1:
            people.append(school.enrol("A"))
        case 2:
            school.run(commands.WithdrawEnrolment(**who))
        case 3:
            school.run(commands.AcceptOffer(**who))
        case 4:
            school.run(commands.DeclineOffer(**who))
        case 5:
            school.run(commands.ExpireOffers(on=on))
        case 6:
            school.run(commands.DropEnrolment(**who, reason=DropReason.OTHER))
        case 7:
            lessons.append(school.schedule())
        case 8:
            inside = [
                item.enrolment_id
                for item in school.enrolments().values()
                if item.state is Standing.CONFIRMED
            ]
            school.hold(
                chance.choice(lessons or [uuid4()]),
                {person: chance.choice(presences) for person in inside},
            )
        case 9:
            entry = Attendance(enrolment_id=who["enrolment_id"], presence=chance.choice(presences))
            school.run(
                commands.CorrectAttendance(
                    lesson_id=chance.choice(lessons or [uuid4()]), on=on, entry=entry
                )
            )


# --- people who ask at the same moment ------------------------------------------------------------


def test_forty_who_ask_at_once_for_ten_places_get_ten_and_thirty_wait_in_order(
    courses: ServiceDatabase, conn: psycopg.Connection
) -> None:
    school = School(conn, places=10)
    start = threading.Barrier(40)
    failures: list[BaseException] = []

    def ask() -> None:
        with psycopg.connect(courses.url, autocommit=True) as own:
            command = commands.RequestEnrolment(
                enrolment_id=uuid4(), on=DAY, name=PersonName(given="A")
            )
            start.wait()
            try:
                execute(own, SERVICE, EDITION, school.edition_id, command, ME)
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert school.figures() == (10, 0, 30)
    found = list(school.enrolments().values())  # in the order of the requests
    assert [item.state for item in found] == [Standing.CONFIRMED] * 10 + [Standing.WAITLISTED] * 30
    assert [item.waiting_position for item in found[10:]] == list(range(1, 31))
    events, version = load(conn, SERVICE.writes, school.edition_id)
    assert (len(events), version) == (81, 81)


# --- a place that the referral desk seeks ---------------------------------------------------------


def sought(edition_id: UUID, referral_id: UUID, **of: Any) -> Received:
    values: dict[str, Any] = {
        "event": PlaceSought(
            referral_id=referral_id,
            edition_id=edition_id,
            on=DAY,
            language="ar",
            age_band=AgeBand.FROM_18_TO_29,
            identity=Identity(name=PersonName(given="Amina"), birth_year=1999, phone="+39333"),
        ),
        "event_id": uuid4(),
        "organisation": "scuola",
        "service": "referrals",
        "own": True,
        "position": 1,
        "occurred_at": None,
        "correlation_id": uuid4(),
    }
    return Received(**{**values, **of})


def test_a_place_sought_by_the_own_desk_becomes_a_request_once(conn: psycopg.Connection) -> None:
    school = School(conn)
    referral_id = uuid4()
    for _ in range(2):
        (reaction,) = seek_place(sought(school.edition_id, referral_id))
        execute(conn, SERVICE, reaction.decider, reaction.stream_id, reaction.command, ME)
    (found,) = school.enrolments().values()
    assert found.enrolment_id == enrolment_of(referral_id, school.edition_id)
    assert (found.referral_id, found.state) == (referral_id, Standing.CONFIRMED)
    assert (found.name, found.birth_year, found.phone) == (
        PersonName(given="Amina"),
        1999,
        "+39333",
    )


@pytest.mark.parametrize(
    "of", [{"own": False, "organisation": "ponte"}, {"service": "intake"}], ids=str
)
def test_a_place_sought_by_anybody_else_is_ignored(of: dict[str, Any]) -> None:
    assert seek_place(sought(uuid4(), uuid4(), **of)) == []


def test_a_birth_year_that_no_column_holds_does_not_stop_the_line() -> None:
    received = sought(uuid4(), uuid4())
    year = Identity(name=PersonName(given="Amina"), birth_year=10**12)
    event = PlaceSought(
        **{**received.event.__dict__, "identity": year},
    )
    (reaction,) = seek_place(sought(uuid4(), uuid4(), event=event))
    assert reaction.command.birth_year is None
