"""The daily command that passes places on which nobody answered for."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner

from togheter_courses import commands
from togheter_courses.cli import main
from togheter_courses.editions import EDITION
from togheter_courses.offers import expire
from togheter_courses.service import SERVICE
from togheter_shared.contracts.courses import Level
from togheter_shared.contracts.intake import PersonName
from togheter_shared.log.store import Context, execute
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY

DAY = date(2026, 3, 2)
ME = Context(actor="test", correlation_id=uuid4())


def edition_with_an_offer(conn: psycopg.Connection) -> list[UUID]:
    """One place, given back; it is offered to the second of three people."""
    edition_id = uuid4()
    people = [uuid4() for _ in range(3)]
    asked: list[commands.Command] = [
        commands.OpenEdition(
            edition_id=edition_id,
            title="Italiano A1",
            level=Level.A1,
            places=1,
            starts_on=DAY,
            ends_on=DAY,
        ),
        *(
            commands.RequestEnrolment(enrolment_id=who, on=DAY, name=PersonName(given="A"))
            for who in people
        ),
        commands.WithdrawEnrolment(enrolment_id=people[0], on=DAY),
    ]
    for command in asked:
        execute(conn, SERVICE, EDITION, edition_id, command, ME)
    return people


def states(conn: psycopg.Connection, people: list[UUID]) -> list[str]:
    rows = conn.execute("select enrolment_id, state from enrolment").fetchall()
    found: dict[UUID, str] = dict(rows)
    return [found[who] for who in people]


def test_offers_that_expired_go_to_the_next_in_every_edition(conn: psycopg.Connection) -> None:
    one, two = edition_with_an_offer(conn), edition_with_an_offer(conn)
    assert expire(conn, DAY + timedelta(days=3)) == 0
    assert states(conn, one) == ["withdrawn", "offered", "waitlisted"]
    assert expire(conn, DAY + timedelta(days=4)) == 2
    assert states(conn, one) == states(conn, two) == ["withdrawn", "withdrawn", "offered"]
    assert expire(conn, DAY + timedelta(days=4)) == 0


def test_the_command_takes_a_day(
    conn: psycopg.Connection,
    courses: ServiceDatabase,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
) -> None:
    people = edition_with_an_offer(conn)
    for name, value in {
        "TOGHETER_ORG": "scuola",
        "DATABASE_URL": courses.url,
        "AMQP_URL": "amqp://127.0.0.1:1/",
        "TOGHETER_NETWORK": str(pytestconfig.rootpath),
        "TOGHETER_KEYS": str(pytestconfig.rootpath),
        **PRIVACY,
    }.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["expire-offers", "--today", "2026-03-10"])
    assert (result.exit_code, result.output) == (0, "editions with expired offers: 1\n")
    assert states(conn, people) == ["withdrawn", "withdrawn", "offered"]
