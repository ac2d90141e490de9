"""What intake tells of the work with a person: case, plan, goals, consents, a profile."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from togheter_shared.contracts.contract import Audience, Contract
from togheter_shared.contracts.fields import PERSONAL, RESTRICTED, Code, LongText, ShortText
from togheter_shared.contracts.intake import Area


class NeedOutcome(StrEnum):
    """How a need ended. `met_elsewhere`: somebody else met it, and the person says so."""

    MET = "met"
    PARTLY_MET = "partly_met"
    MET_ELSEWHERE = "met_elsewhere"
    NOT_MET = "not_met"
    WITHDRAWN = "withdrawn"


class Vulnerability(StrEnum):
    """Why somebody needs particular protection."""

    TRAFFICKING = "trafficking"
    VIOLENCE = "violence"
    TORTURE = "torture"
    UNACCOMPANIED_MINOR = "unaccompanied_minor"
    DISABILITY = "disability"
    ILLNESS = "illness"
    PREGNANCY = "pregnancy"
    SINGLE_PARENT = "single_parent"
    ADDICTION = "addiction"
    OTHER = "other"


class GoalOutcome(StrEnum):
    REACHED = "reached"
    PARTLY_REACHED = "partly_reached"
    ONGOING = "ongoing"
    NOT_REACHED = "not_reached"
    DROPPED = "dropped"


class SuspensionReason(StrEnum):
    """Said in the open: an illness is a note, never a reason."""

    AWAY = "away"
    FAMILY = "family"
    UNREACHABLE = "unreachable"
    AT_REQUEST = "at_request"
    OTHER = "other"


class ClosureReason(StrEnum):
    GOALS_REACHED = "goals_reached"
    IN_CHARGE_ELSEWHERE = "in_charge_elsewhere"
    MOVED_AWAY = "moved_away"
    UNREACHABLE = "unreachable"
    AT_REQUEST = "at_request"
    DECEASED = "deceased"
    OTHER = "other"


class ConsentPurpose(StrEnum):
    """What a person may allow. `take_in_charge` is the work of the desk itself."""

    TAKE_IN_CHARGE = "take_in_charge"
    REFERRAL = "referral"
    SENSITIVE_DATA = "sensitive_data"
    CONTACT = "contact"
    STATISTICS = "statistics"


class ConsentGiver(StrEnum):
    PERSON = "person"
    GUARDIAN = "guardian"


class ProfileKind(StrEnum):
    SKILL = "skill"
    STUDY = "study"
    WORK = "work"
    ASPIRATION = "aspiration"


class Recognition(StrEnum):
    """Whether Italy recognises a skill, a study or a job done abroad."""

    RECOGNISED = "recognised"
    IN_PROGRESS = "in_progress"
    NOT_RECOGNISED = "not_recognised"
    UNKNOWN = "unknown"


class Relation(StrEnum):
    """What the other one is to the person."""

    CHILD = "child"
    PARENT = "parent"
    PARTNER = "partner"
    SIBLING = "sibling"
    GUARDIAN = "guardian"
    WARD = "ward"
    OTHER = "other"


# --- the case -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class InterviewHeld:
    """Somebody listened to the person; the first one assesses the case."""

    case_id: UUID
    person_id: UUID
    interview_id: UUID
    on: date
    language: Code | None = None
    mediator: bool | None = None
    minutes: int | None = None
    note: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class NeedResolved:
    """A need is not open any more; stated again later, it is another need."""

    case_id: UUID
    person_id: UUID
    need_id: UUID
    area: Area
    on: date
    outcome: NeedOutcome
    note: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class VulnerabilityFlagged:
    """Somebody noted that the person needs particular protection."""

    case_id: UUID
    person_id: UUID
    on: date
    vulnerability: Annotated[Vulnerability | None, RESTRICTED] = None
    note: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class VulnerabilityLifted:
    """A vulnerability was noted in error, or is over."""

    case_id: UUID
    person_id: UUID
    on: date
    vulnerability: Annotated[Vulnerability | None, RESTRICTED] = None


@dataclass(frozen=True, kw_only=True)
class CaseworkerAssigned:
    """Who follows the person from now on, as the name of an account."""

    case_id: UUID
    person_id: UUID
    on: date
    caseworker: Code


@dataclass(frozen=True, kw_only=True)
class PlanAgreed:
    """The person and the caseworker agreed on a plan; a newer one takes its place."""

    case_id: UUID
    person_id: UUID
    plan_id: UUID
    on: date
    review_on: date | None = None
    text: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class GoalSet:
    """What the plan works at; the first goal makes the case active."""

    case_id: UUID
    person_id: UUID
    plan_id: UUID
    goal_id: UUID
    area: Area
    on: date
    due_on: date | None = None
    text: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class GoalReviewed:
    """Person and caseworker looked at a goal; the latest review holds."""

    case_id: UUID
    person_id: UUID
    goal_id: UUID
    area: Area
    on: date
    outcome: GoalOutcome
    next_review_on: date | None = None
    note: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class CaseSuspended:
    case_id: UUID
    person_id: UUID
    on: date
    reason: SuspensionReason
    note: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class CaseResumed:
    case_id: UUID
    person_id: UUID
    on: date


@dataclass(frozen=True, kw_only=True)
class CaseClosed:
    """The organisation does not follow the person any more; `reached` counts goals of the plan."""

    case_id: UUID
    person_id: UUID
    on: date
    reason: ClosureReason
    goals: int = 0
    reached: int = 0
    note: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class CaseReopened:
    """The person came back; the case goes on from a new interview."""

    case_id: UUID
    person_id: UUID
    on: date


# --- consents -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ConsentAnswered:
    """What the person, or a guardian, answered to a text that was explained to them.

    The latest answer to a purpose holds. `text_hash` is the SHA-256 of the text in hexadecimal.
    """

    person_id: UUID
    consent_id: UUID
    purpose: ConsentPurpose
    granted: bool
    on: date
    recipients: tuple[Code, ...] = ()
    categories: tuple[Code, ...] = ()
    text_version: Code
    text_hash: Code
    language: Code
    mediator: bool = False
    given_by: ConsentGiver = ConsentGiver.PERSON
    guardian_id: UUID | None = None
    valid_until: date | None = None


@dataclass(frozen=True, kw_only=True)
class ConsentWithdrawn:
    """From this day on it does not hold; `recipients` are those who have to be told."""

    person_id: UUID
    consent_id: UUID
    purpose: ConsentPurpose
    on: date
    recipients: tuple[Code, ...] = ()


# --- the profile ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ProfileItemRecorded:
    """A skill, a study, a job or an aspiration; recorded again under its id, it is changed."""

    person_id: UUID
    item_id: UUID
    kind: ProfileKind
    on: date
    recognition: Recognition = Recognition.UNKNOWN
    text: Annotated[LongText, PERSONAL] = ""
    where: Annotated[ShortText, PERSONAL] = ""
    years: Annotated[ShortText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class ProfileItemRemoved:
    """It was entered in error."""

    person_id: UUID
    item_id: UUID
    on: date


@dataclass(frozen=True, kw_only=True)
class HouseholdMemberAdded:
    """Somebody who lives with the person or answers for them; registered or only named."""

    person_id: UUID
    member_id: UUID
    on: date
    relation: Relation
    other_id: Annotated[UUID | None, PERSONAL] = None
    birth_year: Annotated[int | None, PERSONAL] = None
    name: Annotated[ShortText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class HouseholdMemberRemoved:
    person_id: UUID
    member_id: UUID
    on: date


_TOLD: tuple[tuple[type, str], ...] = (
    (InterviewHeld, "intake.interview_held"),
    (NeedResolved, "intake.need_resolved"),
    (PlanAgreed, "intake.plan_agreed"),
    (GoalSet, "intake.goal_set"),
    (GoalReviewed, "intake.goal_reviewed"),
    (CaseSuspended, "intake.case_suspended"),
    (CaseResumed, "intake.case_resumed"),
    (CaseClosed, "intake.case_closed"),
    (CaseReopened, "intake.case_reopened"),
)
_KEPT: tuple[tuple[type, str], ...] = (
    (CaseworkerAssigned, "intake.caseworker_assigned"),
    (ProfileItemRecorded, "intake.profile_item_recorded"),
    (ProfileItemRemoved, "intake.profile_item_removed"),
    (HouseholdMemberAdded, "intake.household_member_added"),
    (HouseholdMemberRemoved, "intake.household_member_removed"),
)
_SEALED: tuple[tuple[type, str], ...] = (
    (VulnerabilityFlagged, "intake.vulnerability_flagged"),
    (VulnerabilityLifted, "intake.vulnerability_lifted"),
)
_OWN: tuple[tuple[type, str], ...] = (
    (ConsentAnswered, "intake.consent_answered"),
    (ConsentWithdrawn, "intake.consent_withdrawn"),
)

CONTRACTS = (
    *(
        Contract(event=event, type=name, audience=(Audience.REPORTING,), subject="person_id")
        for event, name in _TOLD
    ),
    *(
        Contract(
            event=event,
            type=name,
            audience=(Audience.REPORTING,),
            restricted_to=(Audience.REPORTING,),
            subject="person_id",
        )
        for event, name in _SEALED
    ),
    *(Contract(event=event, type=name, subject="person_id") for event, name in _KEPT),
    *(
        Contract(event=event, type=name, audience=(Audience.OWN,), subject="person_id")
        for event, name in _OWN
    ),
)
