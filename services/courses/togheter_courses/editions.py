"""Editions of courses: who gets a place, who waits, who attends, who is certified."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from togheter_courses import lessons
from togheter_courses.commands import (
    AcceptOffer,
    CloseEdition,
    Command,
    CompleteEnrolment,
    CorrectAttendance,
    DeclineOffer,
    DropEnrolment,
    ExpireOffers,
    HoldLesson,
    OfOneEnrolment,
    OpenEdition,
    RecordEntryLevel,
    RecordFinalTest,
    RequestEnrolment,
    ScheduleLesson,
    WithdrawEnrolment,
)
from togheter_courses.roster import Edition, Enrolment, Standing, evolve
from togheter_shared.contracts.courses import (
    CertificateIssued,
    CertificateKind,
    EditionClosed,
    EditionOpened,
    EnrolmentCompleted,
    EnrolmentConfirmed,
    EnrolmentDropped,
    EnrolmentRequested,
    EnrolmentWaitlisted,
    EnrolmentWithdrawn,
    EntryLevelTested,
    FinalTestRecorded,
    PlaceOffered,
    WithdrawalReason,
)
from togheter_shared.decider import Decider, Rejected

OFFER_DAYS = 3
"""How long an offered place is kept, in days after that of the offer."""
CERTIFIED_FROM_AGE = 16
MAX_PLACES = 500


Event = Any


@dataclass(frozen=True)
class Allowed:
    """The states of an enrolment in which a command makes sense, and what to say in others."""

    standings: frozenset[Standing]
    sentence: str
    code: str


_WAITING_OR_IN = frozenset({Standing.WAITLISTED, Standing.OFFERED, Standing.CONFIRMED})
_IN = frozenset({Standing.CONFIRMED})
_OFFERED = frozenset({Standing.OFFERED})
_NO_OFFER = "A questa iscrizione non è offerto alcun posto: non c'è nulla a cui rispondere."

TRANSITIONS: Mapping[type, Allowed] = {
    WithdrawEnrolment: Allowed(
        _WAITING_OR_IN, "L'iscrizione è già conclusa: non si può più ritirare.", "enrolment_over"
    ),
    AcceptOffer: Allowed(_OFFERED, _NO_OFFER, "no_offer"),
    DeclineOffer: Allowed(_OFFERED, _NO_OFFER, "no_offer"),
    DropEnrolment: Allowed(
        _IN, "Solo chi ha un posto può abbandonare il corso; chi attende si ritira.", "no_place"
    ),
    RecordEntryLevel: Allowed(
        _WAITING_OR_IN,
        "L'iscrizione è già conclusa: il livello di ingresso non si registra più.",
        "enrolment_over",
    ),
    RecordFinalTest: Allowed(
        _IN, "Solo chi ha un posto nel corso può sostenere la prova finale.", "no_place"
    ),
    CompleteEnrolment: Allowed(_IN, "Solo chi ha un posto nel corso può concluderlo.", "no_place"),
}
"""Every command on one enrolment is here; every pair that is not allowed is refused."""


def decide(state: Edition, command: Command) -> list[Event]:
    """What happens, or `Rejected`. A command that was already carried out changes nothing."""
    if isinstance(command, OpenEdition):
        return _open(state, command)
    if state.opened is None:
        raise Rejected("Questa edizione non esiste.", "edition_unknown")
    if isinstance(command, RequestEnrolment):
        return _request(state, state.opened.edition_id, command)
    if state.closed:
        raise Rejected("L'edizione è chiusa: non si può più modificare.", "edition_closed")
    edition_id = state.opened.edition_id
    match command:
        case ExpireOffers():
            return _expire(state, edition_id, command)
        case ScheduleLesson():
            return lessons.schedule(state, edition_id, command)
        case HoldLesson():
            return lessons.hold(state, edition_id, command)
        case CorrectAttendance():
            return lessons.correct(state, edition_id, command)
        case CloseEdition():
            return _close(state, edition_id, command)
        case _:
            return _of_enrolment(state, edition_id, command)


def _open(state: Edition, command: OpenEdition) -> list[Event]:
    event = EditionOpened(
        edition_id=command.edition_id,
        title=command.title.strip(),
        level=command.level,
        places=command.places,
        starts_on=command.starts_on,
        ends_on=command.ends_on,
        threshold=command.threshold,
        evening=command.evening,
        childcare=command.childcare,
        women_only=command.women_only,
    )
    if state.opened == event:
        return []
    if state.opened is not None:
        raise Rejected("Questa edizione è già stata aperta, con altri dati.", "edition_exists")
    if not event.title:
        raise Rejected("Manca il titolo del corso.", "title_missing", "title")
    if not 1 <= event.places <= MAX_PLACES:
        raise Rejected(f"I posti vanno da 1 a {MAX_PLACES}.", "places_out_of_range", "places")
    if not 0 <= event.threshold <= 100:
        raise Rejected(
            "La soglia di frequenza va da 0 a 100 per cento.",
            "threshold_out_of_range",
            "threshold",
        )
    if event.ends_on < event.starts_on:
        raise Rejected("Il corso finisce prima di cominciare.", "ends_before_start", "ends_on")
    return [event]


def _request(state: Edition, edition_id: UUID, command: RequestEnrolment) -> list[Event]:
    if command.enrolment_id in state.enrolments:
        return []
    referred = command.referral_id is not None
    if state.closed and not referred:
        raise Rejected("L'edizione è chiusa: non accetta iscrizioni.", "edition_closed")
    if not referred and not (command.name.full.strip() or command.name.native.strip()):
        raise Rejected("Manca il nome della persona.", "name_missing", "name")
    if not referred and not _is_plausible(command.birth_year, command.on):
        raise Rejected("L'anno di nascita non è possibile.", "birth_year_impossible", "birth_year")
    who = _who(edition_id, command.enrolment_id, command.on)
    requested = EnrolmentRequested(
        **who,
        referral_id=command.referral_id,
        name=command.name,
        phone=command.phone,
        birth_year=command.birth_year,
    )
    if state.closed:  # whoever referred the person gets an answer in any case
        return [requested, _withdrawn(who, command.referral_id, WithdrawalReason.EDITION_CLOSED)]
    if state.free > 0 and not state.waitlist:
        return [requested, EnrolmentConfirmed(**who, referral_id=command.referral_id)]
    return [requested, EnrolmentWaitlisted(**who, referral_id=command.referral_id)]


def _of_enrolment(state: Edition, edition_id: UUID, command: OfOneEnrolment) -> list[Event]:
    found = state.enrolments.get(command.enrolment_id)
    if found is None:
        raise Rejected("Questa iscrizione non è dell'edizione.", "enrolment_unknown")
    allowed = TRANSITIONS[type(command)]
    if found.standing not in allowed.standings:
        raise Rejected(allowed.sentence, allowed.code)
    who = _who(edition_id, found.enrolment_id, command.on)
    events: list[Event]
    match command:
        case WithdrawEnrolment():
            if found.standing is Standing.CONFIRMED and state.lessons_held:
                raise Rejected(
                    "Il corso è già cominciato: registrare l'abbandono, con il motivo.",
                    "course_begun",
                )
            events = [_withdrawn(who, found.referral_id, WithdrawalReason.PERSON)]
        case AcceptOffer():
            if found.offer_expires_on is not None and command.on > found.offer_expires_on:
                raise Rejected("L'offerta del posto è scaduta.", "offer_expired")
            events = [EnrolmentConfirmed(**who, referral_id=found.referral_id)]
        case DeclineOffer():
            events = [_withdrawn(who, found.referral_id, WithdrawalReason.OFFER_DECLINED)]
        case DropEnrolment():
            if not state.lessons_held:
                raise Rejected(
                    "Il corso non è ancora cominciato: registrare il ritiro.", "course_not_begun"
                )
            events = [EnrolmentDropped(**who, reason=command.reason, referral_id=found.referral_id)]
        case RecordEntryLevel():
            if found.entry_level is command.level:
                return []
            if state.lessons_held:
                raise Rejected(
                    "Dopo la prima lezione il livello di ingresso non cambia più.",
                    "course_begun",
                )
            return [EntryLevelTested(**who, level=command.level)]
        case RecordFinalTest():
            return _final_test(state, found, command, who)
        case CompleteEnrolment():
            if not state.lessons_held:
                raise Rejected(
                    "Non si è tenuta alcuna lezione: il corso non può concludersi.",
                    "course_not_begun",
                )
            return list(_completed(state, found, who, iter([command.code])))
    return events + _offers_after(state, events, edition_id, command.on)


def _final_test(
    state: Edition, found: Enrolment, command: RecordFinalTest, who: dict[str, Any]
) -> list[Event]:
    if not state.lessons_held:
        raise Rejected(
            "Il corso non è ancora cominciato: la prova finale viene dopo.", "course_not_begun"
        )
    if command.passed and command.level is None:
        raise Rejected("Manca il livello raggiunto con la prova.", "level_missing", "level")
    if (found.test_passed, found.exit_level) == (command.passed, command.level):
        return []
    return [FinalTestRecorded(**who, level=command.level, passed=command.passed)]


def _completed(
    state: Edition, found: Enrolment, who: dict[str, Any], codes: Iterator[str]
) -> Iterator[Event]:
    assert state.opened is not None
    held = state.lessons_held
    attended = state.lessons_attended(found.enrolment_id)
    certified = (
        attended > 0
        and attended * 100 >= state.opened.threshold * held
        and found.test_passed is True
        and _is_old_enough(found.birth_year, who["on"])
    )
    yield EnrolmentCompleted(
        **who,
        lessons_held=held,
        lessons_attended=attended,
        certified=certified,
        referral_id=found.referral_id,
        entry_level=found.entry_level,
        exit_level=found.exit_level,
    )
    if not attended:
        return
    code = next(codes, None)
    if code is None:
        raise Rejected("Mancano codici per gli attestati.", "codes_missing", "codes")
    if certified:
        kind, level = CertificateKind.LEVEL, found.exit_level
    else:
        kind, level = CertificateKind.ATTENDANCE, None
    yield CertificateIssued(**who, kind=kind, level=level, code=code)


def _expire(state: Edition, edition_id: UUID, command: ExpireOffers) -> list[Event]:
    events: list[Event] = [
        _withdrawn(
            _who(edition_id, found.enrolment_id, command.on),
            found.referral_id,
            WithdrawalReason.OFFER_EXPIRED,
        )
        for found in state.standing(Standing.OFFERED)
        if found.offer_expires_on is not None and found.offer_expires_on < command.on
    ]
    return events + _offers_after(state, events, edition_id, command.on)


def _offers_after(state: Edition, events: list[Event], edition_id: UUID, on: date) -> list[Event]:
    """An offer for each place that `events` have freed, to those who wait, in their order."""
    after = EDITION.fold(events, state)
    return [
        PlaceOffered(
            edition_id=edition_id,
            enrolment_id=found.enrolment_id,
            on=on,
            expires_on=on + min(timedelta(days=OFFER_DAYS), date.max - on),
            referral_id=found.referral_id,
        )
        for found in after.waitlist[: max(after.free, 0)]
    ]


def _close(state: Edition, edition_id: UUID, command: CloseEdition) -> list[Event]:
    events: list[Event] = []
    codes = iter(command.codes)
    for found in state.enrolments.values():
        who = _who(edition_id, found.enrolment_id, command.on)
        if found.standing is Standing.CONFIRMED and state.lessons_held:
            events += _completed(state, found, who, codes)
        elif found.standing in _WAITING_OR_IN:
            events.append(_withdrawn(who, found.referral_id, WithdrawalReason.EDITION_CLOSED))
    return [*events, EditionClosed(edition_id=edition_id, on=command.on)]


def _who(edition_id: UUID, enrolment_id: UUID, on: date) -> dict[str, Any]:
    return {"edition_id": edition_id, "enrolment_id": enrolment_id, "on": on}


def _withdrawn(
    who: dict[str, Any], referral_id: UUID | None, reason: WithdrawalReason
) -> EnrolmentWithdrawn:
    return EnrolmentWithdrawn(**who, referral_id=referral_id, reason=reason)


def _is_plausible(birth_year: int | None, on: date) -> bool:
    return birth_year is None or on.year - 120 <= birth_year <= on.year


def _is_old_enough(birth_year: int | None, on: date) -> bool:
    """By the year alone, all that is known of an age; an unknown year does not exclude."""
    return birth_year is None or on.year - birth_year >= CERTIFIED_FROM_AGE


EDITION: Decider[Command, Event, Edition] = Decider(
    kind="edition", initial=Edition(), decide=decide, evolve=evolve
)
