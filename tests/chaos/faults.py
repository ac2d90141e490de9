"""What is done to the network while it works: each scenario breaks one kind of thing."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import amqp
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from deploy import services
from tests.chaos import disasters
from tests.chaos.desk import Desks
from tests.chaos.network import ROLES, WIRED, Network, Part
from tests.chaos.proxy import DOWN, UP

POINTS = {
    "web": ("append", "commit"),
    "relay": ("number", "publish", "confirm", "mark"),
    "worker": ("receive", "verify", "store", "ack", "project", "checkpoint"),
}
ENDLESS = 150.0


@dataclass
class Storm:
    """A network under its load; `rng` chooses, `size` says how much a scenario does (1.0: all)."""

    network: Network
    desks: Desks
    rng: random.Random
    size: float = 1.0
    forged: list[str] = field(default_factory=list)
    said: Callable[[str], None] = print

    def until(self, condition: Callable[[], bool], patience: float) -> bool:
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def work(self, commands: int, patience: float = 5.0) -> None:
        """Let so many more commands be answered, or not so many if nobody can answer now."""
        goal = self.desks.answered() + commands
        self.until(lambda: self.desks.answered() >= goal, patience)

    def calm(self) -> None:
        """Whole again: every service answers and says that it is well."""
        self.network.wires.heal()
        self.network.wait_until_well(ENDLESS)
        self.work(20)

    def parts(self, *roles: str) -> list[Part]:
        return [part for part in self.network.parts if part.role in roles or not roles]

    def times(self, count: int) -> range:
        return range(max(1, round(count * self.size)))


# --- scenarios -----------------------------------------------------------------------------------


def kills(storm: Storm) -> None:
    """SIGKILL to webs, relays, workers, engines, again and again."""
    for _ in storm.times(40):
        part = storm.rng.choice(storm.parts())
        if part.role == "serve" and storm.rng.random() < 0.5:
            storm.network.kill_engine_of(part)
        else:
            storm.network.kill(part)
        storm.work(storm.rng.randrange(1, 8), 0.8)


def crash_points(storm: Storm) -> None:
    """Every named place: a process dies there, and the next one finds what it left.

    First where there is no web, so that commands go on being accepted; then the webs.
    """
    engines = [
        part
        for part in storm.parts("relay", "worker", "engine")
        if part.name != "comune.reporting:relay"  # reporting tells nothing
    ]
    _die_everywhere(storm, engines)
    _die_everywhere(storm, storm.parts("web"))


def _die_everywhere(storm: Storm, parts: list[Part]) -> None:
    network, lock = storm.network, threading.Lock()
    every = {point for part in parts for point in _points_of(part)}

    def died() -> set[str]:
        return {point.partition(":")[0] for point in network.crashed}

    def next_crash(part: Part) -> str:
        if part not in parts:
            return ""
        with lock:
            left = sorted(set(_points_of(part)) - died())
            taken = {p.crash_at.partition(":")[0] for p in parts if p.pid}
            free = [point for point in left if point not in taken] or left
            return f"{storm.rng.choice(free)}:{storm.rng.randrange(1, 3)}" if free else ""

    network.next_crash = next_crash  # type: ignore[method-assign]
    for part in parts:
        network.kill(part)
    tried = storm.until(lambda: died() >= every, ENDLESS)
    armed = [f"{part.name} {part.crash_at}" for part in parts]
    network.next_crash = lambda part: ""  # type: ignore[method-assign]
    for part in parts:
        if part.crash_at:
            network.kill(part)
    if not tried:
        raise AssertionError(
            f"nobody died at {', '.join(sorted(every - died()))} while {armed};"
            f" {storm.desks.answered()} commands were answered"
        )


def _points_of(part: Part) -> list[str]:
    steps = POINTS.get(part.role, ())
    if part.role == "engine":
        steps = POINTS["relay"]
        if part.place.service == "referrals":
            steps += POINTS["worker"]
    return [f"{step}.{side}" for step in steps for side in ("before", "after")]


def die_at(storm: Storm, point: str) -> None:
    """Every worker of a referral desk dies once at that place."""
    network = storm.network
    workers = [p for p in storm.parts("worker") if p.place.service == "referrals"]
    for part in workers:
        left = [point]
        died = threading.Event()

        def next_crash(
            other: Part, part: Part = part, left: list[str] = left, died: threading.Event = died
        ) -> str:
            if other is not part:
                return ""
            if left:
                return f"{left.pop()}:2"
            died.set()
            return ""

        network.next_crash = next_crash  # type: ignore[method-assign]
        network.kill(part)
        storm.until(died.is_set, 20)
    network.next_crash = lambda part: ""  # type: ignore[method-assign]
    storm.work(50)


def webs_killed(storm: Storm) -> None:
    for part in storm.parts("web"):
        storm.network.kill(part)
        storm.work(80, 15)


def late(storm: Storm) -> None:
    """Commits arrive late, long after others that began after them."""
    wire = storm.network.wires["ponte.intake:DATABASE_URL"]
    for _ in storm.times(10):
        wire.slow(storm.rng.uniform(0.005, 0.05))
        storm.work(25, 5)
    wire.heal()
    storm.work(20)


def broker_killed(storm: Storm) -> None:
    for _ in storm.times(2):
        storm.network.kill_broker()
        storm.work(30)


def broker_restarted(storm: Storm) -> None:
    storm.network.restart_broker()
    storm.work(20)


def broker_wiped(storm: Storm) -> None:
    """Everything that the broker had is gone: queues, messages, users."""
    storm.network.kill_broker(wipe=True)
    storm.work(30)


def postgres_killed(storm: Storm) -> None:
    for _ in storm.times(3):
        storm.network.kill_postgres()
        storm.work(40)


def frozen(storm: Storm) -> None:
    """A process stands still for some seconds, and goes on as if nothing were."""
    parts = storm.rng.sample(storm.parts("relay", "worker", "engine", "web"), 3)
    never = threading.Event()
    threads = [
        threading.Thread(
            target=storm.network.freeze, args=(part, storm.rng.uniform(2, 6) * storm.size, never)
        )
        for part in parts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wires(storm: Storm) -> None:
    """Cut, refused, slow, deaf in one direction, and cut between a word and its answer."""
    for _ in storm.times(16):
        name = storm.rng.choice(storm.network.wires.names())
        wire = storm.network.wires[name]
        moment = b"COMMIT" if name.endswith("DATABASE_URL") else b"togheter.events"
        match storm.rng.choice(["cut", "refuse", "slow", "up", "down", "moment", "moment"]):
            case "cut":
                wire.cut()
            case "refuse":
                wire.refuse()
            case "slow":
                wire.slow(storm.rng.uniform(0.01, 0.2))
            case "up":
                wire.deafen(UP)
            case "down":
                wire.deafen(DOWN)
            case "moment":
                before = wire.sprung
                wire.cut_after(moment)
                storm.until(lambda wire=wire, before=before: wire.sprung > before, 5)  # type: ignore[misc]
        storm.work(storm.rng.randrange(10, 40), 2.5)
        wire.heal()


def again(storm: Storm) -> None:
    """Channels are sent again from their beginning, while queues are emptied by somebody."""
    urls = storm.network.databases()
    for name in storm.rng.sample(sorted(urls), 3):
        with psycopg.connect(urls[name], autocommit=True) as conn:
            conn.execute(
                "insert into resend_request (requester, channel, from_number)"
                " select 'operator', channel, 1 from feed_channel"
            )
    storm.work(20)
    for name in ROLES:
        if not name.endswith((".intake",)):
            purge(storm.network, f"{name}.inbox")


def forged(storm: Storm) -> None:
    """Messages in another's name, cut, changed by a bit, and nothing but noise."""
    name = storm.rng.choice(WIRED)
    organisation = name.partition(".")[0]
    with psycopg.connect(storm.network.databases()[name], autocommit=True) as conn:
        row = conn.execute(
            "select entry, number, epoch, hash from feed where channel = 'reporting'"
            " order by number desc limit 1"
        ).fetchone()
    if row is None:
        return
    entry, number, epoch, digest = bytes(row[0]), row[1], row[2], bytes(row[3])
    key = Ed25519PrivateKey.generate()
    head = {"epoch": str(epoch), "number": number, "hash": digest.hex(), "key": "0" * 16}
    head["at"] = datetime.now(UTC).isoformat(timespec="microseconds")
    head["signature"] = _base64(key.sign(b"somebody else"))
    signed = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    following = json.loads(entry) | {"number": number + 1, "previous": digest.hex()}
    following["id"] = str(UUID(int=storm.rng.getrandbits(128), version=4))
    next_entry = json.dumps(
        following, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    next_head = {"number": number + 1, "hash": hashlib.sha256(next_entry).hexdigest()}
    next_signed = json.dumps(head | next_head, sort_keys=True, separators=(",", ":")).encode()
    flipped = bytearray(entry)
    flipped[storm.rng.randrange(len(flipped))] ^= 1 << storm.rng.randrange(8)
    bodies = [
        b"\n".join([next_entry, next_signed]),
        b"\n".join([entry, signed]),
        b"\n".join([bytes(flipped), signed]),
        entry[: len(entry) // 2],
        storm.rng.randbytes(200),
        signed,
    ]
    url = services.read_settings(_place(storm.network, name))["AMQP_URL"]
    with _connection(url) as connection:
        channel = connection.channel()
        for body in bodies:
            message = amqp.Message(body, user_id=organisation, delivery_mode=2)
            channel.basic_publish(message, "togheter.events", f"{name}.reporting")
            storm.forged.append(hashlib.sha256(body).hexdigest())


SCENARIOS: dict[str, Callable[[Storm], None]] = {
    "kills": kills,
    "crash-points": crash_points,
    "postgres": postgres_killed,
    "wires": wires,
    "late": late,
    "again": again,
    "forged": forged,
    "frozen": frozen,
    "broker": broker_killed,
    "restart": broker_restarted,
    "wipe": broker_wiped,
    "standstill": disasters.standstill,
    "twins": disasters.twins,
    "blocked": disasters.blocked,
    "clocks": disasters.clocks,
    "rebuilds": disasters.rebuilds,
    "disk": disasters.disk_full,
}


# --- the broker, as its administrator ------------------------------------------------------------


def _connection(url: str) -> amqp.Connection:
    parts = urlsplit(url)
    connection = amqp.Connection(
        host=f"{parts.hostname}:{parts.port}",
        userid=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        virtual_host=parts.path.removeprefix("/"),
        connect_timeout=5,
    )
    connection.connect()
    return connection


def purge(network: Network, queue: str) -> None:
    with _connection(network.broker().admin_url) as connection:
        try:
            connection.channel().queue_purge(queue)
        except amqp.exceptions.AMQPError:  # it is being declared
            return


def waiting(network: Network) -> int:
    """Messages in all queues; raises what a broker that is away raises."""
    found = 0
    with _connection(network.broker().admin_url) as connection:
        for name in ROLES:
            for kind in ("inbox", "resend"):
                if kind == "inbox" and name.endswith(".intake"):
                    continue
                channel = connection.channel()
                found += channel.queue_declare(f"{name}.{kind}", passive=True).message_count
                channel.close()
    return found


def _place(network: Network, name: str) -> Any:
    return next(place for place in network.plan.places() if place.name == name)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
