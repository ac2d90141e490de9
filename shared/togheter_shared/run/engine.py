"""The engine: sequencer, relay, receiver, follower and background, each a thread of its own."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import kombu
import psycopg
import structlog
from psycopg import Connection

from togheter_shared.log import bus, crash, epochs, outbox
from togheter_shared.log.entry import BadEntry
from togheter_shared.log.feed import WAKE_CHANNEL, number_pending
from togheter_shared.log.follow import follow, follow_up
from togheter_shared.log.head import Head, Signer, read
from togheter_shared.log.inbox import Delivery, Receiver, may_ask
from togheter_shared.log.network import Network
from togheter_shared.log.sealing import open_box, seal_for
from togheter_shared.log.service import Service
from togheter_shared.log.wish import Wish, read_wish
from togheter_shared.run.logs import describe

log = structlog.get_logger()

POLL_SECONDS = 0.2
BEAT_SECONDS = 2.0
AGAIN_ENTRIES = 2_000
"""How much of what somebody asked for again is sent before what is new gets its turn."""
BACK_OFF = (0.2, 10.0)
CALM = (*bus.BROKER_ERRORS, psycopg.OperationalError, psycopg.InterfaceError)
"""Failures that pass: try again with a new connection."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a service runs: its organisation, its stores, the network and its own keys."""

    organisation: str
    database_url: str
    amqp_url: str
    network: Callable[[], Network]
    seal_private_key: str
    signer: Callable[[], Signer]
    head_seconds: float = 30.0


@dataclass
class Engine:
    """Runs the roles of `service` until `stop` is set. A role that fails is tried again.

    A service's background work runs where its follower would.
    """

    service: Service
    place: Place
    roles: frozenset[str] = frozenset({"sequencer", "relay", "receiver", "follower"})
    stop: threading.Event = field(default_factory=threading.Event)
    _states: dict[str, tuple[str, str]] = field(default_factory=dict)
    _numbered: threading.Event = field(default_factory=threading.Event)
    _arrived: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Start every role, and say every two seconds how they are, until `stop` is set."""
        work: dict[str, Callable[[], None]] = {
            "sequencer": self._sequence,
            "relay": self._relay,
            "receiver": self._receive,
            "follower": self._follow,
            "background": self._background,
        }
        roles = self.roles | {"background"} if "follower" in self.roles else self.roles
        if not self.service.subscriptions:
            work.pop("follower")
        if self.service.background is None:
            work.pop("background")
        threads = [
            threading.Thread(target=self._keep, args=(role, work[role]), name=role, daemon=True)
            for role in work
            if role in roles
        ]
        for thread in threads:
            thread.start()
        self._beat()
        for thread in threads:
            thread.join(timeout=10)

    # roles

    def _sequence(self) -> None:
        with self._database() as conn:
            conn.execute(f"listen {WAKE_CHANNEL}")
            self._states["sequencer"] = ("ok", "")
            while not self.stop.is_set():
                numbered = number_pending(
                    conn,
                    self.service.writes,
                    self.place.organisation,
                    self.service.name,
                    lambda recipient, event_id, contract, part: seal_for(
                        self.place.network(), recipient, event_id, contract, part
                    ),
                    reporting=self.place.network().reporting,
                )
                if numbered:
                    self._numbered.set()
                else:
                    for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
                        pass

    def _relay(self) -> None:
        with self._database() as conn, self._broker() as broker:
            publisher = bus.Publisher(broker, self.place.organisation)
            self._states["relay"] = ("ok", "")
            silent: dict[str, float] = {}
            while not self.stop.is_set():
                busy = self._publish_new(conn, publisher, silent)
                busy = self._publish_again(conn, publisher) or busy
                self._announce(conn, publisher)
                broker.heartbeat_check()
                if not busy:
                    with contextlib.suppress(TimeoutError):
                        broker.drain_events(timeout=0.001)
                    self._numbered.wait(POLL_SECONDS)
                    self._numbered.clear()

    def _publish_new(
        self, conn: Connection, publisher: bus.Publisher, silent: dict[str, float]
    ) -> bool:
        """Publish what has been numbered, channel by channel; one nobody hears waits alone."""
        busy = False
        for channel, published in outbox.behind(conn):
            if silent.get(channel, 0.0) > time.monotonic():
                continue
            runs = outbox.runs(conn, channel, published)
            try:
                for run in runs:
                    publisher.publish(self._key(channel), bus.FEED, self._body(run))
                publisher.confirm()
            except bus.NotTaken:
                silent[channel] = time.monotonic() + 2.0
                continue
            outbox.mark_published(conn, channel, runs[-1].last)
            busy = True
        return busy

    def _publish_again(self, conn: Connection, publisher: bus.Publisher) -> bool:
        """A piece of what was asked for again, for each who asked: what is new goes between."""
        asked = outbox.requests(conn)
        for one in asked:
            runs = outbox.runs(
                conn, one.channel, one.number - 1, epoch=one.epoch, limit=AGAIN_ENTRIES
            )
            try:
                for run in runs:
                    publisher.publish(self._key(one.channel), bus.FEED, self._body(run))
                publisher.confirm()
            except bus.NotTaken:
                runs = []
            outbox.answered(conn, one, runs[-1].last if runs else None)
        return bool(asked)

    def _announce(self, conn: Connection, publisher: bus.Publisher) -> None:
        for head in outbox.heads_to_announce(conn, self._origin, self.place.head_seconds):
            with contextlib.suppress(bus.NotTaken):
                publisher.publish(self._key(head.channel), bus.FEED, self.place.signer().sign(head))
                publisher.confirm()

    def _receive(self) -> None:
        channels = self._channels()
        receiver = Receiver(
            self.place.organisation,
            frozenset(channels),
            self.service.reads,
            self._open_box,
            lambda *signed: self.place.network().is_signed(*signed),
        )
        name = self._origin
        with self._database() as conn, self._broker() as broker:
            publisher = bus.Publisher(broker, self.place.organisation)
            self._consume(
                broker, f"{name}.resend", [f"*.*.resend.{name}"], lambda m: self._asked(conn, m)
            )
            if channels:
                self._consume(
                    broker,
                    f"{name}.inbox",
                    [f"*.*.{channel}" for channel in sorted(channels)],
                    lambda m: self._delivered(conn, receiver, publisher, m),
                )
                self._ask_everybody(conn, publisher, channels)
            self._states["receiver"] = ("ok", "")
            while not self.stop.is_set():
                with contextlib.suppress(TimeoutError):
                    broker.drain_events(timeout=1.0)
                broker.heartbeat_check()

    def _consume(
        self, broker: kombu.Connection, name: str, keys: list[str], on_message: Callable[..., None]
    ) -> None:
        queue = bus.queue(name, keys)
        queue(broker.channel()).declare()
        try:
            bus.consume(broker, queue, on_message, prefetch=50)
        except bus.BROKER_ERRORS:
            bus.remove_queue(self.place.amqp_url, name)
            raise

    def _delivered(
        self, conn: Connection, receiver: Receiver, publisher: bus.Publisher, message: Any
    ) -> None:
        crash.point("receive.before")
        delivery = Delivery(
            routing_key=str(message.delivery_info.get("routing_key", "")),
            user=str(message.properties.get("user_id", "")),
            body=bus.body_of(message),
        )
        taken = receiver.take(conn, delivery)
        crash.point("receive.after")
        if taken.quarantined is not None:
            log.warning("quarantined", origin=taken.origin, channel=taken.channel)
        wanted = taken.ask_from or (1 if taken.frozen else None)
        if wanted is not None and may_ask(conn, taken.origin, taken.channel):
            self._ask(conn, publisher, taken.origin, taken.channel, wanted)
        crash.point("ack.before")
        message.ack()  # only now: what is not stored is not acknowledged
        crash.point("ack.after")
        if taken.stored:
            self._arrived.set()

    def _asked(self, conn: Connection, message: Any) -> None:
        """Another service asks for entries again: noted when it may read that channel."""
        requester = ".".join(str(message.delivery_info.get("routing_key", "")).split(".")[:2])
        organisation = requester.split(".")[0]
        user, readable = message.properties.get("user_id"), self.place.network().channels_read_by
        with contextlib.suppress(BadEntry):  # whoever sent it can only harm themselves
            wish = read_wish(bus.body_of(message))
            if user == organisation and wish.channel in readable(organisation):
                told = self._told(wish)
                if told is not None and epochs.compare(conn, requester, told, wish.held):
                    log.warning("others hold what this store does not", channel=wish.channel)
                else:
                    outbox.note_request(conn, requester, wish.channel, wish.number, wish.epoch)
                    self._numbered.set()
        message.ack()

    def _told(self, wish: Wish) -> Head | None:
        """A head of ours, when somebody shows one that we have signed; None: they show nothing."""
        if wish.proof is None:
            return None
        signed = read(wish.proof.encode(), self._origin, wish.channel)
        believed = self.place.network().is_signed(
            self.place.organisation, signed.key, signed.signature, signed.head.statement()
        )
        return signed.head if believed else None

    def _follow(self) -> None:
        with self._database() as conn:
            follow_up(conn, self.service, self.place.organisation, self._open_box)
            self._states["follower"] = ("ok", "")
            while not self.stop.is_set():
                if not follow(conn, self.service, self.place.organisation, self._open_box):
                    self._arrived.wait(POLL_SECONDS)
                    self._arrived.clear()

    def _background(self) -> None:
        assert self.service.background is not None
        with self._database() as conn:
            self._states["background"] = ("ok", "")
            while not self.stop.is_set():
                if not self.service.background(conn, self.stop.is_set):
                    self.stop.wait(POLL_SECONDS)

    # what the roles share

    def _channels(self) -> set[str]:
        own = {"to": f"to.{self.place.organisation}"}
        return {own.get(name, name) for name in self.service.subscriptions}

    def _ask_everybody(
        self, conn: Connection, publisher: bus.Publisher, channels: set[str]
    ) -> None:
        """On every start: whoever has told us anything, or could have, is asked for the rest."""
        known = {
            (row[0], row[1]): (row[2], row[3])
            for row in conn.execute(
                "select origin, channel, next_number, state from inbox_channel"
            ).fetchall()
        }
        me = self._origin
        for organisation in self.place.network().organisations:
            for service in organisation.services:
                origin = f"{organisation.id}.{service}"
                for channel in channels:
                    number, state = known.get((origin, channel), (1, "flowing"))
                    if origin != me and state != "waiting":
                        self._ask(conn, publisher, origin, channel, number)

    def _ask(
        self, conn: Connection, publisher: bus.Publisher, origin: str, channel: str, number: int
    ) -> None:
        """Ask an origin for its channel from that number on, and say what we hold of it."""
        row = conn.execute(
            "select epoch from inbox_channel where origin = %s and channel = %s", [origin, channel]
        ).fetchone()
        wish = Wish(channel=channel, number=number)
        if row is not None:
            proof = epochs.proof(conn, origin, channel)
            wish = Wish(
                channel=channel,
                number=number,
                epoch=row[0],
                held=tuple(epochs.samples(conn, origin, channel, row[0])),
                proof=None if proof is None else proof.decode(),
            )
        with contextlib.suppress(bus.NotTaken):  # it is not there; it will announce its head
            publisher.publish(self._key(f"resend.{origin}"), bus.RESEND, wish.body())
            publisher.confirm()

    def _open_box(self, event_id: UUID, type_: str, box: bytes) -> dict[str, object]:
        place = self.place
        return open_box(place.seal_private_key, place.organisation, event_id, type_, box)

    @property
    def _origin(self) -> str:
        return f"{self.place.organisation}.{self.service.name}"

    def _body(self, run: outbox.Run) -> bytes:
        return run.body(self._origin, self.place.signer())

    def _key(self, channel: str) -> str:
        return f"{self._origin}.{channel}"

    def _database(self) -> Connection:
        return psycopg.connect(
            self.place.database_url,
            autocommit=True,
            application_name=f"togheter-{self.service.name}-{threading.current_thread().name}",
            connect_timeout=5,
            # a machine that is gone without a farewell is noticed in half a minute, not two hours
            tcp_user_timeout=15_000,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )

    def _broker(self) -> contextlib.AbstractContextManager[kombu.Connection]:
        return bus.connect(self.place.amqp_url)

    def _keep(self, role: str, work: Callable[[], None]) -> None:
        """Run a role; what passes is tried again with jitter, what does not is said and tried
        again slowly: a line that stands still is visible, one that skips is not."""
        failures = 0
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                work()
                return
            except Exception as error:
                if time.monotonic() - started > 30:
                    failures = 0
                failures += 1
                calm = isinstance(error, CALM)
                self._states[role] = ("waiting" if calm else "failing", type(error).__name__)
                log.warning("role stopped", role=role, passing=calm, **describe(error))
            least, most = BACK_OFF
            pause = min(most, least * 2 ** min(failures, 10))
            self.stop.wait(pause * random.uniform(0.5, 1.0))

    def _beat(self) -> None:
        while not self.stop.is_set():
            with contextlib.suppress(psycopg.Error), self._database() as conn:
                while not self.stop.is_set():
                    for role, (state, detail) in list(self._states.items()):
                        conn.execute(
                            "insert into engine_state (role, state, detail) values (%s, %s, %s)"
                            " on conflict (role) do update set state = excluded.state,"
                            " detail = excluded.detail, beat_at = clock_timestamp()",
                            [role, state, detail],
                            prepare=True,
                        )
                    self.stop.wait(BEAT_SECONDS if len(self._states) > 2 else 0.2)
            self.stop.wait(0.5)
