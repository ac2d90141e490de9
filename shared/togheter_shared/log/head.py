"""A signed head: how far a channel is, as its origin signs it, one signature for a whole run.

Every message ends with one: the entries before it are chained to the hash that it names. A message
that has nothing else announces how far a silent channel is.
"""

import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from togheter_shared.contracts import strictjson
from togheter_shared.log.entry import MAX_NUMBER, BadEntry
from togheter_shared.privacy.keys import KeysUnreadable, key_id, load_keys, sign

MAX_HEAD = 1_000
_KEYS = {"epoch": str, "number": int, "hash": str, "at": str, "key": str, "signature": str}
_AFTER = {"afterepoch": str, "afternumber": int, "afterhash": str}

Verify = Callable[[str, str, bytes, bytes], bool]
"""Whether (organisation, key id, signature, message) is signed with a key that is valid now."""


@dataclass(frozen=True, kw_only=True)
class After:
    """Where an epoch begins: behind this number of the epoch before it, whose hash is given.

    Number 0 and no hash: nothing of that epoch still holds.
    """

    epoch: UUID
    number: int
    hash: bytes


@dataclass(frozen=True, kw_only=True)
class Head:
    """The last number of a channel and the SHA-256 of its entry.

    `at` is the origin's database time when it was told: a head that is behind another one is old,
    or its origin has lost something; only the time tells which. It orders nothing else. `after` is
    where the epoch begins, for every epoch but the first.
    """

    origin: str
    channel: str
    epoch: UUID
    number: int
    hash: bytes
    at: datetime
    after: After | None = None

    def statement(self) -> bytes:
        """The bytes that are signed: they hold for this origin and channel, and for no other."""
        stated: list[str | int] = [
            "togheter/head/1",
            self.origin,
            self.channel,
            str(self.epoch),
            self.number,
            self.hash.hex(),
            _text(self.at),
        ]
        if self.after is not None:
            stated += [str(self.after.epoch), self.after.number, self.after.hash.hex()]
        return strictjson.canonical(stated)


@dataclass(frozen=True, kw_only=True)
class SignedHead:
    head: Head
    key: str
    signature: bytes


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Signs heads with an organisation's private key (base64), whose id receivers look up."""

    key: str
    private_key: str

    def sign(self, head: Head) -> bytes:
        """The line that closes a message: canonical JSON."""
        return write(head, self.key, sign(self.private_key, head.statement()))


def write(head: Head, key: str, signature: bytes) -> bytes:
    """The line of a head that was signed with the key of that id."""
    document: dict[str, str | int] = {
        "epoch": str(head.epoch),
        "number": head.number,
        "hash": head.hash.hex(),
        "at": _text(head.at),
        "key": key,
        "signature": base64.b64encode(signature).decode(),
    }
    if head.after is not None:
        document |= {
            "afterepoch": str(head.after.epoch),
            "afternumber": head.after.number,
            "afterhash": head.after.hash.hex(),
        }
    return strictjson.canonical(document)


class LiveSigner:
    """Signs with the key in an organisation's file of keys, as it is when something is signed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = path.stat().st_mtime_ns
        self._signer = self._read()

    def __call__(self) -> Signer:
        """The signer of now; the one before while the file cannot be read."""
        with suppress(OSError, KeysUnreadable):
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._signer, self._stamp = self._read(), stamp
        return self._signer

    def _read(self) -> Signer:
        keys = load_keys(self._path)
        return Signer(key=key_id(keys.sign_public), private_key=keys.sign_private)


def read(line: bytes, origin: str, channel: str) -> SignedHead:
    """The head in the last line of a message from `origin` in `channel`, or `BadEntry`."""
    try:
        document = strictjson.loads(line, max_bytes=MAX_HEAD)
    except strictjson.NotStrictJson as error:
        raise BadEntry(f"a head that is {error}") from None
    known = _KEYS
    if isinstance(document, dict) and "afterepoch" in document:
        known = _KEYS | _AFTER
    if not isinstance(document, dict) or document.keys() != known.keys():
        raise BadEntry("no signed head")
    for name, kind in known.items():
        if not isinstance(document[name], kind) or isinstance(document[name], bool):
            raise BadEntry("a head with a value of the wrong kind")
    try:
        at = datetime.fromisoformat(document["at"])
        signed = SignedHead(
            head=Head(
                origin=origin,
                channel=channel,
                epoch=UUID(document["epoch"]),
                number=document["number"],
                hash=bytes.fromhex(document["hash"]),
                at=at,
                after=_after(document) if known is not _KEYS else None,
            ),
            key=document["key"],
            signature=base64.b64decode(document["signature"], validate=True),
        )
    except (ValueError, binascii.Error):
        raise BadEntry("a head that cannot be read") from None
    if at.tzinfo is None or _text(at) != document["at"]:
        raise BadEntry("a head whose time is not in the form of the network")
    if not 1 <= signed.head.number <= MAX_NUMBER:
        raise BadEntry("a head whose number is out of range")
    if write(signed.head, signed.key, signed.signature) != line:
        raise BadEntry("a head that is not in canonical form")
    return signed


def _after(document: dict[str, Any]) -> After:
    number = document["afternumber"]
    if not 0 <= number <= MAX_NUMBER:
        raise BadEntry("a head whose number is out of range")
    return After(
        epoch=UUID(document["afterepoch"]), number=number, hash=bytes.fromhex(document["afterhash"])
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
