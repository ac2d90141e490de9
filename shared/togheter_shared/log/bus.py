"""The bus: connections, queues and confirmed publishing on RabbitMQ, raw bytes only."""

import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import kombu.compression
from amqp import Channel, Message
from amqp.exceptions import AMQPError
from kombu import Connection, Consumer, Exchange, Queue
from kombu.exceptions import OperationalError

from togheter_shared.log import crash

EXCHANGE = "togheter.events"
CONFIRM_SECONDS = 30.0
WINDOW = 200

FEED = "application/vnd.togheter.feed"
RESEND = "application/vnd.togheter.resend"

BROKER_ERRORS: tuple[type[Exception], ...] = (AMQPError, OSError, OperationalError)
"""What a connection to the broker may raise: try again with a new connection."""


class NotConfirmed(OSError):
    """The broker did not confirm a message in time. It may have been stored all the same: whoever
    receives it drops what it has seen. The connection is of no use any more."""


class NotTaken(Exception):
    """A queue refused the message, or there is none: nobody listens to that channel now. Try that
    channel later, and go on with the others."""


def disarm() -> None:
    """Take from kombu every way to decompress or decode what a sender sends.

    kombu decompresses by the sender's header before it looks at anything else; a few hundred bytes
    become gigabytes (shared/decisions/0005-raw-bytes.md).
    """
    kombu.compression._decoders.clear()
    kombu.disable_insecure_serializers(allowed=[])


@contextmanager
def connect(url: str, *, heartbeat: float = 10.0) -> Iterator[Connection]:
    """A connection to the broker, established; raises one of `BROKER_ERRORS`.

    On leaving with an error the socket is dropped without a farewell: the farewell would first hand
    the messages that wait to a handler that has just failed.
    """
    disarm()
    connection = Connection(
        url,
        ssl=_tls(url),
        heartbeat=heartbeat,
        connect_timeout=5.0,
        transport_options={"read_timeout": 10, "write_timeout": 30},
    )
    transport = None
    try:
        connection.ensure_connection(max_retries=1, timeout=5)
        transport = connection.connection.transport
        yield connection
        connection.release()
    finally:
        if transport is not None:
            with suppress(OSError):
                transport.close()
        connection.collect()


def _tls(url: str) -> dict[str, object] | bool:
    """For amqps: the broker must have a certificate for its name, of an authority that is trusted.

    Left to itself the client checks the authority and not the name. `TOGHETER_BROKER_CA` names a
    file with the municipality's own authority, `TOGHETER_BROKER_CERT` and `_KEY` a partner's own
    certificate, where the broker asks for one.
    """
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return False
    files = {
        "ca_certs": os.environ.get("TOGHETER_BROKER_CA"),
        "certfile": os.environ.get("TOGHETER_BROKER_CERT"),
        "keyfile": os.environ.get("TOGHETER_BROKER_KEY"),
    }
    given = {name: path for name, path in files.items() if path}
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname, **given}


def exchange() -> Exchange:
    """The exchange, which the municipality has made: a partner never declares it."""
    return Exchange(EXCHANGE, type="topic", durable=True, no_declare=True)


def queue(name: str, keys: list[str]) -> Queue:
    """A durable quorum queue with one active consumer, bound to `keys`."""
    return Queue(
        name,
        exchange=None,
        durable=True,
        queue_arguments={"x-queue-type": "quorum", "x-single-active-consumer": True},
        bindings=[kombu.binding(exchange(), routing_key=key) for key in keys],
    )


class Publisher:
    """Publishes with confirms, many outstanding at once, on a channel of its own."""

    def __init__(self, connection: Connection, user: str) -> None:
        self._channel: Channel = connection.channel()
        self._channel.confirm_select()
        self._connection = connection
        self._user = user
        self._next = 1
        self._open: set[int] = set()
        self._not_taken = False
        self._channel.events["basic_ack"].add(self._acknowledged)
        self._channel.events["basic_nack"].add(self._not_acknowledged)
        self._channel.events["basic_return"].add(self._unroutable)

    def publish(self, routing_key: str, kind: str, body: bytes) -> None:
        """Send one persistent message; waits while too many are unconfirmed."""
        message = Message(
            body,
            content_type=kind,
            content_encoding="binary",
            delivery_mode=2,
            user_id=self._user,
        )
        crash.point("publish.before")
        self._channel._basic_publish(
            message, exchange=EXCHANGE, routing_key=routing_key, mandatory=True
        )
        crash.point("publish.after")
        self._open.add(self._next)
        self._next += 1
        if len(self._open) >= WINDOW:
            self._wait(lambda: len(self._open) <= WINDOW // 2)

    def confirm(self) -> None:
        """Wait until the broker has everything. Raises `NotTaken` or `NotConfirmed`."""
        crash.point("confirm.before")
        self._wait(lambda: not self._open)
        crash.point("confirm.after")
        not_taken, self._not_taken = self._not_taken, False
        if not_taken:
            raise NotTaken

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + CONFIRM_SECONDS
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotConfirmed(f"no confirmation within {CONFIRM_SECONDS:.0f} s")
            try:
                self._connection.drain_events(timeout=min(left, 5.0))
            except TimeoutError:
                continue

    def _settled(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._open = {number for number in self._open if number > tag}
        else:
            self._open.discard(tag)

    def _acknowledged(self, tag: int, multiple: bool) -> None:
        self._settled(tag, multiple)

    def _not_acknowledged(self, tag: int, multiple: bool) -> None:
        self._not_taken = True
        self._settled(tag, multiple)

    def _unroutable(self, *_: Any) -> None:
        self._not_taken = True


def consume(
    connection: Connection, queue_: Queue, on_message: Callable[[Any], None], *, prefetch: int
) -> Consumer:
    """Consume raw messages in order; `on_message` acknowledges once they are stored."""
    channel = connection.channel()
    channel.auto_decode = False  # the sender's content_encoding decides nothing
    consumer = Consumer(
        channel, queues=[queue_], on_message=on_message, no_ack=False, prefetch_count=prefetch
    )
    # a compression that kombu cannot undo is no error to us: the bytes are taken as they are
    consumer.on_decode_error = lambda message, _: on_message(message)
    consumer.consume()
    return consumer


def body_of(message: Any) -> bytes:
    """The bytes of a message as they were sent."""
    body = message.body
    return body.encode("utf-8", "surrogateescape") if isinstance(body, str) else bytes(body)


def remove_queue(url: str, name: str) -> None:
    """Delete a queue of ours that the broker cannot serve any more.

    RabbitMQ that dies within a second of declaring a quorum queue leaves it without a leader, for
    ever. What it held is asked for again, from the feeds of those who sent it.
    """
    with connect(url) as connection:
        connection.channel().queue_delete(name)
