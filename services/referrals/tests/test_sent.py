"""The sender's side: every state with every command, and the gates of consent and disclosure."""

from dataclasses import fields, replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from togheter_referrals.sent import (
    SENT,
    CancelReferral,
    DiscloseIdentity,
    NoteAnswer,
    RequestReferral,
)
from togheter_referrals.states import State
from togheter_shared.contracts.intake import Area, PersonName
from togheter_shared.contracts.referrals import (
    AgeBand,
    AnswerReceived,
    CancellationReason,
    Consent,
    Identity,
    IdentityDisclosed,
    Outcome,
    ReferralCancelled,
    ReferralRequested,
    Urgency,
)
from togheter_shared.testing.scenario import given

REFERRAL = UUID("11111111-1111-4111-8111-111111111111")
PERSON = UUID("22222222-2222-4222-8222-222222222222")
SUNDAY, MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (1, 2, 3, 4))
IDENTITY = Identity(name=PersonName(given="Amina", family="Null", native="أمينة"), birth_year=1994)
CONSENT = Consent(given_on=MONDAY, given_by="person", language="ar", text_version="2026-1")


REQUEST = RequestReferral(
    referral_id=REFERRAL,
    person_id=PERSON,
    sender="ponte",
    recipient="scuola",
    area=Area.LANGUAGE,
    requested_on=MONDAY,
    today=MONDAY,
    language="ar",
    age_band=AgeBand.FROM_30_TO_64,
    urgency=Urgency.URGENT,
    consent=CONSENT,
    identity=IDENTITY,
)
REQUESTED = ReferralRequested(
    referral_id=REFERRAL,
    person_id=PERSON,
    recipient="scuola",
    area=Area.LANGUAGE,
    requested_on=MONDAY,
    answer_by=WEDNESDAY,
    language="ar",
    age_band=AgeBand.FROM_30_TO_64,
    urgency=Urgency.URGENT,
    consent=CONSENT,
    identity=IDENTITY,
)
CANCEL = CancelReferral(on=TUESDAY, today=TUESDAY, reason=CancellationReason.MISTAKE)
CANCELLED = ReferralCancelled(
    referral_id=REFERRAL, recipient="scuola", on=TUESDAY, reason=CancellationReason.MISTAKE
)
DISCLOSE = DiscloseIdentity(organisation="scuola", on=TUESDAY)
DISCLOSED = IdentityDisclosed(
    referral_id=REFERRAL, recipient="scuola", on=TUESDAY, identity=IDENTITY
)


def note(told: State, **changes: Any) -> NoteAnswer:
    values: dict[str, Any] = {"organisation": "scuola", "told": told, "on": TUESDAY}
    return NoteAnswer(**values | changes)


def noted(told: State, **changes: Any) -> AnswerReceived:
    return AnswerReceived(referral_id=REFERRAL, told=told.value, on=TUESDAY, **changes)


def after(*told: State, disclosed: bool = True) -> list[Any]:
    """A request, and these answers; the identity is disclosed after the acceptance."""
    events: list[Any] = [REQUESTED]
    for state in told:
        events.append(noted(state))
        if state is State.ACCEPTED and disclosed:
            events.append(DISCLOSED)
    return events


ACCEPTED, STARTED = State.ACCEPTED, State.IN_PROGRESS
SITUATIONS: dict[str, list[Any]] = {
    "none": [],
    "requested": [REQUESTED],
    "accepted": after(ACCEPTED, disclosed=False),
    "disclosed": after(ACCEPTED),
    "in_progress": after(ACCEPTED, STARTED),
    "completed": after(ACCEPTED, STARTED, State.COMPLETED),
    "failed": after(ACCEPTED, State.FAILED),
    "rejected": after(State.REJECTED),
    "cancelled": [REQUESTED, CANCELLED],
}
COMMANDS: dict[str, Any] = {
    "request": REQUEST,
    "cancel": CANCEL,
    "accepted": note(State.ACCEPTED),
    "rejected": note(State.REJECTED, reason="no_places"),
    "started": note(State.IN_PROGRESS),
    "completed": note(State.COMPLETED, outcome=Outcome.CERTIFIED),
    "failed": note(State.FAILED, reason="no_show"),
    "disclose": DISCLOSE,
}
EVENTS: dict[str, Any] = {
    "request": REQUESTED,
    "cancel": CANCELLED,
    "accepted": noted(State.ACCEPTED),
    "rejected": noted(State.REJECTED, reason="no_places"),
    "started": noted(State.IN_PROGRESS),
    "completed": noted(State.COMPLETED, outcome=Outcome.CERTIFIED),
    "failed": noted(State.FAILED, reason="no_show"),
    "disclose": DISCLOSED,
}
TABLE = """
             request            cancel            accepted             rejected             started              completed            failed               disclose
none         yes                unknown_referral  unknown_referral     unknown_referral     unknown_referral     unknown_referral     unknown_referral     unknown_referral
requested    already_requested  yes               yes                  yes                  answer_out_of_order  answer_out_of_order  answer_out_of_order  not_accepted
accepted     already_requested  yes               -                    answer_out_of_order  answer_out_of_order  answer_out_of_order  yes                  yes
disclosed    already_requested  already_accepted  -                    answer_out_of_order  yes                  answer_out_of_order  yes                  -
in_progress  already_requested  already_accepted  answer_out_of_order  answer_out_of_order  -                    yes                  yes                  -
completed    already_requested  closed            answer_out_of_order  answer_out_of_order  answer_out_of_order  -                    answer_out_of_order  -
failed       already_requested  closed            answer_out_of_order  answer_out_of_order  answer_out_of_order  answer_out_of_order  -                    -
rejected     already_requested  closed            answer_out_of_order  -                    answer_out_of_order  answer_out_of_order  answer_out_of_order  not_accepted
cancelled    already_requested  already_cancelled -                    -                    answer_out_of_order  answer_out_of_order  -                    cancelled
"""  # noqa: E501


def cells() -> list[tuple[str, str, str]]:
    head, *lines = (line.split() for line in TABLE.strip().splitlines())
    return [
        (line[0], command, answer)
        for line in lines
        for command, answer in zip(head, line[1:], strict=True)
    ]


@pytest.mark.parametrize(("situation", "command", "answer"), cells())
def test_every_state_allows_or_refuses_every_command(
    situation: str, command: str, answer: str
) -> None:
    outcome = given(SENT, SITUATIONS[situation]).when(COMMANDS[command])
    if answer == "yes":
        outcome.then([EVENTS[command]])
    elif answer == "-":
        outcome.then([])
    else:
        assert outcome.refused(answer).endswith(".")


def test_the_table_is_whole() -> None:
    assert {(situation, command) for situation, command, _ in cells()} == {
        (situation, command) for situation in SITUATIONS for command in COMMANDS
    }


# --- what may be asked ----------------------------------------------------------------------------


def test_nothing_leaves_before_consent_was_given() -> None:
    late = replace(CONSENT, given_on=TUESDAY)
    given(SENT).when(replace(REQUEST, consent=late)).refused("no_live_consent", "consent.given_on")


def test_nothing_leaves_on_a_consent_that_is_over() -> None:
    over = replace(CONSENT, given_on=SUNDAY, valid_until=SUNDAY)
    given(SENT).when(replace(REQUEST, consent=over)).refused(
        "no_live_consent", "consent.valid_until"
    )


def test_a_consent_that_ended_since_the_stated_day_does_not_let_data_out_today() -> None:
    over = replace(CONSENT, valid_until=TUESDAY)
    command = replace(REQUEST, consent=over, today=WEDNESDAY)
    given(SENT).when(command).refused("no_live_consent", "consent.valid_until")


def test_a_consent_counts_on_its_first_and_on_its_last_day() -> None:
    one_day = replace(CONSENT, given_on=MONDAY, valid_until=MONDAY)
    given(SENT).when(replace(REQUEST, consent=one_day)).then([replace(REQUESTED, consent=one_day)])


def test_a_consent_is_given_by_the_person_or_a_guardian() -> None:
    guardian = replace(CONSENT, given_by="guardian")
    given(SENT).when(replace(REQUEST, consent=guardian)).then(
        [replace(REQUESTED, consent=guardian)]
    )
    nobody = replace(CONSENT, given_by="nobody")
    given(SENT).when(replace(REQUEST, consent=nobody)).refused("unknown_giver", "consent.given_by")


def test_an_organisation_does_not_refer_to_itself() -> None:
    given(SENT).when(replace(REQUEST, recipient="ponte")).refused("own_organisation", "recipient")


def test_a_request_is_not_of_tomorrow() -> None:
    command = replace(REQUEST, requested_on=TUESDAY)
    given(SENT).when(command).refused("future_date", "requested_on")


def test_a_request_may_be_recorded_later() -> None:
    given(SENT).when(replace(REQUEST, today=WEDNESDAY)).then([REQUESTED])


@pytest.mark.parametrize(
    "name",
    [PersonName(given="Amina"), PersonName(family="Null"), PersonName(native="أمينة")],
    ids=["given", "family", "native"],
)
def test_one_name_in_any_script_is_enough(name: PersonName) -> None:
    identity = Identity(name=name)
    given(SENT).when(replace(REQUEST, identity=identity)).then(
        [replace(REQUESTED, identity=identity)]
    )


def test_a_person_without_any_name_cannot_be_referred() -> None:
    command = replace(REQUEST, identity=Identity(name=PersonName()))
    given(SENT).when(command).refused("name_missing", "identity.name")


@pytest.mark.parametrize("year", [0, 1849, 2200, 10**18])
def test_a_year_in_which_nobody_was_born_is_a_slip(year: int) -> None:
    command = replace(REQUEST, identity=replace(IDENTITY, birth_year=year))
    given(SENT).when(command).refused("impossible_year", "identity.birth_year")


def test_a_year_of_birth_may_be_unknown() -> None:
    unknown = replace(IDENTITY, birth_year=None)
    given(SENT).when(replace(REQUEST, identity=unknown)).then(
        [replace(REQUESTED, identity=unknown)]
    )


@pytest.mark.parametrize(("on", "code"), [(WEDNESDAY, "future_date"), (SUNDAY, "before_request")])
def test_a_cancellation_has_a_day_that_is_possible(on: date, code: str) -> None:
    given(SENT, [REQUESTED]).when(replace(CANCEL, on=on)).refused(code, "on")


# --- who may answer -------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "none"])
@pytest.mark.parametrize(
    "command", ["accepted", "rejected", "started", "completed", "failed", "disclose"]
)
def test_only_the_recipient_can_answer_whatever_the_state(situation: str, command: str) -> None:
    other = replace(COMMANDS[command], organisation="comune")
    given(SENT, SITUATIONS[situation]).when(other).refused("not_the_recipient")


def test_the_identity_is_not_disclosed_when_consent_ended_before_acceptance() -> None:
    requested = replace(REQUESTED, consent=replace(CONSENT, valid_until=TUESDAY))
    history = [requested, noted(State.ACCEPTED)]
    given(SENT, history).when(replace(DISCLOSE, on=TUESDAY)).then([DISCLOSED])
    given(SENT, history).when(replace(DISCLOSE, on=WEDNESDAY)).refused("no_live_consent")
    given(SENT, history).when(CANCEL).then([CANCELLED])


def test_the_identity_is_in_no_event_before_disclosure_but_the_senders_own_request() -> None:
    for situation in ("accepted", "rejected", "cancelled"):
        holders = [
            type(event)
            for event in SITUATIONS[situation]
            if any(isinstance(getattr(event, field.name), Identity) for field in fields(event))
        ]
        assert holders == [ReferralRequested]
