"""What others tell, as commands that say who told it, for the rules to decide on.

Only a referrals service is believed about referrals, and only the organisation's own courses
service about enrolments. Everything else is ignored.
"""

from datetime import date
from uuid import UUID

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
from togheter_referrals.states import State
from togheter_shared.contracts.courses import (
    EnrolmentCompleted,
    EnrolmentConfirmed,
    EnrolmentDropped,
    EnrolmentWithdrawn,
    WithdrawalReason,
)
from togheter_shared.contracts.referrals import (
    FailureReason,
    IdentityDisclosed,
    Outcome,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralRejected,
    ReferralRequested,
    ReferralStarted,
)
from togheter_shared.decider import AnyDecider
from togheter_shared.log.service import React, Reaction, Received

# --- to the recipient -----------------------------------------------------------------------------


def requested(received: Received) -> list[Reaction]:
    event: ReferralRequested = received.event
    command = ReceiveReferral(
        referral_id=event.referral_id,
        sender=received.organisation,
        area=event.area,
        requested_on=event.requested_on,
        answer_by=event.answer_by,
        language=event.language,
        age_band=event.age_band,
        urgency=event.urgency,
        edition_id=event.edition_id,
    )
    return _at_desk(received, RECEIVED, event.referral_id, command)


def cancelled(received: Received) -> list[Reaction]:
    event: ReferralCancelled = received.event
    command = NoteCancellation(organisation=received.organisation, on=event.on, reason=event.reason)
    return _at_desk(received, RECEIVED, event.referral_id, command)


def disclosed(received: Received) -> list[Reaction]:
    event: IdentityDisclosed = received.event
    command = ReceiveIdentity(
        organisation=received.organisation, on=event.on, identity=event.identity
    )
    return _at_desk(received, RECEIVED, event.referral_id, command)


# --- to the sender --------------------------------------------------------------------------------


def accepted(received: Received) -> list[Reaction]:
    event: ReferralAccepted = received.event
    disclose = DiscloseIdentity(
        organisation=received.organisation, on=_known_on(received, event.on)
    )
    return [
        *_answer(received, event.referral_id, State.ACCEPTED, event.on),
        *_at_desk(received, SENT, event.referral_id, disclose),
    ]


def rejected(received: Received) -> list[Reaction]:
    event: ReferralRejected = received.event
    return _answer(received, event.referral_id, State.REJECTED, event.on, reason=event.reason.value)


def started(received: Received) -> list[Reaction]:
    event: ReferralStarted = received.event
    return _answer(received, event.referral_id, State.IN_PROGRESS, event.on)


def completed(received: Received) -> list[Reaction]:
    event: ReferralCompleted = received.event
    return _answer(received, event.referral_id, State.COMPLETED, event.on, outcome=event.outcome)


def failed(received: Received) -> list[Reaction]:
    event: ReferralFailed = received.event
    return _answer(received, event.referral_id, State.FAILED, event.on, reason=event.reason.value)


# --- from the own courses service -----------------------------------------------------------------


def enrolled(received: Received) -> list[Reaction]:
    event: EnrolmentConfirmed = received.event
    command = StartReferral(on=event.on, today=_known_on(received, event.on))
    return _in_course(received, event.referral_id, command)


def course_completed(received: Received) -> list[Reaction]:
    event: EnrolmentCompleted = received.event
    command = CompleteReferral(
        on=event.on,
        today=_known_on(received, event.on),
        outcome=_outcome(event),
    )
    return _in_course(received, event.referral_id, command)


def _outcome(event: EnrolmentCompleted) -> Outcome:
    if event.certified:
        return Outcome.CERTIFIED
    return Outcome.ATTENDED if event.lessons_attended else Outcome.NOT_MET


def dropped(received: Received) -> list[Reaction]:
    event: EnrolmentDropped = received.event
    return _gave_up(received, event.referral_id, event.on, FailureReason.DROPPED_OUT)


def withdrawn(received: Received) -> list[Reaction]:
    event: EnrolmentWithdrawn = received.event
    return _gave_up(received, event.referral_id, event.on, WITHDRAWN[event.reason])


WITHDRAWN = {
    WithdrawalReason.PERSON: FailureReason.DROPPED_OUT,
    WithdrawalReason.OFFER_DECLINED: FailureReason.DROPPED_OUT,
    WithdrawalReason.OFFER_EXPIRED: FailureReason.NO_SHOW,
    WithdrawalReason.EDITION_CLOSED: FailureReason.CANNOT_HELP,
}


def _gave_up(
    received: Received, referral_id: UUID | None, on: date, reason: FailureReason
) -> list[Reaction]:
    command = FailReferral(on=on, today=_known_on(received, on), reason=reason)
    return _in_course(received, referral_id, command)


def _answer(
    received: Received,
    referral_id: UUID,
    told: State,
    on: date,
    *,
    reason: str | None = None,
    outcome: Outcome | None = None,
) -> list[Reaction]:
    command = NoteAnswer(
        organisation=received.organisation, told=told, on=on, reason=reason, outcome=outcome
    )
    return _at_desk(received, SENT, referral_id, command)


def _at_desk(
    received: Received, decider: AnyDecider, referral_id: UUID, command: object
) -> list[Reaction]:
    if received.service != "referrals" or received.own:
        return []
    return [Reaction(decider=decider, stream_id=referral_id, command=command)]


def _in_course(received: Received, referral_id: UUID | None, command: object) -> list[Reaction]:
    if received.service != "courses" or not received.own or referral_id is None:
        return []
    return [Reaction(decider=RECEIVED, stream_id=referral_id, command=command)]


def _known_on(received: Received, on: date) -> date:
    """The day on which it was certainly known: what is told may be of an earlier day."""
    return max(on, received.occurred_at.date())


REACTIONS: dict[type, React] = {
    ReferralRequested: requested,
    ReferralCancelled: cancelled,
    IdentityDisclosed: disclosed,
    ReferralAccepted: accepted,
    ReferralRejected: rejected,
    ReferralStarted: started,
    ReferralCompleted: completed,
    ReferralFailed: failed,
    EnrolmentConfirmed: enrolled,
    EnrolmentCompleted: course_completed,
    EnrolmentDropped: dropped,
    EnrolmentWithdrawn: withdrawn,
}
