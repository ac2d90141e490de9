"""The sender's side of a referral: ask, take back, note the answers, disclose who the person is."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from togheter_referrals.states import ANSWER_WORKING_DAYS, BIRTH_YEARS, State, after_working_days
from togheter_shared.contracts.intake import Area
from togheter_shared.contracts.referrals import (
    AgeBand,
    AnswerReceived,
    CancellationReason,
    Consent,
    Identity,
    IdentityDisclosed,
    Outcome,
    ReferralCancelled,
    ReferralReceived,
    ReferralRequested,
    Urgency,
)
from togheter_shared.decider import Decider, Rejected


@dataclass(frozen=True, kw_only=True)
class RequestReferral:
    """Ask `recipient` to take a need up; `requested_on` may be earlier than `today`, not later."""

    referral_id: UUID
    person_id: UUID
    sender: str
    recipient: str
    area: Area
    requested_on: date
    today: date
    language: str
    age_band: AgeBand = AgeBand.UNKNOWN
    urgency: Urgency = Urgency.ROUTINE
    edition_id: UUID | None = None
    consent: Consent
    identity: Identity


@dataclass(frozen=True, kw_only=True)
class CancelReferral:
    """Take the request back."""

    on: date
    today: date
    reason: CancellationReason


@dataclass(frozen=True, kw_only=True)
class NoteAnswer:
    """`organisation` told, on a day, that the referral is in the state `told`."""

    organisation: str
    told: State
    on: date
    reason: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class DiscloseIdentity:
    """`organisation` has accepted: tell it who the person is."""

    organisation: str
    on: date


Command = RequestReferral | CancelReferral | NoteAnswer | DiscloseIdentity
Event = ReferralRequested | ReferralCancelled | AnswerReceived | IdentityDisclosed


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What the decisions need to know."""

    state: State = State.NONE
    request: ReferralRequested | None = None
    disclosed: bool = False


GIVEN_BY = ("person", "guardian")

FOLLOWS = {
    State.REQUESTED: {State.ACCEPTED, State.REJECTED},
    State.ACCEPTED: {State.IN_PROGRESS, State.FAILED},
    State.IN_PROGRESS: {State.COMPLETED, State.FAILED},
}
"""The answers that a recipient can give in each state; after disclosure only, help can begin."""

CROSSED = {State.ACCEPTED, State.REJECTED, State.FAILED}
"""Answers that a recipient may have given before it heard that the request was taken back."""


def decide(state: Sent, command: Command) -> list[Event]:
    match command:
        case RequestReferral():
            return _request(state, command)
        case CancelReferral():
            return _cancel(state, command)
        case NoteAnswer():
            return _note(state, command)
        case DiscloseIdentity():
            return _disclose(state, command)


def evolve(state: Sent, event: Event | ReferralReceived) -> Sent:
    match event:
        case ReferralRequested():
            return replace(state, state=State.REQUESTED, request=event)
        case ReferralCancelled():
            return replace(state, state=State.CANCELLED)
        case AnswerReceived():
            return replace(state, state=State(event.told))
        case IdentityDisclosed():
            return replace(state, disclosed=True)
    return state


def _request(state: Sent, command: RequestReferral) -> list[Event]:
    if state.state is not State.NONE:
        raise Rejected("Questa segnalazione esiste già.", "already_requested")
    if command.recipient == command.sender:
        raise Rejected(
            "Una segnalazione va a un'altra organizzazione: scegliere un altro destinatario.",
            "own_organisation",
            "recipient",
        )
    if command.requested_on > command.today:
        raise Rejected("La data della richiesta è nel futuro.", "future_date", "requested_on")
    if not command.identity.name.full:
        raise Rejected(
            "Indicare come si chiama la persona: chi accetta deve sapere chi aiuta.",
            "name_missing",
            "identity.name",
        )
    if command.identity.birth_year not in (None, *BIRTH_YEARS):
        raise Rejected(
            "L'anno di nascita non è possibile: correggerlo, o lasciarlo vuoto se non è noto.",
            "impossible_year",
            "identity.birth_year",
        )
    consent = command.consent
    if consent.given_by not in GIVEN_BY:
        raise Rejected(
            "Il consenso è dato dalla persona (person) o da chi la tutela (guardian).",
            "unknown_giver",
            "consent.given_by",
        )
    if consent.given_on > command.requested_on:
        raise Rejected(
            "Il consenso è successivo alla richiesta: nessun dato può uscire senza consenso.",
            "no_live_consent",
            "consent.given_on",
        )
    if consent.valid_until is not None and consent.valid_until < command.today:
        raise Rejected(
            "Il consenso è scaduto: chiederne uno nuovo alla persona.",
            "no_live_consent",
            "consent.valid_until",
        )
    return [
        ReferralRequested(
            referral_id=command.referral_id,
            person_id=command.person_id,
            recipient=command.recipient,
            area=command.area,
            requested_on=command.requested_on,
            answer_by=after_working_days(command.requested_on, ANSWER_WORKING_DAYS),
            language=command.language,
            age_band=command.age_band,
            urgency=command.urgency,
            edition_id=command.edition_id,
            consent=command.consent,
            identity=command.identity,
        )
    ]


def _cancel(state: Sent, command: CancelReferral) -> list[Event]:
    request = _known(state)
    match state.state:
        case State.CANCELLED:
            raise Rejected("La segnalazione è già stata annullata.", "already_cancelled")
        case State.REJECTED | State.COMPLETED | State.FAILED:
            raise Rejected("La segnalazione è chiusa: non c'è più nulla da annullare.", "closed")
        case State.ACCEPTED | State.IN_PROGRESS if state.disclosed:
            raise Rejected(
                "L'organizzazione ha già accettato e sa chi è la persona:"
                " accordarsi direttamente con lei.",
                "already_accepted",
            )
    if command.on > command.today:
        raise Rejected("La data dell'annullamento è nel futuro.", "future_date", "on")
    if command.on < request.requested_on:
        raise Rejected("L'annullamento è precedente alla richiesta.", "before_request", "on")
    return [
        ReferralCancelled(
            referral_id=request.referral_id,
            recipient=request.recipient,
            on=command.on,
            reason=command.reason,
        )
    ]


def _note(state: Sent, command: NoteAnswer) -> list[Event]:
    request = _from_recipient(state, command.organisation)
    if command.told is state.state:
        return []
    if state.state is State.CANCELLED and command.told in CROSSED:
        return []  # the answer crossed the cancellation, which stands
    if command.told not in FOLLOWS.get(state.state, set()):
        raise Rejected(
            "La risposta non è possibile nello stato in cui si trova la segnalazione.",
            "answer_out_of_order",
        )
    if command.told is State.IN_PROGRESS and not state.disclosed:
        raise Rejected(
            "L'organizzazione dice di avere iniziato, ma non sa ancora chi è la persona.",
            "answer_out_of_order",
        )
    return [
        AnswerReceived(
            referral_id=request.referral_id,
            told=command.told.value,
            on=command.on,
            reason=command.reason,
            outcome=command.outcome,
        )
    ]


def _disclose(state: Sent, command: DiscloseIdentity) -> list[Event]:
    request = _from_recipient(state, command.organisation)
    if state.disclosed:
        return []
    if state.state is State.CANCELLED:
        raise Rejected(
            "La segnalazione è stata annullata prima dell'accettazione:"
            " l'identità non viene comunicata.",
            "cancelled",
        )
    if state.state is not State.ACCEPTED:
        raise Rejected(
            "L'organizzazione non ha accettato: l'identità non viene comunicata.", "not_accepted"
        )
    assert request.consent and request.identity, "a sender's own log always has them"
    until = request.consent.valid_until
    if until is not None and until < command.on:
        raise Rejected(
            "Il consenso è scaduto prima dell'accettazione: l'identità non viene comunicata."
            " Annullare la segnalazione e chiedere un nuovo consenso.",
            "no_live_consent",
        )
    return [
        IdentityDisclosed(
            referral_id=request.referral_id,
            recipient=request.recipient,
            on=command.on,
            identity=request.identity,
        )
    ]


def _known(state: Sent) -> ReferralRequested:
    if state.request is None:
        raise Rejected("Questa segnalazione non esiste.", "unknown_referral")
    return state.request


def _from_recipient(state: Sent, organisation: str) -> ReferralRequested:
    request = _known(state)
    if organisation != request.recipient:
        raise Rejected(
            "A questa segnalazione può rispondere solo l'organizzazione a cui è stata inviata.",
            "not_the_recipient",
        )
    return request


SENT: Decider[Any, Any, Sent] = Decider(
    kind="referral", initial=Sent(), decide=decide, evolve=evolve
)
