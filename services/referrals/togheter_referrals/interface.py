"""What the interface takes and gives, and how an answer is read from the views."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from marshmallow import validate
from psycopg import Connection
from psycopg.rows import namedtuple_row

from togheter_referrals.states import State
from togheter_shared.contracts.courses import Level
from togheter_shared.contracts.fields import Code, LongText, ShortText
from togheter_shared.contracts.intake import Area, PersonName
from togheter_shared.contracts.referrals import (
    AgeBand,
    CancellationReason,
    Consent,
    FailureReason,
    Identity,
    Outcome,
    RejectionReason,
    Urgency,
)

Limit = Annotated[int, validate.Range(min=1, max=500)]
Before = Annotated[int, validate.Range(min=1)]

# --- taken ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ReferralDraft:
    """What a referral is asked with. `requested_on` is today unless it is said."""

    person_id: UUID
    recipient: Code
    area: Area
    language: Code
    age_band: AgeBand = AgeBand.UNKNOWN
    urgency: Urgency = Urgency.ROUTINE
    edition_id: UUID | None = None
    requested_on: date | None = None
    consent: Consent
    identity: Identity


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    reason: CancellationReason
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """The reason is told to the sender; the explanation stays with the recipient."""

    reason: RejectionReason
    explanation: LongText = ""
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Start:
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Completion:
    outcome: Outcome
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    reason: FailureReason
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class SentFilter:
    """`before` is the `position` of the last one of the page before: newest first."""

    state: State | None = None
    recipient: Code | None = None
    person_id: UUID | None = None
    edition_id: UUID | None = None
    limit: Limit = 100
    before: Before | None = None


@dataclass(frozen=True, kw_only=True)
class ReceivedFilter:
    state: State | None = None
    sender: Code | None = None
    edition_id: UUID | None = None
    limit: Limit = 100
    before: Before | None = None


@dataclass(frozen=True, kw_only=True)
class OfferFilter:
    """`on`: only what has not ended on that day."""

    organisation: Code | None = None
    level: Level | None = None
    on: date | None = None
    limit: Limit = 100
    before: Before | None = None


# --- given ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SentReferral:
    """A referral that we sent, as far as its recipient has told. `position` orders the list."""

    referral_id: UUID
    position: int
    state: State
    person_id: UUID
    recipient: str
    area: Area
    language: str
    age_band: AgeBand
    urgency: Urgency
    edition_id: UUID | None
    requested_on: date
    answer_by: date
    answered_on: date | None
    disclosed_on: date | None
    started_on: date | None
    closed_on: date | None
    reason: str | None
    outcome: Outcome | None
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class ReceivedReferral:
    """A referral that we received. `identity` is there once it was disclosed, and not before."""

    referral_id: UUID
    position: int
    state: State
    sender: str
    area: Area
    language: str
    age_band: AgeBand
    urgency: Urgency
    edition_id: UUID | None
    requested_on: date
    answer_by: date
    answered_on: date | None
    disclosed_on: date | None
    started_on: date | None
    closed_on: date | None
    reason: str | None
    explanation: str
    outcome: Outcome | None
    identity: Identity | None
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An edition of a course that an organisation of the network has opened."""

    organisation: str
    edition_id: UUID
    position: int
    title: ShortText
    level: Level
    places: int
    starts_on: date
    ends_on: date
    threshold: int
    evening: bool
    childcare: bool
    women_only: bool


@dataclass(frozen=True, kw_only=True)
class Partner:
    """An organisation of the network; `referrals` when it can be sent a referral."""

    organisation: str
    name: str
    services: tuple[str, ...]
    referrals: bool
    own: bool


# --- read -----------------------------------------------------------------------------------------


def sent(conn: Connection, wanted: SentFilter) -> list[SentReferral]:
    """The referrals that we sent, newest first."""
    rows = _rows(
        conn,
        "select * from sent_referral where (%(state)s::text is null or state = %(state)s)"
        " and (%(recipient)s::text is null or recipient = %(recipient)s)"
        " and (%(person_id)s::uuid is null or person_id = %(person_id)s)"
        " and (%(edition_id)s::uuid is null or edition_id = %(edition_id)s)"
        " and (%(before)s::bigint is null or position < %(before)s)"
        " order by position desc limit %(limit)s",
        vars(wanted),
    )
    return [_sent(row) for row in rows]


def one_sent(conn: Connection, referral_id: UUID) -> SentReferral | None:
    """A referral that we sent, or None."""
    rows = _rows(
        conn, "select * from sent_referral where referral_id = %(id)s", {"id": referral_id}
    )
    return _sent(rows[0]) if rows else None


def received(conn: Connection, wanted: ReceivedFilter) -> list[ReceivedReferral]:
    """The referrals that we received, newest first."""
    rows = _rows(
        conn,
        "select * from received_referral where (%(state)s::text is null or state = %(state)s)"
        " and (%(sender)s::text is null or sender = %(sender)s)"
        " and (%(edition_id)s::uuid is null or edition_id = %(edition_id)s)"
        " and (%(before)s::bigint is null or position < %(before)s)"
        " order by position desc limit %(limit)s",
        vars(wanted),
    )
    return [_received(row) for row in rows]


def one_received(conn: Connection, referral_id: UUID) -> ReceivedReferral | None:
    """A referral that we received, or None."""
    rows = _rows(
        conn, "select * from received_referral where referral_id = %(id)s", {"id": referral_id}
    )
    return _received(rows[0]) if rows else None


def offers(conn: Connection, wanted: OfferFilter) -> list[Offer]:
    """What the organisations of the network offer, newest first."""
    rows = _rows(
        conn,
        "select * from offer where"
        " (%(organisation)s::text is null or organisation = %(organisation)s)"
        " and (%(level)s::text is null or level = %(level)s)"
        " and (%(on)s::date is null or ends_on >= %(on)s)"
        " and (%(before)s::bigint is null or position < %(before)s)"
        " order by position desc limit %(limit)s",
        vars(wanted),
    )
    return [
        Offer(
            organisation=row.organisation,
            edition_id=row.edition_id,
            position=row.position,
            title=row.title,
            level=Level(row.level),
            places=row.places,
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            threshold=row.threshold,
            evening=row.evening,
            childcare=row.childcare,
            women_only=row.women_only,
        )
        for row in rows
    ]


def is_offered(conn: Connection, organisation: str, edition_id: UUID) -> bool:
    """Whether our copy of the directory has that edition of that organisation."""
    found = conn.execute(
        "select 1 from offer where organisation = %s and edition_id = %s",
        [organisation, edition_id],
    ).fetchone()
    return found is not None


def counts(conn: Connection) -> tuple[dict[State, int], dict[State, int]]:
    """How many referrals are in each state: those that we sent, and those that we received."""
    answers: list[dict[State, int]] = []
    for statement in (
        "select state, count(*) from sent_referral group by state",
        "select state, count(*) from received_referral group by state",
    ):
        found: dict[str, int] = dict(conn.execute(statement).fetchall())
        answers.append({state: found.get(state, 0) for state in State if state is not State.NONE})
    return answers[0], answers[1]


def _rows(conn: Connection, statement: str, values: dict[str, Any]) -> Sequence[Any]:
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(statement, values).fetchall()


def _sent(row: Any) -> SentReferral:
    return SentReferral(person_id=row.person_id, recipient=row.recipient, **_both(row))


def _received(row: Any) -> ReceivedReferral:
    identity = None
    if row.disclosed_on is not None:
        identity = Identity(
            name=PersonName(given=row.given_name, family=row.family_name, native=row.native_name),
            birth_year=row.birth_year,
            phone=row.phone,
        )
    return ReceivedReferral(
        sender=row.sender, explanation=row.explanation, identity=identity, **_both(row)
    )


def _both(row: Any) -> dict[str, Any]:
    """What a row of either table gives."""
    return {
        "referral_id": row.referral_id,
        "position": row.position,
        "state": State(row.state),
        "area": Area(row.area),
        "language": row.language,
        "age_band": AgeBand(row.age_band),
        "urgency": Urgency(row.urgency),
        "edition_id": row.edition_id,
        "requested_on": row.requested_on,
        "answer_by": row.answer_by,
        "answered_on": row.answered_on,
        "disclosed_on": row.disclosed_on,
        "started_on": row.started_on,
        "closed_on": row.closed_on,
        "reason": row.reason,
        "outcome": Outcome(row.outcome) if row.outcome else None,
        "updated_at": row.updated_at,
    }
