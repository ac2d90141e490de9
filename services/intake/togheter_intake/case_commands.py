"""What can be asked of a case: `on` is the day on which it was, `today` the last it can be."""

from dataclasses import dataclass
from datetime import date
from typing import TypedDict
from uuid import UUID

from togheter_shared.contracts.intake import Area
from togheter_shared.contracts.intake_cases import (
    ClosureReason,
    GoalOutcome,
    NeedOutcome,
    SuspensionReason,
    Vulnerability,
)


class About(TypedDict):
    """What every event of a case says."""

    case_id: UUID
    person_id: UUID
    on: date


@dataclass(frozen=True, kw_only=True)
class _OnCase:
    case_id: UUID
    person_id: UUID
    on: date
    today: date

    @property
    def about(self) -> About:
        return {"case_id": self.case_id, "person_id": self.person_id, "on": self.on}


@dataclass(frozen=True, kw_only=True)
class OpenCase(_OnCase):
    door_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class HoldInterview(_OnCase):
    """Opens the case when there is none: somebody was listened to."""

    interview_id: UUID
    door_id: UUID | None = None
    language: str | None = None
    mediator: bool | None = None
    minutes: int | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class RecordNeeds(_OnCase):
    """The person stated these needs, at an access if `access_id` is given. Opens the case when
    there is none, and reopens a closed one: who comes back is not sent away."""

    areas: tuple[Area, ...]
    door_id: UUID | None = None
    access_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ResolveNeed(_OnCase):
    need_id: UUID
    outcome: NeedOutcome
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class FlagVulnerability(_OnCase):
    vulnerability: Vulnerability
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class LiftVulnerability(_OnCase):
    vulnerability: Vulnerability


@dataclass(frozen=True, kw_only=True)
class AssignCaseworker(_OnCase):
    """`caseworker` is the name of an account."""

    caseworker: str


@dataclass(frozen=True, kw_only=True)
class AgreePlan(_OnCase):
    plan_id: UUID
    text: str = ""
    review_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class SetGoal(_OnCase):
    goal_id: UUID
    area: Area
    text: str
    due_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class ReviewGoal(_OnCase):
    goal_id: UUID
    outcome: GoalOutcome
    next_review_on: date | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class SuspendCase(_OnCase):
    reason: SuspensionReason
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ResumeCase(_OnCase):
    pass


@dataclass(frozen=True, kw_only=True)
class CloseCase(_OnCase):
    reason: ClosureReason
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReopenCase(_OnCase):
    pass


Command = (
    OpenCase
    | HoldInterview
    | RecordNeeds
    | ResolveNeed
    | FlagVulnerability
    | LiftVulnerability
    | AssignCaseworker
    | AgreePlan
    | SetGoal
    | ReviewGoal
    | SuspendCase
    | ResumeCase
    | CloseCase
    | ReopenCase
)
