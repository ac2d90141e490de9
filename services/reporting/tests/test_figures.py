"""Each report on a few events, with the figures written down by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

from togheter_reporting.catalogue import Row, reports
from togheter_reporting.figures import read
from togheter_reporting.histories import History, Told, store
from togheter_reporting.projection import project
from togheter_reporting.verify import verify
from togheter_shared.contracts import courses, intake, referrals
from togheter_shared.contracts.intake import Area, DuplicateDecision, Sex
from togheter_shared.log import follow

MARCH = date(2026, 3, 5)


def uuid(number: int) -> UUID:
    return UUID(int=number, version=4)


def told(*streams: tuple[str, int, list[Any]]) -> Iterator[Told]:
    made = History(Random(7))
    for origin, stream, events in streams:
        made.tell(origin, uuid(stream), *events)
    for _, found in made.streams.items():
        for line in found:
            yield from line


def figures(reporting: Any, name: str, *streams: tuple[str, int, list[Any]]) -> list[Row]:
    store(reporting.conn, told(*streams))
    while follow.project(reporting.conn, project):
        pass
    assert verify(reporting.conn, [name])[0].differences == ()
    return read(reporting.conn, reports()[name]).rows


def access(number: int, door: int, on: date, person: int | None = None) -> intake.AccessRecorded:
    return intake.AccessRecorded(
        access_id=uuid(number),
        door_id=uuid(door),
        on=on,
        kind=intake.AccessKind.INFORMATION,
        topics=(Area.WORK, Area.WORK, Area.LEGAL),
        person_id=None if person is None else uuid(person),
    )


def person(number: int, on: date = MARCH, **facts: Any) -> intake.PersonRegistered:
    return intake.PersonRegistered(person_id=uuid(number), on=on, **facts)


def need(number: int, whose: int, area: Area) -> intake.NeedRecorded:
    return intake.NeedRecorded(
        case_id=uuid(900 + whose), person_id=uuid(whose), need_id=uuid(number), area=area, on=MARCH
    )


def decided(one: int, other: int, decision: DuplicateDecision) -> intake.DuplicateDecided:
    return intake.DuplicateDecided(person_id=uuid(one), other_id=uuid(other), decision=decision)


def test_accesses_are_counted_per_door_and_month_with_the_anonymous_beside(reporting: Any) -> None:
    door = uuid(1)
    rows = figures(
        reporting,
        "accesses",
        ("ponte.intake", 10, [access(10, 1, MARCH)]),
        ("ponte.intake", 11, [access(11, 1, MARCH, 50)]),
        ("ponte.intake", 12, [access(12, 1, date(2026, 4, 1), 50)]),
        (
            "ponte.intake",
            1,
            [
                intake.DoorOpened(door_id=door, name="Porta vecchia"),
                intake.DoorOpened(door_id=door, name="Porta nuova"),
            ],
        ),
        ("comune.intake", 10, [access(10, 2, MARCH)]),
    )
    assert rows == [
        ("comune", str(uuid(2)), "", "2026-03", 1, 0, 1, 1, 0, 0, 0),
        ("ponte", str(door), "Porta nuova", "2026-03", 2, 1, 1, 2, 0, 0, 0),
        ("ponte", str(door), "Porta nuova", "2026-04", 1, 1, 0, 1, 0, 0, 0),
    ]


def test_linked_persons_count_once_with_what_was_known_first(reporting: Any) -> None:
    people = [
        person(1, age=17),
        person(2, date(2026, 3, 1), sex=Sex.FEMALE, citizenships=("UKR",)),
        person(3, sex=Sex.MALE, age=40, citizenships=("NGA",)),
        person(4, sex=Sex.MALE, age=64, citizenships=("NGA", "GHA")),
        person(5),
    ]
    streams = [("ponte.intake", 20 + index, [one]) for index, one in enumerate(people)]
    chain = [decided(1, 2, DuplicateDecision.SAME), decided(3, 2, DuplicateDecision.SAME)]
    rows = figures(reporting, "persons", *streams, ("ponte.intake", 30, chain))
    assert rows == [
        ("ponte", "female", "15_17", "UKR", 1),
        ("ponte", "male", "30_64", "GHA+NGA", 1),
        ("ponte", "unknown", "unknown", "", 1),
    ]
    apart = [decided(2, 3, DuplicateDecision.NOT_SAME), decided(2, 1, DuplicateDecision.UNSURE)]
    assert figures(reporting, "persons", ("ponte.intake", 30, apart)) == [
        ("ponte", "female", "unknown", "UKR", 1),
        ("ponte", "male", "30_64", "GHA+NGA", 1),
        ("ponte", "male", "30_64", "NGA", 1),
        ("ponte", "unknown", "15_17", "", 1),
        ("ponte", "unknown", "unknown", "", 1),
    ]


def test_another_organisation_cannot_link_persons_that_are_not_its_own(reporting: Any) -> None:
    rows = figures(
        reporting,
        "persons",
        ("ponte.intake", 1, [person(1, age=20)]),
        ("ponte.intake", 2, [person(2, age=20)]),
        ("comune.intake", 3, [decided(1, 2, DuplicateDecision.SAME)]),
    )
    assert rows == [("ponte", "unknown", "18_29", "", 2)]


def test_a_long_chain_of_links_is_one_person_and_breaks_where_a_link_is_taken_back(
    reporting: Any,
) -> None:
    length = 2_000
    people = [("ponte.intake", number, [person(number)]) for number in range(1, length + 1)]
    numbers = list(range(1, length + 1))
    Random(1).shuffle(numbers)
    links = [decided(one, other, DuplicateDecision.SAME) for one, other in pairwise(numbers)]
    Random(2).shuffle(links)
    rows = figures(reporting, "persons", *people, ("ponte.intake", length + 1, links))
    assert [row[4] for row in rows] == [1]
    middle = decided(numbers[1000], numbers[999], DuplicateDecision.NOT_SAME)
    rows = figures(reporting, "persons", ("ponte.intake", length + 2, [middle]))
    assert [row[4] for row in rows] == [2]


def test_the_bands_of_age_begin_and_end_where_the_definition_says(reporting: Any) -> None:
    ages = (0, 14, 15, 17, 18, 29, 30, 64, 65, 120)
    streams = [("ponte.intake", age + 1, [person(age + 1, age=age, sex=Sex.MALE)]) for age in ages]
    found = {row[2]: row[4] for row in figures(reporting, "persons", *streams)}
    assert found == {"under_15": 2, "15_17": 2, "18_29": 2, "30_64": 2, "65_over": 2}


def test_a_need_stated_again_is_one_need_of_one_person(reporting: Any) -> None:
    rows = figures(
        reporting,
        "needs",
        ("ponte.intake", 1, [need(100, 1, Area.WORK), need(100, 1, Area.WORK)]),
        ("ponte.intake", 2, [need(101, 2, Area.WORK), need(102, 2, Area.HOUSING)]),
        ("ponte.intake", 3, [decided(1, 2, DuplicateDecision.SAME)]),
        ("ponte.intake", 4, [access(40, 1, MARCH)]),
        ("ponte.intake", 5, [access(41, 1, MARCH, 1)]),
    )
    assert rows == [
        ("ponte", "housing", 1, 1, 1, 0),
        ("ponte", "legal", 0, 0, 0, 1),
        ("ponte", "work", 1, 2, 3, 1),
    ]


def asked(number: int, recipient: str = "scuola") -> referrals.ReferralRequested:
    return referrals.ReferralRequested(
        referral_id=uuid(number),
        person_id=uuid(1),
        recipient=recipient,
        area=Area.LANGUAGE,
        requested_on=date(2026, 3, 2),
        answer_by=date(2026, 3, 4),
        language="it",
        consent=referrals.Consent(
            given_on=MARCH, given_by="person", language="it", text_version="1"
        ),
        identity=referrals.Identity(name=intake.PersonName(given="X")),
    )


def accepted(number: int, on: int) -> referrals.ReferralAccepted:
    return referrals.ReferralAccepted(
        referral_id=uuid(number), sender="ponte", on=date(2026, 3, on)
    )


def test_referrals_by_state_with_the_days_to_the_answer_of_the_recipient_alone(
    reporting: Any,
) -> None:
    completed = referrals.ReferralCompleted(
        referral_id=uuid(3), sender="ponte", on=MARCH, outcome=referrals.Outcome.NEED_MET
    )
    cancelled = referrals.ReferralCancelled(
        referral_id=uuid(4),
        recipient="scuola",
        on=MARCH,
        reason=referrals.CancellationReason.MISTAKE,
    )
    rows = figures(
        reporting,
        "referrals",
        (
            "scuola.referrals",
            13,
            [accepted(3, 2), completed],
        ),  # the answer comes before the request
        ("scuola.referrals", 11, [accepted(1, 4)]),
        ("scuola.referrals", 12, [accepted(2, 9)]),
        ("comune.referrals", 15, [accepted(5, 3)]),  # not its to answer
        ("ponte.referrals", 1, [asked(1)]),
        ("ponte.referrals", 2, [asked(2)]),
        ("ponte.referrals", 3, [asked(3)]),
        ("ponte.referrals", 4, [asked(4), cancelled]),
        ("ponte.referrals", 5, [asked(5)]),
    )
    assert rows == [
        ("ponte", "scuola", "language", "accepted", 2, 2, 1, 4.5),
        ("ponte", "scuola", "language", "cancelled", 1, 0, 0, None),
        ("ponte", "scuola", "language", "completed", 1, 1, 1, 0.0),
        ("ponte", "scuola", "language", "requested", 1, 0, 0, None),
    ]


def test_an_edition_from_its_first_request_to_its_certificates(reporting: Any) -> None:
    edition, lesson = uuid(1), uuid(2)

    def about(number: int) -> dict[str, Any]:
        return {"edition_id": edition, "enrolment_id": uuid(number), "on": MARCH}

    def ending(number: int, entry: courses.Level, leaving: courses.Level, certified: bool) -> Any:
        return courses.EnrolmentCompleted(
            **about(number),
            lessons_held=1,
            lessons_attended=1,
            certified=certified,
            entry_level=entry,
            exit_level=leaving,
        )

    def came(number: int, presence: courses.Presence) -> courses.Attendance:
        return courses.Attendance(enrolment_id=uuid(number), presence=presence)

    presence, level = courses.Presence, courses.Level
    rows = figures(
        reporting,
        "courses",
        (
            "scuola.courses",
            1,
            [
                courses.EditionOpened(
                    edition_id=edition,
                    title="Italiano A1",
                    level=level.A1,
                    places=4,
                    starts_on=MARCH,
                    ends_on=date(2026, 6, 1),
                ),
                *(courses.EnrolmentRequested(**about(number)) for number in range(11, 17)),
                *(courses.EnrolmentConfirmed(**about(number)) for number in range(11, 15)),
                courses.EnrolmentWaitlisted(**about(15)),
                courses.EnrolmentWaitlisted(**about(16)),
                courses.EnrolmentWithdrawn(**about(14)),
                courses.PlaceOffered(**about(15), expires_on=MARCH),
                courses.EnrolmentConfirmed(**about(15)),
                courses.LessonHeld(
                    edition_id=edition,
                    lesson_id=lesson,
                    on=MARCH,
                    attendance=(
                        came(11, presence.PRESENT),
                        came(12, presence.ABSENT),
                        came(13, presence.LATE),
                        came(15, presence.EXCUSED),
                    ),
                ),
                courses.AttendanceCorrected(
                    edition_id=edition, lesson_id=lesson, on=MARCH, entry=came(11, presence.ABSENT)
                ),
                courses.AttendanceCorrected(
                    edition_id=edition, lesson_id=lesson, on=MARCH, entry=came(12, presence.PRESENT)
                ),
                courses.EnrolmentDropped(**about(15), reason=courses.DropReason.WORK),
                ending(11, level.ALFA, level.A1, True),
                ending(12, level.PRE_A1, level.PRE_A1, False),
                ending(13, level.A2, level.A1, True),
                courses.CertificateIssued(
                    **about(12), kind=courses.CertificateKind.ATTENDANCE, code="X"
                ),
            ],
        ),
    )
    counts = (4, 6, 1, 5, 1, 1, 2, 3, 2, 1)
    assert rows == [("scuola", str(edition), "Italiano A1", "A1", "2026-03-05", *counts)]


def corrected(number: int, **facts: Any) -> intake.IdentityCorrected:
    return intake.IdentityCorrected(person_id=uuid(number), on=MARCH, **facts)


def opened(number: int, on: date = MARCH) -> intake.CaseOpened:
    return intake.CaseOpened(case_id=uuid(900 + number), person_id=uuid(number), on=on)


def test_a_corrected_registration_counts_as_it_should_have_been(reporting: Any) -> None:
    wrong = person(1, sex=Sex.FEMALE, age=17, citizenships=("UKR",))
    right = corrected(1, sex=Sex.FEMALE, age=20)
    rows = figures(reporting, "persons", ("ponte.intake", 1, [wrong, right]))
    assert rows == [("ponte", "female", "18_29", "", 1)]


def test_an_access_that_was_entered_in_error_counts_nowhere(reporting: Any) -> None:
    void = intake.AccessEnteredInError(access_id=uuid(10), on=MARCH)
    rows = figures(
        reporting,
        "accesses",
        ("ponte.intake", 10, [access(10, 1, MARCH)]),
        ("ponte.intake", 11, [access(11, 1, MARCH)]),
    )
    assert [row[4] for row in rows] == [2]
    rows = figures(reporting, "accesses", ("ponte.intake", 10, [void]))
    assert [row[4] for row in rows] == [1]
    assert figures(reporting, "needs") == [
        ("ponte", "legal", 0, 0, 0, 1),
        ("ponte", "work", 0, 0, 0, 1),
    ]


def test_each_funder_counts_the_same_persons_by_its_own_rules(reporting: Any) -> None:
    refugee = intake.ResidenceTitle.REFUGEE
    people = [
        [person(1, sex=Sex.MALE, age=60, citizenships=("NGA",)), opened(1)],
        [person(2, sex=Sex.MALE, age=61, citizenships=("NGA",)), opened(2)],
        [person(3, sex=Sex.MALE, age=30, citizenships=("ITA", "NGA")), opened(3)],
        [person(4, sex=Sex.MALE, age=30, citizenships=("NGA",))],
        [person(5, sex=Sex.MALE, age=61, citizenships=("NGA",)), opened(5, date(2020, 12, 31))],
        [
            person(6, sex=Sex.MALE, citizenships=("NGA",)),
            intake.ResidenceTitleRecorded(person_id=uuid(6), on=MARCH, title=refugee),
        ],
    ]
    streams = [("ponte.intake", 1 + index, events) for index, events in enumerate(people)]
    same = [decided(1, 6, DuplicateDecision.SAME)]
    rows = figures(reporting, "charge", *streams, ("ponte.intake", 30, same))
    assert rows == [
        ("ponte", "male", "30_64", "ITA+NGA", "unknown", 1),
        ("ponte", "male", "30_64", "NGA", "refugee", 1),
        ("ponte", "male", "30_64", "NGA", "unknown", 2),
    ]
    assert figures(reporting, "fnpm_charge") == [
        ("ponte", "male", "30_65", "NGA", "refugee", 1),
        ("ponte", "male", "30_65", "NGA", "unknown", 2),
    ]
    assert figures(reporting, "amif_charge") == [
        ("ponte", "male", "18_60", "NGA", "refugee", 1),
        ("ponte", "male", "over_60", "NGA", "unknown", 1),
    ]
    assert figures(reporting, "esf_charge") == [
        ("ponte", "male", "30_64", "NGA", "refugee", 1),
        ("ponte", "male", "30_64", "NGA", "unknown", 1),
    ]
