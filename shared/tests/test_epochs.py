"""A store that was restored from a backup: who notices, and how it goes on without a fork."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from togheter_shared.contracts import strictjson
from togheter_shared.log import epochs, head, outbox
from togheter_shared.log.feed import number_pending
from togheter_shared.log.follow import follow
from togheter_shared.log.inbox import Delivery, Receiver, Taken
from togheter_shared.log.store import Context, execute
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.sample import NOTE, NOTES, TABLES, WriteNote
from togheter_shared.testing.signing import SIGNER, verify

ME = Context(actor="test", correlation_id=uuid4())
ORIGIN, CHANNEL = "comune.notes", "to.ponte"


def seal(recipient: str, event_id: UUID, contract: Any, part: dict[str, Any]) -> bytes:
    return b"box:" + strictjson.canonical(part)


def open_box(event_id: UUID, type_: str, box: bytes) -> dict[str, object]:
    return dict(strictjson.loads(box[4:]))


RECEIVER = Receiver("ponte", frozenset({CHANNEL}), NOTES.reads, open_box, verify)


class Origin:
    """An organisation that tells, as its owner, who can restore a backup."""

    def __init__(self, database: ServiceDatabase) -> None:
        self.conn = psycopg.connect(database.owner_url, autocommit=True)
        self.conn.execute(TABLES)
        migrate(self.conn, ["togheter_shared.log"], database.name)

    def clone(self, database: ServiceDatabase) -> "Origin":
        """Another service that runs on a copy of the store, with the same name and keys."""
        twin = Origin(database)
        for name in ("event_log", "stream", "pending", "feed_channel", "feed_epoch", "feed"):
            twin.conn.execute(f"delete from {name}")
            with (
                self.conn.cursor().copy(f"copy {name} to stdout") as out,
                twin.conn.cursor().copy(f"copy {name} from stdin") as into,
            ):
                for block in out:
                    into.write(block)
        twin.conn.execute(
            "select setval(pg_get_serial_sequence('event_log', 'position'), max(position))"
            " from event_log"
        )
        return twin

    def write(self, *topics: str) -> None:
        for topic in topics:
            note = uuid4()
            execute(self.conn, NOTES, NOTE, note, WriteNote(note_id=note, topic=topic), ME)
        number_pending(self.conn, NOTES.writes, "comune", "notes", seal)

    @contextmanager
    def backup(self) -> Iterator[None]:
        """What happens within is lost afterwards, as when the store of before is restored."""
        names = ("event_log", "stream", "pending", "feed", "feed_channel", "feed_epoch")
        for name in names:
            self.conn.execute(f"create table saved_{name} as select * from {name}")
        yield
        self.conn.execute(f"truncate {', '.join(names)}, feed_dispute")
        for name in ("event_log", "stream", "pending", "feed_channel", "feed_epoch", "feed"):
            self.conn.execute(
                f"insert into {name} overriding system value select * from saved_{name}"
            )
            self.conn.execute(f"drop table saved_{name}")

    def tell(self, other: "Reader", after: int = 0, epoch: UUID | None = None) -> Taken:
        """Hand over what the channel holds after that number, run by run."""
        taken = Taken()
        for run in outbox.runs(self.conn, CHANNEL, after, epoch=epoch):
            taken = other.take(run.body(ORIGIN, SIGNER))
        return taken

    def head(self, other: "Reader") -> Taken:
        """Say how far the channel is."""
        self.conn.execute(
            "update feed_channel set announced_at = '-infinity', published_number = head_number"
        )
        heads = outbox.heads_to_announce(self.conn, ORIGIN, 60)
        return other.take(SIGNER.sign(next(head for head in heads if head.channel == CHANNEL)))

    def answer(self, other: "Reader") -> None:
        """Somebody's request comes in, and is answered until nothing is left of it."""
        epoch, number, held = other.request()
        proof = epochs.proof(other.conn, ORIGIN, CHANNEL)
        told = head.read(proof, ORIGIN, CHANNEL).head if proof else None
        if told is not None and epochs.compare(self.conn, "ponte.notes", told, held):
            return
        outbox.note_request(self.conn, "ponte.notes", CHANNEL, number, epoch)
        while asked := outbox.requests(self.conn):
            runs = outbox.runs(
                self.conn, CHANNEL, asked[0].number - 1, epoch=asked[0].epoch, limit=2
            )
            for run in runs:
                other.take(run.body(ORIGIN, SIGNER))
            outbox.answered(self.conn, asked[0], runs[-1].last if runs else None)


class Reader:
    """An organisation that is told."""

    def __init__(self, database: ServiceDatabase) -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(TABLES)
            migrate(owner, ["togheter_shared.log"], database.name)
        self.conn = psycopg.connect(database.url, autocommit=True)

    def take(self, raw: bytes) -> Taken:
        routing_key = f"{ORIGIN}.{CHANNEL}"
        return RECEIVER.take(self.conn, Delivery(routing_key=routing_key, user="comune", body=raw))

    def request(self) -> tuple[UUID | None, int, list[epochs.Sample]]:
        row = self.conn.execute("select epoch, next_number from inbox_channel").fetchone()
        if row is None:
            return None, 1, []
        return row[0], row[1], epochs.samples(self.conn, ORIGIN, CHANNEL, row[0])

    def state(self) -> str:
        row = self.conn.execute("select state from inbox_channel").fetchone()
        assert row is not None
        return str(row[0])

    def heard(self) -> list[str]:
        """The topics that were handled, each as often as it was."""
        follow(self.conn, NOTES, "ponte", open_box)
        return [row[0] for row in self.conn.execute("select topic from heard order by 1")]

    def numbers(self) -> list[int]:
        rows = self.conn.execute(
            "select number from inbox join inbox_channel using (origin, channel, epoch)"
            " order by number"
        )
        return [row[0] for row in rows]


@pytest.fixture
def origin(make_database: Callable[[], ServiceDatabase]) -> Iterator[Origin]:
    found = Origin(make_database())
    yield found
    found.conn.close()


@pytest.fixture
def make_reader(make_database: Callable[[], ServiceDatabase]) -> Iterator[Callable[[], Reader]]:
    made: list[Reader] = []

    def make() -> Reader:
        made.append(Reader(make_database()))
        return made[-1]

    yield make
    for reader in made:
        reader.conn.close()


@pytest.fixture
def reader(make_reader: Callable[[], Reader]) -> Reader:
    return make_reader()


def test_the_first_message_after_a_restore_that_says_something_else_freezes_the_channel(
    origin: Origin, reader: Reader
) -> None:
    origin.write("a", "b")
    with origin.backup():
        origin.write("lost")
        origin.tell(reader)
    origin.write("new")
    taken = origin.tell(reader, after=2)
    assert (taken.frozen, taken.quarantined) == (True, "a number with other bytes")
    assert reader.state() == "frozen"


def test_a_head_behind_what_was_told_freezes_the_channel_and_an_old_head_does_not(
    origin: Origin, reader: Reader
) -> None:
    origin.write("a", "b")
    origin.tell(reader)
    old = outbox.runs(origin.conn, CHANNEL, 0, limit=1)[0]
    with origin.backup():
        origin.write("lost")
        origin.tell(reader)
    captured = SIGNER.sign(_head_of(old))
    assert reader.take(captured).frozen is False, "it was signed before the last that we keep"
    assert reader.state() == "flowing"
    assert origin.head(reader).quarantined == "a head behind what was told before"
    assert reader.state() == "frozen"


def _head_of(run: outbox.Run) -> Any:
    from togheter_shared.log.head import Head

    return Head(
        origin=ORIGIN,
        channel=run.channel,
        epoch=run.epoch,
        number=run.last,
        hash=run.head_hash,
        at=run.read_at,
    )


def test_who_holds_more_says_so_and_the_origin_stops_telling(
    origin: Origin, reader: Reader
) -> None:
    origin.write("a", "b")
    with origin.backup():
        origin.write("lost")
        origin.tell(reader)
    origin.write("new")
    origin.answer(reader)
    assert epochs.disputes(origin.conn) == [
        epochs.Dispute(channel=CHANNEL, requester="ponte.notes", number=3, common_number=2)
    ]
    assert CHANNEL not in [channel for channel, _ in outbox.behind(origin.conn)]


def test_what_is_kept_as_a_proof_is_what_the_origin_signed(origin: Origin, reader: Reader) -> None:
    origin.write("a", "b")
    origin.tell(reader)
    epochs.begin(origin.conn, "anna", "restored")
    origin.write("c")
    origin.tell(reader)
    proof = epochs.proof(reader.conn, ORIGIN, CHANNEL)
    assert proof is not None
    signed = head.read(proof, ORIGIN, CHANNEL)
    assert verify("comune", signed.key, signed.signature, signed.head.statement())
    assert (signed.head.number, signed.head.after is not None) == (1, True)
    assert epochs.compare(origin.conn, "ponte.notes", signed.head, []) is False, "we hold it too"
    assert epochs.proof(reader.conn, ORIGIN, "directory") is None


def test_a_new_epoch_goes_on_behind_what_both_hold_and_nothing_is_handled_twice(
    origin: Origin, reader: Reader
) -> None:
    origin.write("a", "b")
    with origin.backup():
        origin.write("lost")
        origin.tell(reader)
    origin.write("new", "newer")
    origin.tell(reader, after=2)
    origin.answer(reader)
    begun = {new.channel: new for new in epochs.begin(origin.conn, "anna", "restored")}
    assert (begun[CHANNEL].after_number, begun[CHANNEL].orphaned) == (2, 1)
    assert begun[CHANNEL].told_again == 2
    number_pending(origin.conn, NOTES.writes, "comune", "notes", seal)
    origin.tell(reader)
    assert reader.state() == "flowing"
    assert reader.heard() == ["a", "b", "lost", "new", "newer"]
    assert reader.numbers() == [1, 2]
    assert epochs.disputes(origin.conn) == []
    orphaned = reader.conn.execute("select after_number, orphaned from inbox_epoch").fetchone()
    assert orphaned == (2, 1)
    origin.write("later")
    origin.tell(reader)
    assert "later" in reader.heard()
    assert origin.head(reader).quarantined is None


def test_an_epoch_begun_before_the_service_starts_again_needs_no_dispute(
    origin: Origin, reader: Reader
) -> None:
    origin.write("a")
    with origin.backup():
        origin.write("lost")
        origin.tell(reader)
    epochs.begin(origin.conn, "anna", "restored")
    origin.write("new")
    origin.tell(reader)
    assert reader.heard() == ["a", "lost", "new"]


def test_an_event_that_gets_a_new_number_is_handled_once(
    origin: Origin, make_reader: Callable[[], Reader]
) -> None:
    """Somebody holds less alike than others: what these had is told to them again."""
    one, two = make_reader(), make_reader()
    origin.write("a", "b", "c")
    origin.tell(one)
    origin.tell(two)
    origin.conn.execute(
        "insert into feed_dispute (channel, requester, epoch, number, common_number)"
        " select channel, 'terza.notes', epoch, 3, 1 from feed_channel where channel = %s",
        [CHANNEL],
    )
    begun = {new.channel: new for new in epochs.begin(origin.conn, "anna", "restored")}
    assert (begun[CHANNEL].after_number, begun[CHANNEL].told_again) == (1, 2)
    number_pending(origin.conn, NOTES.writes, "comune", "notes", seal)
    for reader in (one, two):
        origin.tell(reader)
        assert reader.heard() == ["a", "b", "c"]
        assert reader.numbers() == [1, 2]
        repeated = reader.conn.execute("select count(*) from inbox where repeated").fetchone()
        assert repeated == (2,)


def test_who_comes_later_gets_every_epoch_and_nothing_that_was_given_up(
    origin: Origin, make_reader: Callable[[], Reader]
) -> None:
    first = make_reader()
    origin.write("a", "b")
    with origin.backup():
        origin.write("lost")
        origin.tell(first)
    origin.write("new")
    origin.answer(first)
    epochs.begin(origin.conn, "anna", "restored")
    number_pending(origin.conn, NOTES.writes, "comune", "notes", seal)
    late = make_reader()
    taken = origin.tell(late)
    assert (taken.stored, taken.ask_from) == (0, 1), "the epochs before come first"
    origin.answer(late)
    assert late.heard() == ["a", "b", "new"]
    behind = make_reader()
    for run in outbox.runs(origin.conn, CHANNEL, 0, epoch=_first_epoch(origin), limit=1):
        behind.take(run.body(ORIGIN, SIGNER))
    assert behind.heard() == ["a"]
    assert origin.tell(behind).ask_from == 2
    origin.answer(behind)
    assert behind.heard() == ["a", "b", "new"]


def _first_epoch(origin: Origin) -> UUID:
    row = origin.conn.execute(
        "select epoch from feed_epoch where channel = %s and ordinal = 1", [CHANNEL]
    ).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def test_an_epoch_that_goes_on_from_another_history_is_not_taken(
    origin: Origin, reader: Reader
) -> None:
    origin.write("a", "b")
    origin.tell(reader)
    epochs.begin(origin.conn, "thief", "none")
    origin.conn.execute(
        "update feed_epoch set after_hash = sha256('other') where ordinal = 2 and channel = %s",
        [CHANNEL],
    )
    origin.write("c")
    taken = origin.tell(reader)
    assert (taken.frozen, reader.state()) == (True, "frozen")
    assert reader.heard() == ["a", "b"]


def test_entries_of_an_epoch_that_ended_are_dropped(origin: Origin, reader: Reader) -> None:
    origin.write("a")
    old = outbox.runs(origin.conn, CHANNEL, 0)[0].body(ORIGIN, SIGNER)
    origin.tell(reader)
    epochs.begin(origin.conn, "anna", "restored")
    origin.write("b")
    origin.tell(reader)
    taken = reader.take(old)
    assert (taken.duplicates, taken.frozen, reader.state()) == (1, False, "flowing")
    assert reader.heard() == ["a", "b"]


def test_a_cloned_partner_is_frozen_at_the_first_message_that_differs(
    origin: Origin,
    make_database: Callable[[], ServiceDatabase],
    make_reader: Callable[[], Reader],
) -> None:
    """A copy of the store tells beside the original, under the same name and with its keys."""
    first, second = make_reader(), make_reader()
    origin.write("a", "b")
    clone = origin.clone(make_database())
    origin.tell(first)
    taken = clone.tell(first)
    assert (taken.duplicates, taken.frozen) == (2, False), "as long as both say the same"
    clone.tell(second)
    origin.write("of the original")
    clone.write("of the clone")
    assert origin.tell(first, after=2).stored == 1
    assert clone.tell(second, after=2).stored == 1, "who hears one of them only cannot know"
    assert clone.tell(first, after=2).frozen is True
    assert origin.head(second).frozen is True, "a head is enough"
    assert (first.state(), second.state()) == ("frozen", "frozen")
    origin.write("later")
    assert origin.tell(first, after=3).stored == 1, "the history that it holds still joins"
    assert "of the clone" not in first.heard()
    assert "of the original" not in second.heard()
    origin.answer(second)
    assert epochs.disputes(origin.conn) != [], "who held the clone's history says so"
    epochs.begin(origin.conn, "anna", "the clone is switched off")
    number_pending(origin.conn, NOTES.writes, "comune", "notes", seal)
    for reader in (first, second):
        origin.tell(reader)
        assert reader.state() == "flowing"
        assert clone.tell(reader, after=2).stored == 0, "of an epoch that has ended"
    assert first.heard() == ["a", "b", "later", "of the original"]
    assert second.heard() == ["a", "b", "later", "of the clone", "of the original"]
    clone.conn.close()
