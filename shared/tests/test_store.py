"""The event store on a real PostgreSQL: one transaction, versions, receipts, append-only."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest

from togheter_shared.decider import Rejected
from togheter_shared.log.store import Conflict, Context, KeyReused, append, execute, load, transact
from togheter_shared.run.migrate import MigrationChanged, migrate
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.sample import NOTE, NOTES, TABLES, CloseNote, NoteWritten, WriteNote

ME = Context(actor="test", correlation_id=uuid4())


@pytest.fixture
def notes(database: ServiceDatabase) -> ServiceDatabase:
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        conn.execute(TABLES)
        migrate(conn, ["togheter_shared.log"], database.name)
    return database


@pytest.fixture
def conn(notes: ServiceDatabase) -> Iterator[psycopg.Connection]:
    with psycopg.connect(notes.url, autocommit=True) as connection:
        yield connection


def count(conn: psycopg.Connection, table: str) -> int:
    row = conn.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_command_leaves_its_event_its_view_and_its_pending_position(
    conn: psycopg.Connection,
) -> None:
    note = uuid4()
    execute(conn, NOTES, NOTE, note, WriteNote(note_id=note, author="Àïşa", text="segreto"), ME)
    events, version = load(conn, NOTES.writes, note)
    assert version == 1
    assert events == [
        NoteWritten(
            note_id=note, recipient="ponte", topic="t", number=1, author="Àïşa", text="segreto"
        )
    ]
    assert (count(conn, "note"), count(conn, "pending")) == (1, 1)


def test_personal_fields_are_stored_apart_from_open_ones_and_sealed(
    conn: psycopg.Connection,
) -> None:
    note = uuid4()
    execute(conn, NOTES, NOTE, note, WriteNote(note_id=note, author="Rossi", text="segreto"), ME)
    row = conn.execute("select open, personal, seal from event_log").fetchone()
    assert row is not None
    assert row[0] == {"note_id": str(note), "recipient": "ponte", "topic": "t", "number": 1}
    assert b"Rossi" not in row[1] and b"segreto" not in row[1] and row[2] == 1


def test_a_refused_command_changes_nothing(conn: psycopg.Connection) -> None:
    note = uuid4()
    execute(conn, NOTES, NOTE, note, CloseNote(note_id=note), ME)
    with pytest.raises(Rejected) as refused:
        execute(conn, NOTES, NOTE, note, WriteNote(note_id=note), ME, key="k")
    assert refused.value.code == "note_closed"
    assert (count(conn, "event_log"), count(conn, "command_receipt")) == (1, 0)


def test_a_view_that_fails_takes_the_event_with_it(conn: psycopg.Connection) -> None:
    note = uuid4()
    conn.execute("insert into note values (%s, 1, 'in the way')", [note])
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(conn, NOTES, NOTE, note, WriteNote(note_id=note), ME)
    assert (count(conn, "event_log"), count(conn, "pending"), count(conn, "stream")) == (0, 0, 0)


def test_the_same_key_has_one_effect_and_the_first_answer(conn: psycopg.Connection) -> None:
    note = uuid4()
    calls = []

    def work() -> dict[str, int]:
        calls.append(1)
        execute(conn, NOTES, NOTE, note, WriteNote(note_id=note), ME)
        return {"call": len(calls)}

    first = transact(conn, NOTES, work, key="k", request={"a": 1})
    again = transact(conn, NOTES, work, key="k", request={"a": 1})
    assert first == again == {"call": 1}
    assert count(conn, "event_log") == 1
    with pytest.raises(KeyReused):
        transact(conn, NOTES, work, key="k", request={"a": 2})


def test_append_after_another_version_is_a_conflict(conn: psycopg.Connection) -> None:
    note = uuid4()
    execute(conn, NOTES, NOTE, note, WriteNote(note_id=note), ME)
    late = NoteWritten(note_id=note, recipient="ponte", topic="t")
    for expected in (0, 2):
        with pytest.raises(Conflict):
            append(conn, NOTES.writes, "note", note, expected, [late], ME)


def test_commands_that_race_are_all_carried_out_and_numbered_without_a_gap(
    notes: ServiceDatabase,
) -> None:
    note = uuid4()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            with psycopg.connect(notes.url, autocommit=True) as own:
                for _ in range(10):
                    execute(own, NOTES, NOTE, note, WriteNote(note_id=note), ME)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(notes.url) as own:
        events, version = load(own, NOTES.writes, note)
    assert version == 40
    assert [event.number for event in events] == list(range(1, 41))


@pytest.mark.parametrize("table", ["event_log", "feed", "inbox"])
@pytest.mark.parametrize(
    "statement", ["delete from {}", "update {} set type = type", "truncate {}"]
)
def test_the_service_cannot_rewrite_history(
    conn: psycopg.Connection, table: str, statement: str
) -> None:
    text = statement.replace("type", "entry") if table == "feed" else statement
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(text.format(table))


def test_an_id_of_one_thing_is_not_taken_for_another(conn: psycopg.Connection) -> None:
    note = uuid4()
    execute(conn, NOTES, NOTE, note, WriteNote(note_id=note), ME)
    other = replace(NOTE, kind="letter")
    with pytest.raises(Rejected) as refused:
        execute(conn, NOTES, other, note, WriteNote(note_id=note), ME)
    assert refused.value.code == "wrong_kind"
    assert count(conn, "event_log") == 1


def test_migrating_twice_does_nothing_and_a_changed_migration_is_refused(
    notes: ServiceDatabase,
) -> None:
    with psycopg.connect(notes.owner_url, autocommit=True) as owner:
        assert migrate(owner, ["togheter_shared.log"], notes.name) == []
        owner.execute("update migration set checksum = 'other'")
        with pytest.raises(MigrationChanged, match="0001_kernel"):
            migrate(owner, ["togheter_shared.log"], notes.name)
