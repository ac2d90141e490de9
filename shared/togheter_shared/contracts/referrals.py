"""What referrals tells: asked by one organisation, answered by another, the loop closed."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from togheter_shared.contracts.contract import Audience, Contract
from togheter_shared.contracts.fields import DISCLOSED, PERSONAL, Code, LongText
from togheter_shared.contracts.intake import Area, PersonName


class Urgency(StrEnum):
    ROUTINE = "routine"
    URGENT = "urgent"


class AgeBand(StrEnum):
    """The least that a recipient needs to know of an age before it accepts."""

    UNDER_15 = "under_15"
    FROM_15_TO_17 = "15_17"
    FROM_18_TO_29 = "18_29"
    FROM_30_TO_64 = "30_64"
    FROM_65 = "65_over"
    UNKNOWN = "unknown"


class RejectionReason(StrEnum):
    NO_PLACES = "no_places"
    NOT_ELIGIBLE = "not_eligible"
    WRONG_SERVICE = "wrong_service"
    CANNOT_REACH = "cannot_reach"
    OTHER = "other"


class CancellationReason(StrEnum):
    CONSENT_WITHDRAWN = "consent_withdrawn"
    NO_LONGER_NEEDED = "no_longer_needed"
    MISTAKE = "mistake"
    OTHER = "other"


class FailureReason(StrEnum):
    NO_SHOW = "no_show"
    DROPPED_OUT = "dropped_out"
    CANNOT_HELP = "cannot_help"
    OTHER = "other"


class Outcome(StrEnum):
    """What came of a completed referral."""

    NEED_MET = "need_met"
    CERTIFIED = "certified"
    ATTENDED = "attended"
    PARTLY_MET = "partly_met"
    NOT_MET = "not_met"


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What the person agreed to for this referral, and how it was explained.

    `given_by` is `person` or `guardian`; `language` (BCP 47) the one it was explained in.
    """

    given_on: date
    given_by: Code
    language: Code
    text_version: Code
    mediator: bool = False
    valid_until: date | None = None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a recipient is told once it has accepted, and not before."""

    name: PersonName
    birth_year: int | None = None
    phone: Code | None = None


@dataclass(frozen=True, kw_only=True)
class ReferralRequested:
    """An organisation asks another to take up a need. `recipient` sees all but the identity."""

    referral_id: UUID
    person_id: UUID
    recipient: Code
    area: Area
    requested_on: date
    answer_by: date
    language: Code
    age_band: AgeBand = AgeBand.UNKNOWN
    urgency: Urgency = Urgency.ROUTINE
    edition_id: UUID | None = None
    """The course edition asked for, from the directory, if it is one."""
    consent: Annotated[Consent | None, PERSONAL] = None
    identity: Annotated[Identity | None, PERSONAL] = None
    """Both are always there in the sender's log, and never travel."""


@dataclass(frozen=True, kw_only=True)
class ReferralCancelled:
    """The sender takes the request back before it was accepted."""

    referral_id: UUID
    recipient: Code
    on: date
    reason: CancellationReason


@dataclass(frozen=True, kw_only=True)
class IdentityDisclosed:
    """The recipient has accepted: who the person is, sealed for that organisation alone."""

    referral_id: UUID
    recipient: Code
    on: date
    identity: Annotated[Identity, DISCLOSED]


@dataclass(frozen=True, kw_only=True)
class AnswerReceived:
    """The sender's own record of what the recipient told; `told` is a state of the referral."""

    referral_id: UUID
    told: Code
    on: date
    reason: Code | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class ReferralReceived:
    """The recipient's own record that it was asked."""

    referral_id: UUID
    sender: Code
    area: Area
    requested_on: date
    answer_by: date
    language: Code
    age_band: AgeBand
    urgency: Urgency
    edition_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class CancellationReceived:
    """The recipient's own record that the sender took the request back."""

    referral_id: UUID
    on: date
    reason: CancellationReason


@dataclass(frozen=True, kw_only=True)
class ReferralAccepted:
    """The recipient takes the need up."""

    referral_id: UUID
    sender: Code
    on: date


@dataclass(frozen=True, kw_only=True)
class ReferralRejected:
    """The recipient declines, with a reason."""

    referral_id: UUID
    sender: Code
    on: date
    reason: RejectionReason
    explanation: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class IdentityReceived:
    """The recipient's own record of whom it will help."""

    referral_id: UUID
    identity: Annotated[Identity, PERSONAL]


@dataclass(frozen=True, kw_only=True)
class PlaceSought:
    """The referral desk of an organisation asks its own courses service for a place."""

    referral_id: UUID
    edition_id: UUID
    on: date
    language: Code
    age_band: AgeBand
    identity: Annotated[Identity, DISCLOSED]


@dataclass(frozen=True, kw_only=True)
class ReferralStarted:
    """The recipient has begun to help."""

    referral_id: UUID
    sender: Code
    on: date


@dataclass(frozen=True, kw_only=True)
class ReferralCompleted:
    """The recipient has done what was asked; the loop is closed."""

    referral_id: UUID
    sender: Code
    on: date
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class ReferralFailed:
    """What was asked could not be done; the loop is closed."""

    referral_id: UUID
    sender: Code
    on: date
    reason: FailureReason


TO_RECIPIENT = (Audience.RECIPIENT, Audience.REPORTING)

CONTRACTS = (
    Contract(
        event=ReferralRequested,
        type="referrals.referral_requested",
        audience=TO_RECIPIENT,
        recipient="recipient",
        subject="person_id",
    ),
    Contract(
        event=ReferralCancelled,
        type="referrals.referral_cancelled",
        audience=TO_RECIPIENT,
        recipient="recipient",
    ),
    Contract(
        event=IdentityDisclosed,
        type="referrals.identity_disclosed",
        audience=(Audience.RECIPIENT,),
        recipient="recipient",
    ),
    Contract(event=AnswerReceived, type="referrals.answer_received"),
    Contract(event=ReferralReceived, type="referrals.referral_received"),
    Contract(event=CancellationReceived, type="referrals.cancellation_received"),
    Contract(
        event=ReferralAccepted,
        type="referrals.referral_accepted",
        audience=TO_RECIPIENT,
        recipient="sender",
    ),
    Contract(
        event=ReferralRejected,
        type="referrals.referral_rejected",
        audience=TO_RECIPIENT,
        recipient="sender",
    ),
    Contract(event=IdentityReceived, type="referrals.identity_received"),
    Contract(event=PlaceSought, type="referrals.place_sought", audience=(Audience.OWN,)),
    Contract(
        event=ReferralStarted,
        type="referrals.referral_started",
        audience=TO_RECIPIENT,
        recipient="sender",
    ),
    Contract(
        event=ReferralCompleted,
        type="referrals.referral_completed",
        audience=TO_RECIPIENT,
        recipient="sender",
    ),
    Contract(
        event=ReferralFailed,
        type="referrals.referral_failed",
        audience=TO_RECIPIENT,
        recipient="sender",
    ),
)
