"""Two services of two organisations over a real broker: what is told arrives, whatever happens."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from togheter_shared.contracts import strictjson
from togheter_shared.log import bus
from togheter_shared.log.epochs import begin, disputes
from togheter_shared.log.feed import wake
from togheter_shared.log.head import Head, Signer
from togheter_shared.log.network import Network, Organisation, SigningKey
from togheter_shared.log.store import Context, execute, load
from togheter_shared.privacy.keys import generate_keys, key_id
from togheter_shared.run.engine import Engine, Place
from togheter_shared.run.migrate import migrate
from togheter_shared.run.state import health, state
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.sample import NOTE, NOTES, TABLES, WriteNote
from togheter_shared.testing.servers import Broker

KEYS = {name: generate_keys() for name in ("comune", "ponte")}
NETWORK = Network(
    tuple(
        Organisation(
            id=name,
            name=name,
            services=("notes",),
            reporting=False,
            seal_key=keys["seal_public"],
            sign_keys=(SigningKey(key=keys["sign_public"]),),
        )
        for name, keys in KEYS.items()
    )
)
ME = Context(actor="test", correlation_id=uuid4())


class Side:
    """One organisation's service: its database, and its engine when it runs."""

    def __init__(self, name: str, database: ServiceDatabase, broker: Broker) -> None:
        self.name = name
        self.owner_url = database.owner_url
        self.place = Place(
            organisation=name,
            database_url=database.url,
            amqp_url=broker.amqp_url_for(name),
            network=lambda: NETWORK,
            seal_private_key=KEYS[name]["seal_private"],
            signer=lambda: Signer(
                key=key_id(KEYS[name]["sign_public"]), private_key=KEYS[name]["sign_private"]
            ),
            head_seconds=1.0,
        )
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(TABLES)
            migrate(owner, ["togheter_shared.log"], database.name)
        self.conn = psycopg.connect(database.url, autocommit=True)

    @contextmanager
    def running(self) -> Iterator[Engine]:
        engine = Engine(service=NOTES, place=self.place)
        thread = threading.Thread(target=engine.run)
        thread.start()
        try:
            yield engine
        finally:
            engine.stop.set()
            thread.join()

    def write(self, *topics: str, to: str = "ponte", text: str = "") -> None:
        for topic in topics:
            note = uuid4()
            command = WriteNote(note_id=note, recipient=to, topic=topic, text=text)
            execute(self.conn, NOTES, NOTE, note, command, ME)
        wake(self.conn)

    def heard(self) -> list[str]:
        rows = self.conn.execute(
            "select h.topic from heard h join inbox i using (event_id) order by i.position"
        ).fetchall()
        return [row[0] for row in rows]

    def published(self) -> int:
        row = self.conn.execute(
            "select published_number from feed_channel where channel = 'to.ponte'"
        ).fetchone()
        return row[0] if row else 0

    def kept(self) -> int:
        row = self.conn.execute(
            "select count(*) from event_log where type = 'notes.note_kept'"
        ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def sides(
    make_database: Callable[[], ServiceDatabase], broker: Broker
) -> Iterator[tuple[Side, Side]]:
    both = Side("comune", make_database(), broker), Side("ponte", make_database(), broker)
    yield both
    for side in both:
        side.conn.close()
        with suppress(*bus.BROKER_ERRORS), bus.connect(broker.admin_url) as connection:
            for kind in ("inbox", "resend"):
                connection.channel().queue_delete(f"{side.name}.notes.{kind}")


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def test_what_one_organisation_writes_the_other_hears_and_acts_on(
    sides: tuple[Side, Side],
) -> None:
    comune, ponte = sides
    with comune.running(), ponte.running():
        comune.write("a", "b", text="riservato")
        ponte.write("c", to="comune")
        eventually(lambda: ponte.heard() == ["a", "b"] and comune.heard() == ["c"])
        eventually(lambda: ponte.kept() == 2)
        kept = ponte.conn.execute(
            "select stream_id from event_log where type = 'notes.note_kept'"
        ).fetchall()
        texts = {n.text for (id_,) in kept for n in load(ponte.conn, NOTES.writes, id_)[0]}
        assert texts == {"riservato"}
        eventually(lambda: set(health(ponte.conn).values()) == {"ok"})


def test_a_consumer_that_starts_late_gets_everything(sides: tuple[Side, Side]) -> None:
    comune, ponte = sides
    topics = [f"t{number}" for number in range(300)]
    with comune.running():
        comune.write(*topics)
        with ponte.running():
            eventually(lambda: ponte.heard() == topics)


def test_an_emptied_consumer_asks_and_gets_everything_again(sides: tuple[Side, Side]) -> None:
    comune, ponte = sides
    with comune.running():
        with ponte.running():
            comune.write("a", "b", "c")
            eventually(lambda: ponte.heard() == ["a", "b", "c"])
        with psycopg.connect(ponte.owner_url, autocommit=True) as owner:
            owner.execute("truncate inbox, inbox_channel, follower, heard")
        with ponte.running():
            eventually(lambda: ponte.heard() == ["a", "b", "c"])
            comune.write("d")
            eventually(lambda: ponte.heard() == ["a", "b", "c", "d"])
    assert ponte.kept() == 4, "what it had done before it lost its inbox is not done again"


def test_messages_that_the_broker_loses_are_noticed_and_asked_for(
    sides: tuple[Side, Side], broker: Broker
) -> None:
    comune, ponte = sides
    with comune.running(), ponte.running():
        comune.write("a")
        eventually(lambda: ponte.heard() == ["a"])
    with bus.connect(broker.admin_url) as connection:
        queue = bus.queue("ponte.notes.inbox", ["*.*.to.ponte"])(connection.channel())
        with comune.running():
            comune.write("b", "c")
            eventually(lambda: comune.published() == 3)
            queue.purge()
    with comune.running(), ponte.running():
        comune.write("d")
        eventually(lambda: ponte.heard() == ["a", "b", "c", "d"])


def test_the_broker_may_die_and_commands_go_on_being_accepted(
    sides: tuple[Side, Side], broker: Broker
) -> None:
    comune, ponte = sides
    with comune.running(), ponte.running():
        comune.write("a")
        eventually(lambda: ponte.heard() == ["a"])
        for name in ("comune", "ponte"):
            assert broker.remembers(f"{name}.notes.inbox")
            assert broker.remembers(f"{name}.notes.resend")
        broker.kill()
        comune.write("b", "c")
        eventually(lambda: health(comune.conn)["relay"] == "waiting")
        broker.start()
        comune.write("d")
        eventually(lambda: ponte.heard() == ["a", "b", "c", "d"], seconds=60)
        assert ponte.kept() == 4


def test_two_relays_at_once_double_nothing(sides: tuple[Side, Side]) -> None:
    comune, ponte = sides
    topics = [f"t{number}" for number in range(200)]
    with comune.running(), comune.running(), ponte.running():
        comune.write(*topics)
        eventually(lambda: ponte.heard() == topics)
    assert ponte.kept() == 200


def test_a_restored_store_stops_telling_says_so_and_goes_on_in_a_new_epoch(
    sides: tuple[Side, Side],
) -> None:
    comune, ponte = sides
    names = ("event_log", "stream", "pending", "feed_channel", "feed_epoch", "feed")
    with ponte.running(), psycopg.connect(comune.owner_url, autocommit=True) as owner:
        with comune.running():
            comune.write("a", "b")
            eventually(lambda: ponte.heard() == ["a", "b"])
            eventually(lambda: comune.published() == 2)
        for name in names:
            owner.execute(f"create table saved_{name} as select * from {name}")
        with comune.running():
            comune.write("lost")
            eventually(lambda: ponte.heard() == ["a", "b", "lost"])
        owner.execute(f"truncate {', '.join(names)}, feed_dispute")
        for name in names:
            owner.execute(f"insert into {name} overriding system value select * from saved_{name}")
        with comune.running():
            comune.write("new")
            eventually(lambda: bool(disputes(comune.conn)))
            eventually(lambda: state(comune.conn)["channels_disputed"] > 0)
            assert state(comune.conn)["healthy"] is False
            assert "new" not in ponte.heard()
            begin(comune.conn, "anna", "restored")
            eventually(lambda: ponte.heard() == ["a", "b", "lost", "new"])
            comune.write("newer")
            eventually(lambda: ponte.heard() == ["a", "b", "lost", "new", "newer"])
    assert ponte.kept() == 5, "each was acted on once"


def test_a_key_is_replaced_and_a_stolen_one_revoked_in_mid_stream(
    sides: tuple[Side, Side],
) -> None:
    comune, ponte = sides
    new, known = generate_keys(), NETWORK

    def registry(*keys: SigningKey) -> Network:
        return Network(
            tuple(
                replace(found, sign_keys=keys) if found.id == "comune" else found
                for found in NETWORK.organisations
            )
        )

    old_key = SigningKey(key=KEYS["comune"]["sign_public"])
    new_key = SigningKey(key=new["sign_public"])
    ponte.place = replace(ponte.place, network=lambda: known)
    with ponte.running():
        with comune.running():
            comune.write("a")
            eventually(lambda: ponte.heard() == ["a"])
        known = registry(old_key, new_key)
        signer = Signer(key=key_id(new["sign_public"]), private_key=new["sign_private"])
        comune.place = replace(comune.place, signer=lambda: signer)
        with comune.running():
            comune.write("b")
            eventually(lambda: ponte.heard() == ["a", "b"])
            known = registry(old_key, replace(new_key, until=datetime.now(UTC)))
            comune.write("stolen")
            eventually(lambda: state(ponte.conn)["in_quarantine"] > 0)
            assert ponte.heard() == ["a", "b"]
            known = registry(old_key, new_key)
            eventually(lambda: ponte.heard() == ["a", "b", "stolen"])


def test_nobody_silences_somebody_else_by_saying_that_they_hold_more(
    sides: tuple[Side, Side], broker: Broker
) -> None:
    comune, ponte = sides
    thief = generate_keys()
    forger = Signer(key=key_id(KEYS["comune"]["sign_public"]), private_key=thief["sign_private"])
    with comune.running(), ponte.running():
        comune.write("a")
        eventually(lambda: ponte.heard() == ["a"])
        row = comune.conn.execute(
            "select epoch from feed_channel where channel = 'to.ponte'"
        ).fetchone()
        assert row is not None
        more = Head(
            origin="comune.notes",
            channel="to.ponte",
            epoch=row[0],
            number=9,
            hash=b"x" * 32,
            at=datetime.now(UTC),
        )
        request = {"channel": "to.ponte", "from": 10, "epoch": str(row[0]), "held": [[9, "00"]]}
        shown = (None, "{", forger.sign(more).decode())
        with bus.connect(broker.amqp_url_for("ponte")) as connection:
            publisher = bus.Publisher(connection, "ponte")
            for proof in shown:
                body = strictjson.canonical(request | ({"proof": proof} if proof else {}))
                publisher.publish("ponte.notes.resend.comune.notes", bus.RESEND, body)
            publisher.confirm()
        comune.write("b")
        eventually(lambda: ponte.heard() == ["a", "b"])
        assert disputes(comune.conn) == []


def test_hostile_wishes_stop_nobody(sides: tuple[Side, Side], broker: Broker) -> None:
    comune, ponte = sides
    good = {"channel": "to.ponte", "from": 1}
    with ponte.running(), comune.running():
        comune.write("a")
        eventually(lambda: ponte.heard() == ["a"])
        with bus.connect(broker.amqp_url_for("ponte")) as connection:
            publisher = bus.Publisher(connection, "ponte")
            wrong = [{"epoch": 7}, {"held": [7]}, {"proof": 7}, {"channel": [7]}, {"from": "7"}]
            bodies = [strictjson.canonical(good | each) for each in wrong]
            for body in (*bodies, b"\xff", strictjson.canonical(good)):
                publisher.publish("ponte.notes.resend.comune.notes", bus.RESEND, body)
            publisher.confirm()
        again = "select duplicates from inbox_channel where channel = 'to.ponte'"
        eventually(lambda: bool(ponte.conn.execute(again).fetchone()[0]))  # type: ignore[index]
        with bus.connect(broker.admin_url) as connection:
            waiting = connection.channel().queue_declare("comune.notes.resend", passive=True)
            assert waiting.message_count == 0
