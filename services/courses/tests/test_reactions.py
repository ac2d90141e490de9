"""A place sought by a referral desk: from its feed through the inbox, and the answer back."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from togheter_courses import queries
from togheter_courses.commands import CloseEdition, OpenEdition
from togheter_courses.editions import EDITION
from togheter_courses.messages import EnrolmentAnswer, EnrolmentFilter
from togheter_courses.reactions import enrolment_of
from togheter_courses.roster import Standing
from togheter_courses.service import SERVICE
from togheter_shared.contracts import referrals, strictjson
from togheter_shared.contracts.contract import registry
from togheter_shared.contracts.courses import Level
from togheter_shared.contracts.intake import PersonName
from togheter_shared.contracts.referrals import AgeBand, Identity, PlaceSought
from togheter_shared.log import outbox
from togheter_shared.log.entry import decode
from togheter_shared.log.feed import number_pending
from togheter_shared.log.follow import follow
from togheter_shared.log.inbox import Delivery, Receiver
from togheter_shared.log.store import Context, append, execute
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.signing import SIGNER, verify

DAY = date(2026, 3, 2)
ME = Context(actor="test", correlation_id=uuid4())
REFERRALS = registry(referrals.CONTRACTS)


def seal(recipient: str, event_id: UUID, contract: Any, part: dict[str, Any]) -> bytes:
    return b"box:" + strictjson.canonical(part)


def open_box(event_id: UUID, type_: str, box: bytes) -> dict[str, object]:
    return dict(strictjson.loads(box.removeprefix(b"box:")))


class Desk:
    """The referrals service of the school, as far as its log and feed go."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def seek(self, edition_id: UUID, birth_year: int | None = 1999) -> UUID:
        referral_id = uuid4()
        identity = Identity(name=PersonName(given="Segretissima"), birth_year=birth_year)
        event = PlaceSought(
            referral_id=referral_id,
            edition_id=edition_id,
            on=DAY,
            language="ar",
            age_band=AgeBand.FROM_18_TO_29,
            identity=identity,
        )
        append(self.conn, REFERRALS, "referral", referral_id, 0, [event], ME)
        number_pending(self.conn, REFERRALS, "scuola", "referrals", seal)
        return referral_id

    def deliver(self, to: psycopg.Connection) -> None:
        """All that the desk ever told the school, once more."""
        receiver = Receiver("scuola", frozenset({"to.scuola"}), SERVICE.reads, open_box, verify)
        for run in outbox.runs(self.conn, "to.scuola", 0):
            key, body = "scuola.referrals.to.scuola", run.body("scuola.referrals", SIGNER)
            taken = receiver.take(to, Delivery(routing_key=key, user="scuola", body=body))
            assert taken.quarantined is None
        while follow(to, SERVICE, "scuola", open_box):
            pass


@pytest.fixture
def desk(make_database: Callable[[], ServiceDatabase]) -> Iterator[Desk]:
    database = make_database()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        migrate(owner, ["togheter_shared.log"], database.name)
    with psycopg.connect(database.url, autocommit=True) as conn:
        yield Desk(conn)


def open_edition(conn: psycopg.Connection, places: int) -> UUID:
    edition_id = uuid4()
    command = OpenEdition(
        edition_id=edition_id,
        title="Italiano A1",
        level=Level.A1,
        places=places,
        starts_on=DAY,
        ends_on=DAY,
    )
    execute(conn, SERVICE, EDITION, edition_id, command, ME)
    return edition_id


def enrolments(conn: psycopg.Connection, edition_id: UUID) -> list[EnrolmentAnswer]:
    return queries.enrolments(conn, edition_id, EnrolmentFilter())


def told_to_the_desk(conn: psycopg.Connection) -> list[tuple[str, Any]]:
    number_pending(conn, SERVICE.writes, "scuola", "courses", seal)
    return [
        (entry.type, entry.data.get("referral_id"))
        for run in outbox.runs(conn, "to.scuola", 0)
        for entry in map(decode, run.lines)
    ]


def test_referrals_become_enrolments_once_and_the_desk_is_told(
    desk: Desk, conn: psycopg.Connection
) -> None:
    edition_id = open_edition(conn, places=1)
    first, second = desk.seek(edition_id), desk.seek(edition_id)
    for _ in range(3):
        desk.deliver(conn)
    found = enrolments(conn, edition_id)
    assert [(item.enrolment_id, item.referral_id, item.state) for item in found] == [
        (enrolment_of(first, edition_id), first, Standing.CONFIRMED),
        (enrolment_of(second, edition_id), second, Standing.WAITLISTED),
    ]
    assert (found[0].name.given, found[0].birth_year) == ("Segretissima", 1999)
    assert told_to_the_desk(conn) == [
        ("courses.enrolment_confirmed", str(first)),
        ("courses.enrolment_waitlisted", str(second)),
    ]
    entries = conn.execute("select entry from feed").fetchall()
    assert entries and not [row for row in entries if b"Segretissima" in bytes(row[0])]


def test_a_referral_to_a_closed_edition_is_answered(desk: Desk, conn: psycopg.Connection) -> None:
    edition_id = open_edition(conn, places=1)
    execute(conn, SERVICE, EDITION, edition_id, CloseEdition(on=DAY, codes=()), ME)
    referral_id = desk.seek(edition_id)
    desk.deliver(conn)
    assert told_to_the_desk(conn) == [("courses.enrolment_withdrawn", str(referral_id))]
    assert [item.reason for item in enrolments(conn, edition_id)] == ["edition_closed"]


def test_a_referral_that_cannot_be_helped_is_noted_and_those_behind_it_go_on(
    desk: Desk, conn: psycopg.Connection
) -> None:
    edition_id = open_edition(conn, places=2)
    desk.seek(uuid4())  # an edition that nobody opened
    desk.seek(edition_id, birth_year=1_000_000)  # a year that nobody was born in
    desk.seek(edition_id)
    desk.deliver(conn)
    assert [item.birth_year for item in enrolments(conn, edition_id)] == [None, 1999]
    refused = conn.execute("select code from refused_reaction").fetchall()
    assert refused == [("edition_unknown",)]
