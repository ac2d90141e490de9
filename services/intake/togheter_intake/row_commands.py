"""One row of a register: the commands that it becomes, carried out in one transaction."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg import Connection

from togheter_intake.accesses import ACCESS, RecordAccess
from togheter_intake.case_commands import RecordNeeds
from togheter_intake.cases import CASE, case_of
from togheter_intake.known_doors import KnownDoors
from togheter_intake.mapping import Mapping
from togheter_intake.matching import Identity
from togheter_intake.people import PERSON, RegisterPerson, SuspectDuplicate, TakeStatement
from togheter_intake.problems import Problem
from togheter_intake.recognition import (
    MOST_SUSPICIONS,
    Candidate,
    differences,
    find_by_identifier,
    find_candidates,
)
from togheter_intake.register import RawRow
from togheter_intake.register_rows import RegisterRow, parse_row
from togheter_intake.rehearsal import Rehearsal
from togheter_intake.row_receipts import Receipts, receipt_key
from togheter_intake.rowkeys import GivenKey
from togheter_intake.service import SERVICE
from togheter_shared.contracts.intake import Contact, PersonName, SafeContact
from togheter_shared.decider import Rejected
from togheter_shared.log.store import Context, handle, transact

ROWS = UUID("8d6b6f0e-20f7-5f0b-9f0c-0f7a1d2a9b61")
"""The namespace of ids that come from a row: the same row always makes the same ones."""
RACES = 5
"""How often a row is tried when somebody else registers its identifier at the same moment."""


@dataclass(frozen=True)
class Outcome:
    """What one row led to: the codes of its warnings, and who it was."""

    person_id: UUID | None
    recognised: bool
    candidates: tuple[Candidate, ...]
    warnings: tuple[str, ...]

    @property
    def how(self) -> str:
        """What it counts as."""
        if self.person_id is None:
            return "anonymous"
        return "recognised" if self.recognised else "registered"


class Desk:
    """Takes rows one by one, as an operator would."""

    def __init__(
        self,
        conn: Connection,
        mapping: Mapping,
        context: Context,
        today: date,
        rehearsal: Rehearsal | None,
        receipts: Receipts,
    ) -> None:
        self.conn = conn
        self.mapping = mapping
        self.context = context
        self.today = today
        self.rehearsal = rehearsal
        self.receipts = receipts
        self.doors = KnownDoors(conn)
        self.taken: set[UUID] = set()
        """The accesses of this run."""

    def take(self, raw: RawRow) -> Outcome | list[Problem] | None:
        """What came of the row; its problems; None when another import took it meanwhile."""
        row = parse_row(raw, self.mapping, self.today)
        if isinstance(row, list):
            return row + self.doors.problems(raw, row)
        door_id = self.doors.find(row.door)
        if door_id is None:
            return [self.doors.unknown(raw, row.door)]
        for attempt in range(RACES):
            try:
                return self.record(raw, row, door_id)
            except Rejected as rejected:
                if rejected.code == "identifier_taken" and attempt < RACES - 1:
                    continue
                return [_problem(raw, rejected)]
        raise AssertionError("unreachable")

    def record(self, raw: RawRow, row: RegisterRow, door_id: UUID) -> Outcome | None:
        outcomes: list[Outcome] = []
        claim: tuple[str | None, bool] = (None, False)

        def work() -> dict[str, Any]:
            nonlocal claim
            outcomes.clear()
            claim = self.receipts.claim(raw) if isinstance(raw.key, GivenKey) else (None, False)
            if claim[1]:
                return {"run": self.receipts.run, "as": "known"}
            outcome = self.work(raw, row, door_id)
            outcomes.append(outcome)
            return {
                "run": self.receipts.run,
                "as": outcome.how,
                "suspected": len(outcome.candidates),
                "warnings": list(outcome.warnings),
            }

        key, request = receipt_key(raw.key), str(raw.key)
        if self.rehearsal is None:
            transact(self.conn, SERVICE, work, key=key, request=request)
        else:
            with self.conn.transaction() as transaction:
                transact(self.conn, SERVICE, work, key=key, request=request)
                raise psycopg.Rollback(transaction)
        self.receipts.claimed(raw, *claim)
        if not outcomes:
            return None
        self.taken.add(access_of(row))
        return self.rehearsed(row, outcomes[-1])

    def work(self, raw: RawRow, row: RegisterRow, door_id: UUID) -> Outcome:
        outcome = Outcome(None, False, (), tuple(warning.code for warning in row.warnings))
        if not row.anonymous:
            outcome = self.person(raw, row, door_id, outcome.warnings)
        if self.same_visit(row, door_id, outcome):
            outcome = replace(outcome, warnings=(*outcome.warnings, "same_visit_again"))
        access_id = access_of(row)
        access = RecordAccess(
            access_id=access_id,
            door_id=door_id,
            on=row.on,
            today=self.today,
            kind=row.kind,
            topics=row.needs,
            languages=row.languages,
            minutes=row.minutes,
            mediator=row.mediator,
            sex=row.sex,
            citizenships=row.citizenships,
            person_id=outcome.person_id,
            operator=row.operator,
            note=row.note or "",
        )
        handle(self.conn, SERVICE, ACCESS, access_id, access, self.context)
        if outcome.person_id is not None and row.needs:
            case_id = case_of(outcome.person_id)
            needs = RecordNeeds(
                case_id=case_id,
                person_id=outcome.person_id,
                areas=row.needs,
                on=row.on,
                today=self.today,
                door_id=door_id,
                access_id=access_id,
            )
            handle(self.conn, SERVICE, CASE, case_id, needs, self.context)
        return outcome

    def same_visit(self, row: RegisterRow, door_id: UUID, outcome: Outcome) -> bool:
        """Whether somebody of that identifier or name was at that door on that day already; rows
        of this run are not asked, for a register says when somebody came twice."""
        if outcome.person_id is None:
            return False
        name = row.name or PersonName()
        rows = self.conn.execute(
            "select a.access_id from access a join person p using (person_id)"
            " where a.door_id = %(door)s and a.on_day = %(day)s and (p.person_id = %(id)s or"
            " %(given)s || %(family)s <> '' and lower(p.given_name) = lower(%(given)s)"
            " and lower(p.family_name) = lower(%(family)s))",
            {
                "door": door_id,
                "day": row.on,
                "id": outcome.person_id,
                "given": name.given,
                "family": name.family,
            },
            prepare=True,
        ).fetchall()
        return any(found not in self.taken for (found,) in rows)

    def person(
        self, raw: RawRow, row: RegisterRow, door_id: UUID, warnings: tuple[str, ...]
    ) -> Outcome:
        """Recognised by identifier, and by nothing else; registered otherwise."""
        safe = row.safe_contact if raw.text("safe_contact").strip() else None
        known = find_by_identifier(self.conn, row.identifier) if row.identifier else None
        if known is not None:
            statement = TakeStatement(
                person_id=known.person_id,
                on=row.on,
                today=self.today,
                contact=Contact(phones=row.phones) if row.phones else None,
                safe=safe,
                title=row.title,
                title_expires=row.title_expires,
            )
            handle(self.conn, SERVICE, PERSON, known.person_id, statement, self.context)
            other = tuple(differences(known.identity, row.name, row.birth))
            return Outcome(known.person_id, True, (), warnings + other)
        candidates = find_candidates(self.conn, identity_of(row))
        person_id = uuid5(ROWS, f"person {row.key}")
        self.register(row, door_id, person_id, safe)
        for candidate in candidates:
            suspect = SuspectDuplicate(
                person_id=person_id,
                other_id=candidate.person_id,
                score=candidate.suspicion.score,
                reasons=candidate.suspicion.reasons,
            )
            handle(self.conn, SERVICE, PERSON, person_id, suspect, self.context)
        return Outcome(person_id, False, tuple(candidates), warnings)

    def register(
        self, row: RegisterRow, door_id: UUID, person_id: UUID, safe: SafeContact | None
    ) -> None:
        command = RegisterPerson(
            person_id=person_id,
            on=row.on,
            today=self.today,
            door_id=door_id,
            name=row.name or PersonName(),
            birth=row.birth,
            birth_country=row.birth_country,
            sex=row.sex,
            citizenships=row.citizenships,
            languages=row.languages,
            contact=Contact(phones=row.phones),
            identifiers=(row.identifier,) if row.identifier else (),
            safe=safe,
            title=row.title,
            title_expires=row.title_expires,
        )
        handle(self.conn, SERVICE, PERSON, person_id, command, self.context)

    def rehearsed(self, row: RegisterRow, outcome: Outcome) -> Outcome:
        """The outcome as it would be if the rows before this one had been taken in."""
        rehearsal = self.rehearsal
        if rehearsal is None or outcome.person_id is None or outcome.recognised:
            return outcome
        identity = identity_of(row)
        if row.identifier is not None and rehearsal.holds(row.identifier):
            known = rehearsal.holder(row.identifier)
            other = differences(known.identity, row.name, row.birth) if known else ()
            return Outcome(outcome.person_id, True, (), (*outcome.warnings, *other))
        more = rehearsal.candidates(identity)
        rehearsal.remember(outcome.person_id, identity, row.identifier)
        candidates = (*outcome.candidates, *more)[:MOST_SUSPICIONS]
        return replace(outcome, candidates=candidates)


def access_of(row: RegisterRow) -> UUID:
    """The id of the access that the row becomes."""
    return uuid5(ROWS, f"access {row.key}")


def identity_of(row: RegisterRow) -> Identity:
    """What is compared of the person of a row."""
    name = row.name or PersonName()
    return Identity(
        given=name.given,
        family=name.family,
        native=name.native,
        birth=row.birth,
        birth_country=row.birth_country,
        sex=row.sex,
        phones=row.phones,
    )


_FIELDS = {"on": "on", "minutes": "minutes", "birth": "birth", "name": "given", "areas": "needs"}
"""Field of a command → field of the mapping."""


def _problem(raw: RawRow, rejected: Rejected) -> Problem:
    field = _FIELDS.get(rejected.field or "", "identifier")
    return Problem(
        raw.layout.column(field), rejected.code, rejected.sentence, "correggi e importa di nuovo"
    )
