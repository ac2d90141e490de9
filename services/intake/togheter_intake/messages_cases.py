"""What goes in and out of the interface about the work on a case: bodies, and answers."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from togheter_intake.cases import CaseState
from togheter_intake.messages import Country, GivenIdentifier, Language
from togheter_shared.contracts.fields import Code, LongText, ShortText
from togheter_shared.contracts.intake import Area, Birth, PersonName, Sex
from togheter_shared.contracts.intake_cases import (
    ClosureReason,
    ConsentGiver,
    ConsentPurpose,
    GoalOutcome,
    NeedOutcome,
    ProfileKind,
    Recognition,
    Relation,
    SuspensionReason,
    Vulnerability,
)

Sha256 = Annotated[str, validate.Regexp(r"[0-9a-f]{64}\Z")]
Filled = validate.Length(min=1)


# --- bodies: a date that is left out is today -----------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Day:
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class NewCase(Day):
    door_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class NewInterview(Day):
    """Somebody listened to the person; opens the case when there is none."""

    door_id: UUID | None = None
    language: Language | None = None
    mediator: bool | None = None
    minutes: int | None = None
    note: LongText = ""


@dataclass(frozen=True, kw_only=True)
class Resolution(Day):
    outcome: NeedOutcome
    note: LongText = ""


@dataclass(frozen=True, kw_only=True)
class NewVulnerability(Day):
    vulnerability: Vulnerability
    note: LongText = ""


@dataclass(frozen=True, kw_only=True)
class OldVulnerability(Day):
    vulnerability: Vulnerability


@dataclass(frozen=True, kw_only=True)
class NewCaseworker(Day):
    """The name of an account."""

    caseworker: Annotated[Code, Filled]


@dataclass(frozen=True, kw_only=True)
class NewPlan(Day):
    text: LongText = ""
    review_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class NewGoal(Day):
    """In the person's own words."""

    area: Area
    text: Annotated[LongText, Filled]
    due_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Review(Day):
    outcome: GoalOutcome
    next_review_on: date | None = None
    note: LongText = ""


@dataclass(frozen=True, kw_only=True)
class Suspension(Day):
    reason: SuspensionReason
    note: LongText = ""


@dataclass(frozen=True, kw_only=True)
class Closure(Day):
    reason: ClosureReason
    note: LongText = ""


@dataclass(frozen=True, kw_only=True)
class NewConsent(Day):
    """The answer to a text, by its version and the SHA-256 of its bytes."""

    purpose: ConsentPurpose
    granted: bool
    text_version: Code
    text_hash: Sha256
    language: Language
    mediator: bool = False
    recipients: tuple[Code, ...] = ()
    categories: tuple[Code, ...] = ()
    given_by: ConsentGiver = ConsentGiver.PERSON
    guardian_id: UUID | None = None
    valid_until: date | None = None


@dataclass(frozen=True, kw_only=True)
class Withdrawal(Day):
    purpose: ConsentPurpose


@dataclass(frozen=True, kw_only=True)
class NewItem(Day):
    """A skill, a study, a job or an aspiration."""

    kind: ProfileKind
    text: Annotated[LongText, Filled]
    where: ShortText = ""
    years: ShortText = ""
    recognition: Recognition = Recognition.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class NewMember(Day):
    """Somebody of the household, registered or only named."""

    relation: Relation
    other_id: UUID | None = None
    name: ShortText = ""
    birth_year: int | None = None


@dataclass(frozen=True, kw_only=True)
class Correction(Day):
    """All of the identity as it should have been; what is left out is not known."""

    name: PersonName = PersonName()
    birth: Birth = Birth()
    birth_country: Country | None = None
    sex: Sex = Sex.UNKNOWN
    citizenships: tuple[Country, ...] = ()
    languages: tuple[Language, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OldIdentifier:
    """An identifier that the person had."""

    identifier: GivenIdentifier


# --- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CaseReference:
    """The case after a command, and the id of what was made, if something was."""

    case_id: UUID
    state: CaseState
    made_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class InterviewAnswer:
    interview_id: UUID
    on: date
    language: str | None
    mediator: bool | None
    minutes: int | None
    note: str


@dataclass(frozen=True, kw_only=True)
class CaseNeedAnswer:
    """A need, open (`outcome` is null) or resolved."""

    need_id: UUID
    area: Area
    first_on: date
    stated: int
    resolved_on: date | None = None
    outcome: NeedOutcome | None = None


@dataclass(frozen=True, kw_only=True)
class GoalAnswer:
    goal_id: UUID
    area: Area
    text: str
    on: date
    due_on: date | None
    outcome: GoalOutcome
    reviewed_on: date | None = None
    next_review_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class CaseAnswer:
    """The case as it is: `plan` is its text, `goals` those of the plan that holds."""

    case_id: UUID
    person_id: UUID
    state: CaseState
    opened_on: date
    caseworker: str
    interviews: tuple[InterviewAnswer, ...]
    needs: tuple[CaseNeedAnswer, ...]
    vulnerabilities: tuple[Vulnerability, ...]
    plan: str
    agreed_on: date | None
    review_on: date | None
    goals: tuple[GoalAnswer, ...]


@dataclass(frozen=True, kw_only=True)
class ConsentReference:
    person_id: UUID
    purpose: ConsentPurpose
    granted: bool


@dataclass(frozen=True, kw_only=True)
class ConsentAnswer:
    """The answer that holds; `recipients` are those it names."""

    purpose: ConsentPurpose
    granted: bool
    holds: bool
    answered_on: date
    valid_until: date | None
    recipients: tuple[str, ...]
    text_version: str
    language: str
    given_by: ConsentGiver


@dataclass(frozen=True, kw_only=True)
class ItemReference:
    person_id: UUID
    item_id: UUID


@dataclass(frozen=True, kw_only=True)
class ItemAnswer:
    item_id: UUID
    kind: ProfileKind
    text: str
    where: str
    years: str
    recognition: Recognition
    on: date


@dataclass(frozen=True, kw_only=True)
class MemberAnswer:
    member_id: UUID
    relation: Relation
    other_id: UUID | None
    name: str
    birth_year: int | None


@dataclass(frozen=True, kw_only=True)
class ProfileAnswer:
    person_id: UUID
    items: tuple[ItemAnswer, ...]
    household: tuple[MemberAnswer, ...]
