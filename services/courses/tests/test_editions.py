"""The rules of an edition: given what happened, when something is asked, then this follows."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from togheter_courses.commands import (
    AcceptOffer,
    CloseEdition,
    Command,
    CompleteEnrolment,
    CorrectAttendance,
    DeclineOffer,
    DropEnrolment,
    ExpireOffers,
    HoldLesson,
    OpenEdition,
    RecordEntryLevel,
    RecordFinalTest,
    RequestEnrolment,
    ScheduleLesson,
    WithdrawEnrolment,
)
from togheter_courses.editions import EDITION
from togheter_courses.roster import Edition, Standing
from togheter_shared.contracts.courses import (
    Attendance,
    AttendanceCorrected,
    CertificateIssued,
    CertificateKind,
    DropReason,
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
    WithdrawalReason,
)
from togheter_shared.contracts.intake import PersonName
from togheter_shared.decider import Rejected
from togheter_shared.testing.scenario import given

E = UUID("00000000-0000-0000-0000-0000000000ed")
DAY = date(2026, 3, 2)
UNTIL = date(2026, 3, 5)
NAME = PersonName(given="Amina")
P, A, X = Presence.PRESENT, Presence.ABSENT, Presence.EXCUSED


def person(number: int) -> UUID:
    return uuid5(E, f"person {number}")


def lesson(number: int) -> UUID:
    return uuid5(E, f"lesson {number}")


def referral(number: int) -> UUID:
    return uuid5(E, f"referral {number}")


def opened(places: int = 2, threshold: int = 70) -> EditionOpened:
    return EditionOpened(
        edition_id=E,
        title="Italiano A1",
        level=Level.A1,
        places=places,
        starts_on=DAY,
        ends_on=DAY + timedelta(days=90),
        threshold=threshold,
    )


def requested(number: int, **more: Any) -> EnrolmentRequested:
    return EnrolmentRequested(edition_id=E, enrolment_id=person(number), on=DAY, name=NAME, **more)


def confirmed(number: int, **more: Any) -> EnrolmentConfirmed:
    return EnrolmentConfirmed(edition_id=E, enrolment_id=person(number), on=DAY, **more)


def waitlisted(number: int, **more: Any) -> EnrolmentWaitlisted:
    return EnrolmentWaitlisted(edition_id=E, enrolment_id=person(number), on=DAY, **more)


def offered(number: int, **more: Any) -> PlaceOffered:
    return PlaceOffered(edition_id=E, enrolment_id=person(number), on=DAY, expires_on=UNTIL, **more)


def withdrawn(
    number: int, reason: WithdrawalReason = WithdrawalReason.PERSON, **more: Any
) -> EnrolmentWithdrawn:
    return EnrolmentWithdrawn(
        edition_id=E, enrolment_id=person(number), on=DAY, reason=reason, **more
    )


def scheduled(number: int) -> LessonScheduled:
    return LessonScheduled(edition_id=E, lesson_id=lesson(number), on=DAY, minutes=120)


def entries(presences: dict[int, Presence]) -> tuple[Attendance, ...]:
    return tuple(
        Attendance(enrolment_id=person(number), presence=presence)
        for number, presence in presences.items()
    )


def held(number: int, presences: dict[int, Presence]) -> LessonHeld:
    return LessonHeld(edition_id=E, lesson_id=lesson(number), on=DAY, attendance=entries(presences))


def final_test(
    number: int, level: Level | None = Level.A1, passed: bool = True
) -> FinalTestRecorded:
    return FinalTestRecorded(
        edition_id=E, enrolment_id=person(number), on=DAY, level=level, passed=passed
    )


def completed(number: int, **more: Any) -> EnrolmentCompleted:
    return EnrolmentCompleted(edition_id=E, enrolment_id=person(number), on=DAY, **more)


def issued(number: int, code: str, level: Level | None = None) -> CertificateIssued:
    kind = CertificateKind.LEVEL if level else CertificateKind.ATTENDANCE
    return CertificateIssued(
        edition_id=E, enrolment_id=person(number), on=DAY, kind=kind, level=level, code=code
    )


def request(number: int, **more: Any) -> RequestEnrolment:
    return RequestEnrolment(enrolment_id=person(number), on=DAY, name=NAME, **more)


def hold(number: int, *attendance: Attendance) -> HoldLesson:
    return HoldLesson(lesson_id=lesson(number), attendance=attendance)


TWO_IN = [opened(), requested(1), confirmed(1), requested(2), confirmed(2)]
FULL = [*TWO_IN, requested(3), waitlisted(3), requested(4), waitlisted(4)]
BEGUN = [*FULL, scheduled(1), scheduled(2), held(1, {1: P, 2: A})]


# --- opening --------------------------------------------------------------------------------------


def opening(**changes: Any) -> OpenEdition:
    values = {
        "edition_id": E,
        "title": "Italiano A1",
        "level": Level.A1,
        "places": 2,
        "starts_on": DAY,
        "ends_on": DAY + timedelta(days=90),
    }
    return OpenEdition(**{**values, **changes})


def test_an_edition_is_opened_once() -> None:
    given(EDITION).when(opening()).then([opened()])
    given(EDITION, [opened()]).when(opening()).then()
    given(EDITION, [opened()]).when(opening(places=3)).refused("edition_exists")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"title": "  "}, "title_missing", "title"),
        ({"places": 0}, "places_out_of_range", "places"),
        ({"places": 10**30}, "places_out_of_range", "places"),
        ({"threshold": 101}, "threshold_out_of_range", "threshold"),
        ({"ends_on": DAY - timedelta(days=1)}, "ends_before_start", "ends_on"),
    ],
)
def test_an_impossible_edition_is_refused_at_its_field(
    changes: dict[str, Any], code: str, field: str
) -> None:
    given(EDITION).when(opening(**changes)).refused(code, field)


@pytest.mark.parametrize(
    "command",
    [
        request(1),
        ExpireOffers(on=DAY),
        WithdrawEnrolment(enrolment_id=person(1), on=DAY),
        CloseEdition(on=DAY, codes=()),
        ScheduleLesson(lesson_id=lesson(1), on=DAY, minutes=60),
    ],
)
def test_nothing_happens_in_an_edition_that_does_not_exist(command: Command) -> None:
    given(EDITION).when(command).refused("edition_unknown")


# --- places and waitlist --------------------------------------------------------------------------


def test_who_asks_while_a_place_is_free_has_it() -> None:
    given(EDITION, [opened()]).when(request(1)).then([requested(1), confirmed(1)])


def test_who_asks_when_all_places_are_taken_waits() -> None:
    given(EDITION, TWO_IN).when(request(3)).then([requested(3), waitlisted(3)])


def test_asking_again_changes_nothing() -> None:
    given(EDITION, TWO_IN).when(request(1)).then()
    given(EDITION, FULL).when(request(3)).then()


def test_the_referral_is_carried_to_every_answer() -> None:
    by = {"referral_id": referral(1)}
    asked = request(1, birth_year=1990, **by)
    given(EDITION, [opened(1)]).when(asked).then(
        [requested(1, birth_year=1990, **by), confirmed(1, **by)]
    )
    full = [opened(1), requested(1), confirmed(1)]
    given(EDITION, full).when(request(2, **by)).then([requested(2, **by), waitlisted(2, **by)])
    waiting = [*full, requested(2, **by), waitlisted(2, **by)]
    given(EDITION, waiting).when(WithdrawEnrolment(enrolment_id=person(1), on=DAY)).then(
        [withdrawn(1), offered(2, **by)]
    )


def test_a_withdrawal_offers_the_place_to_the_first_who_waits() -> None:
    given(EDITION, FULL).when(WithdrawEnrolment(enrolment_id=person(2), on=DAY)).then(
        [withdrawn(2), offered(3)]
    )


def test_an_offer_on_the_last_day_of_the_calendar_is_an_offer() -> None:
    outcome = given(EDITION, FULL).when(WithdrawEnrolment(enrolment_id=person(2), on=date.max))
    assert outcome.events[1].expires_on == date.max


def test_leaving_the_waitlist_frees_no_place() -> None:
    given(EDITION, FULL).when(WithdrawEnrolment(enrolment_id=person(3), on=DAY)).then(
        [withdrawn(3)]
    )


def test_an_offered_place_is_taken_for_others() -> None:
    given(EDITION, [*FULL, withdrawn(1), offered(3)]).when(request(5)).then(
        [requested(5), waitlisted(5)]
    )


def test_an_offer_can_be_accepted_until_its_last_day() -> None:
    events = [*FULL, withdrawn(1), offered(3)]
    given(EDITION, events).when(AcceptOffer(enrolment_id=person(3), on=UNTIL)).then(
        [EnrolmentConfirmed(edition_id=E, enrolment_id=person(3), on=UNTIL)]
    )
    late = AcceptOffer(enrolment_id=person(3), on=UNTIL + timedelta(days=1))
    given(EDITION, events).when(late).refused("offer_expired")


def test_a_declined_offer_goes_to_the_next_in_line() -> None:
    given(EDITION, [*FULL, withdrawn(1), offered(3)]).when(
        DeclineOffer(enrolment_id=person(3), on=DAY)
    ).then([withdrawn(3, WithdrawalReason.OFFER_DECLINED), offered(4)])


def test_expired_offers_go_to_the_next_in_line_in_order() -> None:
    more = [requested(5), waitlisted(5), requested(6), waitlisted(6)]
    events = [*FULL, *more, withdrawn(1), offered(3), withdrawn(2), offered(4)]
    given(EDITION, events).when(ExpireOffers(on=UNTIL)).then()
    after = UNTIL + timedelta(days=1)
    until = after + timedelta(days=3)
    expired: dict[str, Any] = {
        "edition_id": E,
        "on": after,
        "reason": WithdrawalReason.OFFER_EXPIRED,
    }
    given(EDITION, events).when(ExpireOffers(on=after)).then(
        [
            EnrolmentWithdrawn(enrolment_id=person(3), **expired),
            EnrolmentWithdrawn(enrolment_id=person(4), **expired),
            PlaceOffered(edition_id=E, enrolment_id=person(5), on=after, expires_on=until),
            PlaceOffered(edition_id=E, enrolment_id=person(6), on=after, expires_on=until),
        ]
    )


def test_dropping_out_frees_the_place_too() -> None:
    given(EDITION, BEGUN).when(
        DropEnrolment(enrolment_id=person(1), on=DAY, reason=DropReason.CHILDCARE)
    ).then(
        [
            EnrolmentDropped(
                edition_id=E, enrolment_id=person(1), on=DAY, reason=DropReason.CHILDCARE
            ),
            offered(3),
        ]
    )


def test_before_the_first_lesson_one_withdraws_and_after_it_one_drops_out() -> None:
    given(EDITION, FULL).when(
        DropEnrolment(enrolment_id=person(1), on=DAY, reason=DropReason.WORK)
    ).refused("course_not_begun")
    given(EDITION, BEGUN).when(WithdrawEnrolment(enrolment_id=person(1), on=DAY)).refused(
        "course_begun"
    )
    given(EDITION, BEGUN).when(WithdrawEnrolment(enrolment_id=person(3), on=DAY)).then(
        [withdrawn(3)]
    )


def test_a_person_without_any_name_cannot_ask_but_any_one_name_is_enough() -> None:
    nameless = RequestEnrolment(enrolment_id=person(1), on=DAY, name=PersonName(given=" "))
    given(EDITION, [opened()]).when(nameless).refused("name_missing", "name")
    for name in (PersonName(family="Null"), PersonName(native="أمينة"), PersonName(given="O")):
        asked = RequestEnrolment(enrolment_id=person(1), on=DAY, name=name)
        assert given(EDITION, [opened()]).when(asked).rejected is None


def test_an_impossible_birth_year_is_refused_from_an_operator_and_not_from_a_referral() -> None:
    given(EDITION, [opened()]).when(request(1, birth_year=DAY.year + 1)).refused(
        "birth_year_impossible", "birth_year"
    )
    asked = request(1, birth_year=DAY.year + 1, referral_id=referral(1))
    assert given(EDITION, [opened()]).when(asked).rejected is None


def test_who_is_referred_to_a_closed_edition_is_answered_and_others_are_refused() -> None:
    closed = [opened(), EditionClosed(edition_id=E, on=DAY)]
    given(EDITION, closed).when(request(1)).refused("edition_closed")
    by = {"referral_id": referral(1)}
    given(EDITION, closed).when(request(1, **by)).then(
        [requested(1, **by), withdrawn(1, WithdrawalReason.EDITION_CLOSED, **by)]
    )


# --- the table of states and commands -------------------------------------------------------------

STATES: dict[Standing, list[Any]] = {
    Standing.REQUESTED: [opened(), requested(1)],
    Standing.WAITLISTED: [opened(), requested(1), waitlisted(1)],
    Standing.OFFERED: [opened(), requested(1), waitlisted(1), offered(1)],
    Standing.CONFIRMED: [opened(), requested(1), confirmed(1)],
    Standing.WITHDRAWN: [opened(), requested(1), confirmed(1), withdrawn(1)],
    Standing.DROPPED: [
        opened(),
        requested(1),
        confirmed(1),
        EnrolmentDropped(edition_id=E, enrolment_id=person(1), on=DAY, reason=DropReason.WORK),
    ],
    Standing.CERTIFIED: [
        opened(),
        requested(1),
        confirmed(1),
        completed(1, lessons_held=1, lessons_attended=1, certified=True),
    ],
    Standing.NOT_CERTIFIED: [
        opened(),
        requested(1),
        confirmed(1),
        completed(1, lessons_held=1, lessons_attended=0, certified=False),
    ],
}
COMMANDS: dict[str, Command] = {
    "withdraw": WithdrawEnrolment(enrolment_id=person(1), on=DAY),
    "accept": AcceptOffer(enrolment_id=person(1), on=DAY),
    "decline": DeclineOffer(enrolment_id=person(1), on=DAY),
    "drop": DropEnrolment(enrolment_id=person(1), on=DAY, reason=DropReason.WORK),
    "entry level": RecordEntryLevel(enrolment_id=person(1), on=DAY, level=Level.A1),
    "final test": RecordFinalTest(enrolment_id=person(1), on=DAY, passed=False),
    "complete": CompleteEnrolment(enrolment_id=person(1), on=DAY, code="code"),
}
# ✓ allowed; else the code of the refusal. The first column of each pair of values is before the
# first lesson was held, the second after it.
OVER = ("enrolment_over", "enrolment_over")
NO_OFFER = ("no_offer", "no_offer")
NO_PLACE = ("no_place", "no_place")
YES = ("✓", "✓")
EARLY = ("course_not_begun", "✓")
LATE = ("✓", "course_begun")
NOTHING = (OVER, NO_OFFER, NO_OFFER, NO_PLACE, OVER, NO_PLACE, NO_PLACE)
TABLE: dict[Standing, tuple[tuple[str, str], ...]] = {
    #                     withdraw accept decline drop entry level, final test, complete
    Standing.REQUESTED: NOTHING,
    Standing.WAITLISTED: (YES, NO_OFFER, NO_OFFER, NO_PLACE, LATE, NO_PLACE, NO_PLACE),
    Standing.OFFERED: (YES, YES, YES, NO_PLACE, LATE, NO_PLACE, NO_PLACE),
    Standing.CONFIRMED: (LATE, NO_OFFER, NO_OFFER, EARLY, LATE, EARLY, EARLY),
    Standing.WITHDRAWN: NOTHING,
    Standing.DROPPED: NOTHING,
    Standing.CERTIFIED: NOTHING,
    Standing.NOT_CERTIFIED: NOTHING,
}


def test_the_table_is_whole() -> None:
    assert set(STATES) == set(TABLE) == set(Standing)
    for standing, events in STATES.items():
        assert EDITION.fold(events).enrolments[person(1)].standing is standing
    assert {len(row) for row in TABLE.values()} == {len(COMMANDS)}


@pytest.mark.parametrize("begun", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_allowed_or_refused_as_the_table_says(
    name: str, standing: Standing, begun: bool
) -> None:
    lessons = [requested(9), confirmed(9), scheduled(1), held(1, {9: P})] if begun else []
    outcome = given(EDITION, [*STATES[standing], *lessons]).when(COMMANDS[name])
    expected = TABLE[standing][list(COMMANDS).index(name)][begun]
    assert (outcome.rejected.code if outcome.rejected else "✓") == expected


@pytest.mark.parametrize("name", list(COMMANDS))
def test_commands_on_an_enrolment_that_is_not_of_the_edition_are_refused(name: str) -> None:
    given(EDITION, [opened(), requested(2), confirmed(2)]).when(COMMANDS[name]).refused(
        "enrolment_unknown"
    )


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS.values(),
        ExpireOffers(on=DAY),
        ScheduleLesson(lesson_id=lesson(3), on=DAY, minutes=60),
        hold(2, *entries({1: P, 2: P})),
        CorrectAttendance(lesson_id=lesson(1), on=DAY, entry=entries({1: A})[0]),
        CloseEdition(on=DAY, codes=("c",)),
    ],
)
def test_nothing_changes_in_a_closed_edition(command: Command) -> None:
    given(EDITION, [*BEGUN, EditionClosed(edition_id=E, on=DAY)]).when(command).refused(
        "edition_closed"
    )


# --- levels and tests -----------------------------------------------------------------------------


def level_tested(level: Level) -> EntryLevelTested:
    return EntryLevelTested(edition_id=E, enrolment_id=person(1), on=DAY, level=level)


def test_the_entry_level_may_change_until_the_first_lesson_and_is_fixed_after_it() -> None:
    command = RecordEntryLevel(enrolment_id=person(1), on=DAY, level=Level.A2)
    given(EDITION, FULL).when(command).then([level_tested(Level.A2)])
    given(EDITION, [*FULL, level_tested(Level.A1)]).when(command).then([level_tested(Level.A2)])
    given(EDITION, [*FULL, level_tested(Level.A2)]).when(command).then()
    given(EDITION, BEGUN).when(command).refused("course_begun")


def test_a_final_test_that_was_passed_says_which_level() -> None:
    passed = RecordFinalTest(enrolment_id=person(1), on=DAY, passed=True)
    given(EDITION, BEGUN).when(passed).refused("level_missing", "level")
    failed = RecordFinalTest(enrolment_id=person(1), on=DAY, passed=False)
    given(EDITION, BEGUN).when(failed).then([final_test(1, None, passed=False)])


def test_a_later_result_of_the_final_test_holds() -> None:
    again = RecordFinalTest(enrolment_id=person(1), on=DAY, passed=True, level=Level.A1)
    events = [*BEGUN, final_test(1, None, passed=False)]
    given(EDITION, events).when(again).then([final_test(1)])
    given(EDITION, [*events, final_test(1)]).when(again).then()


# --- lessons --------------------------------------------------------------------------------------


def test_a_lesson_is_scheduled_once() -> None:
    command = ScheduleLesson(lesson_id=lesson(1), on=DAY, minutes=120)
    given(EDITION, [opened()]).when(command).then([scheduled(1)])
    given(EDITION, [opened(), scheduled(1)]).when(command).then()
    other = ScheduleLesson(lesson_id=lesson(1), on=DAY, minutes=90)
    given(EDITION, [opened(), scheduled(1)]).when(other).refused("lesson_exists")
    endless = ScheduleLesson(lesson_id=lesson(2), on=DAY, minutes=10**9)
    given(EDITION, [opened()]).when(endless).refused("minutes_out_of_range", "minutes")


def test_a_lesson_is_held_with_everybody_who_has_a_place() -> None:
    events = [*FULL, scheduled(1)]
    given(EDITION, events).when(hold(1, *entries({1: P, 2: X}))).then([held(1, {1: P, 2: X})])


def test_a_lesson_that_moved_is_held_on_its_new_day() -> None:
    later = DAY + timedelta(days=7)
    command = HoldLesson(lesson_id=lesson(1), on=later, attendance=entries({1: P, 2: P}))
    outcome = given(EDITION, [*TWO_IN, scheduled(1)]).when(command)
    assert [event.on for event in outcome.events] == [later]


@pytest.mark.parametrize(
    ("attendance", "code", "field"),
    [
        (entries({1: P}), "attendance_missing", "attendance"),
        ((), "attendance_missing", "attendance"),
        (entries({1: P, 2: P, 7: P}), "attendance_foreign", "attendance.2.enrolment_id"),
        (entries({3: P, 1: P, 2: P}), "attendance_foreign", "attendance.0.enrolment_id"),
        (entries({1: P}) * 2, "attendance_twice", "attendance.1.enrolment_id"),
        (
            (Attendance(enrolment_id=person(1), presence=P, minutes=5),),
            "minutes_without_delay",
            "attendance.0.minutes",
        ),
        (
            (Attendance(enrolment_id=person(1), presence=Presence.LATE, minutes=121),),
            "minutes_out_of_range",
            "attendance.0.minutes",
        ),
    ],
)
def test_attendance_that_is_not_of_those_with_a_place_is_refused_at_its_field(
    attendance: tuple[Attendance, ...], code: str, field: str
) -> None:
    given(EDITION, [*FULL, scheduled(1)]).when(hold(1, *attendance)).refused(code, field)


def test_a_lesson_is_held_once_and_needs_somebody_and_a_calendar() -> None:
    given(EDITION, BEGUN).when(hold(1, *entries({2: A, 1: P}))).then()
    given(EDITION, BEGUN).when(hold(1, *entries({1: A, 2: A}))).refused("lesson_held")
    given(EDITION, BEGUN).when(hold(9)).refused("lesson_unknown")
    given(EDITION, [opened(), scheduled(1)]).when(hold(1)).refused("nobody_enrolled")


def test_a_correction_replaces_one_entry() -> None:
    entry = Attendance(enrolment_id=person(2), presence=Presence.LATE, minutes=15)
    command = CorrectAttendance(lesson_id=lesson(1), on=DAY, entry=entry)
    event = AttendanceCorrected(edition_id=E, lesson_id=lesson(1), on=DAY, entry=entry)
    given(EDITION, BEGUN).when(command).then([event])
    given(EDITION, [*BEGUN, event]).when(command).then()
    state = EDITION.fold([*BEGUN, event])
    assert [state.lessons_attended(person(number)) for number in (1, 2)] == [1, 1]


@pytest.mark.parametrize(
    ("number", "who", "code", "field"),
    [
        (2, 1, "lesson_not_held", None),
        (9, 1, "lesson_unknown", None),
        (1, 7, "attendance_foreign", "enrolment_id"),
        (1, 3, "attendance_foreign", "enrolment_id"),
    ],
)
def test_only_what_was_recorded_can_be_corrected(
    number: int, who: int, code: str, field: str | None
) -> None:
    command = CorrectAttendance(lesson_id=lesson(number), on=DAY, entry=entries({who: P})[0])
    given(EDITION, BEGUN).when(command).refused(code, field)


def test_after_the_end_for_a_person_attendance_no_longer_changes() -> None:
    done = completed(1, lessons_held=1, lessons_attended=1, certified=True)
    command = CorrectAttendance(lesson_id=lesson(1), on=DAY, entry=entries({1: A})[0])
    given(EDITION, [*BEGUN, done]).when(command).refused("enrolment_over")


# --- the end --------------------------------------------------------------------------------------


def ten_lessons(attended: int, rest: Presence = A, **who: Any) -> list[Any]:
    """One person, ten lessons, of which `attended` are attended in some way."""
    ways = [P, Presence.LATE, Presence.LEFT_EARLY]
    events: list[Any] = [opened(), requested(1, **who), confirmed(1)]
    for number in range(10):
        presence = ways[number % 3] if number < attended else rest
        events += [scheduled(number), held(number, {1: presence})]
    return events


COMPLETE = CompleteEnrolment(enrolment_id=person(1), on=DAY, code="c")


def test_attendance_at_the_threshold_and_a_positive_test_certify_the_level() -> None:
    given(EDITION, [*ten_lessons(7), final_test(1)]).when(COMPLETE).then(
        [
            completed(1, lessons_held=10, lessons_attended=7, certified=True, exit_level=Level.A1),
            issued(1, "c", Level.A1),
        ]
    )


def test_the_levels_of_entry_and_exit_are_told_at_the_end() -> None:
    events = [
        *TWO_IN,
        level_tested(Level.PRE_A1),
        scheduled(1),
        held(1, {1: P, 2: P}),
        final_test(1),
    ]
    outcome = given(EDITION, events).when(COMPLETE)
    assert (outcome.events[0].entry_level, outcome.events[0].exit_level) == (
        Level.PRE_A1,
        Level.A1,
    )


@pytest.mark.parametrize(
    "events",
    [
        [*ten_lessons(6), final_test(1)],
        [*ten_lessons(6, rest=X), final_test(1)],
        ten_lessons(10),
        [*ten_lessons(10), final_test(1, None, passed=False)],
        [*ten_lessons(10), final_test(1, Level.PRE_A1, passed=False)],
        [*ten_lessons(10, birth_year=DAY.year - 15), final_test(1)],
    ],
    ids=["too little", "excused is not attended", "no test", "failed", "lower level", "too young"],
)
def test_without_one_of_the_conditions_there_is_a_statement_of_attendance(
    events: list[Any],
) -> None:
    outcome = given(EDITION, events).when(COMPLETE)
    assert not outcome.events[0].certified
    assert outcome.events[1:] == [issued(1, "c")]


@pytest.mark.parametrize("birth_year", [DAY.year - 16, None])
def test_sixteen_in_the_year_or_of_unknown_age_is_old_enough(birth_year: int | None) -> None:
    events = [*ten_lessons(10, birth_year=birth_year), final_test(1)]
    assert given(EDITION, events).when(COMPLETE).events[0].certified


def test_who_never_came_gets_neither_certificate_nor_statement() -> None:
    given(EDITION, [*ten_lessons(0), final_test(1)]).when(COMPLETE).then(
        [completed(1, lessons_held=10, lessons_attended=0, certified=False, exit_level=Level.A1)]
    )


def test_a_place_that_was_used_to_the_end_is_not_offered_to_others() -> None:
    state = EDITION.fold([*BEGUN, final_test(1)])
    events = EDITION.decide(state, COMPLETE)
    assert not [event for event in events if isinstance(event, PlaceOffered)]
    assert EDITION.fold(events, state).free == 0


def test_closing_completes_who_has_a_place_and_ends_the_wait_of_others() -> None:
    by = {"referral_id": referral(5)}
    events = [
        *BEGUN,
        requested(5, **by),
        waitlisted(5, **by),
        final_test(1),
        withdrawn(4),
    ]
    over = WithdrawalReason.EDITION_CLOSED
    given(EDITION, events).when(CloseEdition(on=DAY, codes=("c1", "c2"))).then(
        [
            completed(1, lessons_held=1, lessons_attended=1, certified=True, exit_level=Level.A1),
            issued(1, "c1", Level.A1),
            completed(2, lessons_held=1, lessons_attended=0, certified=False),
            withdrawn(3, over),
            withdrawn(5, over, **by),
            EditionClosed(edition_id=E, on=DAY),
        ]
    )


def test_closing_an_edition_without_lessons_completes_nobody() -> None:
    over = WithdrawalReason.EDITION_CLOSED
    given(EDITION, TWO_IN).when(CloseEdition(on=DAY, codes=())).then(
        [withdrawn(1, over), withdrawn(2, over), EditionClosed(edition_id=E, on=DAY)]
    )


def test_closing_needs_a_code_for_each_certificate() -> None:
    given(EDITION, BEGUN).when(CloseEdition(on=DAY, codes=())).refused("codes_missing", "codes")


def test_refusals_are_sentences_and_hold_no_value() -> None:
    asked: list[Callable[[], Any]] = [
        lambda: EDITION.decide(Edition(), request(1)),
        lambda: EDITION.decide(EDITION.fold(FULL), COMPLETE),
        lambda: EDITION.decide(EDITION.fold([*FULL, scheduled(1)]), hold(1, *entries({7: P}))),
    ]
    for ask in asked:
        with pytest.raises(Rejected) as refused:
            ask()
        assert refused.value.sentence[0].isupper() and refused.value.sentence.endswith(".")
        assert str(person(7)) not in refused.value.sentence


def test_an_event_about_something_unknown_changes_nothing() -> None:
    for event in (
        confirmed(9),
        held(9, {1: P}),
        completed(9, lessons_held=1, lessons_attended=1, certified=True),
        object(),
    ):
        assert EDITION.fold([opened(), event]) == EDITION.fold([opened()])
