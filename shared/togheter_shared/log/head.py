"""A signed head: how far a channel is, as its origin signs it, one signature for a whole run.

Every message ends with one: the entries before it are chained to the hash that it names. A message
that has nothing else announces how far a silent channel is.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from togheter_shared.contracts import strictjson
from togheter_shared.log.entry import MAX_NUMBER, BadEntry
from togheter_shared.privacy.keys import sign

MAX_HEAD = 1_000
_KEYS = {"epoch": str, "number": int, "hash": str, "key": str, "signature": str}

Verify = Callable[[str, str, bytes, bytes], bool]
"""Whether (organisation, key id, signature, message) is signed with a key that is valid now."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The last number of a channel and the SHA-256 of its entry."""

    origin: str
    channel: str
    epoch: UUID
    number: int
    hash: bytes

    def statement(self) -> bytes:
        """The bytes that are signed: they hold for this origin and channel, and for no other."""
        return strictjson.canonical(
            [
                "togheter/head/1",
                self.origin,
                self.channel,
                str(self.epoch),
                self.number,
                self.hash.hex(),
            ]
        )


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
        signature = sign(self.private_key, head.statement())
        return strictjson.canonical(
            {
                "epoch": str(head.epoch),
                "number": head.number,
                "hash": head.hash.hex(),
                "key": self.key,
                "signature": base64.b64encode(signature).decode(),
            }
        )


def read(line: bytes, origin: str, channel: str) -> SignedHead:
    """The head in the last line of a message from `origin` in `channel`, or `BadEntry`."""
    try:
        document = strictjson.loads(line, max_bytes=MAX_HEAD)
    except strictjson.NotStrictJson as error:
        raise BadEntry(f"a head that is {error}") from None
    if not isinstance(document, dict) or document.keys() != _KEYS.keys():
        raise BadEntry("no signed head")
    for name, kind in _KEYS.items():
        if not isinstance(document[name], kind) or isinstance(document[name], bool):
            raise BadEntry("a head with a value of the wrong kind")
    try:
        signed = SignedHead(
            head=Head(
                origin=origin,
                channel=channel,
                epoch=UUID(document["epoch"]),
                number=document["number"],
                hash=bytes.fromhex(document["hash"]),
            ),
            key=document["key"],
            signature=base64.b64decode(document["signature"], validate=True),
        )
    except (ValueError, binascii.Error):
        raise BadEntry("a head that cannot be read") from None
    if not 1 <= signed.head.number <= MAX_NUMBER:
        raise BadEntry("a head whose number is out of range")
    return signed
