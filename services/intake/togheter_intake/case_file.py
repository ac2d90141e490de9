"""A case, consents and a profile as they are, read from their streams: texts are nowhere else."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from togheter_intake.cases import CASE, Case, case_of
from togheter_intake.messages_cases import (
    CaseAnswer,
    CaseNeedAnswer,
    ConsentAnswer,
    GoalAnswer,
    InterviewAnswer,
    ItemAnswer,
    MemberAnswer,
    ProfileAnswer,
)
from togheter_intake.profiles import PROFILE, profile_of
from togheter_intake.service import SERVICE
from togheter_shared.contracts.intake import Area, CaseOpened, NeedRecorded
from togheter_shared.contracts.intake_cases import (
    CaseReopened,
    ConsentGiver,
    ConsentPurpose,
    GoalOutcome,
    GoalReviewed,
    GoalSet,
    InterviewHeld,
    NeedResolved,
    PlanAgreed,
)
from togheter_shared.log.store import load


@dataclass
class _Telling:
    """What a case's events say, in the order in which they came."""

    opened_on: date = date.min
    interviews: list[InterviewAnswer] = field(default_factory=list)
    needs: dict[UUID, CaseNeedAnswer] = field(default_factory=dict)
    plan: PlanAgreed | None = None
    goals: dict[UUID, GoalAnswer] = field(default_factory=dict)


def case_file(conn: Connection, person_id: UUID) -> CaseAnswer | None:
    """The person's case with its texts, or None when there is none."""
    case_id = case_of(person_id)
    events, _ = load(conn, SERVICE.writes, case_id, CASE.kind)
    if not events:
        return None
    state: Case = CASE.fold(events)
    told = _told(events)
    return CaseAnswer(
        case_id=case_id,
        person_id=person_id,
        state=state.state,
        opened_on=told.opened_on,
        caseworker=state.caseworker,
        interviews=tuple(told.interviews),
        needs=tuple(told.needs.values()),
        vulnerabilities=tuple(sorted(state.vulnerabilities)),
        plan=told.plan.text if told.plan else "",
        agreed_on=told.plan.on if told.plan else None,
        review_on=told.plan.review_on if told.plan else None,
        goals=tuple(told.goals.values()),
    )


def _told(events: Iterable[Any]) -> _Telling:
    told = _Telling()
    for event in events:
        match event:
            case CaseOpened():
                told.opened_on = event.on
            case InterviewHeld():
                told.interviews.append(_interview(event))
            case NeedRecorded():
                told.needs[event.need_id] = _stated(told.needs.get(event.need_id), event)
            case NeedResolved():
                need = told.needs[event.need_id]
                told.needs[event.need_id] = replace(
                    need, resolved_on=event.on, outcome=event.outcome
                )
            case PlanAgreed():
                told.plan = event
            case GoalSet():
                told.goals[event.goal_id] = _goal(event)
            case GoalReviewed():
                told.goals[event.goal_id] = replace(
                    told.goals[event.goal_id],
                    outcome=event.outcome,
                    reviewed_on=event.on,
                    next_review_on=event.next_review_on,
                )
            case CaseReopened():
                told.plan, told.goals = None, {}
    return told


def _interview(event: InterviewHeld) -> InterviewAnswer:
    return InterviewAnswer(
        interview_id=event.interview_id,
        on=event.on,
        language=event.language,
        mediator=event.mediator,
        minutes=event.minutes,
        note=event.note,
    )


def _stated(known: CaseNeedAnswer | None, event: NeedRecorded) -> CaseNeedAnswer:
    if known is None:
        return CaseNeedAnswer(
            need_id=event.need_id, area=Area(event.area), first_on=event.on, stated=1
        )
    return replace(known, stated=known.stated + 1, first_on=min(known.first_on, event.on))


def _goal(event: GoalSet) -> GoalAnswer:
    return GoalAnswer(
        goal_id=event.goal_id,
        area=event.area,
        text=event.text,
        on=event.on,
        due_on=event.due_on,
        outcome=GoalOutcome.ONGOING,
    )


def consents(conn: Connection, person_id: UUID, today: date) -> list[ConsentAnswer]:
    """The answers that hold, a purpose each; `holds` says whether they do so today."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "select purpose, granted, answered_on, valid_until, recipients, text_version,"
            " language, given_by, granted and answered_on <= %(today)s"
            " and coalesce(valid_until >= %(today)s, true) as holds"
            " from consent where person_id = %(id)s order by purpose",
            {"id": person_id, "today": today},
        ).fetchall()
    return [
        ConsentAnswer(
            **{
                **row,
                "purpose": ConsentPurpose(row["purpose"]),
                "given_by": ConsentGiver(row["given_by"]),
                "recipients": tuple(row["recipients"]),
            }
        )
        for row in rows
    ]


def profile(conn: Connection, person_id: UUID) -> ProfileAnswer:
    """What the person can do, has learned and wants, and the household."""
    events, _ = load(conn, SERVICE.writes, profile_of(person_id), PROFILE.kind)
    state = PROFILE.fold(events)
    return ProfileAnswer(
        person_id=person_id,
        items=tuple(
            ItemAnswer(
                item_id=item.item_id,
                kind=item.kind,
                text=item.text,
                where=item.where,
                years=item.years,
                recognition=item.recognition,
                on=item.on,
            )
            for item in state.items.values()
        ),
        household=tuple(
            MemberAnswer(
                member_id=one.member_id,
                relation=one.relation,
                other_id=one.other_id,
                name=one.name,
                birth_year=one.birth_year,
            )
            for one in state.members.values()
        ),
    )
