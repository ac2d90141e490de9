"""Messages that were changed on their way, one place after the other: none of them is believed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from togheter_shared.log import outbox
from togheter_shared.log.entry import decode, encode, hash_of
from togheter_shared.log.feed import number_pending
from togheter_shared.log.head import Head
from togheter_shared.log.inbox import Delivery, Receiver, Taken
from togheter_shared.log.store import Context, execute
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.sample import (
    NOTE,
    NOTES,
    WriteNote,
    open_box,
    seal,
    store_of,
)
from togheter_shared.testing.signing import SIGNER, verify

ME = Context(actor="test", correlation_id=uuid4())
ORIGIN, CHANNEL = "comune.notes", "to.ponte"


RECEIVER = Receiver("ponte", frozenset({CHANNEL, "reporting"}), NOTES.reads, open_box, verify)


@pytest.fixture
def origin(make_database: Callable[[], ServiceDatabase]) -> Iterator[psycopg.Connection]:
    with store_of(make_database()) as conn:
        for topic in ("a", "b"):
            note = uuid4()
            command = WriteNote(note_id=note, topic=topic, text="detto in confidenza")
            execute(conn, NOTES, NOTE, note, command, ME)
        number_pending(conn, NOTES.writes, "comune", "notes", seal)
        yield conn


@pytest.fixture
def other(make_database: Callable[[], ServiceDatabase]) -> Iterator[psycopg.Connection]:
    with store_of(make_database()) as conn:
        yield conn


def message(origin: psycopg.Connection, channel: str = CHANNEL, **limits: int) -> bytes:
    return outbox.runs(origin, channel, 0, **limits)[0].body(ORIGIN, SIGNER)


def take(conn: psycopg.Connection, raw: bytes, key: str = f"{ORIGIN}.{CHANNEL}") -> Taken:
    delivery = Delivery(routing_key=key, user=key.split(".")[0], body=raw)
    return RECEIVER.take(conn, delivery)


def nothing_was_taken(conn: psycopg.Connection) -> bool:
    counts = "select (select count(*) from inbox), (select count(*) from inbox_channel)"
    return conn.execute(counts).fetchone() == (0, 0)


def test_a_bit_that_flips_anywhere_in_a_message_is_noticed(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    good = message(origin)
    for offset in range(len(good)):
        bit = 1 << offset % 8
        flipped = good[:offset] + bytes([good[offset] ^ bit]) + good[offset + 1 :]
        assert take(other, flipped).quarantined is not None, (offset, bit)
    assert nothing_was_taken(other)
    assert take(other, good).stored == 2


def test_every_bit_of_a_signed_head_counts(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    good = message(origin)
    begin = good.rindex(b"\n") + 1
    for offset in range(begin, len(good)):
        for bit in range(8):
            flipped = good[:offset] + bytes([good[offset] ^ 1 << bit]) + good[offset + 1 :]
            assert take(other, flipped).quarantined is not None, (offset - begin, bit)
    assert nothing_was_taken(other)


def test_a_message_that_is_cut_anywhere_is_noticed(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    """Whole entries may be missing before the head: it still says how far the channel is."""
    good = message(origin)
    head_alone = good.rindex(b"\n") + 1
    shorter = {0, good.index(b"\n") + 1, head_alone}
    for length in range(len(good)):
        assert take(other, good[:length]).quarantined is not None, length
        if length not in shorter:
            assert take(other, good[length:]).quarantined is not None, length
    assert nothing_was_taken(other)
    second_alone = take(other, good[good.index(b"\n") + 1 :])
    assert (second_alone.stored, second_alone.ask_from) == (0, 1)
    assert take(other, good[head_alone:]).ask_from == 1
    assert take(other, good).stored == 2


def test_heads_and_entries_that_change_places_are_noticed(
    origin: psycopg.Connection, other: psycopg.Connection
) -> None:
    first, second, head = message(origin).split(b"\n")
    head_of_first = message(origin, limit=1).split(b"\n")[-1]
    *others, head_of_others = message(origin, "reporting").split(b"\n")
    swapped = {
        "entries in another order": [second, first, head],
        "the head of fewer": [first, second, head_of_first],
        "the head of more": [first, head],
        "the head of another channel": [first, second, head_of_others],
        "entries of another channel": [*others, head],
        "a message of another channel": [*others, head_of_others],
        "an entry twice": [first, first, second, head],
        "the head first": [head, first, second],
        "two heads": [first, second, head_of_first, head],
        "a missing entry": [second, head_of_first],
    }
    for name, lines in swapped.items():
        assert take(other, b"\n".join(lines)).quarantined is not None, name
    good = b"\n".join([first, second, head])
    for key in (f"scuola.notes.{CHANNEL}", f"comune.intake.{CHANNEL}", f"{ORIGIN}.reporting"):
        assert take(other, good, key).quarantined is not None, key
    assert nothing_was_taken(other)
    assert take(other, good).stored == 2


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**64, 10**30])
def test_a_number_that_no_feed_has_is_noticed_even_when_it_is_signed(
    origin: psycopg.Connection, other: psycopg.Connection, number: int
) -> None:
    """An origin that means harm signs what it likes, entries and heads."""
    line = message(origin).split(b"\n")[0]
    entry = decode(line)
    head = Head(
        origin=ORIGIN,
        channel=CHANNEL,
        epoch=entry.epoch,
        number=number,
        hash=hash_of(line),
        at=datetime.now(UTC),
    )
    numbered = encode(replace(entry, number=number))
    signed_entry = SIGNER.sign(replace(head, hash=hash_of(numbered)))
    for raw in (numbered + b"\n" + signed_entry, line + b"\n" + SIGNER.sign(head)):
        assert take(other, raw).quarantined is not None
    if number != 0:  # a channel in which nothing was told yet is at 0
        assert take(other, SIGNER.sign(head)).quarantined is not None
    assert nothing_was_taken(other)
    assert take(other, message(origin)).stored == 2
