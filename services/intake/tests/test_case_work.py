"""The work on a case: every state with every command, and what each command leads to."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

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
from togheter_intake.cases import ALLOWED, CASE, CaseState, case_of, need_of
from togheter_shared.contracts.intake import Area, CaseOpened, NeedRecorded
from togheter_shared.contracts.intake_cases import (
    CaseClosed,
    CaseReopened,
    CaseResumed,
    CaseSuspended,
    CaseworkerAssigned,
    ClosureReason,
    GoalOutcome,
    GoalReviewed,
    GoalSet,
    InterviewHeld,
    NeedOutcome,
    NeedResolved,
    PlanAgreed,
    SuspensionReason,
    Vulnerability,
    VulnerabilityFlagged,
    VulnerabilityLifted,
)
from togheter_shared.testing.scenario import given

TODAY = date(2026, 3, 2)
TOMORROW = TODAY + timedelta(days=1)
PERSON = uuid4()
CASE_ID = case_of(PERSON)
PLAN, GOAL, INTERVIEW = uuid4(), uuid4(), uuid4()
WORK = need_of(CASE_ID, Area.WORK, 1)
ABOUT: dict[str, Any] = {"case_id": CASE_ID, "person_id": PERSON, "on": TODAY}
DAY: dict[str, Any] = {**ABOUT, "today": TODAY}

OPENED = CaseOpened(**ABOUT)
STATED = NeedRecorded(**ABOUT, need_id=WORK, area=Area.WORK)
LISTENED = InterviewHeld(**ABOUT, interview_id=INTERVIEW)
AGREED = PlanAgreed(**ABOUT, plan_id=PLAN)
AIMED = GoalSet(**ABOUT, plan_id=PLAN, goal_id=GOAL, area=Area.WORK, text="Un lavoro")
PAUSED = CaseSuspended(**ABOUT, reason=SuspensionReason.AWAY)
ENDED = CaseClosed(**ABOUT, reason=ClosureReason.MOVED_AWAY)
ACTIVE = (OPENED, STATED, LISTENED, AGREED, AIMED)

HISTORIES: dict[CaseState, tuple[Any, ...]] = {
    CaseState.NONE: (),
    CaseState.REGISTERED: (OPENED, STATED),
    CaseState.ASSESSED: (OPENED, STATED, LISTENED),
    CaseState.PLANNED: (OPENED, STATED, LISTENED, AGREED),
    CaseState.ACTIVE: ACTIVE,
    CaseState.SUSPENDED: (*ACTIVE, PAUSED),
    CaseState.CLOSED: (*ACTIVE, ENDED),
    CaseState.REOPENED: (*ACTIVE, ENDED, CaseReopened(**ABOUT)),
}
COMMANDS: dict[str, Command] = {
    "open": OpenCase(**DAY),
    "interview": HoldInterview(**DAY, interview_id=uuid4(), language="ar", mediator=True),
    "needs": RecordNeeds(**DAY, areas=(Area.LEGAL,)),
    "resolve": ResolveNeed(**DAY, need_id=WORK, outcome=NeedOutcome.MET),
    "flag": FlagVulnerability(**DAY, vulnerability=Vulnerability.TRAFFICKING),
    "lift": LiftVulnerability(**DAY, vulnerability=Vulnerability.TRAFFICKING),
    "assign": AssignCaseworker(**DAY, caseworker="anna"),
    "plan": AgreePlan(**DAY, plan_id=uuid4(), text="Insieme"),
    "goal": SetGoal(**DAY, goal_id=uuid4(), area=Area.WORK, text="Un tirocinio"),
    "review": ReviewGoal(**DAY, goal_id=GOAL, outcome=GoalOutcome.REACHED),
    "suspend": SuspendCase(**DAY, reason=SuspensionReason.AWAY),
    "resume": ResumeCase(**DAY),
    "close": CloseCase(**DAY, reason=ClosureReason.GOALS_REACHED),
    "reopen": ReopenCase(**DAY),
}

# Written by hand: a row a command; "a" is allowed, "." refused, in the order of CaseState.
TABLE = {
    #            none registered assessed planned active suspended closed reopened
    "open": "a.......",
    "interview": "aaaaaa.a",
    "needs": "aaaaaaaa",
    "resolve": ".aaaaa.a",
    "flag": ".aaaaaaa",
    "lift": ".aaaaaaa",
    "assign": ".aaaaa.a",
    "plan": "..aaa...",
    "goal": "...aa...",
    "review": "....a...",
    "suspend": "....a...",
    "resume": ".....a..",
    "close": ".aaaaa.a",
    "reopen": "......a.",
}
PAIRS = [(state, name) for state in CaseState for name in COMMANDS]


def test_the_histories_lead_where_they_say() -> None:
    assert {state: CASE.fold(past).state for state, past in HISTORIES.items()} == {
        state: state for state in CaseState
    }
    assert set(ALLOWED) == {type(command) for command in COMMANDS.values()}
    assert set(TABLE) == set(COMMANDS)


@pytest.mark.parametrize(("state", "name"), PAIRS, ids=lambda item: str(item))
def test_every_command_in_every_state_is_carried_out_or_refused_with_a_way_out(
    state: CaseState, name: str
) -> None:
    outcome = given(CASE, HISTORIES[state]).when(COMMANDS[name])
    if TABLE[name][list(CaseState).index(state)] == "a":
        assert outcome.rejected is None
    else:
        sentence = outcome.refused(f"case_{state.value}")
        assert sentence.endswith(".") and len(sentence) > 15


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_recorded_before_its_day(name: str) -> None:
    allowed = TABLE[name].index("a")
    past = HISTORIES[list(CaseState)[allowed]]
    late = replace(COMMANDS[name], on=TOMORROW)
    given(CASE, past).when(late).refused("date_in_future", "on")


def test_an_interview_opens_and_assesses_the_case() -> None:
    door = uuid4()
    command = HoldInterview(**DAY, interview_id=INTERVIEW, door_id=door, minutes=45, note="Parla.")
    held = InterviewHeld(**ABOUT, interview_id=INTERVIEW, minutes=45, note="Parla.")
    given(CASE).when(command).then([CaseOpened(**ABOUT, door_id=door), held])
    given(CASE).when(replace(command, minutes=0)).refused("minutes_impossible", "minutes")


def test_who_comes_back_with_a_need_reopens_the_case() -> None:
    legal = NeedRecorded(**ABOUT, need_id=need_of(CASE_ID, Area.LEGAL, 1), area=Area.LEGAL)
    past = HISTORIES[CaseState.CLOSED]
    given(CASE, past).when(COMMANDS["needs"]).then([CaseReopened(**ABOUT), legal])


def test_a_need_that_was_met_and_is_stated_again_is_another_need() -> None:
    met = NeedResolved(**ABOUT, need_id=WORK, area=Area.WORK, outcome=NeedOutcome.MET)
    past = (*HISTORIES[CaseState.ASSESSED], met)
    second = need_of(CASE_ID, Area.WORK, 2)
    again = RecordNeeds(**DAY, areas=(Area.WORK,))
    given(CASE, past).when(again).then([NeedRecorded(**ABOUT, need_id=second, area=Area.WORK)])
    given(CASE, past).when(COMMANDS["resolve"]).refused("need_unknown", "need_id")


def test_a_vulnerability_is_noted_once_and_can_be_lifted() -> None:
    flagged = VulnerabilityFlagged(**ABOUT, vulnerability=Vulnerability.TRAFFICKING)
    past = HISTORIES[CaseState.ACTIVE]
    given(CASE, past).when(COMMANDS["flag"]).then([flagged])
    given(CASE, (*past, flagged)).when(COMMANDS["flag"]).then()
    lifted = VulnerabilityLifted(**ABOUT, vulnerability=Vulnerability.TRAFFICKING)
    given(CASE, (*past, flagged)).when(COMMANDS["lift"]).then([lifted])
    given(CASE, (*past, flagged, lifted)).when(COMMANDS["lift"]).then()


def test_a_caseworker_is_assigned_once() -> None:
    assigned = CaseworkerAssigned(**ABOUT, caseworker="anna")
    past = HISTORIES[CaseState.REGISTERED]
    given(CASE, past).when(COMMANDS["assign"]).then([assigned])
    given(CASE, (*past, assigned)).when(COMMANDS["assign"]).then()


def test_a_new_plan_takes_the_place_of_the_old_and_the_case_stays_active() -> None:
    plan = uuid4()
    past = HISTORIES[CaseState.ACTIVE]
    agreed = PlanAgreed(**ABOUT, plan_id=plan, text="Insieme")
    given(CASE, past).when(AgreePlan(**DAY, plan_id=plan, text="Insieme")).then([agreed])
    assert CASE.fold((*past, agreed)).state is CaseState.ACTIVE
    early = AgreePlan(**DAY, plan_id=plan, review_on=TODAY - timedelta(days=1))
    given(CASE, past).when(early).refused("date_too_early", "review_on")


def test_a_goal_is_in_the_words_of_the_person_and_belongs_to_the_plan() -> None:
    goal: UUID = uuid4()
    past = HISTORIES[CaseState.PLANNED]
    command = SetGoal(**DAY, goal_id=goal, area=Area.HOUSING, text="Una stanza", due_on=TOMORROW)
    event = GoalSet(
        **ABOUT, plan_id=PLAN, goal_id=goal, area=Area.HOUSING, text="Una stanza", due_on=TOMORROW
    )
    given(CASE, past).when(command).then([event])
    given(CASE, past).when(replace(command, text=" ")).refused("missing", "text")
    early = replace(command, due_on=TODAY - timedelta(days=1))
    given(CASE, past).when(early).refused("date_too_early", "due_on")
    given(CASE, (*past, event)).when(command).then()


def test_the_goals_reached_are_counted_when_the_case_closes() -> None:
    reached = GoalReviewed(**ABOUT, goal_id=GOAL, area=Area.WORK, outcome=GoalOutcome.REACHED)
    other = GoalSet(**ABOUT, plan_id=PLAN, goal_id=uuid4(), area=Area.LEGAL, text="Permesso")
    past = (*ACTIVE, other)
    given(CASE, past).when(COMMANDS["review"]).then([reached])
    closed = CaseClosed(**ABOUT, reason=ClosureReason.GOALS_REACHED, goals=2, reached=1)
    given(CASE, (*past, reached)).when(COMMANDS["close"]).then([closed])
    unknown = ReviewGoal(**DAY, goal_id=uuid4(), outcome=GoalOutcome.REACHED)
    given(CASE, past).when(unknown).refused("goal_unknown", "goal_id")


def test_a_case_is_suspended_resumed_closed_and_reopened() -> None:
    given(CASE, ACTIVE).when(COMMANDS["suspend"]).then([PAUSED])
    given(CASE, (*ACTIVE, PAUSED)).when(COMMANDS["resume"]).then([CaseResumed(**ABOUT)])
    given(CASE, (*ACTIVE, ENDED)).when(COMMANDS["reopen"]).then([CaseReopened(**ABOUT)])
    reopened = CASE.fold((*ACTIVE, ENDED, CaseReopened(**ABOUT)))
    assert (reopened.plan_id, dict(reopened.goals)) == (None, {})
    assert list(reopened.needs) == [Area.WORK]
