"""The tables of the work on cases: states, goals and consents; texts stay in the event log."""

from datetime import date

from psycopg import Connection

from togheter_shared.contracts.intake_cases import (
    CaseClosed,
    CaseReopened,
    CaseResumed,
    CaseSuspended,
    CaseworkerAssigned,
    ConsentAnswered,
    ConsentWithdrawn,
    GoalReviewed,
    GoalSet,
    InterviewHeld,
    NeedResolved,
    PlanAgreed,
    Vulnerability,
    VulnerabilityFlagged,
    VulnerabilityLifted,
)
from togheter_shared.log.service import Recorded

PROTECTED = (Vulnerability.TRAFFICKING, Vulnerability.VIOLENCE, Vulnerability.TORTURE)
"""Who has one of these is in a protected case."""


def interview_held(conn: Connection, recorded: Recorded) -> None:
    event: InterviewHeld = recorded.event
    conn.execute(
        "update case_file set last_on = greatest(last_on, %(on)s),"
        " state = case when state in ('registered', 'reopened') then 'assessed' else state end"
        " where case_id = %(id)s",
        {"id": event.case_id, "on": event.on},
        prepare=True,
    )


def need_resolved(conn: Connection, recorded: Recorded) -> None:
    event: NeedResolved = recorded.event
    conn.execute(
        "update need set resolved_on = %s, outcome = %s where need_id = %s",
        [event.on, event.outcome.value, event.need_id],
        prepare=True,
    )


def vulnerability_flagged(conn: Connection, recorded: Recorded) -> None:
    event: VulnerabilityFlagged = recorded.event
    assert event.vulnerability is not None, "who records it says which"
    conn.execute(
        "insert into vulnerability (person_id, kind, flagged_on) values (%s, %s, %s)"
        " on conflict do nothing",
        [event.person_id, event.vulnerability.value, event.on],
    )
    _protect(conn, event)


def vulnerability_lifted(conn: Connection, recorded: Recorded) -> None:
    event: VulnerabilityLifted = recorded.event
    assert event.vulnerability is not None, "who records it says which"
    conn.execute(
        "delete from vulnerability where person_id = %s and kind = %s",
        [event.person_id, event.vulnerability.value],
    )
    _protect(conn, event)


def _protect(conn: Connection, event: VulnerabilityFlagged | VulnerabilityLifted) -> None:
    conn.execute(
        "update case_file set protected = exists (select from vulnerability v"
        " where v.person_id = %s and v.kind = any(%s)) where case_id = %s",
        [event.person_id, [kind.value for kind in PROTECTED], event.case_id],
    )


def caseworker_assigned(conn: Connection, recorded: Recorded) -> None:
    event: CaseworkerAssigned = recorded.event
    conn.execute(
        "update case_file set caseworker = %s where case_id = %s",
        [event.caseworker, event.case_id],
    )


def plan_agreed(conn: Connection, recorded: Recorded) -> None:
    event: PlanAgreed = recorded.event
    conn.execute(
        "update case_file set plan_id = %(plan)s, review_on = %(review)s,"
        " last_on = greatest(last_on, %(on)s),"
        " state = case when state = 'active' then state else 'planned' end"
        " where case_id = %(id)s",
        {
            "id": event.case_id,
            "plan": event.plan_id,
            "review": event.review_on,
            "on": event.on,
        },
    )


def goal_set(conn: Connection, recorded: Recorded) -> None:
    event: GoalSet = recorded.event
    conn.execute(
        "insert into goal (goal_id, case_id, person_id, area, set_on, due_on)"
        " values (%s, %s, %s, %s, %s, %s)",
        [
            event.goal_id,
            event.case_id,
            event.person_id,
            event.area.value,
            event.on,
            event.due_on,
        ],
    )
    _state(conn, event, "active")


def goal_reviewed(conn: Connection, recorded: Recorded) -> None:
    event: GoalReviewed = recorded.event
    conn.execute(
        "update goal set outcome = %s, reviewed_on = %s, next_review_on = %s where goal_id = %s",
        [event.outcome.value, event.on, event.next_review_on, event.goal_id],
    )
    conn.execute(
        "update case_file set last_on = greatest(last_on, %s) where case_id = %s",
        [event.on, event.case_id],
    )


def case_suspended(conn: Connection, recorded: Recorded) -> None:
    _state(conn, recorded.event, "suspended")


def case_resumed(conn: Connection, recorded: Recorded) -> None:
    _state(conn, recorded.event, "active")


def case_closed(conn: Connection, recorded: Recorded) -> None:
    _state(conn, recorded.event, "closed")


def case_reopened(conn: Connection, recorded: Recorded) -> None:
    event: CaseReopened = recorded.event
    _state(conn, event, "reopened")
    conn.execute("delete from goal where case_id = %s", [event.case_id])
    conn.execute(
        "update case_file set plan_id = null, review_on = null where case_id = %s", [event.case_id]
    )


def consent_answered(conn: Connection, recorded: Recorded) -> None:
    event: ConsentAnswered = recorded.event
    conn.execute(
        "insert into consent (person_id, purpose, consent_id, granted, answered_on, valid_until,"
        " recipients, text_version, language, given_by)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (person_id, purpose) do update set (consent_id, granted, answered_on,"
        " valid_until, recipients, text_version, language, given_by) = (excluded.consent_id,"
        " excluded.granted, excluded.answered_on, excluded.valid_until, excluded.recipients,"
        " excluded.text_version, excluded.language, excluded.given_by)",
        [
            event.person_id,
            event.purpose.value,
            event.consent_id,
            event.granted,
            event.on,
            event.valid_until,
            list(event.recipients),
            event.text_version,
            event.language,
            event.given_by.value,
        ],
    )


def consent_withdrawn(conn: Connection, recorded: Recorded) -> None:
    event: ConsentWithdrawn = recorded.event
    conn.execute(
        "update consent set granted = false, answered_on = %s, valid_until = null,"
        " recipients = '{}' where person_id = %s and purpose = %s",
        [event.on, event.person_id, event.purpose.value],
    )


def _state(
    conn: Connection,
    event: GoalSet | CaseSuspended | CaseResumed | CaseClosed | CaseReopened,
    state: str,
) -> None:
    on: date = event.on
    conn.execute(
        "update case_file set state = %s, last_on = greatest(last_on, %s) where case_id = %s",
        [state, on, event.case_id],
    )
