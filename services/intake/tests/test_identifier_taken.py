"""An identifier belongs to one person, and PostgreSQL's own log never holds it."""

from datetime import date
from uuid import uuid4

import psycopg
import pytest

from togheter_intake.identifiers import Identifier
from togheter_intake.people import PERSON, RegisterPerson
from togheter_intake.service import SERVICE
from togheter_shared.contracts.intake import IdentifierKind
from togheter_shared.decider import Rejected
from togheter_shared.log.store import Context, execute


def register(conn: psycopg.Connection, identifier: Identifier) -> None:
    today, context = date(2024, 5, 2), Context(actor="desk", correlation_id=uuid4())
    command = RegisterPerson(person_id=uuid4(), on=today, today=today, identifiers=(identifier,))
    execute(conn, SERVICE, PERSON, command.person_id, command, context)


def test_a_taken_identifier_is_refused_before_the_server_has_an_error_to_log(
    conn: psycopg.Connection,
) -> None:
    taken = Identifier(IdentifierKind.PASSPORT, "AB1234567")
    register(conn, taken)
    with pytest.raises(Rejected) as refused:
        register(conn, taken)
    assert refused.value.code == "identifier_taken"
    assert refused.value.__context__ is None, "an error of PostgreSQL, with the value in its log"
    count = conn.execute("select count(*) from event_log").fetchone()
    assert count == (2,), "the second registration left nothing"
