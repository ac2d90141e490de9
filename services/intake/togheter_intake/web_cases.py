"""The part of intake's interface for the work on a case: plan, goals, consents."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection

from togheter_intake import case_commands as commands
from togheter_intake import messages_cases as messages
from togheter_intake.case_file import case_file, consents
from togheter_intake.cases import CASE, Case, case_of
from togheter_intake.consents import CONSENTS, AnswerConsent, WithdrawConsent, consents_of
from togheter_intake.queries import age_today, person_exists
from togheter_intake.service import SERVICE
from togheter_intake.web_imports import READ, WRITE, ImportsWeb, new_id
from togheter_shared.log.store import handle, load
from togheter_shared.run.carry import context
from togheter_shared.run.http import NotFound, Request, api

PERSON_URL = "/api/v1/persons/<uuid:person_id>"
CASE_URL = f"{PERSON_URL}/case"


class CasesWeb(ImportsWeb):
    """Cases and consents over HTTP."""

    # the case

    @api(
        "GET",
        CASE_URL,
        scope=READ,
        summary="The case: interviews, needs, plan and goals",
        answer=messages.CaseAnswer,
    )
    def read_case(self, request: Request) -> messages.CaseAnswer:
        with self.database.connection() as conn:
            found = case_file(conn, request.path["person_id"])
        if found is None:
            raise NotFound("case_unknown", "Questa persona non è in carico.")
        return found

    @api(
        "POST",
        CASE_URL,
        scope=WRITE,
        summary="Take the person in charge",
        body=messages.NewCase,
        answer=messages.CaseReference,
    )
    def open_case(self, request: Request) -> messages.CaseReference:
        return self._case(request, commands.OpenCase(**_day(request), door_id=request.body.door_id))

    @api(
        "POST",
        f"{CASE_URL}/interviews",
        scope=WRITE,
        summary="Record an interview; the first one assesses the case",
        body=messages.NewInterview,
        answer=messages.CaseReference,
        status=201,
    )
    def hold_interview(self, request: Request) -> messages.CaseReference:
        body: messages.NewInterview = request.body
        made = new_id(request)
        command = commands.HoldInterview(
            **_day(request),
            interview_id=made,
            door_id=body.door_id,
            language=body.language,
            mediator=body.mediator,
            minutes=body.minutes,
            note=body.note,
        )
        return self._case(request, command, made)

    @api(
        "POST",
        f"{CASE_URL}/needs/<uuid:need_id>/resolve",
        scope=WRITE,
        summary="Say how a need ended",
        body=messages.Resolution,
        answer=messages.CaseReference,
    )
    def resolve_need(self, request: Request) -> messages.CaseReference:
        body: messages.Resolution = request.body
        need_id = request.path["need_id"]
        command = commands.ResolveNeed(
            **_day(request), need_id=need_id, outcome=body.outcome, note=body.note
        )
        return self._case(request, command)

    @api(
        "POST",
        f"{CASE_URL}/vulnerabilities",
        scope=WRITE,
        summary="Note that the person needs particular protection",
        body=messages.NewVulnerability,
        answer=messages.CaseReference,
    )
    def flag_vulnerability(self, request: Request) -> messages.CaseReference:
        body: messages.NewVulnerability = request.body
        command = commands.FlagVulnerability(
            **_day(request), vulnerability=body.vulnerability, note=body.note
        )
        return self._case(request, command)

    @api(
        "POST",
        f"{CASE_URL}/vulnerabilities/lift",
        scope=WRITE,
        summary="Take back a vulnerability that is over, or was noted in error",
        body=messages.OldVulnerability,
        answer=messages.CaseReference,
    )
    def lift_vulnerability(self, request: Request) -> messages.CaseReference:
        kind = request.body.vulnerability
        return self._case(request, commands.LiftVulnerability(**_day(request), vulnerability=kind))

    @api(
        "POST",
        f"{CASE_URL}/caseworker",
        scope=WRITE,
        summary="Say who follows the person",
        body=messages.NewCaseworker,
        answer=messages.CaseReference,
    )
    def assign_caseworker(self, request: Request) -> messages.CaseReference:
        caseworker = request.body.caseworker
        return self._case(
            request, commands.AssignCaseworker(**_day(request), caseworker=caseworker)
        )

    @api(
        "POST",
        f"{CASE_URL}/plan",
        scope=WRITE,
        summary="Record the plan that was agreed with the person",
        body=messages.NewPlan,
        answer=messages.CaseReference,
        status=201,
    )
    def agree_plan(self, request: Request) -> messages.CaseReference:
        body: messages.NewPlan = request.body
        made = new_id(request)
        command = commands.AgreePlan(
            **_day(request), plan_id=made, text=body.text, review_on=body.review_on
        )
        return self._case(request, command, made)

    @api(
        "POST",
        f"{CASE_URL}/goals",
        scope=WRITE,
        summary="Set a goal of the plan, in the person's words",
        body=messages.NewGoal,
        answer=messages.CaseReference,
        status=201,
    )
    def set_goal(self, request: Request) -> messages.CaseReference:
        body: messages.NewGoal = request.body
        made = new_id(request)
        command = commands.SetGoal(
            **_day(request), goal_id=made, area=body.area, text=body.text, due_on=body.due_on
        )
        return self._case(request, command, made)

    @api(
        "POST",
        f"{CASE_URL}/goals/<uuid:goal_id>/review",
        scope=WRITE,
        summary="Review a goal with the person; the latest review holds",
        body=messages.Review,
        answer=messages.CaseReference,
    )
    def review_goal(self, request: Request) -> messages.CaseReference:
        body: messages.Review = request.body
        command = commands.ReviewGoal(
            **_day(request),
            goal_id=request.path["goal_id"],
            outcome=body.outcome,
            next_review_on=body.next_review_on,
            note=body.note,
        )
        return self._case(request, command)

    @api(
        "POST",
        f"{CASE_URL}/suspend",
        scope=WRITE,
        summary="Suspend an active case",
        body=messages.Suspension,
        answer=messages.CaseReference,
    )
    def suspend_case(self, request: Request) -> messages.CaseReference:
        body: messages.Suspension = request.body
        return self._case(
            request, commands.SuspendCase(**_day(request), reason=body.reason, note=body.note)
        )

    @api(
        "POST",
        f"{CASE_URL}/resume",
        scope=WRITE,
        summary="Go on with a suspended case",
        body=messages.Day,
        answer=messages.CaseReference,
    )
    def resume_case(self, request: Request) -> messages.CaseReference:
        return self._case(request, commands.ResumeCase(**_day(request)))

    @api(
        "POST",
        f"{CASE_URL}/close",
        scope=WRITE,
        summary="Close the case, with the reason",
        body=messages.Closure,
        answer=messages.CaseReference,
    )
    def close_case(self, request: Request) -> messages.CaseReference:
        body: messages.Closure = request.body
        return self._case(
            request, commands.CloseCase(**_day(request), reason=body.reason, note=body.note)
        )

    @api(
        "POST",
        f"{CASE_URL}/reopen",
        scope=WRITE,
        summary="Reopen a closed case",
        body=messages.Day,
        answer=messages.CaseReference,
    )
    def reopen_case(self, request: Request) -> messages.CaseReference:
        return self._case(request, commands.ReopenCase(**_day(request)))

    # consents

    @api(
        "GET",
        f"{PERSON_URL}/consents",
        scope=READ,
        summary="The answers that hold, one for each purpose",
        answer=messages.ConsentAnswer,
        many=True,
    )
    def list_consents(self, request: Request) -> list[messages.ConsentAnswer]:
        with self.database.connection() as conn:
            assert_known(conn, request.path["person_id"])
            return consents(conn, request.path["person_id"], date.today())

    @api(
        "POST",
        f"{PERSON_URL}/consents",
        scope=WRITE,
        summary="Record an answer to a consent; it supersedes the one before",
        body=messages.NewConsent,
        answer=messages.ConsentReference,
        status=201,
    )
    def answer_consent(self, request: Request) -> messages.ConsentReference:
        body: messages.NewConsent = request.body
        person_id, today = request.path["person_id"], date.today()
        made = new_id(request)

        def work(conn: Connection) -> messages.ConsentReference:
            assert_known(conn, person_id)
            command = AnswerConsent(
                person_id=person_id,
                consent_id=made,
                purpose=body.purpose,
                granted=body.granted,
                on=body.on or today,
                today=today,
                age=age_today(conn, person_id, today),
                text_version=body.text_version,
                text_hash=body.text_hash,
                language=body.language,
                mediator=body.mediator,
                recipients=body.recipients,
                categories=body.categories,
                given_by=body.given_by,
                guardian_id=body.guardian_id,
                valid_until=body.valid_until,
            )
            handle(conn, SERVICE, CONSENTS, consents_of(person_id), command, context(request))
            return messages.ConsentReference(
                person_id=person_id, purpose=body.purpose, granted=body.granted
            )

        return self.carry_out(request, messages.ConsentReference, work)

    @api(
        "POST",
        f"{PERSON_URL}/consents/withdraw",
        scope=WRITE,
        summary="Withdraw a consent: no reason is asked",
        body=messages.Withdrawal,
        answer=messages.ConsentReference,
    )
    def withdraw_consent(self, request: Request) -> messages.ConsentReference:
        person_id, purpose = request.path["person_id"], request.body.purpose
        today = date.today()
        command = WithdrawConsent(
            person_id=person_id, purpose=purpose, on=request.body.on or today, today=today
        )

        def work(conn: Connection) -> messages.ConsentReference:
            assert_known(conn, person_id)
            handle(conn, SERVICE, CONSENTS, consents_of(person_id), command, context(request))
            return messages.ConsentReference(person_id=person_id, purpose=purpose, granted=False)

        return self.carry_out(request, messages.ConsentReference, work)

    # what the methods share

    def _case(
        self, request: Request, command: commands.Command, made_id: UUID | None = None
    ) -> messages.CaseReference:
        case_id = command.case_id

        def work(conn: Connection) -> messages.CaseReference:
            assert_known(conn, command.person_id)
            handle(conn, SERVICE, CASE, case_id, command, context(request))
            events, _ = load(conn, SERVICE.writes, case_id)
            state: Case = CASE.fold(events)
            return messages.CaseReference(case_id=case_id, state=state.state, made_id=made_id)

        return self.carry_out(request, messages.CaseReference, work)


def assert_known(conn: Connection, person_id: UUID) -> None:
    """Raises `NotFound` when nobody of that id is registered."""
    if not person_exists(conn, person_id):
        raise NotFound("person_unknown", "Questa persona non è registrata.")


def said(request: Request) -> dict[str, Any]:
    """The person, the day on which it was said, and today."""
    today = date.today()
    return {"person_id": request.path["person_id"], "on": request.body.on or today, "today": today}


def _day(request: Request) -> dict[str, Any]:
    """The same, of the person's case."""
    return {"case_id": case_of(request.path["person_id"]), **said(request)}
