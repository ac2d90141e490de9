"""A small network of its own for the benchmarks: chosen services in processes, as they are run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import FOLDER, ORGANISATIONS, database, say

from togheter_shared.access import tokens
from togheter_shared.privacy.keys import generate_keys
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.processes import free_port, tail, write_private
from togheter_shared.testing.servers import Postgres

PATIENCE = 60.0
SERVICES = {"comune": ("reporting",), "ponte": ("intake",)}


@dataclass(frozen=True, kw_only=True)
class Running:
    """A service: its database, its settings, and how to ask it."""

    database: ServiceDatabase
    environment: Mapping[str, str]
    token: str

    @property
    def url(self) -> str:
        return f"http://{self.environment['TOGHETER_HTTP']}"

    def post(self, path: str, body: Any) -> Any:
        """The answer to a POST that must succeed."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def run(self, *arguments: str, given: str = "", codes: tuple[int, ...] = (0,)) -> str:
        """What the service's command printed."""
        done = subprocess.run(
            [*_command(self.environment["TOGHETER_SERVICE"]), *arguments],
            env=dict(self.environment),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in codes:
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done.stdout


@contextmanager
def prepared(server: Postgres, organisation: str, service: str, amqp_url: str) -> Iterator[Running]:
    """A service's database, migrated, with an account; the process is not started."""
    folder = _papers()
    with database(server, f"{organisation}_{service}") as place:
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TOGHETER_ORG": organisation,
            "TOGHETER_SERVICE": service,
            "DATABASE_URL": place.url,
            "AMQP_URL": amqp_url,
            "TOGHETER_NETWORK": str(folder / "network.json"),
            "TOGHETER_KEYS": str(folder / f"{organisation}.json"),
            **PRIVACY,
            "TOGHETER_HTTP": f"127.0.0.1:{free_port()}",
            "TOGHETER_LOG_LEVEL": "WARNING",
        }
        token = tokens.mint()
        owner = {**environment, "TOGHETER_OWNER_DATABASE_URL": place.owner_url}
        Running(database=place, environment=owner, token=token).run("migrate")
        found = Running(database=place, environment=environment, token=token)
        found.run("tokens", "add", "bench", "--scope", "all", "--stdin", given=token + "\n")
        yield found


@contextmanager
def serving(service: Running) -> Iterator[None]:
    """The whole service in a process, healthy: web and engine."""
    name = f"{service.environment['TOGHETER_ORG']}.{service.environment['TOGHETER_SERVICE']}"
    log = FOLDER / f"{name}.log"
    say(f"{name} …")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_command(service.environment["TOGHETER_SERVICE"]), "serve"],
            env=dict(service.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _healthy(service.url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not get healthy:\n{tail(log)}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _command(service: str) -> list[str]:
    return [sys.executable, "-m", f"togheter_{service}.cli"]


def _papers() -> Path:
    """Keys and the registry of the organisations, made once for a run."""
    folder = FOLDER / "papers"
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for organisation, reporting in ORGANISATIONS.items():
        path = folder / f"{organisation}.json"
        if not path.exists():
            write_private(path, json.dumps(generate_keys()) + "\n")
        keys = json.loads(path.read_text())
        listed.append(
            {
                "id": organisation,
                "name": organisation,
                "services": list(SERVICES[organisation]),
                "reporting": reporting,
                "seal_key": keys["seal_public"],
                "sign_keys": [{"key": keys["sign_public"]}],
            }
        )
    (folder / "network.json").write_text(json.dumps({"version": 1, "organisations": listed}))
    return folder
