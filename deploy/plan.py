"""What the network consists of, and where on this machine everything that belongs to it lies."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from togheter_shared.privacy.keys import generate_keys
from togheter_shared.privacy.organisation import generate
from togheter_shared.testing.databases import database_name
from togheter_shared.testing.processes import ServerError, write_private

ROOT = Path(__file__).resolve().parent.parent
LOCAL = Path(os.environ.get("TOGHETER_LOCAL") or ROOT / ".local").resolve()  # tests: their own
DEMONSTRATION = ROOT / "deploy" / "demo" / "network.toml"
SERVICES = ("intake", "referrals", "courses", "reporting")


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """A partner of the network; `reporting` marks the one that hosts the city's reporting."""

    id: str
    name: str
    services: tuple[str, ...]
    reporting: bool = False

    @property
    def folder(self) -> Path:
        """Where what only this organisation may read lies."""
        return LOCAL / "organisations" / self.id


@dataclass(frozen=True, kw_only=True)
class Place:
    """One service of one organisation, and its files."""

    organisation: Organisation
    service: str

    @property
    def name(self) -> str:
        """`<organisation>.<service>`, as people call it."""
        return f"{self.organisation.id}.{self.service}"

    @property
    def database(self) -> str:
        """The name of its database and of its runtime role."""
        return database_name(self.organisation.id, self.service)

    @property
    def env_file(self) -> Path:
        """Its settings."""
        return self.organisation.folder / f"{self.service}.env"

    @property
    def token_file(self) -> Path:
        """The demonstration account's token."""
        return self.organisation.folder / f"{self.service}.token"

    @property
    def account(self) -> str:
        """The demonstration account's name."""
        return f"demo-{self.organisation.id}"

    @property
    def log(self) -> Path:
        """What it wrote to its standard output and error."""
        return LOCAL / "logs" / f"{self.name}.log"

    @property
    def run_file(self) -> Path:
        """Which process it is, while it runs."""
        return LOCAL / "run" / f"{self.name}.json"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The network's organisations."""

    organisations: tuple[Organisation, ...]

    def places(self) -> Iterator[Place]:
        """Every service of every organisation."""
        for organisation in self.organisations:
            for service in organisation.services:
                yield Place(organisation=organisation, service=service)


def read_plan(path: Path = DEMONSTRATION) -> Plan:
    """The network in the TOML file at `path`. Raises `ServerError` that names what is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        organisations = tuple(_organisation(id_, item) for id_, item in document.items())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServerError(f"{path} does not describe a network: {error!r}") from error
    if sum(organisation.reporting for organisation in organisations) != 1:
        raise ServerError(f"{path}: exactly one organisation must have reporting = true")
    return Plan(organisations=organisations)


def _organisation(id_: str, item: dict[str, Any]) -> Organisation:
    if not re.fullmatch(r"[a-z][a-z0-9]{0,19}", id_):
        raise ValueError(f"{id_}: an id is at most 20 lower-case letters and digits")
    unknown = set(item["services"]) - set(SERVICES)
    if unknown:
        raise ValueError(f"{id_}: no service is called {', '.join(sorted(unknown))}")
    return Organisation(
        id=id_,
        name=item["name"],
        services=tuple(item["services"]),
        reporting=bool(item.get("reporting", False)),
    )


# --- what is made up once and remembered ---------------------------------------------------------


class Memory:
    """Passwords and ports, made up at the first start and the same ever after."""

    def __init__(self) -> None:
        self._path = LOCAL / "network-secrets.json"
        self._lock = Lock()  # PostgreSQL and RabbitMQ are started at the same time
        try:
            self._known: dict[str, Any] = json.loads(self._path.read_text())
        except FileNotFoundError:
            self._known = {}

    def secret(self, name: str) -> str:
        """A password of that name."""
        with self._lock:
            return str(self._known.setdefault(name, secrets.token_urlsafe(24)))

    def get(self, name: str) -> Any:
        """What was set under that name, or None."""
        return self._known.get(name)

    def set(self, name: str, value: Any) -> None:
        """Remember a value."""
        with self._lock:
            self._known[name] = value

    def save(self) -> None:
        """Write everything to its file, which only its owner may read."""
        with self._lock:
            text = json.dumps(self._known, indent=2, sort_keys=True) + "\n"
            write_private(self._path, text)


def write_keys_and_registry(plan: Plan) -> None:
    """Make each organisation's keys where they are missing, and the registry of the public ones."""
    listed = []
    for organisation in plan.organisations:
        organisation.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = organisation.folder / "keys.json"
        if not path.exists():
            write_private(path, json.dumps(generate_keys(), indent=2) + "\n")
        privacy = organisation.folder / "privacy.key"
        if not privacy.exists():
            write_private(privacy, generate() + "\n")
        keys = json.loads(path.read_text())
        listed.append(
            {
                "id": organisation.id,
                "name": organisation.name,
                "services": list(organisation.services),
                "reporting": organisation.reporting,
                "seal_key": keys["seal_public"],
                "sign_keys": [{"key": keys["sign_public"]}],
            }
        )
    document = {"version": 1, "organisations": listed}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    registry = LOCAL / "network.json"
    if not registry.exists() or registry.read_text("utf-8") != text:
        registry.write_text(text, "utf-8")


def fingerprint(service: str, settings: str) -> str:
    """What a running process was made from: its settings, the registry, and its code.

    When it is another than the one that the process was started with, the process is out of date.
    """
    digest = hashlib.sha256(settings.encode())
    digest.update((LOCAL / "network.json").read_bytes())
    folders = [
        ROOT / "shared" / "togheter_shared",
        ROOT / "services" / service / f"togheter_{service}",
    ]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                stat = path.stat()
                digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    digest.update((ROOT / "uv.lock").read_bytes())
    return digest.hexdigest()
