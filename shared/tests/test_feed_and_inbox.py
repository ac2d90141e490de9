"""From the log to another service's inbox: numbers, chains, gaps, duplicates, hostility."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from togheter_shared.contracts.contract import registry
from togheter_shared.log import outbox
from togheter_shared.log.entry import BadEntry, Entry, decode, encode, hash_of
from togheter_shared.log.feed import number_pending
from togheter_shared.log.follow import follow, follow_up
from togheter_shared.log.head import Head, Signer
from togheter_shared.log.inbox import Delivery, Receiver, Taken
from togheter_shared.log.quarantine import discard, quarantined, resolve
from togheter_shared.log.service import Service
from togheter_shared.log.store import Context, execute, load
from togheter_shared.privacy.keys import generate_keys, key_id
from togheter_shared.run.state import state
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.sample import (
    CONTRACTS,
    NOTE,
    NOTES,
    NoteWritten,
    WriteNote,
    heard_view,
    keep,
    open_box,
    seal,
    store_of,
)
from togheter_shared.testing.signing import SIGNER, message, verify

ME = Context(actor="test", correlation_id=uuid4())


RECEIVER = Receiver("ponte", frozenset({"to.ponte"}), NOTES.reads, open_box, verify)


@pytest.fixture
def origin(make_database: Callable[[], ServiceDatabase]) -> Iterator[psycopg.Connection]:
    with store_of(make_database()) as conn:
        yield conn


@pytest.fixture
def other(make_database: Callable[[], ServiceDatabase]) -> Iterator[psycopg.Connection]:
    with store_of(make_database()) as conn:
        yield conn


def write(conn: psycopg.Connection, *topics: str, text: str = "") -> None:
    for topic in topics:
        note = uuid4()
        execute(conn, NOTES, NOTE, note, WriteNote(note_id=note, topic=topic, text=text), ME)


def number(conn: psycopg.Connection) -> int:
    return number_pending(conn, NOTES.writes, "comune", "notes", seal)


def deliver(conn: psycopg.Connection, body: bytes, **changes: Any) -> Taken:
    """Hand `body`, entries a line each, over in a message that its origin has signed."""
    key = changes.get("routing_key", "comune.notes.to.ponte")
    organisation, service, channel = key.split(".", 2)
    signed = message(f"{organisation}.{service}", channel, body)
    return take(conn, signed, **{"routing_key": key, "user": "comune", **changes})


def take(conn: psycopg.Connection, raw: bytes, **changes: Any) -> Taken:
    delivery = Delivery(routing_key="comune.notes.to.ponte", user="comune", body=raw)
    return RECEIVER.take(conn, replace(delivery, **changes))


def bodies(conn: psycopg.Connection, channel: str = "to.ponte") -> list[bytes]:
    """The entries of a channel, each as a message of its own."""
    return [line for run in outbox.runs(conn, channel, 0) for line in run.lines]


def topics(conn: psycopg.Connection) -> list[str]:
    rows = conn.execute("select data ->> 'topic' from inbox order by position").fetchall()
    return [row[0] for row in rows]


def test_entries_are_numbered_and_chained_in_each_channel(origin: psycopg.Connection) -> None:
    write(origin, "a", "b", "c")
    assert number(origin) == 3
    for channel in ("to.ponte", "reporting"):
        lines = bodies(origin, channel)
        entries = [decode(line) for line in lines]
        assert [entry.number for entry in entries] == [1, 2, 3]
        assert entries[0].previous == b""
        assert entries[1].previous == hash_of(lines[0])
        assert entries[2].previous == hash_of(lines[1])
        assert [encode(entry) for entry in entries] == lines


def test_a_personal_field_is_in_no_entry_and_a_disclosed_one_only_in_its_recipients_box(
    origin: psycopg.Connection,
) -> None:
    note = uuid4()
    command = WriteNote(note_id=note, author="Canarino", text="Segreto")
    execute(origin, NOTES, NOTE, note, command, ME)
    number(origin)
    everything = origin.execute("select channel, entry from feed").fetchall()
    assert all(b"Canarino" not in bytes(entry) for _, entry in everything)
    assert all(b"Segreto" not in bytes(entry) for _, entry in everything)
    boxes = {channel: decode(bytes(entry)).sealed for channel, entry in everything}
    assert boxes["reporting"] is None
    assert boxes["to.ponte"] == b'box:{"text":"Segreto"}'


def test_an_event_that_commits_late_is_numbered_late_and_never_skipped(
    origin: psycopg.Connection,
) -> None:
    """A reader that tails positions loses it: shown beside."""
    slow = psycopg.connect(origin.info.dsn, password=origin.info.password)
    naive_position, naive_saw = 0, 0

    def naive() -> None:
        nonlocal naive_position, naive_saw
        rows = origin.execute(
            "select position from event_log where position > %s order by position",
            [naive_position],
        ).fetchall()
        naive_saw += len(rows)
        naive_position = rows[-1][0] if rows else naive_position

    slow.execute("select 1")  # opens a transaction, which `write` joins
    write(slow, "late")  # its position is drawn, and its transaction stays open
    write(origin, "early")
    naive()
    assert number(origin) == 1
    slow.commit()
    slow.close()
    naive()
    assert number(origin) == 1
    assert [decode(line).data["topic"] for line in bodies(origin)] == ["early", "late"]
    assert naive_saw == 1, "the cure is not needed any more: tailing by position sees all"


def test_sixteen_writers_lose_nothing_and_invert_no_stream(origin: psycopg.Connection) -> None:
    dsn, password = origin.info.dsn, origin.info.password
    done = threading.Event()

    def writer() -> None:
        with psycopg.connect(dsn, password=password, autocommit=True) as conn:
            note = uuid4()
            for _ in range(25):
                execute(conn, NOTES, NOTE, note, WriteNote(note_id=note), ME)

    def sequencer() -> None:
        with psycopg.connect(dsn, password=password, autocommit=True) as conn:
            while number(conn) or not done.is_set():
                pass

    threads = [threading.Thread(target=writer) for _ in range(16)]
    tail = threading.Thread(target=sequencer)
    tail.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    tail.join()
    number(origin)
    entries = [decode(line) for line in bodies(origin)]
    assert [entry.number for entry in entries] == list(range(1, 401))
    versions: dict[UUID, int] = {}
    for entry in entries:
        assert entry.stream_version == versions.get(entry.stream_id, 0) + 1
        versions[entry.stream_id] = entry.stream_version


def test_what_is_delivered_is_stored_in_order_with_its_exact_bytes(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b", text="detto in confidenza")
    number(origin)
    run = outbox.runs(origin, "to.ponte", 0)[0]
    assert take(other, run.body("comune.notes", SIGNER)).stored == 2
    stored = other.execute("select entry from inbox order by position").fetchall()
    assert [bytes(row[0]) for row in stored] == bodies(origin)
    heads = [c.execute(q).fetchone() for c, q in (
        (origin, "select head_hash from feed_channel where channel = 'to.ponte'"),
        (other, "select head_hash from inbox_channel"),
    )]  # fmt: skip
    assert heads[0] == heads[1]


def test_a_repeat_is_counted_and_dropped_for_ever(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    """A confirm that timed out means that the message comes twice."""
    write(origin, "a", "b", "c")
    number(origin)
    body = b"\n".join(bodies(origin))
    assert deliver(other, body).stored == 3
    again = deliver(other, body)
    assert (again.stored, again.duplicates) == (0, 3)
    half = deliver(other, b"\n".join(bodies(origin)[1:]))
    assert (half.stored, half.duplicates) == (0, 2)
    assert topics(other) == ["a", "b", "c"]


def test_a_gap_is_asked_for_and_nothing_behind_it_is_taken(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b", "c")
    number(origin)
    first, second, third = bodies(origin)
    assert deliver(other, first).stored == 1
    behind = deliver(other, third)
    assert (behind.stored, behind.ask_from) == (0, 2)
    assert deliver(other, second + b"\n" + third).stored == 2
    assert topics(other) == ["a", "b", "c"]


def test_an_announced_head_shows_what_never_came(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a")
    number(origin)
    outbox.mark_published(origin, "to.ponte", 1)
    origin.execute("update feed_channel set announced_at = '-infinity'")
    heads = outbox.heads_to_announce(origin, "comune.notes", 60)
    told = SIGNER.sign(next(head for head in heads if head.channel == "to.ponte"))
    assert outbox.heads_to_announce(origin, "comune.notes", 60) == [], "it was told a moment ago"
    assert take(other, told).ask_from == 1
    deliver(other, bodies(origin)[0])
    assert take(other, told).ask_from is None


def test_the_last_signed_head_is_kept_as_a_proof(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b")
    number(origin)
    take(other, outbox.runs(origin, "to.ponte", 0)[0].body("comune.notes", SIGNER))
    row = other.execute(
        "select epoch, signed_number, head_hash, signed_key, signature, signed_at"
        " from inbox_channel"
    ).fetchone()
    assert row is not None
    head = Head(
        origin="comune.notes",
        channel="to.ponte",
        epoch=row[0],
        number=row[1],
        hash=bytes(row[2]),
        at=row[5],
    )
    assert head.number == 2
    assert verify("comune", row[3], bytes(row[4]), head.statement())


def test_an_announced_head_of_another_history_freezes_the_channel(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a")
    number(origin)
    deliver(other, bodies(origin)[0])
    epoch = decode(bodies(origin)[0]).epoch
    forged = Head(
        origin="comune.notes",
        channel="to.ponte",
        epoch=epoch,
        number=1,
        hash=hash_of(b"other"),
        at=datetime.now(UTC),
    )
    reason = "a head of another history than the one that was told"
    assert take(other, SIGNER.sign(forged)).quarantined == reason
    assert other.execute("select state from inbox_channel").fetchone() == ("frozen",)


def test_what_is_not_signed_by_its_origin_is_quarantined_and_changes_nothing(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b")
    number(origin)
    run = outbox.runs(origin, "to.ponte", 0)[0]
    thief = generate_keys()
    forger = Signer(key=SIGNER.key, private_key=thief["sign_private"])
    stranger = Signer(key=key_id(thief["sign_public"]), private_key=thief["sign_private"])
    good = run.body("comune.notes", SIGNER)
    first, second, trailer = good.split(b"\n")
    cases = {
        "a key that is not its own": run.body("comune.notes", forger),
        "a key that nobody knows": run.body("comune.notes", stranger),
        "signed for another service": run.body("comune.intake", SIGNER),
        "signed for another channel": replace(run, channel="reporting").body(
            "comune.notes", SIGNER
        ),
        "no signature": first + b"\n" + second,
        "the signature of more": first + b"\n" + trailer,
        "a changed entry": good.replace(b'"topic":"a"', b'"topic":"z"'),
        "a changed last entry": good.replace(b'"topic":"b"', b'"topic":"z"'),
        "a cut signature": good[:-9],
    }
    for name, raw in cases.items():
        taken = take(other, raw)
        assert taken.quarantined is not None and taken.stored == 0, name
    assert other.execute("select count(*) from inbox").fetchone() == (0,)
    assert take(other, good).stored == 2, "none of it stops the true history"


def test_a_number_with_other_bytes_freezes_the_channel(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b")
    number(origin)
    first, second = bodies(origin)
    deliver(other, first)
    forged = encode(replace(decode(first), stream_id=uuid4()))
    assert deliver(other, forged).quarantined == "a number with other bytes"
    after = other.execute("select state from inbox_channel").fetchone()
    assert after == ("frozen",)
    assert topics(other) == ["a"]
    assert deliver(other, b"\n".join([first, second])).stored == 1  # the true history still joins


def test_a_chain_that_does_not_join_is_not_taken(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b")
    number(origin)
    first, second = bodies(origin)
    deliver(other, first)
    broken = encode(replace(decode(second), previous=hash_of(b"another past")))
    assert deliver(other, broken).quarantined == "a chain that does not join"
    assert topics(other) == ["a"]


def test_an_event_that_breaks_its_contract_waits_and_its_channel_with_it(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b", "c")
    number(origin)
    first, second, third = bodies(origin)
    entry = decode(second)
    poison = encode(replace(entry, data={**entry.data, "number": "Rossi Mario"}))
    following = encode(replace(decode(third), previous=hash_of(poison)))
    taken = deliver(other, b"\n".join([first, poison, following]))
    assert (taken.stored, taken.quarantined) == (1, "does not keep its contract in: number")
    found = quarantined(other)
    assert [(item.origin, item.number) for item in found] == [("comune.notes", 2)]
    assert "Rossi" not in found[0].reason
    assert deliver(other, following).ask_from is None, "a channel that waits does not ask"
    assert resolve(other, found[0].id, "retried")
    assert deliver(other, b"\n".join([poison, following])).quarantined is not None
    assert [item.seen for item in quarantined(other)] == [2]
    assert discard(other, found[0].id, "the origin says it was a mistake")
    assert deliver(other, following).stored == 1
    assert topics(other) == ["a", "c"]


def sung(entry: Entry, **changes: Any) -> bytes:
    """An event of a type that only a later version of the sample service knows."""
    return encode(replace(entry, type="notes.note_sung", type_version=2, **changes))


def upgraded() -> Service:
    """The sample service of a later version: it reads notes that are sung like those written."""

    @dataclass(frozen=True, kw_only=True)
    class NoteSung(NoteWritten):
        pass

    contract = replace(CONTRACTS[0], event=NoteSung, type="notes.note_sung", version=2)
    return replace(
        NOTES,
        reads=registry((*CONTRACTS, contract)),
        inbox_views={**NOTES.inbox_views, NoteSung: heard_view},
        reactions={**NOTES.reactions, NoteSung: keep},
    )


def heard(conn: psycopg.Connection) -> list[str]:
    return [row[0] for row in conn.execute("select topic from heard order by topic")]


def test_an_unknown_type_is_stored_counted_and_read_after_the_upgrade(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b", text="detto in confidenza")
    number(origin)
    first, second = bodies(origin)
    future = sung(decode(first))
    known = encode(replace(decode(second), previous=hash_of(future)))
    assert deliver(other, future + b"\n" + known).stored == 2
    stored = other.execute("select entry from inbox order by position").fetchall()
    assert bytes(stored[0][0]) == future, "exactly as it came"
    assert follow(other, NOTES, "ponte", open_box) == 2
    assert follow_up(other, NOTES, "ponte", open_box) == 0, "nothing has changed"
    counted = state(other)
    assert (counted["of_unknown_types"], counted["against_contract"]) == (1, 0)
    assert heard(other) == ["b"], "the others are not held up"
    assert follow_up(other, upgraded(), "ponte", open_box) == 1
    assert heard(other) == ["a", "b"]
    assert state(other)["of_unknown_types"] == 0
    assert follow_up(other, upgraded(), "ponte", open_box) == 0, "once"
    kept = other.execute("select count(*) from event_log where type = 'notes.note_kept'")
    assert kept.fetchone() == (2,), "its reaction came too, with what was disclosed"


def test_a_service_that_projects_counts_what_it_does_not_know_until_the_upgrade(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b")
    number(origin)
    first, second = bodies(origin)
    future = sung(decode(first))
    known = encode(replace(decode(second), previous=hash_of(future)))
    deliver(other, future + b"\n" + known)
    windows: list[tuple[int, int]] = []
    projecting = replace(NOTES, project=lambda conn, after, upto: windows.append((after, upto)))
    assert follow(other, projecting, "ponte", open_box) == 2
    assert state(other)["of_unknown_types"] == 1
    later = replace(upgraded(), project=projecting.project)
    assert follow_up(other, later, "ponte", open_box) == 1
    assert state(other)["of_unknown_types"] == 0
    assert len(windows) == 1, "to fold it is the rebuild's work"


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": {"number": "Rossi Mario"}},
        {"sealed": b"broken", "sealed_for": "ponte"},
        {"data": {"note_id": str(uuid4()), "recipient": "scuola", "topic": "x"}},
    ],
)
@pytest.mark.parametrize("followed_before", [True, False])
def test_what_was_stored_unread_and_breaks_its_contract_is_counted_and_stops_nobody(
    origin: psycopg.Connection,
    other: psycopg.Connection,
    wrong: dict[str, Any],
    followed_before: bool,
) -> None:
    """Nobody can look into a type that they do not know: the upgrade must not believe it."""
    write(origin, "a", "b")
    number(origin)
    first, second = bodies(origin)
    poison = sung(decode(first), **wrong)
    known = encode(replace(decode(second), previous=hash_of(poison)))
    assert deliver(other, poison + b"\n" + known).stored == 2
    if followed_before:
        follow(other, NOTES, "ponte", open_box)
    follow_up(other, upgraded(), "ponte", open_box)
    follow(other, upgraded(), "ponte", open_box)
    assert heard(other) == ["b"]
    counted = state(other)
    assert (counted["of_unknown_types"], counted["against_contract"]) == (0, 1)
    assert not counted["healthy"]
    assert follow_up(other, upgraded(), "ponte", open_box) == 0


def test_other_origins_flow_while_one_waits(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a")
    number(origin)
    entry = decode(bodies(origin)[0])
    poison = encode(replace(entry, data={}))
    assert deliver(other, poison).quarantined is not None
    school = encode(replace(entry, organisation="scuola", event_id=uuid4()))
    taken = deliver(other, school, routing_key="scuola.notes.to.ponte", user="scuola")
    assert taken.stored == 1


def spoiled(line: bytes) -> list[tuple[str, bytes]]:
    entry = decode(line)
    text = line.decode()
    return [
        ("empty", b""),
        ("cut", line[:-5]),
        ("two documents", line + b"{}"),
        ("byte order mark", b"\xef\xbb\xbf" + line),
        ("not UTF-8", line.replace(b"comune", b"\xff\xfe", 1)),
        ("a key twice", text.replace("{", '{"id":"x",', 1).encode()),
        ("NaN", text.replace('"number":1', '"number":NaN').encode()),
        ("a huge number", text.replace('"number":1', '"number":' + "9" * 5000).encode()),
        ("deep", text.replace('"topic":"a"', '"topic":' + "[" * 50 + "]" * 50).encode()),
        ("very deep", b"[" * 100_000),
        ("unknown key", text.replace('"channel"', '"admin":"1","channel"').encode()),
        ("not canonical", text.replace(":", ": ", 1).encode()),
        ("number 0", encode(replace(entry, number=0))),
        ("negative", encode(replace(entry, number=-1))),
        ("2^63", encode(replace(entry, number=2**63))),
        ("other origin", encode(replace(entry, organisation="scuola"))),
        ("other channel", encode(replace(entry, channel="to.scuola"))),
        ("sealed for others", encode(replace(entry, sealed=b"box:{}", sealed_for="scuola"))),
        ("broken box", encode(replace(entry, sealed=b"bax", sealed_for="ponte"))),
        ("too long", b" " * (1_048_576 + 1)),
        ("a bool number", text.replace('"number":1', '"number":true').encode()),
        ("a lone surrogate", text.replace('"topic":"a"', '"topic":"\\ud800"').encode()),
        ("a NUL", text.replace('"topic":"a"', '"topic":"\\u0000"').encode()),
    ]


def test_whatever_is_sent_is_quarantined_and_changes_nothing(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a")
    number(origin)
    line = bodies(origin)[0]
    cases = spoiled(line)
    for name, body in cases:
        taken = deliver(other, body)
        assert taken.quarantined is not None and taken.stored == 0, name
    assert topics(other) == []
    assert len(quarantined(other)) == len(cases)
    other.execute("update inbox_channel set state = 'flowing'")  # the broken box made it wait
    assert deliver(other, line).stored == 1, "the true entry still gets in"


def test_a_flipped_bit_makes_another_entry_or_none(origin: psycopg.Connection) -> None:
    write(origin, "a")
    number(origin)
    line = bodies(origin)[0]
    for offset in range(len(line)):
        flipped = line[:offset] + bytes([line[offset] ^ 1]) + line[offset + 1 :]
        with suppress(BadEntry):
            assert encode(decode(flipped)) == flipped, "two ways to write one entry"
            assert decode(flipped) != decode(line), offset


def test_a_message_that_says_it_is_from_another_organisation_is_quarantined(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a")
    number(origin)
    taken = deliver(other, bodies(origin)[0], user="scuola")
    assert taken.quarantined == "sent by another organisation than its routing key says"
    taken = deliver(other, bodies(origin)[0], routing_key="comune.notes.reporting")
    assert taken.quarantined == "a channel that this service does not read"


def test_an_event_is_reacted_to_once_however_often_it_is_followed(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    write(origin, "a", "b", text="detto in confidenza")
    number(origin)
    deliver(other, b"\n".join(bodies(origin)))
    assert follow(other, NOTES, "ponte", open_box) == 2
    other.execute("update follower set position = 0")  # as after a crash before the mark
    other.execute("delete from heard")
    assert follow(other, NOTES, "ponte", open_box) == 2
    streams = other.execute("select stream_id from event_log order by position").fetchall()
    kept = [note.text for (id_,) in set(streams) for note in load(other, NOTES.writes, id_)[0]]
    assert kept == ["detto in confidenza"] * 2
    heard = other.execute("select topic from heard order by topic").fetchall()
    assert heard == [("a",), ("b",)]
