"""The bus on a real RabbitMQ: what the platform does by itself, and what we do instead."""

import bz2
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import kombu
import kombu.compression
import pytest

from togheter_shared.log import bus
from togheter_shared.testing.servers import Broker


@pytest.fixture
def connection(broker: Broker) -> Iterator[kombu.Connection]:
    with bus.connect(broker.amqp_url_for("comune")) as found:
        yield found


@pytest.fixture
def inbox(connection: kombu.Connection) -> Iterator[kombu.Queue]:
    name = f"comune.test{uuid4().hex[:8]}.inbox"
    queue = bus.queue(name, ["*.*.to.comune"])(connection.channel())
    queue.declare()
    yield queue
    with suppress(*bus.BROKER_ERRORS):
        queue.delete()


def take(
    connection: kombu.Connection, queue: kombu.Queue, count: int, act: Callable[[Any], None]
) -> list[bytes]:
    """Consume until `count` messages came, handing each to `act`."""
    found: list[bytes] = []

    def on_message(message: Any) -> None:
        found.append(bus.body_of(message))
        act(message)

    consumer = bus.consume(connection, queue, on_message, prefetch=20)
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.5)
    consumer.cancel()
    return found


def test_a_message_that_no_queue_takes_is_an_error_and_not_a_success(
    connection: kombu.Connection,
) -> None:
    """The broker confirms a message that no queue receives like any other."""
    publisher = bus.Publisher(connection, "comune")
    publisher.publish("comune.test.to.nobody", bus.FEED, b"x")
    with pytest.raises(bus.NotTaken):
        publisher.confirm()
    publisher.publish("comune.test.to.nobody", bus.FEED, b"x")
    with pytest.raises(bus.NotTaken):
        publisher.confirm()


def test_without_mandatory_the_broker_would_confirm_what_it_throws_away(
    connection: kombu.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cure removed: the loss goes unnoticed."""
    publisher = bus.Publisher(connection, "comune")
    real = publisher._channel._basic_publish

    def without_mandatory(message: Any, **options: Any) -> Any:
        return real(message, **{**options, "mandatory": False})

    monkeypatch.setattr(publisher._channel, "_basic_publish", without_mandatory)
    publisher.publish("comune.test.to.nobody", bus.FEED, b"x")
    publisher.confirm()


def test_many_messages_arrive_whole_and_in_order(
    connection: kombu.Connection, inbox: kombu.Queue
) -> None:
    """One consumer, one queue: nothing overtakes."""
    publisher = bus.Publisher(connection, "comune")
    sent = [b"%d" % number for number in range(1_000)]
    for body in sent:
        publisher.publish("comune.test.to.comune", bus.FEED, body)
    publisher.confirm()
    assert take(connection, inbox, 1_000, lambda message: message.ack()) == sent


def test_a_second_consumer_gets_nothing_while_the_first_lives(
    broker: Broker, connection: kombu.Connection, inbox: kombu.Queue
) -> None:
    """Two workers on one queue would take turns, and order would be lost."""
    first: list[bytes] = []
    second: list[bytes] = []

    def keep(found: list[bytes]) -> Callable[[Any], None]:
        def on_message(message: Any) -> None:
            found.append(bus.body_of(message))
            message.ack()

        return on_message

    bus.consume(connection, inbox, keep(first), prefetch=5)
    with bus.connect(broker.amqp_url_for("comune")) as other:
        standby = bus.queue(inbox.name, [])(other.channel())
        bus.consume(other, standby, keep(second), prefetch=5)
        publisher = bus.Publisher(connection, "comune")
        for number in range(100):
            publisher.publish("comune.test.to.comune", bus.FEED, b"%d" % number)
        publisher.confirm()
        deadline = time.monotonic() + 20
        while len(first) < 100 and time.monotonic() < deadline:
            with suppress(TimeoutError):
                connection.drain_events(timeout=0.2)
            with suppress(TimeoutError):
                other.drain_events(timeout=0.01)
    assert first == [b"%d" % number for number in range(100)]
    assert second == []


def test_what_was_not_stored_is_not_acknowledged_and_comes_again_in_order(
    broker: Broker, inbox: kombu.Queue, connection: kombu.Connection
) -> None:
    """A handler that fails neither acknowledges nor sends to the back."""
    publisher = bus.Publisher(connection, "comune")
    for number in range(5):
        publisher.publish("comune.test.to.comune", bus.FEED, b"%d" % number)
    publisher.confirm()

    def fail(message: Any) -> None:
        raise RuntimeError("the store is away")

    with pytest.raises(RuntimeError), bus.connect(broker.amqp_url_for("comune")) as first:
        take(first, bus.queue(inbox.name, [])(first.channel()), 5, fail)
    again = take(connection, inbox, 5, lambda message: message.ack())
    assert again == [b"0", b"1", b"2", b"3", b"4"]


def compressed(connection: kombu.Connection, body: bytes) -> None:
    """What a hostile or careless partner can send: kombu's own compression header."""
    channel = connection.channel()
    message = channel.prepare_message(
        bz2.compress(body),
        content_type="application/json",
        content_encoding="binary",
        headers={"compression": "application/x-bz2"},
        properties={"user_id": "comune", "delivery_mode": 2},
    )
    channel.basic_publish(
        message, exchange=bus.EXCHANGE, routing_key="comune.test.to.comune", mandatory=True
    )


def test_a_compression_bomb_stays_as_small_as_it_came(
    connection: kombu.Connection, inbox: kombu.Queue
) -> None:
    """The sender names a compression (shared/decisions/0005-raw-bytes.md)."""
    bomb = b"\0" * 50_000_000
    compressed(connection, bomb)
    (body,) = take(connection, inbox, 1, lambda message: message.ack())
    assert body == bz2.compress(bomb)
    assert len(body) < 1_000


def test_kombu_by_itself_would_inflate_it(
    connection: kombu.Connection, inbox: kombu.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cure removed: a few hundred bytes become many megabytes."""
    monkeypatch.setitem(kombu.compression._decoders, "application/x-bz2", bz2.decompress)
    compressed(connection, b"\0" * 50_000_000)
    (body,) = take(connection, inbox, 1, lambda message: message.ack())
    assert len(body) == 50_000_000


def test_an_encoding_named_by_the_sender_changes_no_byte(
    connection: kombu.Connection, inbox: kombu.Queue
) -> None:
    channel = connection.channel()
    raw = "età".encode("utf-16")
    message = channel.prepare_message(
        raw,
        content_type="text/plain",
        content_encoding="utf-16",
        properties={"user_id": "comune", "delivery_mode": 2},
    )
    channel.basic_publish(message, exchange=bus.EXCHANGE, routing_key="comune.test.to.comune")
    assert take(connection, inbox, 1, lambda found: found.ack()) == [raw]


def test_a_confirm_that_does_not_come_is_noticed_within_its_time(
    connection: kombu.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a bound, a publish hangs as long as a disk alarm lasts."""
    monkeypatch.setattr(bus, "CONFIRM_SECONDS", 1.0)
    publisher = bus.Publisher(connection, "comune")
    monkeypatch.setattr(publisher, "_acknowledged", lambda *_: None)
    publisher._channel.events["basic_ack"].clear()  # the confirms get lost on their way
    publisher.publish("comune.test.to.nobody", bus.FEED, b"x")
    started = time.monotonic()
    with pytest.raises(bus.NotConfirmed):
        publisher.confirm()
    assert time.monotonic() - started < 5
