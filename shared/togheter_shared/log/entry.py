"""A feed entry: the exact, canonical bytes of one event in one channel, and their reading."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from togheter_shared.contracts import strictjson

MAX_ENTRY = 262_144
MAX_NUMBER = 2**63 - 1

_KEYS = {
    "specversion": str,
    "id": str,
    "source": str,
    "type": str,
    "typeversion": int,
    "time": str,
    "subject": str,
    "streamversion": int,
    "channel": str,
    "epoch": str,
    "number": int,
    "previous": str,
    "correlationid": str,
    "data": dict,
}
_OPTIONAL = {"causationid": str, "sealed": str, "sealedfor": str}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_TYPE = re.compile(r"[a-z]+\.[a-z_]{1,80}")


class BadEntry(Exception):
    """The bytes are not an entry as this network writes them; the message never shows a value."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event in one channel. `data` is open; `sealed` is for `sealed_for` alone.

    CloudEvents 1.0 attributes (id, source, type, time, subject: the stream) with extensions of
    ours: `number` is gapless in (origin, channel, epoch), `previous` the SHA-256 of the entry
    before it.
    """

    event_id: UUID
    organisation: str
    service: str
    type: str
    type_version: int
    time: datetime
    stream_id: UUID
    stream_version: int
    channel: str
    epoch: UUID
    number: int
    previous: bytes
    correlation_id: UUID
    causation_id: UUID | None
    data: dict[str, Any]
    sealed: bytes | None = None
    sealed_for: str | None = None


def hash_of(entry: bytes) -> bytes:
    """SHA-256 of an entry's bytes."""
    return hashlib.sha256(entry).digest()


def encode(entry: Entry) -> bytes:
    """The canonical bytes of an entry: one line of JSON."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(entry.event_id),
        "source": f"urn:togheter:{entry.organisation}:{entry.service}",
        "type": entry.type,
        "typeversion": entry.type_version,
        "time": entry.time.astimezone(UTC).isoformat(timespec="microseconds"),
        "subject": str(entry.stream_id),
        "streamversion": entry.stream_version,
        "channel": entry.channel,
        "epoch": str(entry.epoch),
        "number": entry.number,
        "previous": entry.previous.hex(),
        "correlationid": str(entry.correlation_id),
        "data": entry.data,
    }
    if entry.causation_id is not None:
        document["causationid"] = str(entry.causation_id)
    if entry.sealed is not None:
        document["sealed"] = base64.b64encode(entry.sealed).decode()
        document["sealedfor"] = entry.sealed_for
    return strictjson.canonical(document)


def decode(raw: bytes) -> Entry:
    """The entry in `raw`, or `BadEntry`: known keys only, the right types, canonical bytes."""
    try:
        document = strictjson.loads(raw, max_bytes=MAX_ENTRY)
    except strictjson.NotStrictJson as error:
        raise BadEntry(str(error)) from None
    if not isinstance(document, dict):
        raise BadEntry("not an object")
    for key, kind in _KEYS.items():
        value = document.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadEntry(f"{key} is missing or of the wrong kind")
    for key in document.keys() - _KEYS.keys():
        if key not in _OPTIONAL or not isinstance(document[key], _OPTIONAL[key]):
            raise BadEntry("a key that this network does not use")
    entry = _entry(document)
    if encode(entry) != raw:
        raise BadEntry("not in canonical form")
    return entry


def _entry(document: dict[str, Any]) -> Entry:
    urn = document["source"].split(":")
    if len(urn) != 4 or urn[:2] != ["urn", "togheter"] or not all(map(_NAME.fullmatch, urn[2:])):
        raise BadEntry("source is not urn:togheter:<organisation>:<service>")
    if document["specversion"] != "1.0":
        raise BadEntry("specversion is not 1.0")
    if not _TYPE.fullmatch(document["type"]):
        raise BadEntry("type is not <service>.<event>")
    for key, most in (("number", MAX_NUMBER), ("streamversion", 2**31 - 1), ("typeversion", 9_999)):
        if not 1 <= document[key] <= most:
            raise BadEntry(f"{key} is out of range")
    try:
        time = datetime.fromisoformat(document["time"])
        if time.tzinfo is None or not 2000 <= time.year <= 2999:
            raise BadEntry("time has no zone, or is of another millennium")
        return Entry(
            event_id=UUID(document["id"]),
            organisation=urn[2],
            service=urn[3],
            type=document["type"],
            type_version=document["typeversion"],
            time=time,
            stream_id=UUID(document["subject"]),
            stream_version=document["streamversion"],
            channel=document["channel"],
            epoch=UUID(document["epoch"]),
            number=document["number"],
            previous=bytes.fromhex(document["previous"]),
            correlation_id=UUID(document["correlationid"]),
            causation_id=UUID(document["causationid"]) if "causationid" in document else None,
            data=document["data"],
            sealed=base64.b64decode(document["sealed"], validate=True)
            if "sealed" in document
            else None,
            sealed_for=document.get("sealedfor"),
        )
    except (ValueError, binascii.Error, OverflowError):
        raise BadEntry("an identifier, time or hash that cannot be read") from None
