"""Cases: a person whom the organisation follows, with needs, vulnerabilities, plan and goals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import assert_never
from uuid import UUID, uuid5

from togheter_intake.case_commands import (
    AgreePlan,
    AssignCaseworker,
    CloseCase,
    Command,
    FlagVulnerability,
    HoldInterview,
    LiftVulnerability,
    OpenCase,
    RecordNeeds,
    ReopenCase,
    ResolveNeed,
    ResumeCase,
    ReviewGoal,
    SetGoal,
    SuspendCase,
)
from togheter_shared.contracts.intake import Area, CaseOpened, NeedRecorded
from togheter_shared.contracts.intake_cases import (
    CaseClosed,
    CaseReopened,
    CaseResumed,
    CaseSuspended,
    CaseworkerAssigned,
    GoalOutcome,
    GoalReviewed,
    GoalSet,
    InterviewHeld,
    NeedResolved,
    PlanAgreed,
    Vulnerability,
    VulnerabilityFlagged,
    VulnerabilityLifted,
)
from togheter_shared.decider import Decider, Rejected

_CASES = UUID("3f3a1c55-6a1e-5b0b-9d53-5b8a4f1f0c11")


def case_of(person_id: UUID) -> UUID:
    """The one case that an organisation can have for a person."""
    return uuid5(_CASES, person_id.hex)


class CaseState(StrEnum):
    """`reopened` is like `registered`: what was assessed before may not be so any more."""

    NONE = "none"
    REGISTERED = "registered"
    ASSESSED = "assessed"
    PLANNED = "planned"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    REOPENED = "reopened"


Event = (
    CaseOpened
    | InterviewHeld
    | NeedRecorded
    | NeedResolved
    | VulnerabilityFlagged
    | VulnerabilityLifted
    | CaseworkerAssigned
    | PlanAgreed
    | GoalSet
    | GoalReviewed
    | CaseSuspended
    | CaseResumed
    | CaseClosed
    | CaseReopened
)


# --- which command is possible in which state -----------------------------------------------------

_S = CaseState
_OPEN = {_S.REGISTERED, _S.ASSESSED, _S.PLANNED, _S.ACTIVE, _S.SUSPENDED, _S.REOPENED}
ALLOWED: Mapping[type, frozenset[CaseState]] = {
    OpenCase: frozenset({_S.NONE}),
    HoldInterview: frozenset(_OPEN | {_S.NONE}),
    RecordNeeds: frozenset(_S),
    ResolveNeed: frozenset(_OPEN),
    FlagVulnerability: frozenset(_OPEN | {_S.CLOSED}),
    LiftVulnerability: frozenset(_OPEN | {_S.CLOSED}),
    AssignCaseworker: frozenset(_OPEN),
    AgreePlan: frozenset({_S.ASSESSED, _S.PLANNED, _S.ACTIVE}),
    SetGoal: frozenset({_S.PLANNED, _S.ACTIVE}),
    ReviewGoal: frozenset({_S.ACTIVE}),
    SuspendCase: frozenset({_S.ACTIVE}),
    ResumeCase: frozenset({_S.SUSPENDED}),
    CloseCase: frozenset(_OPEN),
    ReopenCase: frozenset({_S.CLOSED}),
}
"""Every pair that is not here is refused with the sentence of `_WAY_OUT`."""

_WAY_OUT: Mapping[CaseState, str] = {
    _S.NONE: "La persona non è in carico: apri prima il caso.",
    _S.REGISTERED: "Il caso non è ancora valutato: registra prima un colloquio.",
    _S.ASSESSED: "Non c'è ancora un piano: concordalo prima con la persona.",
    _S.PLANNED: "Il piano non ha ancora obiettivi: fissane prima uno.",
    _S.ACTIVE: "Il caso è già attivo.",
    _S.SUSPENDED: "Il caso è sospeso: riprendilo prima.",
    _S.CLOSED: "Il caso è chiuso: riaprilo prima.",
    _S.REOPENED: "Il caso è stato riaperto: registra prima un nuovo colloquio.",
}


# --- state ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenNeed:
    need_id: UUID
    accesses: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class Goal:
    area: Area
    outcome: GoalOutcome = GoalOutcome.ONGOING


@dataclass(frozen=True)
class Case:
    """`needs` are the open ones by area; `stated` counts the needs of each area, open or not."""

    state: CaseState = CaseState.NONE
    needs: Mapping[Area, OpenNeed] = field(default_factory=dict)
    stated: Mapping[Area, int] = field(default_factory=dict)
    vulnerabilities: frozenset[Vulnerability] = frozenset()
    caseworker: str = ""
    plan_id: UUID | None = None
    goals: Mapping[UUID, Goal] = field(default_factory=dict)


def decide(state: Case, command: Command) -> list[Event]:
    """What happens, or `Rejected`. What changes nothing is no event."""
    if state.state not in ALLOWED[type(command)]:
        raise Rejected(_WAY_OUT[state.state], f"case_{state.state.value}")
    if command.on > command.today:
        raise Rejected("La data non è ancora venuta.", "date_in_future", "on")
    about = command.about
    match command:
        case OpenCase():
            return [CaseOpened(**about, door_id=command.door_id)]
        case HoldInterview():
            return _interview(state, command)
        case RecordNeeds():
            return _needs(state, command)
        case ResolveNeed():
            return _resolve(state, command)
        case FlagVulnerability():
            if command.vulnerability in state.vulnerabilities:
                return []
            flagged = command.vulnerability
            return [VulnerabilityFlagged(**about, vulnerability=flagged, note=command.note)]
        case LiftVulnerability():
            if command.vulnerability not in state.vulnerabilities:
                return []
            return [VulnerabilityLifted(**about, vulnerability=command.vulnerability)]
        case AssignCaseworker():
            if command.caseworker == state.caseworker:
                return []
            return [CaseworkerAssigned(**about, caseworker=command.caseworker)]
        case AgreePlan():
            _not_before(command.review_on, command.on, "review_on")
            plan = command.plan_id
            if plan == state.plan_id:
                return []
            text = command.text
            return [PlanAgreed(**about, plan_id=plan, review_on=command.review_on, text=text)]
        case SetGoal():
            return _goal(state, command)
        case ReviewGoal():
            return _review(state, command)
        case SuspendCase():
            return [CaseSuspended(**about, reason=command.reason, note=command.note)]
        case ResumeCase():
            return [CaseResumed(**about)]
        case CloseCase():
            reached = [goal.outcome is GoalOutcome.REACHED for goal in state.goals.values()]
            reason, note = command.reason, command.note
            goals, done = len(reached), sum(reached)
            return [CaseClosed(**about, reason=reason, note=note, goals=goals, reached=done)]
        case ReopenCase():
            return [CaseReopened(**about)]
        case _:
            assert_never(command)


def evolve(state: Case, event: Event) -> Case:
    match event:
        case CaseOpened():
            return replace(state, state=CaseState.REGISTERED)
        case InterviewHeld() if state.state in (CaseState.REGISTERED, CaseState.REOPENED):
            return replace(state, state=CaseState.ASSESSED)
        case NeedRecorded():
            known = state.needs.get(event.area)
            stated = state.stated.get(event.area, 0)
            if known is None:
                known, stated = OpenNeed(event.need_id), stated + 1
            if event.access_id is not None:
                known = replace(known, accesses=known.accesses | {event.access_id})
            return replace(
                state,
                needs={**state.needs, event.area: known},
                stated={**state.stated, event.area: stated},
            )
        case NeedResolved():
            left = {area: need for area, need in state.needs.items() if area is not event.area}
            return replace(state, needs=left)
        case VulnerabilityFlagged() if event.vulnerability is not None:
            return replace(state, vulnerabilities=state.vulnerabilities | {event.vulnerability})
        case VulnerabilityLifted() if event.vulnerability is not None:
            return replace(state, vulnerabilities=state.vulnerabilities - {event.vulnerability})
        case CaseworkerAssigned():
            return replace(state, caseworker=event.caseworker)
        case PlanAgreed():
            active = state.state is CaseState.ACTIVE and bool(state.goals)
            following = CaseState.ACTIVE if active else CaseState.PLANNED
            return replace(state, state=following, plan_id=event.plan_id)
        case GoalSet():
            goals = {**state.goals, event.goal_id: Goal(event.area)}
            return replace(state, state=CaseState.ACTIVE, goals=goals)
        case GoalReviewed():
            goals = {**state.goals, event.goal_id: Goal(event.area, event.outcome)}
            return replace(state, goals=goals)
        case CaseSuspended():
            return replace(state, state=CaseState.SUSPENDED)
        case CaseResumed():
            return replace(state, state=CaseState.ACTIVE)
        case CaseClosed():
            return replace(state, state=CaseState.CLOSED)
        case CaseReopened():
            return replace(state, state=CaseState.REOPENED, goals={}, plan_id=None)
    return state


CASE = Decider(kind="case", initial=Case(), decide=decide, evolve=evolve)


# --- rules ----------------------------------------------------------------------------------------


def _opened(state: Case, command: HoldInterview | RecordNeeds) -> list[Event]:
    if state.state is CaseState.NONE:
        return [CaseOpened(**command.about, door_id=command.door_id)]
    return [CaseReopened(**command.about)] if state.state is CaseState.CLOSED else []


def _interview(state: Case, command: HoldInterview) -> list[Event]:
    if command.minutes is not None and not 0 < command.minutes <= 24 * 60:
        raise Rejected("I minuti vanno da 1 a 1440.", "minutes_impossible", "minutes")
    held = InterviewHeld(
        **command.about,
        interview_id=command.interview_id,
        language=command.language,
        mediator=command.mediator,
        minutes=command.minutes,
        note=command.note,
    )
    return [*_opened(state, command), held]


def _needs(state: Case, command: RecordNeeds) -> list[Event]:
    if not command.areas:
        raise Rejected("Indica almeno un bisogno.", "no_needs", "areas")
    recorded: list[Event] = []
    for area in dict.fromkeys(command.areas):
        known = state.needs.get(area)
        if known and command.access_id is not None and command.access_id in known.accesses:
            continue
        ordinal = state.stated.get(area, 0) + 1
        recorded.append(
            NeedRecorded(
                **command.about,
                need_id=known.need_id if known else need_of(command.case_id, area, ordinal),
                area=area,
                access_id=command.access_id,
            )
        )
    return [*_opened(state, command), *recorded] if recorded else []


def need_of(case_id: UUID, area: Area, ordinal: int) -> UUID:
    """The id of the first, second … need that the person has in an area."""
    return uuid5(case_id, f"{area.value} {ordinal}")


def _resolve(state: Case, command: ResolveNeed) -> list[Event]:
    area = next((a for a, need in state.needs.items() if need.need_id == command.need_id), None)
    if area is None:
        raise Rejected("Questo bisogno non è aperto.", "need_unknown", "need_id")
    return [
        NeedResolved(
            **command.about,
            need_id=command.need_id,
            area=area,
            outcome=command.outcome,
            note=command.note,
        )
    ]


def _goal(state: Case, command: SetGoal) -> list[Event]:
    if not command.text.strip():
        raise Rejected("Scrivi l'obiettivo con le parole della persona.", "missing", "text")
    _not_before(command.due_on, command.on, "due_on")
    if command.goal_id in state.goals:
        return []
    assert state.plan_id is not None, "a case is planned by a plan"
    return [
        GoalSet(
            **command.about,
            plan_id=state.plan_id,
            goal_id=command.goal_id,
            area=command.area,
            due_on=command.due_on,
            text=command.text,
        )
    ]


def _review(state: Case, command: ReviewGoal) -> list[Event]:
    goal = state.goals.get(command.goal_id)
    if goal is None:
        raise Rejected("Questo obiettivo non è nel piano.", "goal_unknown", "goal_id")
    _not_before(command.next_review_on, command.on, "next_review_on")
    return [
        GoalReviewed(
            **command.about,
            goal_id=command.goal_id,
            area=goal.area,
            outcome=command.outcome,
            next_review_on=command.next_review_on,
            note=command.note,
        )
    ]


def _not_before(day: date | None, on: date, name: str) -> None:
    if day is not None and day < on:
        raise Rejected("Questa data viene prima del giorno di oggi.", "date_too_early", name)
