"""A wish: one service asks another for its channel again, and says what it holds of it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from togheter_shared.contracts import strictjson
from togheter_shared.log.entry import MAX_NUMBER, BadEntry

MAX_WISH = 8_000
"""Bytes of a wish."""
MAX_HELD = 64
_KINDS = {"channel": str, "from": int, "epoch": str, "held": list, "proof": str}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Send `channel` again from `number` of `epoch` on (None: from the channel's first).

    `held` are samples of what the asker holds, number and hash; `proof` is a head that the origin
    has signed, as text.
    """

    channel: str
    number: int
    epoch: UUID | None = None
    held: tuple[tuple[int, bytes], ...] = ()
    proof: str | None = None

    def body(self) -> bytes:
        """The message, in canonical JSON."""
        document: dict[str, Any] = {"channel": self.channel, "from": self.number}
        if self.epoch is not None:
            document["epoch"] = str(self.epoch)
            document["held"] = [[number, hash_.hex()] for number, hash_ in self.held]
        if self.proof is not None:
            document["proof"] = self.proof
        return strictjson.canonical(document)


def read_wish(body: bytes) -> Wish:
    """The wish in a message of anybody's, who may be hostile. Raises `BadEntry` for any other."""
    try:
        document = strictjson.loads(body, max_bytes=MAX_WISH)
    except strictjson.NotStrictJson as error:
        raise BadEntry(f"a wish that is {error}") from None
    if not isinstance(document, dict) or not {"channel", "from"} <= document.keys():
        raise BadEntry("no wish")
    for name, value in document.items():
        if name in _KINDS and (not isinstance(value, _KINDS[name]) or isinstance(value, bool)):
            raise BadEntry("a wish with a value of the wrong kind")
    try:
        epoch = UUID(document["epoch"]) if "epoch" in document else None
    except ValueError:
        raise BadEntry("a wish with an epoch that is none") from None
    return Wish(
        channel=document["channel"],
        number=min(max(document["from"], 1), MAX_NUMBER // 2),
        epoch=epoch,
        held=_held(document.get("held", [])),
        proof=document.get("proof"),
    )


def _held(samples: list[Any]) -> tuple[tuple[int, bytes], ...]:
    """The samples in a list: pairs of a number of the feed and a hash in hex."""
    found = []
    for sample in samples[:MAX_HELD]:
        match sample:
            case [int(number), str(text)] if 1 <= number <= MAX_NUMBER and number is not True:
                pass
            case _:
                raise BadEntry("a wish with a sample that is none")
        try:
            found.append((number, bytes.fromhex(text)))
        except ValueError:
            raise BadEntry("a wish with a sample that is none") from None
    return tuple(found)
