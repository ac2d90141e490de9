"""Three organisations as real processes, in a folder of their own, to be killed one by one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy import network, services
from deploy.plan import LOCAL, ROOT, Place, Plan, read_plan
from tests.chaos.desk import Address
from tests.chaos.proxy import Wires

from togheter_shared.testing.postgres import Postgres, start_postgres, stop_postgres
from togheter_shared.testing.processes import read_state
from togheter_shared.testing.rabbitmq import VHOST, Broker, stop_broker

ROLES = {
    "comune.intake": ("serve",),
    "comune.referrals": ("web", "relay", "worker"),
    "comune.reporting": ("relay", "worker"),
    "ponte.intake": ("web", "engine"),
    "ponte.referrals": ("web", "relay", "worker"),
    "scuola.referrals": ("web", "engine"),
    "scuola.courses": ("serve",),
}
"""How each service runs: whole, or its roles apart."""

WIRED = ("ponte.intake", "ponte.referrals", "scuola.referrals")
"""The services with a proxy between them and their servers."""

MARK = "TOGHETER_CHAOS"


@dataclass
class Part:
    """A process that runs, is killed and is started again; `env` is what it was last given more."""

    place: Place
    role: str
    process: subprocess.Popen[bytes] | None = None
    crash_at: str = ""
    wanted: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return f"{self.place.name}:{self.role}"

    @property
    def pid(self) -> int | None:
        process = self.process
        return process.pid if process and process.poll() is None else None


class Network:
    """The network of one run. `kills` counts processes that ended by SIGKILL."""

    def __init__(self) -> None:
        self.plan: Plan = read_plan()
        self.wires = Wires()
        self.parts = [
            Part(place, role) for place in self.plan.places() for role in ROLES[place.name]
        ]
        self.kills = 0
        self.brokers_lost = 0
        self.databases_crashed = 0
        self.crashed: set[str] = set()
        """The crash points at which a process has died."""
        self.extra: dict[str, str] = {}
        """More environment for every process: sabotages."""
        self._count = threading.Lock()
        self._stopping = threading.Event()

    # start and end

    def start(self) -> None:
        """A fresh network: servers, databases, keys, migrations, accounts, processes."""
        end_leftovers()
        shutil.rmtree(LOCAL / "logs", ignore_errors=True)
        self.remove()
        network.up(self.plan, infrastructure_only=True)
        threads = [
            threading.Thread(target=services.prepare, args=(place,)) for place in self.plan.places()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for place in self.plan.places():
            if place.name in WIRED:
                settings = services.read_settings(place)
                for kind in ("DATABASE_URL", "AMQP_URL"):
                    port = urlsplit(settings[kind]).port
                    assert port is not None
                    self.wires.make(f"{place.name}:{kind}", port)
        (LOCAL / "logs").mkdir(exist_ok=True)
        for part in self.parts:
            self.begin(part)
        threading.Thread(target=self._keep, daemon=True).start()

    def stop(self) -> None:
        """End every process of a service; the servers run on."""
        self._stopping.set()
        for part in self.parts:
            with part.lock:
                if part.pid:
                    assert part.process is not None
                    part.process.send_signal(signal.SIGCONT)
                    part.process.terminate()
        for part in self.parts:
            if part.process:
                with suppress(subprocess.TimeoutExpired):
                    part.process.wait(20)
                part.process.kill()
                part.process.wait()
        end_leftovers()

    def remove(self) -> None:
        """Stop the servers too, and delete everything."""
        with redirect_stdout(sys.stderr):
            network.reset(self.plan, sure=True)

    # processes

    def begin(self, part: Part, crash_at: str = "") -> None:
        env = self.environment(part)
        if crash_at:
            env["CRASH_AT"] = crash_at
        part.crash_at = crash_at
        command = [str(Path(sys.executable).parent / f"togheter-{part.place.service}"), part.role]
        with part.place.log.open("ab") as log:
            part.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=ROOT
            )

    def environment(self, part: Part) -> dict[str, str]:
        """What a process is given; replaced by who gives some of them something else."""
        settings = services.read_settings(part.place)
        del settings["TOGHETER_OWNER_DATABASE_URL"]
        if part.place.name in WIRED:
            for kind in ("DATABASE_URL", "AMQP_URL"):
                wire = self.wires[f"{part.place.name}:{kind}"]
                settings[kind] = through(settings[kind], wire.port)
        kept = {name: v for name, v in os.environ.items() if not name.startswith(services.OURS)}
        return kept | settings | self.extra | {MARK: str(LOCAL)}

    def _keep(self) -> None:
        """Start again what has ended, as systemd would."""
        while not self._stopping.wait(0.05):
            for part in self.parts:
                if not part.wanted or self._stopping.is_set():
                    continue
                with part.lock:
                    if part.pid is None:
                        self._ended(part)
                        self.begin(part, self.next_crash(part))

    def _ended(self, part: Part) -> None:
        process = part.process
        if process and process.returncode == -signal.SIGKILL:
            with self._count:
                self.kills += 1
            if part.crash_at and not getattr(process, "shot", False):
                self.crashed.add(part.crash_at)

    def next_crash(self, part: Part) -> str:
        """Where the process that starts now is to die; replaced by who tries crash points."""
        return ""

    def kill(self, part: Part) -> bool:
        """SIGKILL to one of our processes."""
        with part.lock:
            if part.pid is None:
                return False
            assert part.process is not None
            part.process.shot = True  # type: ignore[attr-defined]
            part.process.kill()
            part.process.wait()
        return True

    def kill_engine_of(self, part: Part) -> bool:
        """SIGKILL to the engine that a `serve` keeps as its child."""
        for pid in children(part.pid or 0):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                with self._count:
                    self.kills += 1
                return True
        return False

    def freeze(self, part: Part, seconds: float, stop: threading.Event) -> None:
        """SIGSTOP, and SIGCONT after so long."""
        pid = part.pid
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            stop.wait(seconds)
            os.kill(pid, signal.SIGCONT)

    # servers

    def kill_postgres(self) -> None:
        """The postmaster dies as in a power cut; started again at once."""
        stop_postgres(network.POSTGRES, signal.SIGKILL)
        with self._count:
            self.kills += 1
            self.databases_crashed += 1
        start_postgres(network.POSTGRES)

    def kill_broker(self, *, wipe: bool = False) -> None:
        """The broker dies as in a power cut, and may lose all that it had; started again."""
        broker = self.broker()
        stop_broker(network.RABBITMQ, signal.SIGKILL)
        with self._count:
            self.kills += 1
            self.brokers_lost += 1
        if wipe:
            shutil.rmtree(network.RABBITMQ / "mnesia")
        broker.start()

    def restart_broker(self) -> None:
        self.broker().restart()

    def broker(self) -> Broker:
        state = read_state(network.RABBITMQ)
        return Broker(
            admin_url=f"amqp://togheter-admin:{state['password']}@127.0.0.1:{state['port']}/{VHOST}",
            folder=network.RABBITMQ,
        )

    def postgres(self) -> Postgres:
        return start_postgres(network.POSTGRES)

    # what others need to know

    def addresses(self) -> dict[str, Address]:
        found = {}
        for place in self.plan.places():
            host, _, port = services.read_settings(place)["TOGHETER_HTTP"].partition(":")
            token = services.read_token(place) or ""
            found[place.name] = Address(host=host, port=int(port), token=token)
        return found

    def databases(self) -> dict[str, str]:
        """An administrator's URL to each service's database."""
        admin = self.postgres().admin_url
        return {
            place.name: urlunsplit(urlsplit(admin)._replace(path=f"/{place.database}"))
            for place in self.plan.places()
        }

    def wait_until_well(self, patience: float = 90) -> None:
        """Every web answers and every engine is well."""
        deadline = time.monotonic() + patience
        for place in self.plan.places():
            if not {"web", "serve"} & set(ROLES[place.name]):
                continue
            while services.health(place)[0] != 200:
                if time.monotonic() > deadline:
                    code, reason = services.health(place)
                    raise AssertionError(f"{place.name} is not well: {code} {reason}")
                time.sleep(0.1)


def through(url: str, port: int) -> str:
    """The same URL at another port of this machine."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def marked() -> Iterator[int]:
    """The processes of a run in this folder, whoever started them."""
    mark = f"{MARK}={LOCAL}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def end_leftovers() -> None:
    """Kill what a run that was killed itself has left in this folder."""
    for pid in marked():
        if pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
