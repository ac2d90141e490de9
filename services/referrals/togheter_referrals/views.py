"""The tables of the referral desk, written in the transaction of the event that they show."""

from psycopg import Connection

from togheter_referrals.states import State
from togheter_shared.contracts.courses import EditionClosed, EditionOpened
from togheter_shared.contracts.referrals import (
    AnswerReceived,
    CancellationReceived,
    IdentityDisclosed,
    IdentityReceived,
    ReferralAccepted,
    ReferralCancelled,
    ReferralCompleted,
    ReferralFailed,
    ReferralReceived,
    ReferralRejected,
    ReferralRequested,
    ReferralStarted,
)
from togheter_shared.log.service import InboxView, Received, Recorded, View

MOST_PLACES = 100_000

# --- what we sent ---------------------------------------------------------------------------------


def requested(conn: Connection, recorded: Recorded) -> None:
    event: ReferralRequested = recorded.event
    conn.execute(
        "insert into sent_referral (referral_id, position, person_id, recipient, area, language,"
        " age_band, urgency, edition_id, requested_on, answer_by, state, updated_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'requested', %s)"
        " on conflict (referral_id) do update set position = excluded.position,"
        " state = excluded.state, updated_at = excluded.updated_at",
        [
            event.referral_id,
            recorded.position,
            event.person_id,
            event.recipient,
            event.area,
            event.language,
            event.age_band,
            event.urgency,
            event.edition_id,
            event.requested_on,
            event.answer_by,
            recorded.recorded_at,
        ],
    )


def cancelled(conn: Connection, recorded: Recorded) -> None:
    event: ReferralCancelled = recorded.event
    conn.execute(
        "update sent_referral set state = 'cancelled', closed_on = %s, reason = %s,"
        " updated_at = %s where referral_id = %s",
        [event.on, event.reason, recorded.recorded_at, event.referral_id],
    )


def answered(conn: Connection, recorded: Recorded) -> None:
    event: AnswerReceived = recorded.event
    conn.execute(
        "update sent_referral set state = %(told)s,"
        " answered_on = case when %(told)s in ('accepted', 'rejected') then %(on)s"
        " else answered_on end,"
        " started_on = case when %(told)s = 'in_progress' then %(on)s else started_on end,"
        " closed_on = case when %(told)s in ('rejected', 'completed', 'failed') then %(on)s"
        " else closed_on end,"
        " reason = %(reason)s, outcome = %(outcome)s, updated_at = %(at)s"
        " where referral_id = %(id)s",
        {
            "told": State(event.told).value,
            "on": event.on,
            "reason": event.reason,
            "outcome": event.outcome,
            "at": recorded.recorded_at,
            "id": event.referral_id,
        },
    )


def disclosed(conn: Connection, recorded: Recorded) -> None:
    event: IdentityDisclosed = recorded.event
    conn.execute(
        "update sent_referral set disclosed_on = %s, updated_at = %s where referral_id = %s",
        [event.on, recorded.recorded_at, event.referral_id],
    )


# --- what we received -----------------------------------------------------------------------------


def received(conn: Connection, recorded: Recorded) -> None:
    event: ReferralReceived = recorded.event
    conn.execute(
        "insert into received_referral (referral_id, position, sender, area, language, age_band,"
        " urgency, edition_id, requested_on, answer_by, state, updated_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'requested', %s)"
        " on conflict (referral_id) do update set position = excluded.position,"
        " state = excluded.state, updated_at = excluded.updated_at",
        [
            event.referral_id,
            recorded.position,
            event.sender,
            event.area,
            event.language,
            event.age_band,
            event.urgency,
            event.edition_id,
            event.requested_on,
            event.answer_by,
            recorded.recorded_at,
        ],
    )


def taken_back(conn: Connection, recorded: Recorded) -> None:
    event: CancellationReceived = recorded.event
    conn.execute(
        "update received_referral set state = 'cancelled', closed_on = %s, reason = %s,"
        " updated_at = %s where referral_id = %s",
        [event.on, event.reason, recorded.recorded_at, event.referral_id],
    )


def accepted(conn: Connection, recorded: Recorded) -> None:
    event: ReferralAccepted = recorded.event
    conn.execute(
        "update received_referral set state = 'accepted', answered_on = %s, updated_at = %s"
        " where referral_id = %s",
        [event.on, recorded.recorded_at, event.referral_id],
    )


def rejected(conn: Connection, recorded: Recorded) -> None:
    event: ReferralRejected = recorded.event
    conn.execute(
        "update received_referral set state = 'rejected', answered_on = %s, closed_on = %s,"
        " reason = %s, explanation = %s, updated_at = %s where referral_id = %s",
        [
            event.on,
            event.on,
            event.reason,
            event.explanation,
            recorded.recorded_at,
            event.referral_id,
        ],
    )


def identified(conn: Connection, recorded: Recorded) -> None:
    event: IdentityReceived = recorded.event
    identity = event.identity
    conn.execute(
        "update received_referral set given_name = %s, family_name = %s, native_name = %s,"
        " birth_year = %s, phone = %s, disclosed_on = %s::date, updated_at = %s"
        " where referral_id = %s",
        [
            identity.name.given,
            identity.name.family,
            identity.name.native,
            identity.birth_year,
            identity.phone,
            recorded.recorded_at.date(),
            recorded.recorded_at,
            event.referral_id,
        ],
    )


def started(conn: Connection, recorded: Recorded) -> None:
    event: ReferralStarted = recorded.event
    conn.execute(
        "update received_referral set state = 'in_progress', started_on = %s, updated_at = %s"
        " where referral_id = %s",
        [event.on, recorded.recorded_at, event.referral_id],
    )


def completed(conn: Connection, recorded: Recorded) -> None:
    event: ReferralCompleted = recorded.event
    conn.execute(
        "update received_referral set state = 'completed', closed_on = %s, outcome = %s,"
        " updated_at = %s where referral_id = %s",
        [event.on, event.outcome, recorded.recorded_at, event.referral_id],
    )


def failed(conn: Connection, recorded: Recorded) -> None:
    event: ReferralFailed = recorded.event
    conn.execute(
        "update received_referral set state = 'failed', closed_on = %s, reason = %s,"
        " updated_at = %s where referral_id = %s",
        [event.on, event.reason, recorded.recorded_at, event.referral_id],
    )


# --- what the network offers ----------------------------------------------------------------------


def offered(conn: Connection, told: Received) -> None:
    """An edition belongs to whoever told of it: nobody can change the offer of another.

    Figures that no course has are left out: nobody's mistake may stop this desk from reading on.
    """
    event: EditionOpened = told.event
    plausible = 0 <= event.places <= MOST_PLACES and 0 <= event.threshold <= 100
    if told.service != "courses" or not plausible:
        return
    conn.execute(
        "insert into offer (organisation, edition_id, position, title, level, places, starts_on,"
        " ends_on, threshold, evening, childcare, women_only)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (organisation, edition_id) do update set title = excluded.title,"
        " level = excluded.level, places = excluded.places, starts_on = excluded.starts_on,"
        " ends_on = excluded.ends_on, threshold = excluded.threshold,"
        " evening = excluded.evening, childcare = excluded.childcare,"
        " women_only = excluded.women_only",
        [
            told.organisation,
            event.edition_id,
            told.position,
            event.title,
            event.level,
            event.places,
            event.starts_on,
            event.ends_on,
            event.threshold,
            event.evening,
            event.childcare,
            event.women_only,
        ],
    )


VIEWS: dict[type, View] = {
    ReferralRequested: requested,
    ReferralCancelled: cancelled,
    AnswerReceived: answered,
    IdentityDisclosed: disclosed,
    ReferralReceived: received,
    CancellationReceived: taken_back,
    ReferralAccepted: accepted,
    ReferralRejected: rejected,
    IdentityReceived: identified,
    ReferralStarted: started,
    ReferralCompleted: completed,
    ReferralFailed: failed,
}


def withdrawn(conn: Connection, told: Received) -> None:
    """An edition that is over is no offer any more; only who offered it can say so."""
    conn.execute(
        "delete from offer where organisation = %s and edition_id = %s",
        [told.organisation, told.event.edition_id],
    )


INBOX_VIEWS: dict[type, InboxView] = {EditionOpened: offered, EditionClosed: withdrawn}
