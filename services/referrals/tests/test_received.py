"""The recipient's side: every state with every command, and who may say what."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from togheter_referrals.received import (
    RECEIVED,
    AcceptReferral,
    CompleteReferral,
    FailReferral,
    NoteCancellation,
    ReceiveIdentity,
    ReceiveReferral,
    RejectReferral,
    StartReferral,
)
from togheter_shared.contracts.intake import Area, PersonName
from togheter_shared.contracts.referrals import (
    AgeBand,
    CancellationReason,
    CancellationReceived,
    FailureReason,
    Identity,
    IdentityReceived,
    Outcome,
    PlaceSought,
    ReferralAccepted,
    ReferralCompleted,
    ReferralFailed,
    ReferralReceived,
    ReferralRejected,
    ReferralStarted,
    RejectionReason,
    Urgency,
)
from togheter_shared.testing.scenario import given

REFERRAL = UUID("11111111-1111-4111-8111-111111111111")
EDITION = UUID("33333333-3333-4333-8333-333333333333")
SUNDAY, MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (1, 2, 3, 4))
IDENTITY = Identity(name=PersonName(given="Amina"), birth_year=1994, phone="+393401234567")

RECEIVE = ReceiveReferral(
    referral_id=REFERRAL,
    sender="ponte",
    area=Area.LANGUAGE,
    requested_on=MONDAY,
    answer_by=WEDNESDAY,
    language="ar",
    age_band=AgeBand.FROM_30_TO_64,
    urgency=Urgency.ROUTINE,
)
ASKED = ReferralReceived(
    referral_id=REFERRAL,
    sender="ponte",
    area=Area.LANGUAGE,
    requested_on=MONDAY,
    answer_by=WEDNESDAY,
    language="ar",
    age_band=AgeBand.FROM_30_TO_64,
    urgency=Urgency.ROUTINE,
)
ACCEPTED = ReferralAccepted(referral_id=REFERRAL, sender="ponte", on=TUESDAY)
REJECTED = ReferralRejected(
    referral_id=REFERRAL,
    sender="ponte",
    on=TUESDAY,
    reason=RejectionReason.NO_PLACES,
    explanation="pieno fino a giugno",
)
IDENTIFIED = IdentityReceived(referral_id=REFERRAL, identity=IDENTITY)
STARTED = ReferralStarted(referral_id=REFERRAL, sender="ponte", on=TUESDAY)
COMPLETED = ReferralCompleted(
    referral_id=REFERRAL, sender="ponte", on=TUESDAY, outcome=Outcome.NEED_MET
)
FAILED = ReferralFailed(
    referral_id=REFERRAL, sender="ponte", on=TUESDAY, reason=FailureReason.NO_SHOW
)
TAKEN_BACK = CancellationReceived(
    referral_id=REFERRAL, on=TUESDAY, reason=CancellationReason.CONSENT_WITHDRAWN
)

SITUATIONS: dict[str, list[Any]] = {
    "none": [],
    "requested": [ASKED],
    "accepted": [ASKED, ACCEPTED],
    "identified": [ASKED, ACCEPTED, IDENTIFIED],
    "in_progress": [ASKED, ACCEPTED, IDENTIFIED, STARTED],
    "completed": [ASKED, ACCEPTED, IDENTIFIED, STARTED, COMPLETED],
    "failed": [ASKED, ACCEPTED, IDENTIFIED, FAILED],
    "failed_early": [ASKED, ACCEPTED, FAILED],
    "rejected": [ASKED, REJECTED],
    "cancelled": [ASKED, TAKEN_BACK],
}
COMMANDS: dict[str, Any] = {
    "receive": RECEIVE,
    "cancelled": NoteCancellation(
        organisation="ponte", on=TUESDAY, reason=CancellationReason.CONSENT_WITHDRAWN
    ),
    "accept": AcceptReferral(on=TUESDAY, today=TUESDAY),
    "reject": RejectReferral(
        on=TUESDAY,
        today=TUESDAY,
        reason=RejectionReason.NO_PLACES,
        explanation="pieno fino a giugno",
    ),
    "identity": ReceiveIdentity(organisation="ponte", on=TUESDAY, identity=IDENTITY),
    "start": StartReferral(on=TUESDAY, today=TUESDAY),
    "complete": CompleteReferral(on=TUESDAY, today=TUESDAY, outcome=Outcome.NEED_MET),
    "fail": FailReferral(on=TUESDAY, today=TUESDAY, reason=FailureReason.NO_SHOW),
}
EVENTS: dict[str, Any] = {
    "receive": ASKED,
    "cancelled": TAKEN_BACK,
    "accept": ACCEPTED,
    "reject": REJECTED,
    "identity": IDENTIFIED,
    "start": STARTED,
    "complete": COMPLETED,
    "fail": FAILED,
}
TABLE = """
              receive           cancelled          accept            reject            identity          start             complete          fail
none          yes               unknown_referral   unknown_referral  unknown_referral  unknown_referral  unknown_referral  unknown_referral  unknown_referral
requested     -                 yes                yes               yes               not_accepted      not_accepted      not_accepted      not_accepted
accepted      -                 yes                already_accepted  already_accepted  yes               identity_awaited  not_started       yes
identified    -                 already_disclosed  already_accepted  already_accepted  -                 yes               not_started       yes
in_progress   -                 already_disclosed  already_accepted  already_accepted  -                 -                 yes               yes
completed     -                 already_disclosed  closed            closed            -                 closed            -                 closed
failed        -                 already_disclosed  closed            closed            -                 closed            closed            -
failed_early  -                 -                  closed            closed            -                 closed            closed            -
rejected      -                 -                  already_rejected  already_rejected  not_accepted      already_rejected  already_rejected  already_rejected
cancelled     -                 -                  cancelled         cancelled         not_accepted      cancelled         cancelled         cancelled
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
    outcome = given(RECEIVED, SITUATIONS[situation]).when(COMMANDS[command])
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


# --- who may say what -----------------------------------------------------------------------------


@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "none"])
@pytest.mark.parametrize("command", ["cancelled", "identity"])
def test_only_the_sender_can_cancel_or_disclose_whatever_the_state(
    situation: str, command: str
) -> None:
    other = replace(COMMANDS[command], organisation="comune")
    given(RECEIVED, SITUATIONS[situation]).when(other).refused("not_the_sender")


@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "none"])
def test_nobody_takes_the_identifier_of_anothers_referral(situation: str) -> None:
    other = replace(RECEIVE, sender="comune")
    given(RECEIVED, SITUATIONS[situation]).when(other).refused("identifier_taken")


def test_the_identity_of_somebody_referred_to_a_course_asks_for_a_place() -> None:
    asked = replace(ASKED, edition_id=EDITION)
    given(RECEIVED, [asked, ACCEPTED]).when(COMMANDS["identity"]).then(
        [
            IDENTIFIED,
            PlaceSought(
                referral_id=REFERRAL,
                edition_id=EDITION,
                on=TUESDAY,
                language="ar",
                age_band=AgeBand.FROM_30_TO_64,
                identity=IDENTITY,
            ),
        ]
    )


def test_a_year_that_is_impossible_does_not_lose_the_person() -> None:
    odd = replace(COMMANDS["identity"], identity=replace(IDENTITY, birth_year=10**18))
    given(RECEIVED, [ASKED, ACCEPTED]).when(odd).then(
        [replace(IDENTIFIED, identity=replace(IDENTITY, birth_year=None))]
    )


# --- days, reasons, outcomes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situation", "command"),
    [
        ("requested", "accept"),
        ("requested", "reject"),
        ("identified", "start"),
        ("in_progress", "complete"),
        ("in_progress", "fail"),
    ],
)
def test_nothing_is_recorded_for_tomorrow(situation: str, command: str) -> None:
    tomorrow = replace(COMMANDS[command], on=WEDNESDAY)
    given(RECEIVED, SITUATIONS[situation]).when(tomorrow).refused("future_date", "on")


@pytest.mark.parametrize("command", ["accept", "reject"])
def test_nobody_answers_before_being_asked(command: str) -> None:
    early = replace(COMMANDS[command], on=SUNDAY)
    given(RECEIVED, [ASKED]).when(early).refused("before_request", "on")


def test_an_answer_after_the_deadline_is_still_an_answer() -> None:
    late = date(2026, 4, 1)
    given(RECEIVED, [ASKED]).when(AcceptReferral(on=late, today=late)).then(
        [replace(ACCEPTED, on=late)]
    )


def test_what_is_closed_does_not_change_its_outcome_or_reason() -> None:
    other_outcome = replace(COMMANDS["complete"], outcome=Outcome.NOT_MET)
    given(RECEIVED, SITUATIONS["completed"]).when(other_outcome).refused("closed")
    other_reason = replace(COMMANDS["fail"], reason=FailureReason.CANNOT_HELP)
    given(RECEIVED, SITUATIONS["failed"]).when(other_reason).refused("closed")
