"""The network's registry: the organisations, their services and public keys, pinned out of band."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from togheter_shared.privacy.keys import is_signed, key_id


class RegistryUnreadable(Exception):
    """The network's registry cannot be read; the message names the file and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A public key, and from when until when what it signs is believed; None: without end."""

    key: str
    since: datetime | None = None
    until: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """A partner. Keys are base64; `reporting` is true for the one that hosts reporting.

    It may have several keys to sign with: an old one stays until what it signed has arrived.
    """

    id: str
    name: str
    services: tuple[str, ...]
    reporting: bool
    seal_key: str
    sign_keys: tuple[SigningKey, ...]


@dataclass(frozen=True)
class Network:
    organisations: tuple[Organisation, ...]

    def organisation(self, id_: str) -> Organisation | None:
        """The organisation of that id, or None when it is not in the registry."""
        return next((found for found in self.organisations if found.id == id_), None)

    @property
    def reporting(self) -> str:
        """The organisation that hosts reporting; empty when none does."""
        return next((found.id for found in self.organisations if found.reporting), "")

    def is_signed(self, organisation: str, key: str, signature: bytes, message: bytes) -> bool:
        """Whether `message` is signed with a key of that organisation that is valid now."""
        found, now = self.organisation(organisation), datetime.now(UTC)
        return found is not None and any(
            key_id(candidate.key) == key and is_signed(candidate.key, signature, message)
            for candidate in found.sign_keys
            if candidate.is_valid(now)
        )

    def channels_read_by(self, organisation: str) -> set[str]:
        """What that organisation may read of everybody."""
        found = self.organisation(organisation)
        if found is None:
            return set()
        return {"directory", f"to.{organisation}"} | ({"reporting"} if found.reporting else set())


class LiveNetwork:
    """The registry in a file that may be replaced while we run: a key that was added or revoked
    counts from the next message on. A copy that cannot be read changes nothing; `problem` says so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._network = load_network(path)
        self._version = self._stamp()
        self.problem: str | None = None

    def __call__(self) -> Network:
        """The registry as it is now."""
        version = self._stamp()
        if version != self._version:
            self._version = version
            try:
                self._network = load_network(self._path)
                self.problem = None
            except RegistryUnreadable as error:
                self.problem = str(error)
        return self._network

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def load_network(path: Path) -> Network:
    """The registry in the JSON file at `path`; see deploy/partner for its form."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return Network(
            tuple(
                Organisation(
                    id=item["id"],
                    name=item["name"],
                    services=tuple(item["services"]),
                    reporting=bool(item.get("reporting", False)),
                    seal_key=item["seal_key"],
                    sign_keys=tuple(_signing_key(key) for key in item["sign_keys"]),
                )
                for item in document["organisations"]
            )
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RegistryUnreadable(
            f"the network's registry {path} cannot be read ({type(error).__name__});"
            " ask the municipality for a new copy"
        ) from None


def _signing_key(item: dict[str, Any]) -> SigningKey:
    times = [datetime.fromisoformat(item[name]) if name in item else None for name in _TIMES]
    if any(time is not None and time.tzinfo is None for time in times):
        raise ValueError("a time without its zone")
    return SigningKey(key=item["key"], since=times[0], until=times[1])


_TIMES = ("from", "until")
