"""Keys of persons on a real PostgreSQL: what is sealed, bound, rotated and destroyed."""

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from togheter_shared.decider import Rejected
from togheter_shared.log.store import Context, execute, load
from togheter_shared.privacy import persons
from togheter_shared.privacy.organisation import (
    VARIABLE,
    NotOpened,
    PrivacyKeyUnreadable,
    generate,
    read_keys,
)
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.sample import NOTE, NOTES, TABLES, NoteWritten, WriteNote

ME = Context(actor="test", correlation_id=uuid4())


@pytest.fixture
def owner(database: ServiceDatabase) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        conn.execute(TABLES)
        migrate(conn, ["togheter_shared.log"], database.name)
        yield conn


@pytest.fixture
def conn(owner: psycopg.Connection, database: ServiceDatabase) -> Iterator[psycopg.Connection]:
    persons.forget_cached()
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield connection


def write(conn: psycopg.Connection, text: str = "segreto") -> UUID:
    note = uuid4()
    execute(conn, NOTES, NOTE, note, WriteNote(note_id=note, author="Àïşa", text=text), ME)
    return note


def read(conn: psycopg.Connection, note: UUID) -> NoteWritten:
    found: NoteWritten = load(conn, NOTES.writes, note)[0][0]
    return found


def test_a_box_does_not_open_in_the_place_of_another_event(
    conn: psycopg.Connection, owner: psycopg.Connection
) -> None:
    note = write(conn)
    execute(conn, NOTES, NOTE, note, WriteNote(note_id=note, text="altro"), ME)
    owner.execute(
        "update event_log set personal = (select personal from event_log where stream_version = 2)"
        " where stream_version = 1"
    )
    with pytest.raises(NotOpened):
        read(conn, note)


def test_a_box_does_not_open_for_another_person(
    conn: psycopg.Connection, owner: psycopg.Connection
) -> None:
    one, two = write(conn), write(conn)
    owner.execute("update event_log set subject_id = %s where subject_id = %s", [two, one])
    with pytest.raises(NotOpened):
        read(conn, one)


def test_a_flipped_bit_anywhere_in_a_box_is_noticed(
    conn: psycopg.Connection, owner: psycopg.Connection
) -> None:
    note = write(conn)
    (box,) = owner.execute("select personal from event_log").fetchone() or (b"",)
    for place in range(len(box)):
        spoilt = bytes([*box[:place], box[place] ^ 1, *box[place + 1 :]])
        owner.execute("update event_log set personal = %s", [spoilt])
        with pytest.raises(NotOpened):
            read(conn, note)


def test_a_key_of_a_command_that_was_rolled_back_is_not_used_again(
    conn: psycopg.Connection,
) -> None:
    note = uuid4()
    with pytest.raises(RuntimeError), conn.transaction():
        persons.keys_for(conn, [note])
        raise RuntimeError
    execute(conn, NOTES, NOTE, note, WriteNote(note_id=note, text="segreto"), ME)
    persons.forget_cached()
    assert read(conn, note).text == "segreto"


def test_two_who_seal_for_a_new_person_at_once_use_one_key(
    conn: psycopg.Connection, database: ServiceDatabase
) -> None:
    subject, keys = uuid4(), []

    def make() -> None:
        with psycopg.connect(database.url, autocommit=True) as mine, mine.transaction():
            barrier.wait(timeout=10)
            keys.append(persons.keys_for(mine, [subject])[subject])

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(keys) == 8
    box = persons.box(keys[0], b"here", b"segreto")
    assert {persons.unbox(key, b"here", box) for key in keys} == {b"segreto"}


def test_a_key_that_is_lost_is_not_taken_for_one_that_was_destroyed(
    conn: psycopg.Connection, owner: psycopg.Connection
) -> None:
    note = write(conn)
    owner.execute("delete from subject_key")
    with pytest.raises(NotOpened):
        read(conn, note)


def test_after_its_key_is_destroyed_a_stream_loads_without_what_was_sealed(
    conn: psycopg.Connection,
) -> None:
    note, other = write(conn), write(conn)
    assert read(conn, note).text == "segreto"  # its key is remembered from here
    assert persons.destroy(conn, note)
    assert (read(conn, note).text, read(conn, note).number) == ("", 1)
    assert read(conn, other).text == "segreto"
    with pytest.raises(Rejected) as refused:
        execute(conn, NOTES, NOTE, note, WriteNote(note_id=note, text="ancora"), ME)
    assert refused.value.code == "erased"
    assert not persons.destroy(conn, note)


def test_rotation_wraps_every_key_anew_and_touches_nothing_that_is_sealed(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, file = generate(), generate(), tmp_path / "privacy.key"
    monkeypatch.setenv(VARIABLE, f"file:{file}")
    file.write_text(old)
    notes = [write(conn, f"segreto {number}") for number in range(7)]
    sealed = conn.execute("select personal from event_log order by position").fetchall()
    file.write_text(f"{new}\n{old}\n")
    assert list(persons.rotate(conn, batch=3)) == [3, 6, 7]
    assert list(persons.rotate(conn, batch=3)) == []
    file.write_text(new)
    persons.forget_cached()
    assert [read(conn, note).text for note in notes] == [f"segreto {n}" for n in range(7)]
    assert sealed == conn.execute("select personal from event_log order by position").fetchall()
    file.write_text(old)  # and with the old key alone nothing opens
    persons.forget_cached()
    with pytest.raises(NotOpened):
        read(conn, notes[0])


def test_a_process_that_knows_the_old_key_alone_learns_the_new_one(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, file = generate(), generate(), tmp_path / "privacy.key"
    monkeypatch.setenv(VARIABLE, f"file:{file}")
    file.write_text(old)
    note = write(conn)
    file.write_text(f"{new}\n{old}\n")
    list(persons.rotate(conn))
    assert read(conn, note).text == "segreto"


def test_keys_that_were_read_stay_in_use_while_their_file_is_away(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "privacy.key"
    monkeypatch.setenv(VARIABLE, f"file:{file}")
    file.write_text(generate())
    note = write(conn)
    file.unlink()
    monkeypatch.setattr(persons, "READ_AGAIN_SECONDS", 0.0)
    persons._cache.clear()
    assert read(conn, note).text == "segreto"
    assert read(conn, write(conn, "altro")).text == "altro"
    persons.forget_cached()  # as in a process that starts now
    with pytest.raises(PrivacyKeyUnreadable):
        read(conn, note)


def test_the_cache_is_bounded(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "MOST_CACHED", 3)
    for _ in range(5):
        read(conn, write(conn))
    assert len(persons._cache._keys) == 3


@pytest.mark.parametrize(
    "source",
    [
        "",
        "file:",
        "file:/nowhere",
        "env:NOT_SET_ANYWHERE",
        "command:false",
        "command:echo c2hvcnQ=",
    ],
)
def test_a_key_that_cannot_be_read_is_said_and_never_shown(source: str) -> None:
    with pytest.raises(PrivacyKeyUnreadable) as refused:
        read_keys(source)
    assert "c2hvcnQ" not in str(refused.value)


def test_a_key_comes_from_a_file_the_environment_or_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, file = generate(), tmp_path / "key"
    file.write_text(f"{key}\n")
    monkeypatch.setenv("SOME_KEY", key)
    sources = (f"file:{file}", "env:SOME_KEY", f"command:cat {file}")
    assert len({read_keys(source).current for source in sources}) == 1
