"""The recipient's side of a referral: take it up or decline, be told who it is, help, close."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from togheter_referrals.states import BIRTH_YEARS, State
from togheter_shared.contracts.intake import Area
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
    ReferralRequested,
    ReferralStarted,
    RejectionReason,
    Urgency,
)
from togheter_shared.decider import Decider, Rejected


@dataclass(frozen=True, kw_only=True)
class ReceiveReferral:
    """`sender`, which is whoever told us, asks us to take a need up."""

    referral_id: UUID
    sender: str
    area: Area
    requested_on: date
    answer_by: date
    language: str
    age_band: AgeBand
    urgency: Urgency
    edition_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class NoteCancellation:
    """`organisation` takes its request back."""

    organisation: str
    on: date
    reason: CancellationReason


@dataclass(frozen=True, kw_only=True)
class AcceptReferral:
    """Take the need up."""

    on: date
    today: date


@dataclass(frozen=True, kw_only=True)
class RejectReferral:
    """Decline. The explanation stays here; the reason is what the sender is told."""

    on: date
    today: date
    reason: RejectionReason
    explanation: str = ""


@dataclass(frozen=True, kw_only=True)
class ReceiveIdentity:
    """`organisation` tells who the person is."""

    organisation: str
    on: date
    identity: Identity


@dataclass(frozen=True, kw_only=True)
class StartReferral:
    """Help has begun: the desk says so, or a place in a course was confirmed."""

    on: date
    today: date


@dataclass(frozen=True, kw_only=True)
class CompleteReferral:
    """What was asked has been done."""

    on: date
    today: date
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class FailReferral:
    """What was asked could not be done."""

    on: date
    today: date
    reason: FailureReason


Command = (
    ReceiveReferral
    | NoteCancellation
    | AcceptReferral
    | RejectReferral
    | ReceiveIdentity
    | StartReferral
    | CompleteReferral
    | FailReferral
)
Event = (
    ReferralReceived
    | CancellationReceived
    | ReferralAccepted
    | ReferralRejected
    | IdentityReceived
    | PlaceSought
    | ReferralStarted
    | ReferralCompleted
    | ReferralFailed
)


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """What the decisions need to know; `closed_with` is the outcome or reason that closed it."""

    state: State = State.NONE
    asked: ReferralReceived | None = None
    identified: bool = False
    closed_with: str = ""


OPEN = (State.REQUESTED, State.ACCEPTED, State.IN_PROGRESS)

_NOT_OPEN = {
    State.REJECTED: ("La segnalazione è già stata rifiutata.", "already_rejected"),
    State.CANCELLED: ("Chi l'ha inviata ha annullato la segnalazione.", "cancelled"),
    State.COMPLETED: ("La segnalazione è già conclusa.", "closed"),
    State.FAILED: ("La segnalazione è già chiusa come non riuscita.", "closed"),
}


def decide(state: Incoming, command: Command) -> list[Event]:
    if isinstance(command, ReceiveReferral):
        return _receive(state, command)
    asked = state.asked
    if asked is None:
        raise Rejected("Questa segnalazione non esiste.", "unknown_referral")
    match command:
        case NoteCancellation():
            return _note_cancellation(state, asked, command)
        case ReceiveIdentity():
            return _receive_identity(state, asked, command)
        case AcceptReferral():
            _assert_not_answered(state)
            _assert_day(command.on, command.today, asked.requested_on)
            return [
                ReferralAccepted(referral_id=asked.referral_id, sender=asked.sender, on=command.on)
            ]
        case RejectReferral():
            _assert_not_answered(state)
            _assert_day(command.on, command.today, asked.requested_on)
            return [
                ReferralRejected(
                    referral_id=asked.referral_id,
                    sender=asked.sender,
                    on=command.on,
                    reason=command.reason,
                    explanation=command.explanation,
                )
            ]
        case StartReferral():
            return _start(state, asked, command)
        case CompleteReferral():
            return _complete(state, asked, command)
        case FailReferral():
            return _fail(state, asked, command)


def evolve(state: Incoming, event: Event | ReferralRequested) -> Incoming:
    match event:
        case ReferralReceived():
            return replace(state, state=State.REQUESTED, asked=event)
        case CancellationReceived():
            return replace(state, state=State.CANCELLED)
        case ReferralAccepted():
            return replace(state, state=State.ACCEPTED)
        case ReferralRejected():
            return replace(state, state=State.REJECTED, closed_with=event.reason)
        case IdentityReceived():
            return replace(state, identified=True)
        case ReferralStarted():
            return replace(state, state=State.IN_PROGRESS)
        case ReferralCompleted():
            return replace(state, state=State.COMPLETED, closed_with=event.outcome)
        case ReferralFailed():
            return replace(state, state=State.FAILED, closed_with=event.reason)
    return state


def _receive(state: Incoming, command: ReceiveReferral) -> list[Event]:
    if state.asked is not None and state.asked.sender != command.sender:
        raise Rejected(
            "Questo identificativo appartiene a un'altra segnalazione.", "identifier_taken"
        )
    if state.asked is not None:
        return []
    return [
        ReferralReceived(
            referral_id=command.referral_id,
            sender=command.sender,
            area=command.area,
            requested_on=command.requested_on,
            answer_by=command.answer_by,
            language=command.language,
            age_band=command.age_band,
            urgency=command.urgency,
            edition_id=command.edition_id,
        )
    ]


def _note_cancellation(
    state: Incoming, asked: ReferralReceived, command: NoteCancellation
) -> list[Event]:
    """The sender's log decides the race: it takes back only what it has not disclosed."""
    _assert_sender(asked, command.organisation)
    if state.state in (State.REJECTED, State.CANCELLED):
        return []
    if state.identified:
        raise Rejected(
            "La persona è già stata affidata a noi: l'annullamento va concordato con chi l'ha"
            " inviata.",
            "already_disclosed",
        )
    if state.state is State.FAILED:
        return []
    return [
        CancellationReceived(referral_id=asked.referral_id, on=command.on, reason=command.reason)
    ]


def _receive_identity(
    state: Incoming, asked: ReferralReceived, command: ReceiveIdentity
) -> list[Event]:
    _assert_sender(asked, command.organisation)
    if state.identified or state.state is State.FAILED:
        return []  # told before; or we gave up meanwhile, and do not keep a name without need
    if state.state is not State.ACCEPTED:
        raise Rejected("La segnalazione non è stata accettata.", "not_accepted")
    identity = command.identity
    if identity.birth_year not in (None, *BIRTH_YEARS):
        identity = replace(identity, birth_year=None)  # the person counts, not the slip
    events: list[Event] = [IdentityReceived(referral_id=asked.referral_id, identity=identity)]
    if asked.edition_id is not None:
        events.append(
            PlaceSought(
                referral_id=asked.referral_id,
                edition_id=asked.edition_id,
                on=command.on,
                language=asked.language,
                age_band=asked.age_band,
                identity=identity,
            )
        )
    return events


def _start(state: Incoming, asked: ReferralReceived, command: StartReferral) -> list[Event]:
    if state.state is State.IN_PROGRESS:
        return []  # the desk and the courses service may both say it
    _assert_accepted(state)
    if not state.identified:
        raise Rejected(
            "L'identità della persona non è ancora arrivata: riprovare tra poco.",
            "identity_awaited",
        )
    _assert_day(command.on, command.today)
    return [ReferralStarted(referral_id=asked.referral_id, sender=asked.sender, on=command.on)]


def _complete(state: Incoming, asked: ReferralReceived, command: CompleteReferral) -> list[Event]:
    if state.state is State.COMPLETED and state.closed_with == command.outcome:
        return []
    _assert_accepted(state)
    if state.state is not State.IN_PROGRESS:
        raise Rejected(
            "La segnalazione non è ancora in corso: indicare prima che l'aiuto è iniziato.",
            "not_started",
        )
    _assert_day(command.on, command.today)
    return [
        ReferralCompleted(
            referral_id=asked.referral_id,
            sender=asked.sender,
            on=command.on,
            outcome=command.outcome,
        )
    ]


def _fail(state: Incoming, asked: ReferralReceived, command: FailReferral) -> list[Event]:
    if state.state is State.FAILED and state.closed_with == command.reason:
        return []
    _assert_accepted(state)
    _assert_day(command.on, command.today)
    return [
        ReferralFailed(
            referral_id=asked.referral_id,
            sender=asked.sender,
            on=command.on,
            reason=command.reason,
        )
    ]


def _assert_sender(asked: ReferralReceived, organisation: str) -> None:
    if organisation != asked.sender:
        raise Rejected(
            "Su questa segnalazione può intervenire solo l'organizzazione che l'ha inviata.",
            "not_the_sender",
        )


def _assert_open(state: Incoming) -> None:
    if state.state not in OPEN:
        raise Rejected(*_NOT_OPEN[state.state])


def _assert_not_answered(state: Incoming) -> None:
    _assert_open(state)
    if state.state is not State.REQUESTED:
        raise Rejected("La segnalazione è già stata accettata.", "already_accepted")


def _assert_accepted(state: Incoming) -> None:
    _assert_open(state)
    if state.state is State.REQUESTED:
        raise Rejected("La segnalazione non è ancora stata accettata.", "not_accepted")


def _assert_day(on: date, today: date, requested_on: date | None = None) -> None:
    if on > today:
        raise Rejected("La data è nel futuro.", "future_date", "on")
    if requested_on is not None and on < requested_on:
        raise Rejected("La data è precedente alla richiesta.", "before_request", "on")


RECEIVED: Decider[Any, Any, Incoming] = Decider(
    kind="received_referral", initial=Incoming(), decide=decide, evolve=evolve
)
