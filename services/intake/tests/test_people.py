"""Persons, as given / when / then."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from togheter_intake import people
from togheter_intake.identifiers import Identifier
from togheter_intake.people import PERSON, RegisterPerson, TakeStatement
from togheter_shared.contracts.intake import (
    Birth,
    BirthPrecision,
    Contact,
    ContactChanged,
    ContactChannel,
    DuplicateDecided,
    DuplicateDecision,
    DuplicateSuspected,
    IdentifierAdded,
    IdentifierKind,
    IdentifierSuperseded,
    IdentityCorrected,
    PersonName,
    PersonRegistered,
    ResidenceTitle,
    ResidenceTitleRecorded,
    SafeContact,
    SafeContactSet,
)
from togheter_shared.testing.scenario import given

TODAY, DAY, LATER = date(2026, 3, 2), date(2022, 1, 10), date(2022, 2, 10)
PERSON_ID, OTHER_ID = uuid4(), uuid4()
NAME = PersonName(given="Null")
CODE = Identifier(IdentifierKind.STP, "STP1234567890123")
PHONES, OTHER_PHONES = Contact(phones=("+393331234567",)), Contact(phones=("+393337654321",))
SMS, CALL = SafeContact(channel=ContactChannel.SMS), SafeContact(channel=ContactChannel.PHONE)
REGISTER = RegisterPerson(person_id=PERSON_ID, on=DAY, today=TODAY, name=NAME)
REGISTERED = PersonRegistered(person_id=PERSON_ID, on=DAY, name=NAME)


def said(**what: Any) -> TakeStatement:
    known: dict[str, Any] = {"person_id": PERSON_ID, "on": LATER, "today": TODAY}
    return TakeStatement(**(known | what))


def test_a_person_with_one_name_only_is_registered() -> None:
    given(PERSON).when(REGISTER).then([REGISTERED])


def test_a_person_is_registered_with_all_that_was_said() -> None:
    command = replace(
        REGISTER, name=PersonName(), identifiers=(CODE, CODE), safe=SMS, title=ResidenceTitle.NONE
    )
    given(PERSON).when(command).then(
        [
            PersonRegistered(person_id=PERSON_ID, on=DAY),
            IdentifierAdded(person_id=PERSON_ID, kind=CODE.kind, value=CODE.value),
            SafeContactSet(person_id=PERSON_ID, safe=SMS, on=DAY),
            ResidenceTitleRecorded(person_id=PERSON_ID, on=DAY, title=ResidenceTitle.NONE),
        ]
    )


def test_the_age_is_that_of_the_day_of_registration() -> None:
    for birth, age in (
        (Birth(year=2000, month=1, day=10, precision=BirthPrecision.DAY), 22),
        (Birth(year=2000, month=1, day=11, precision=BirthPrecision.DAY), 21),
        (Birth(year=1990, precision=BirthPrecision.ESTIMATED), 32),
        (Birth(), None),
    ):
        given(PERSON).when(replace(REGISTER, birth=birth)).then(
            [replace(REGISTERED, birth=birth, age=age)]
        )


def test_whoever_gives_neither_name_nor_identifier_stays_anonymous() -> None:
    given(PERSON).when(replace(REGISTER, name=PersonName(given=" "))).refused("nameless", "name")


def test_a_person_is_registered_once_and_not_before_the_day() -> None:
    given(PERSON, [REGISTERED]).when(REGISTER).refused("person_exists")
    given(PERSON).when(replace(REGISTER, on=date(2026, 3, 3))).refused("date_in_future", "on")


@pytest.mark.parametrize(
    ("birth", "code"),
    [
        (Birth(year=1990, month=2, day=30, precision=BirthPrecision.DAY), "birth_impossible"),
        (Birth(year=2023, precision=BirthPrecision.YEAR), "birth_in_future"),
        (Birth(year=1850, precision=BirthPrecision.YEAR), "birth_too_old"),
        (Birth(year=1990, precision=BirthPrecision.DAY), "birth_precision"),
        (Birth(month=3, day=1), "birth_precision"),
        (Birth(year=1990), "birth_precision"),
    ],
)
def test_a_date_of_birth_that_cannot_be_is_refused(birth: Birth, code: str) -> None:
    given(PERSON).when(replace(REGISTER, birth=birth)).refused(code, "birth")


COMMANDS: list[Any] = [
    people.AddIdentifier(person_id=PERSON_ID, identifier=CODE),
    people.ChangeContact(person_id=PERSON_ID, on=DAY, today=TODAY, contact=PHONES),
    people.SetSafeContact(person_id=PERSON_ID, on=DAY, today=TODAY, safe=SMS),
    people.RecordResidenceTitle(
        person_id=PERSON_ID, on=DAY, today=TODAY, title=ResidenceTitle.WORK
    ),
    said(),
    people.SuspectDuplicate(person_id=PERSON_ID, other_id=OTHER_ID, score=80, reasons=("x",)),
    people.DecideDuplicate(person_id=PERSON_ID, other_id=OTHER_ID, decision=DuplicateDecision.SAME),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_nothing_happens_to_somebody_who_is_not_registered(command: Any) -> None:
    given(PERSON).when(command).refused("person_unknown")


def test_nothing_was_said_tomorrow() -> None:
    given(PERSON, [REGISTERED]).when(said(on=date(2026, 3, 3))).refused("date_in_future", "on")


def test_an_identifier_is_added_once() -> None:
    added = IdentifierAdded(person_id=PERSON_ID, kind=CODE.kind, value=CODE.value)
    given(PERSON, [REGISTERED]).when(COMMANDS[0]).then([added])
    given(PERSON, [REGISTERED, added]).when(COMMANDS[0]).then()


def test_a_contact_changes_only_when_it_is_another_one() -> None:
    changed = ContactChanged(person_id=PERSON_ID, contact=PHONES, on=LATER)
    given(PERSON, [REGISTERED]).when(said(contact=PHONES)).then([changed])
    given(PERSON, [REGISTERED, changed]).when(said(contact=PHONES)).then()


def test_what_was_said_earlier_does_not_replace_a_later_contact() -> None:
    changed = ContactChanged(person_id=PERSON_ID, contact=PHONES, on=LATER)
    given(PERSON, [REGISTERED, changed]).when(said(on=DAY, contact=OTHER_PHONES)).then()


def test_do_not_contact_said_again_outlives_what_was_said_in_between() -> None:
    never = SafeContact()
    first = SafeContactSet(person_id=PERSON_ID, safe=never, on=DAY)
    again = SafeContactSet(person_id=PERSON_ID, safe=never, on=LATER)
    given(PERSON, [REGISTERED, first]).when(said(safe=never)).then([again])
    given(PERSON, [REGISTERED, first, again]).when(said(safe=never)).then()
    given(PERSON, [REGISTERED, first, again]).when(said(on=date(2022, 1, 20), safe=CALL)).then()


def test_a_residence_title_is_recorded_when_it_changes() -> None:
    title = ResidenceTitleRecorded(person_id=PERSON_ID, on=LATER, title=ResidenceTitle.WORK)
    renewed = date(2024, 1, 1)
    given(PERSON, [REGISTERED]).when(said(title=ResidenceTitle.WORK)).then([title])
    given(PERSON, [REGISTERED, title]).when(said(title=ResidenceTitle.WORK)).then()
    given(PERSON, [REGISTERED, title]).when(
        said(title=ResidenceTitle.WORK, title_expires=renewed)
    ).then([replace(title, expires=renewed)])


def test_a_title_of_an_earlier_day_is_recorded_and_the_latest_holds() -> None:
    latest = ResidenceTitleRecorded(person_id=PERSON_ID, on=LATER, title=ResidenceTitle.WORK)
    earlier = ResidenceTitleRecorded(
        person_id=PERSON_ID, on=DAY, title=ResidenceTitle.ASYLUM_SEEKER
    )
    given(PERSON, [REGISTERED, latest]).when(said(on=DAY, title=ResidenceTitle.ASYLUM_SEEKER)).then(
        [earlier]
    )
    given(PERSON, [REGISTERED, latest, earlier]).when(said(title=ResidenceTitle.WORK)).then()


SUSPECTED = DuplicateSuspected(person_id=PERSON_ID, other_id=OTHER_ID, score=80, reasons=("x",))


def test_a_pair_is_suspected_once() -> None:
    given(PERSON, [REGISTERED]).when(COMMANDS[5]).then([SUSPECTED])
    given(PERSON, [REGISTERED, SUSPECTED]).when(COMMANDS[5]).then()


def test_nobody_is_the_duplicate_of_themselves() -> None:
    command = replace(COMMANDS[5], other_id=PERSON_ID)
    given(PERSON, [REGISTERED]).when(command).refused("same_person")


def test_a_decision_on_a_pair_can_be_taken_back_by_a_later_one() -> None:
    same = DuplicateDecided(person_id=PERSON_ID, other_id=OTHER_ID, decision=DuplicateDecision.SAME)
    not_same = replace(same, decision=DuplicateDecision.NOT_SAME)
    history = [REGISTERED, SUSPECTED]
    given(PERSON, history).when(COMMANDS[6]).then([same])
    given(PERSON, [*history, same]).when(COMMANDS[6]).then()
    back = replace(COMMANDS[6], decision=DuplicateDecision.NOT_SAME)
    given(PERSON, [*history, same]).when(back).then([not_same])
    given(PERSON, [*history, same, not_same]).when(COMMANDS[6]).then([same])


def test_only_a_suspected_pair_can_be_decided() -> None:
    given(PERSON, [REGISTERED]).when(COMMANDS[6]).refused("suspicion_unknown")


def corrected(**what: Any) -> people.CorrectIdentity:
    known: dict[str, Any] = {"person_id": PERSON_ID, "on": LATER, "today": TODAY, "name": NAME}
    return people.CorrectIdentity(**(known | what))


def test_an_identity_is_corrected_whole_and_the_age_is_that_of_the_registration() -> None:
    birth = Birth(year=2000, month=6, day=1, precision=BirthPrecision.DAY)
    event = IdentityCorrected(person_id=PERSON_ID, on=LATER, name=NAME, birth=birth, age=21)
    given(PERSON, [REGISTERED]).when(corrected(birth=birth)).then([event])
    given(PERSON, [REGISTERED, event]).when(corrected(birth=birth)).then()
    given(PERSON, [REGISTERED, event]).when(corrected()).then(
        [IdentityCorrected(person_id=PERSON_ID, on=LATER, name=NAME)]
    )


def test_a_correction_leaves_nobody_without_a_name_or_an_identifier() -> None:
    nameless = corrected(name=PersonName())
    given(PERSON, [REGISTERED]).when(nameless).refused("nameless", "name")
    added = IdentifierAdded(person_id=PERSON_ID, kind=CODE.kind, value=CODE.value)
    event = IdentityCorrected(person_id=PERSON_ID, on=LATER)
    given(PERSON, [REGISTERED, added]).when(nameless).then([event])


def test_a_correction_to_a_birth_after_the_registration_is_refused() -> None:
    late = corrected(birth=Birth(year=2023, precision=BirthPrecision.YEAR))
    given(PERSON, [REGISTERED]).when(late).refused("birth_in_future", "birth")


def test_an_identifier_that_was_superseded_can_be_given_again() -> None:
    added = IdentifierAdded(person_id=PERSON_ID, kind=CODE.kind, value=CODE.value)
    gone = IdentifierSuperseded(person_id=PERSON_ID, kind=CODE.kind, value=CODE.value)
    supersede = people.SupersedeIdentifier(person_id=PERSON_ID, identifier=CODE)
    given(PERSON, [REGISTERED, added]).when(supersede).then([gone])
    given(PERSON, [REGISTERED, added, gone]).when(supersede).refused("identifier_unknown")
    again = people.AddIdentifier(person_id=PERSON_ID, identifier=CODE)
    given(PERSON, [REGISTERED, added, gone]).when(again).then([added])
