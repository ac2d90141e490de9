"""Somebody is forgotten: nothing of them is left in the database, and nobody else is touched."""

import json
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from togheter_intake.accesses import ACCESS, RecordAccess
from togheter_intake.cases import CASE, FlagVulnerability, OpenCase, case_of
from togheter_intake.cli import main
from togheter_intake.doors import DOOR, OpenDoor
from togheter_intake.identifiers import Identifier
from togheter_intake.matching import Identity
from togheter_intake.people import PERSON, RegisterPerson
from togheter_intake.recognition import find_people
from togheter_intake.search_index import SECRET, index_secret, record_hashes
from togheter_intake.service import SERVICE
from togheter_shared.contracts.intake import (
    AccessKind,
    Birth,
    BirthPrecision,
    Contact,
    IdentifierKind,
    PersonName,
)
from togheter_shared.contracts.intake_cases import Vulnerability
from togheter_shared.decider import Rejected
from togheter_shared.log.erase import UnknownSubject, erase_subject
from togheter_shared.log.store import Context, execute, load
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.servers import Postgres

TODAY = date(2026, 3, 2)
DAY: dict[str, Any] = {"on": TODAY, "today": TODAY}
ME = Context(actor="test", correlation_id=uuid4())
CANARIES = ("zqvgivenx", "zqvfamilyx", "زقفناتيف", "+393409998877", "STP9990001112223", "zqvnotex")


def register(conn: psycopg.Connection, door: UUID, words: tuple[str, ...]) -> UUID:
    given, family, native, phone, stp, note = words
    person, access = uuid4(), uuid4()
    execute(
        conn,
        SERVICE,
        PERSON,
        person,
        RegisterPerson(
            person_id=person,
            name=PersonName(given=given, family=family, native=native),
            birth=Birth(year=1994, month=5, day=17, precision=BirthPrecision.DAY),
            contact=Contact(phones=(phone,)),
            identifiers=(Identifier(IdentifierKind.STP, stp),),
            **DAY,
        ),
        ME,
    )
    visit = RecordAccess(
        access_id=access,
        door_id=door,
        kind=AccessKind.REQUEST,
        person_id=person,
        note=note,
        **DAY,
    )
    execute(conn, SERVICE, ACCESS, access, visit, ME)
    about: dict[str, Any] = {"case_id": case_of(person), "person_id": person}
    flag = FlagVulnerability(**about, **DAY, vulnerability=Vulnerability.VIOLENCE, note=note)
    for command in (OpenCase(**about, **DAY), flag):
        execute(conn, SERVICE, CASE, about["case_id"], command, ME)
    return person


@pytest.fixture
def people(conn: psycopg.Connection) -> tuple[UUID, UUID]:
    """Somebody who will be forgotten, and somebody who will not."""
    door = uuid4()
    execute(conn, SERVICE, DOOR, door, OpenDoor(door_id=door, name="Centro"), ME)
    others = ("Bianca", "Verdi", "", "+393401112233", "STP1112223334445", "resta")
    return register(conn, door, CANARIES), register(conn, door, others)


def rows(conn: psycopg.Connection) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    names = conn.execute(
        "select tablename from pg_tables where schemaname = 'public' order by 1"
    ).fetchall()
    found = {}
    for (name,) in names:
        query = sql.SQL("select t::text from {} t order by 1").format(sql.Identifier(name))
        found[name] = [row[0] for row in conn.execute(query).fetchall()]
    return found


def mentioned(found: dict[str, list[str]]) -> set[str]:
    text = "\n".join(line for lines in found.values() for line in lines)
    return {canary for canary in CANARIES if canary in text}


def test_nothing_of_the_person_is_left_and_nobody_else_is_touched(
    conn: psycopg.Connection, intake: ServiceDatabase, people: tuple[UUID, UUID]
) -> None:
    gone, stays = people
    before = rows(conn)
    assert mentioned(before)  # the tables of pages hold them in plain
    done = erase_subject(conn, SERVICE, gone, "officer")
    assert done.events >= 4
    after = rows(conn)
    assert mentioned(after) == set()
    assert not [row for row in after["vulnerability"] if str(gone) in row]
    for table, lines in before.items():
        untouched = [line for line in lines if str(gone) not in line]
        assert [line for line in untouched if line not in after[table]] == [], table
    assert after["stream"] == before["stream"] and after["pending"] == before["pending"]
    assert str(stays) in "".join(after["person"])


def test_the_files_of_the_database_hold_none_of_it_after_vacuum(
    conn: psycopg.Connection,
    intake: ServiceDatabase,
    postgres: Postgres,
    people: tuple[UUID, UUID],
) -> None:
    if postgres.folder is None:
        pytest.skip("the server is somebody else's: its files are not ours to read")
    with psycopg.connect(postgres.admin_url, autocommit=True, dbname=intake.name) as admin:
        (oid,) = admin.execute(
            "select oid from pg_database where datname = current_database()"
        ).fetchone() or (0,)
        folder = _base_of(postgres.folder) / str(oid)
        admin.execute("checkpoint")
        assert _in_files(folder)
        erase_subject(conn, SERVICE, people[0], "officer")
        admin.execute("vacuum full")
        admin.execute("checkpoint")
        assert _in_files(folder) == set()


def _base_of(folder: Path) -> Path:
    return next(folder.rglob("PG_VERSION")).parent / "base"


def _in_files(folder: Path) -> set[str]:
    found = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    return {canary for canary in CANARIES if canary.encode() in found}


def test_the_streams_of_who_was_forgotten_load_and_take_no_more_personal_data(
    conn: psycopg.Connection, people: tuple[UUID, UUID]
) -> None:
    gone = people[0]
    erase_subject(conn, SERVICE, gone, "officer")
    for stream in (gone, case_of(gone)):
        events, version = load(conn, SERVICE.writes, stream)
        assert len(events) == version > 0
    flag = FlagVulnerability(
        case_id=case_of(gone), person_id=gone, vulnerability=Vulnerability.OTHER, note="x", **DAY
    )
    with pytest.raises(Rejected) as refused:
        execute(conn, SERVICE, CASE, case_of(gone), flag, ME)
    assert refused.value.code == "erased"


def test_a_search_finds_those_who_stay_alone(
    conn: psycopg.Connection, people: tuple[UUID, UUID]
) -> None:
    gone, stays = people
    erase_subject(conn, SERVICE, gone, "officer")
    assert find_people(conn, Identity(given=CANARIES[0], family=CANARIES[1])) == []
    assert find_people(conn, Identity(given="Bianca", family="Verdi")) == [stays]


@pytest.mark.parametrize("unknown", [UUID(int=7), SECRET])
def test_an_id_that_is_nobody_s_gets_no_receipt_and_destroys_nothing(
    conn: psycopg.Connection, people: tuple[UUID, UUID], unknown: UUID
) -> None:
    before = rows(conn)
    with pytest.raises(UnknownSubject):
        erase_subject(conn, SERVICE, unknown, "officer")
    assert rows(conn) == before


def test_the_command_says_what_it_did_and_what_it_did_not(
    conn: psycopg.Connection,
    intake: ServiceDatabase,
    people: tuple[UUID, UUID],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    settings = {
        "TOGHETER_ORG": "ponte",
        "DATABASE_URL": intake.url,
        "AMQP_URL": "amqp://127.0.0.1:1/",
        "TOGHETER_NETWORK": str(tmp_path),
        "TOGHETER_KEYS": str(tmp_path),
        **PRIVACY,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["privacy", *words])
        return done.exit_code, done.output

    assert run("erase", str(people[0]))[0] == 2
    assert run("erase", str(uuid4()), "--yes")[0] == 1
    assert json.loads(run("erasures", "--json")[1]) == []
    code, said = run("erase", str(people[0]), "--yes")
    assert code == 0 and "disclosures were erased" in said and not mentioned({"said": [said]})
    [receipt] = json.loads(run("erasures", "--json")[1])
    assert receipt["subject_id"] == str(people[0])
    assert mentioned(rows(conn)) == set()


def test_asked_again_it_changes_no_receipt(
    conn: psycopg.Connection, people: tuple[UUID, UUID]
) -> None:
    erase_subject(conn, SERVICE, people[0], "officer")
    receipt = conn.execute("select * from erasure").fetchall()
    assert erase_subject(conn, SERVICE, people[0], "another").events == 0
    assert conn.execute("select * from erasure").fetchall() == receipt


def test_killed_before_its_end_nothing_is_erased(
    conn: psycopg.Connection, people: tuple[UUID, UUID]
) -> None:
    before = rows(conn)
    with pytest.raises(RuntimeError), conn.transaction():
        erase_subject(conn, SERVICE, people[0], "officer")
        raise RuntimeError
    assert rows(conn) == before


def test_the_service_s_role_erases_nothing_whose_key_still_lives(
    conn: psycopg.Connection, people: tuple[UUID, UUID]
) -> None:
    with pytest.raises(psycopg.errors.RaiseException):
        conn.execute("select erase_sealed(%s)", [people[0]])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("update event_log set personal = null")


def test_who_has_the_index_alone_can_try_no_name_on_it(
    conn: psycopg.Connection, people: tuple[UUID, UUID]
) -> None:
    identity = Identity(given="Bianca", family="Verdi")
    wanted = set(record_hashes(identity, index_secret(conn)))
    guessed = set(record_hashes(identity, b""))
    kept = {row[0] for row in conn.execute("select key from person_key").fetchall()}
    assert wanted & kept and not guessed & kept
