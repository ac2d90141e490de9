"""Keys for tests that hand messages over themselves, and messages as an origin would sign them."""

from datetime import UTC, datetime
from uuid import UUID

from togheter_shared.log.entry import BadEntry, decode, hash_of
from togheter_shared.log.head import Head, Signer
from togheter_shared.privacy.keys import generate_keys, is_signed, key_id

KEYS = generate_keys()
SIGNER = Signer(key=key_id(KEYS["sign_public"]), private_key=KEYS["sign_private"])


def verify(organisation: str, key: str, signature: bytes, message: bytes) -> bool:
    """As a registry in which every organisation signs with `KEYS`."""
    return key == SIGNER.key and is_signed(KEYS["sign_public"], signature, message)


def message(origin: str, channel: str, body: bytes) -> bytes:
    """`body` (entries, a line each) with the signed head of its last line, whatever that is."""
    last = body.rpartition(b"\n")[2]
    try:
        entry = decode(last)
        epoch, number = entry.epoch, entry.number
    except BadEntry:
        epoch, number = UUID(int=0), 1
    head = Head(
        origin=origin,
        channel=channel,
        epoch=epoch,
        number=number,
        hash=hash_of(last),
        at=datetime.now(UTC),
    )
    return b"\n".join([body, SIGNER.sign(head)])
