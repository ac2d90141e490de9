"""Consents and profiles, as given / when / then."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest

from togheter_intake.consents import (
    CONSENTS,
    AnswerConsent,
    WithdrawConsent,
    allows,
    consents_of,
)
from togheter_intake.profiles import (
    PROFILE,
    AddMember,
    RecordItem,
    RemoveItem,
    RemoveMember,
    guardians,
)
from togheter_shared.contracts.intake_cases import (
    ConsentAnswered,
    ConsentGiver,
    ConsentPurpose,
    ConsentWithdrawn,
    HouseholdMemberAdded,
    HouseholdMemberRemoved,
    ProfileItemRecorded,
    ProfileItemRemoved,
    ProfileKind,
    Recognition,
    Relation,
)
from togheter_shared.testing.scenario import given

TODAY = date(2026, 3, 2)
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
PERSON, GUARDIAN = uuid4(), uuid4()
REFERRAL = ConsentPurpose.REFERRAL


def answer(*recipients: str, granted: bool = True, on: date = TODAY) -> AnswerConsent:
    return AnswerConsent(
        person_id=PERSON,
        consent_id=uuid4(),
        purpose=REFERRAL,
        granted=granted,
        on=on,
        today=TODAY,
        age=30,
        text_version="2026-1",
        text_hash="00",
        language="ar",
        mediator=True,
        recipients=recipients,
    )


WITHDRAW = WithdrawConsent(person_id=PERSON, purpose=REFERRAL, on=TODAY, today=TODAY)


def answered(command: AnswerConsent) -> ConsentAnswered:
    [event] = CONSENTS.decide(CONSENTS.initial, command)
    assert isinstance(event, ConsentAnswered)
    return event


def test_what_depends_on_a_consent_is_allowed_towards_those_it_names_while_it_holds() -> None:
    command = replace(answer("scuola"), valid_until=TOMORROW)
    state = CONSENTS.fold([answered(command)])
    assert allows(state, REFERRAL, TODAY) and allows(state, REFERRAL, TOMORROW, "scuola")
    assert not allows(state, REFERRAL, TODAY, "ponte")
    assert not allows(state, REFERRAL, YESTERDAY)
    assert not allows(state, REFERRAL, TOMORROW + timedelta(days=1))
    assert not allows(state, ConsentPurpose.CONTACT, TODAY)
    assert not allows(CONSENTS.initial, REFERRAL, TODAY)


def test_a_no_is_an_answer_and_allows_nothing() -> None:
    event = answered(answer(granted=False))
    assert not event.granted
    assert not allows(CONSENTS.fold([event]), REFERRAL, TODAY)


def test_a_new_answer_supersedes_the_old_one() -> None:
    first = answered(answer("scuola", on=YESTERDAY))
    second = answered(answer("ponte"))
    state = CONSENTS.fold([first, second])
    assert allows(state, REFERRAL, TODAY, "ponte")
    assert not allows(state, REFERRAL, TODAY, "scuola")
    given(CONSENTS, [second]).when(answer("scuola", on=YESTERDAY)).refused("answer_outdated", "on")


def test_a_withdrawal_names_everybody_who_was_ever_allowed() -> None:
    first, second = answered(answer("scuola", on=YESTERDAY)), answered(answer("ponte"))
    withdrawn = ConsentWithdrawn(
        person_id=PERSON,
        consent_id=second.consent_id,
        purpose=REFERRAL,
        on=TODAY,
        recipients=("scuola", "ponte"),
    )
    given(CONSENTS, [first, second]).when(WITHDRAW).then([withdrawn])
    assert not allows(CONSENTS.fold([first, second, withdrawn]), REFERRAL, TODAY, "ponte")


def test_what_was_never_given_or_is_withdrawn_cannot_be_withdrawn() -> None:
    given(CONSENTS).when(WITHDRAW).refused("consent_unknown", "purpose")
    no = answered(answer(granted=False))
    given(CONSENTS, [no]).when(WITHDRAW).refused("consent_unknown", "purpose")


def test_a_minor_does_not_answer_alone() -> None:
    minor = replace(answer("scuola"), age=17)
    given(CONSENTS).when(minor).refused("guardian_needed", "given_by")
    by_guardian = replace(minor, given_by=ConsentGiver.GUARDIAN)
    given(CONSENTS).when(by_guardian).refused("guardian_missing", "guardian_id")
    event = answered(replace(by_guardian, guardian_id=GUARDIAN))
    assert (event.given_by, event.guardian_id) == (ConsentGiver.GUARDIAN, GUARDIAN)


@pytest.mark.parametrize("age", [18, None])
def test_an_adult_and_somebody_of_unknown_age_answer_for_themselves(age: int | None) -> None:
    assert answered(replace(answer("scuola"), age=age)).granted


def test_a_consent_names_its_recipients_and_ends_after_it_begins() -> None:
    given(CONSENTS).when(answer()).refused("recipients_missing", "recipients")
    early = replace(answer("scuola"), valid_until=YESTERDAY)
    given(CONSENTS).when(early).refused("date_too_early", "valid_until")
    given(CONSENTS).when(answer("scuola", on=TOMORROW)).refused("date_in_future", "on")


def test_the_same_answer_again_is_no_event() -> None:
    command = answer("scuola")
    given(CONSENTS, [answered(command)]).when(command).then()


def test_each_person_has_consents_of_their_own() -> None:
    assert consents_of(PERSON) == consents_of(PERSON) != consents_of(GUARDIAN)


ITEM, MEMBER = uuid4(), uuid4()
RECORD = RecordItem(
    person_id=PERSON,
    item_id=ITEM,
    kind=ProfileKind.STUDY,
    text="Infermieristica",
    where="Università di Lagos",
    years="2014-2018",
    recognition=Recognition.NOT_RECOGNISED,
    on=TODAY,
    today=TODAY,
)
STUDIED = ProfileItemRecorded(
    person_id=PERSON,
    item_id=ITEM,
    kind=ProfileKind.STUDY,
    text="Infermieristica",
    where="Università di Lagos",
    years="2014-2018",
    recognition=Recognition.NOT_RECOGNISED,
    on=TODAY,
)
SISTER = AddMember(
    person_id=PERSON,
    member_id=MEMBER,
    relation=Relation.GUARDIAN,
    name="Null",
    on=TODAY,
    today=TODAY,
)


def test_what_a_person_has_learned_is_kept_changed_and_removed() -> None:
    given(PROFILE).when(RECORD).then([STUDIED])
    given(PROFILE, [STUDIED]).when(RECORD).then()
    recognised = replace(RECORD, recognition=Recognition.RECOGNISED)
    given(PROFILE, [STUDIED]).when(recognised).then(
        [replace(STUDIED, recognition=Recognition.RECOGNISED)]
    )
    remove = RemoveItem(person_id=PERSON, item_id=ITEM, on=TODAY, today=TODAY)
    removed = ProfileItemRemoved(person_id=PERSON, item_id=ITEM, on=TODAY)
    given(PROFILE, [STUDIED]).when(remove).then([removed])
    given(PROFILE, [STUDIED, removed]).when(remove).refused("item_unknown", "item_id")
    given(PROFILE).when(replace(RECORD, text=" ")).refused("missing", "text")
    given(PROFILE).when(replace(RECORD, on=TOMORROW)).refused("date_in_future", "on")


def test_a_household_may_be_named_registered_or_neither() -> None:
    added = HouseholdMemberAdded(
        person_id=PERSON, member_id=MEMBER, relation=Relation.GUARDIAN, name="Null", on=TODAY
    )
    given(PROFILE).when(SISTER).then([added])
    given(PROFILE, [added]).when(SISTER).then()
    assert guardians(PROFILE.fold([added])) == (added,)
    given(PROFILE).when(replace(SISTER, name="")).then([replace(added, name="")])
    given(PROFILE).when(replace(SISTER, other_id=PERSON)).refused("same_person", "other_id")
    for year in (1899, 2027):
        impossible = replace(SISTER, birth_year=year)
        given(PROFILE).when(impossible).refused("birth_impossible", "birth_year")
    remove = RemoveMember(person_id=PERSON, member_id=MEMBER, on=TODAY, today=TODAY)
    removed = HouseholdMemberRemoved(person_id=PERSON, member_id=MEMBER, on=TODAY)
    given(PROFILE, [added]).when(remove).then([removed])
    given(PROFILE, [added, removed]).when(remove).refused("member_unknown", "member_id")
