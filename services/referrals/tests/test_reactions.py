"""What others tell becomes a command; who is not to be believed is not heard."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from togheter_referrals.reactions import REACTIONS, WITHDRAWN
from togheter_referrals.received import (
    RECEIVED,
    CompleteReferral,
    FailReferral,
    NoteCancellation,
    ReceiveIdentity,
    ReceiveReferral,
    StartReferral,
)
from togheter_referrals.sent import SENT, DiscloseIdentity, NoteAnswer
from togheter_referrals.service import SERVICE
from togheter_referrals.states import State
from togheter_shared.contracts.courses import (
    DropReason,
    EnrolmentCompleted,
    EnrolmentConfirmed,
    EnrolmentDropped,
    EnrolmentWithdrawn,
    WithdrawalReason,
)
from togheter_shared.contracts.intake import Area, PersonName
from togheter_shared.contracts.referrals import (
    AgeBand,
    CancellationReason,
    FailureReason,
    Identity,
    IdentityDisclosed,
    Outcome,
    PlaceSought,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralRejected,
    ReferralRequested,
    ReferralStarted,
    RejectionReason,
    Urgency,
)
from togheter_shared.log.service import Reaction, Received

REFERRAL, PERSON, EDITION, ENROLMENT = uuid4(), uuid4(), uuid4(), uuid4()
MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (2, 3, 4))
IDENTITY = Identity(name=PersonName(given="Amina"))


def react(
    event: Any, organisation: str = "ponte", service: str = "referrals", *, own: bool = False
) -> list[Reaction]:
    told = Received(
        event=event,
        event_id=uuid4(),
        organisation=organisation,
        service=service,
        own=own,
        position=1,
        occurred_at=datetime(2026, 3, 4, 9, tzinfo=UTC),
        correlation_id=uuid4(),
    )
    handler: Callable[[Received], list[Reaction]] | None = REACTIONS.get(type(event))
    return handler(told) if handler else []


def at_sender(*commands: Any) -> list[Reaction]:
    return [Reaction(decider=SENT, stream_id=REFERRAL, command=command) for command in commands]


def at_recipient(command: Any) -> list[Reaction]:
    return [Reaction(decider=RECEIVED, stream_id=REFERRAL, command=command)]


REQUESTED = ReferralRequested(
    referral_id=REFERRAL,
    person_id=PERSON,
    recipient="scuola",
    area=Area.LANGUAGE,
    requested_on=MONDAY,
    answer_by=WEDNESDAY,
    language="ar",
    age_band=AgeBand.FROM_18_TO_29,
    urgency=Urgency.URGENT,
    edition_id=EDITION,
)
CANCELLED = ReferralCancelled(
    referral_id=REFERRAL, recipient="scuola", on=TUESDAY, reason=CancellationReason.MISTAKE
)
DISCLOSED = IdentityDisclosed(
    referral_id=REFERRAL, recipient="scuola", on=TUESDAY, identity=IDENTITY
)
ACCEPTED = ReferralAccepted(referral_id=REFERRAL, sender="ponte", on=TUESDAY)
REJECTED = ReferralRejected(
    referral_id=REFERRAL, sender="ponte", on=TUESDAY, reason=RejectionReason.NO_PLACES
)
STARTED = ReferralStarted(referral_id=REFERRAL, sender="ponte", on=TUESDAY)
COMPLETED = ReferralCompleted(
    referral_id=REFERRAL, sender="ponte", on=TUESDAY, outcome=Outcome.CERTIFIED
)
FAILED = ReferralFailed(
    referral_id=REFERRAL, sender="ponte", on=TUESDAY, reason=FailureReason.NO_SHOW
)


def enrolment(kind: type, referral_id: UUID | None = REFERRAL, **more: Any) -> Any:
    return kind(
        edition_id=EDITION, enrolment_id=ENROLMENT, on=TUESDAY, referral_id=referral_id, **more
    )


def finished(*, certified: bool) -> Any:
    return enrolment(EnrolmentCompleted, lessons_held=10, lessons_attended=8, certified=certified)


def test_a_request_is_of_whoever_told_it() -> None:
    command = ReceiveReferral(
        referral_id=REFERRAL,
        sender="ponte",
        area=Area.LANGUAGE,
        requested_on=MONDAY,
        answer_by=WEDNESDAY,
        language="ar",
        age_band=AgeBand.FROM_18_TO_29,
        urgency=Urgency.URGENT,
        edition_id=EDITION,
    )
    assert react(REQUESTED) == at_recipient(command)


def test_the_sender_takes_back_or_discloses_in_its_own_name() -> None:
    assert react(CANCELLED) == at_recipient(
        NoteCancellation(organisation="ponte", on=TUESDAY, reason=CancellationReason.MISTAKE)
    )
    assert react(DISCLOSED) == at_recipient(
        ReceiveIdentity(organisation="ponte", on=TUESDAY, identity=IDENTITY)
    )


def test_an_acceptance_is_noted_and_then_answered_with_the_identity() -> None:
    assert react(ACCEPTED, "scuola") == at_sender(
        NoteAnswer(organisation="scuola", told=State.ACCEPTED, on=TUESDAY),
        DiscloseIdentity(organisation="scuola", on=WEDNESDAY),
    )


def test_disclosure_is_dated_by_the_message_not_by_what_the_recipient_claims() -> None:
    _, disclose = react(ACCEPTED, "scuola")
    assert disclose.command.on == WEDNESDAY  # it says Tuesday


@pytest.mark.parametrize(
    ("event", "command"),
    [
        (
            REJECTED,
            NoteAnswer(organisation="scuola", told=State.REJECTED, on=TUESDAY, reason="no_places"),
        ),
        (STARTED, NoteAnswer(organisation="scuola", told=State.IN_PROGRESS, on=TUESDAY)),
        (
            COMPLETED,
            NoteAnswer(
                organisation="scuola",
                told=State.COMPLETED,
                on=TUESDAY,
                outcome=Outcome.CERTIFIED,
            ),
        ),
        (
            FAILED,
            NoteAnswer(organisation="scuola", told=State.FAILED, on=TUESDAY, reason="no_show"),
        ),
    ],
    ids=["rejected", "started", "completed", "failed"],
)
def test_an_answer_is_noted_as_its_tellers(event: Any, command: NoteAnswer) -> None:
    assert react(event, "scuola") == at_sender(command)


@pytest.mark.parametrize(
    ("event", "command"),
    [
        (enrolment(EnrolmentConfirmed), StartReferral(on=TUESDAY, today=WEDNESDAY)),
        (
            finished(certified=True),
            CompleteReferral(on=TUESDAY, today=WEDNESDAY, outcome=Outcome.CERTIFIED),
        ),
        (
            finished(certified=False),
            CompleteReferral(on=TUESDAY, today=WEDNESDAY, outcome=Outcome.ATTENDED),
        ),
        (
            enrolment(EnrolmentDropped, reason=DropReason.WORK),
            FailReferral(on=TUESDAY, today=WEDNESDAY, reason=FailureReason.DROPPED_OUT),
        ),
        (
            enrolment(EnrolmentWithdrawn),
            FailReferral(on=TUESDAY, today=WEDNESDAY, reason=FailureReason.DROPPED_OUT),
        ),
        (
            enrolment(EnrolmentWithdrawn, reason=WithdrawalReason.EDITION_CLOSED),
            FailReferral(on=TUESDAY, today=WEDNESDAY, reason=FailureReason.CANNOT_HELP),
        ),
    ],
    ids=["confirmed", "certified", "attended", "dropped", "withdrawn", "edition closed"],
)
def test_the_own_course_moves_the_referral(event: Any, command: Any) -> None:
    assert react(event, "scuola", "courses", own=True) == at_recipient(command)


FROM_COURSES = [
    enrolment(EnrolmentConfirmed),
    finished(certified=True),
    enrolment(EnrolmentDropped, reason=DropReason.WORK),
    enrolment(EnrolmentWithdrawn),
]
FROM_DESKS = [REQUESTED, CANCELLED, DISCLOSED, ACCEPTED, REJECTED, STARTED, COMPLETED, FAILED]


@pytest.mark.parametrize("event", FROM_COURSES, ids=lambda event: type(event).__name__)
def test_the_courses_of_another_organisation_move_nothing_here(event: Any) -> None:
    assert react(event, "ponte", "courses") == []
    assert react(event, "scuola", "intake", own=True) == []
    assert react(event, "ponte", "referrals") == []


@pytest.mark.parametrize("event", FROM_DESKS, ids=lambda event: type(event).__name__)
def test_only_a_referrals_service_is_believed_about_referrals(event: Any) -> None:
    assert react(event, "ponte", "courses") == []
    assert react(event, "scuola", "courses", own=True) == []


def test_an_enrolment_without_a_referral_is_none_of_our_business() -> None:
    confirmed = enrolment(EnrolmentConfirmed, referral_id=None)
    assert react(confirmed, "scuola", "courses", own=True) == []


def test_a_place_that_is_sought_is_for_the_courses_service() -> None:
    assert PlaceSought not in REACTIONS


def test_every_event_that_is_handled_is_one_that_the_service_reads() -> None:
    handled = [*SERVICE.reactions, *SERVICE.inbox_views]
    read = [contract.event for contract in SERVICE.reads.contracts]
    assert set(handled) <= set(read)


def test_every_way_to_withdraw_has_a_reason_for_the_sender() -> None:
    assert set(WITHDRAWN) == set(WithdrawalReason)
