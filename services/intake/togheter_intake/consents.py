"""Consents: what a person allowed, for what, until when; the latest answer to a purpose holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID, uuid5

from togheter_shared.contracts.intake_cases import (
    ConsentAnswered,
    ConsentGiver,
    ConsentPurpose,
    ConsentWithdrawn,
)
from togheter_shared.decider import Decider, Rejected

_CONSENTS = UUID("0b0c8d54-5f0e-5a52-8d8e-0a6c1f0a7b32")
ADULT = 18
"""From this age a person answers without a guardian."""


def consents_of(person_id: UUID) -> UUID:
    """The stream of a person's consents."""
    return uuid5(_CONSENTS, person_id.hex)


@dataclass(frozen=True, kw_only=True)
class AnswerConsent:
    """The answer to a text that was explained in `language`. `age` is the person's today, None when
    it is not known; `text_hash` is the SHA-256 of the text in hexadecimal."""

    person_id: UUID
    consent_id: UUID
    purpose: ConsentPurpose
    granted: bool
    on: date
    today: date
    age: int | None
    text_version: str
    text_hash: str
    language: str
    mediator: bool = False
    recipients: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    given_by: ConsentGiver = ConsentGiver.PERSON
    guardian_id: UUID | None = None
    valid_until: date | None = None


@dataclass(frozen=True, kw_only=True)
class WithdrawConsent:
    """As easy as giving it: no reason is asked, whoever gave it."""

    person_id: UUID
    purpose: ConsentPurpose
    on: date
    today: date


Command = AnswerConsent | WithdrawConsent
Event = ConsentAnswered | ConsentWithdrawn


@dataclass(frozen=True)
class Answer:
    """The answer that holds for one purpose."""

    consent_id: UUID
    granted: bool
    on: date
    valid_until: date | None
    recipients: tuple[str, ...]
    told: tuple[str, ...]
    """Everybody who was named since the first answer: all of them hear of a withdrawal."""


@dataclass(frozen=True)
class Consents:
    answers: Mapping[ConsentPurpose, Answer] = field(default_factory=dict)


def allows(
    state: Consents, purpose: ConsentPurpose, on: date, recipient: str | None = None
) -> bool:
    """Whether the person allows `purpose` on that day, towards `recipient` when one is named.

    The one function that whatever depends on a consent asks.
    """
    answer = state.answers.get(purpose)
    if answer is None or not answer.granted or on < answer.on:
        return False
    if answer.valid_until is not None and on > answer.valid_until:
        return False
    return recipient is None or recipient in answer.recipients


def decide(state: Consents, command: Command) -> list[Event]:
    """What happens, or `Rejected`. The same answer again is no event."""
    if command.on > command.today:
        raise Rejected("La data non è ancora venuta.", "date_in_future", "on")
    match command:
        case AnswerConsent():
            return _answer(state, command)
        case WithdrawConsent():
            answer = state.answers.get(command.purpose)
            if answer is None or not answer.granted:
                raise Rejected("Non c'è un consenso da revocare.", "consent_unknown", "purpose")
            return [
                ConsentWithdrawn(
                    person_id=command.person_id,
                    consent_id=answer.consent_id,
                    purpose=command.purpose,
                    on=command.on,
                    recipients=answer.told,
                )
            ]


def evolve(state: Consents, event: Event) -> Consents:
    before = state.answers.get(event.purpose)
    told = before.told if before else ()
    match event:
        case ConsentAnswered():
            if event.granted:
                told = tuple(dict.fromkeys((*told, *event.recipients)))
            answer = Answer(
                event.consent_id,
                event.granted,
                event.on,
                event.valid_until,
                event.recipients,
                told,
            )
        case ConsentWithdrawn():
            answer = Answer(event.consent_id, False, event.on, None, (), ())
    return Consents({**state.answers, event.purpose: answer})


CONSENTS = Decider(kind="consents", initial=Consents(), decide=decide, evolve=evolve)


def _answer(state: Consents, command: AnswerConsent) -> list[Event]:
    by_guardian = command.given_by is ConsentGiver.GUARDIAN
    if by_guardian and command.guardian_id is None:
        raise Rejected("Indica chi ha la tutela della persona.", "guardian_missing", "guardian_id")
    if not by_guardian and command.age is not None and command.age < ADULT:
        raise Rejected(
            "Per chi è minorenne risponde chi ne ha la tutela: se nessuno ce l'ha ancora, la"
            " persona resta registrata senza consenso e va segnalata come minore non accompagnato.",
            "guardian_needed",
            "given_by",
        )
    if command.valid_until is not None and command.valid_until < command.on:
        raise Rejected("Il consenso scade prima di cominciare.", "date_too_early", "valid_until")
    if command.purpose is ConsentPurpose.REFERRAL and command.granted and not command.recipients:
        raise Rejected(
            "Indica a chi possono andare i dati: un consenso senza destinatari non vale.",
            "recipients_missing",
            "recipients",
        )
    known = state.answers.get(command.purpose)
    if known is not None and known.consent_id == command.consent_id:
        return []
    if known is not None and command.on < known.on:
        raise Rejected(
            "C'è già una risposta di un giorno successivo: vale quella.", "answer_outdated", "on"
        )
    return [
        ConsentAnswered(
            person_id=command.person_id,
            consent_id=command.consent_id,
            purpose=command.purpose,
            granted=command.granted,
            on=command.on,
            recipients=command.recipients,
            categories=command.categories,
            text_version=command.text_version,
            text_hash=command.text_hash,
            language=command.language,
            mediator=command.mediator,
            given_by=command.given_by,
            guardian_id=command.guardian_id,
            valid_until=command.valid_until,
        )
    ]
