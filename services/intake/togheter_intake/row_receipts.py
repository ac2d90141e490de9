"""What is known of the rows that were taken in: which row of a file is which visit."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from togheter_intake.register import RawRow
from togheter_intake.rowkeys import Content, GivenKey
from togheter_shared.contracts import strictjson

_ORDINALS = 200
"""Equal rows among which a row of the refused file is recognised as unchanged."""

_SLOT = """
select coalesce(slot.answer, '{}'::jsonb) ? 'of',
    coalesce(slot.answer ->> 'run', '') <> %(run)s
    and coalesce(
        refused.created_at < slot.created_at
        and not coalesce(refused.answer -> 'runs' ? (slot.answer ->> 'run'), false),
        true)
from command_receipt slot left join command_receipt refused on refused.key = %(refused)s
where slot.key = %(slot)s
"""


def receipt_key(row_key: str) -> str:
    """The idempotency key of a row."""
    return f"import:{row_key}"


class Receipts:
    """The receipts of one reading of one register; see shared/decisions/0009-rows-by-content.md.

    The receipt of a row is its `run`, and counts; that of content that a corrected row has now
    also says whose visit it is: `of`, the key of that row.
    """

    def __init__(
        self, conn: Connection, run: UUID, dry_run: bool, rows: Callable[[], Iterable[RawRow]]
    ) -> None:
        self.run = str(run)
        self._conn = conn
        self._dry_run = dry_run
        self._known: dict[str, dict[str, Any]] = {}
        self._shifts: dict[bytes, tuple[int, int]] = {}
        self._adopted: set[str] = set()
        self._keys = cache(lambda: {bytes.fromhex(row.key) for row in rows()})

    def look_up(self, chunk: Sequence[RawRow]) -> None:
        """Read the receipts of rows that come next."""
        self._known = self._read([raw.key for raw in chunk])

    def settle(self, raw: RawRow) -> tuple[RawRow, dict[str, Any] | None]:
        """The row with the key that counts, and its receipt when it was taken in before.

        A visit accounts for one row: content that stands for a corrected row which is in this file
        too is left to that row, and the row gets the next ordinal.
        """
        receipt = self._known.get(raw.key)
        if isinstance(raw.key, GivenKey) or not (self._shifts or self._elsewhere(receipt)):
            return raw, receipt
        content = Content.of(raw)
        ordinal, shift = self._shifts.get(content.digest, (0, 0))
        ordinal = next(n for n in count(ordinal + 1) if content.key(n) == raw.key)
        key = content.key(ordinal + shift)
        while self._elsewhere(receipt := self._receipt(key)):
            shift += 1
            key = content.key(ordinal + shift)
        self._shifts[content.digest] = ordinal, shift
        return replace(raw, key=key), receipt

    def _elsewhere(self, receipt: dict[str, Any] | None) -> bool:
        owner = receipt.get("of") if receipt else None
        return owner is not None and bytes.fromhex(owner) in self._keys()

    def _receipt(self, key: str) -> dict[str, Any] | None:
        if key not in self._known:
            self._known |= self._read([key])
        return self._known.get(key)

    def _read(self, row_keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        keys = {receipt_key(key): key for key in row_keys}
        rows = self._conn.execute(
            "select key, answer from command_receipt where key = any(%s)", [list(keys)],
            prepare=True,
        ).fetchall()  # fmt: skip
        return {str(keys[key]): answer or {} for key, answer in rows}

    def claim(self, raw: RawRow) -> tuple[str | None, bool]:
        """In the transaction of a corrected row: (the key of its content, whether its visit is in).

        It is in when somebody corrected the register too, and imported that first.
        """
        content = Content.of(raw)
        if any(content.key(n) == raw.key for n in range(1, _ORDINALS)):
            return None, False
        for ordinal in count(1):
            slot = content.key(ordinal)
            if slot in self._adopted:
                continue
            if self._write(slot, {"run": self.run, "of": str(raw.key)}):
                return slot, False
            owned, free = self._conn.execute(
                _SLOT,
                {
                    "run": self.run,
                    "refused": _refused_key(raw.key),
                    "slot": receipt_key(slot),
                },
                prepare=True,
            ).fetchone() or (True, False)
            if free and not owned and self._adopt(slot, raw.key):
                return slot, True
        raise AssertionError("unreachable")

    def claimed(self, raw: RawRow, slot: str | None, adopted: bool) -> None:
        """The transaction of a corrected row is done."""
        if slot is not None:
            self._known[slot] = {"run": self.run, "of": str(raw.key)}
        if slot is not None and adopted and self._dry_run:
            self._adopted.add(slot)

    def note_refusal(self, row_key: str) -> None:
        """Remember in which readings a row was refused: content beside it is another visit."""
        if self._dry_run:
            return
        self._conn.execute(
            "insert into command_receipt as r (key, request_hash, answer) values (%s, %s, %s)"
            " on conflict (key) do update set answer = jsonb_set(r.answer, '{runs}',"
            " r.answer -> 'runs' || to_jsonb(%s::text)) where not r.answer -> 'runs' ? %s::text",
            [
                _refused_key(row_key),
                _request_hash(row_key),
                Jsonb({"runs": [self.run]}),
                self.run,
                self.run,
            ],
            prepare=True,
        )

    def _write(self, slot: str, answer: dict[str, Any]) -> bool:
        return bool(
            self._conn.execute(
                "insert into command_receipt (key, request_hash, answer) values (%s, %s, %s)"
                " on conflict (key) do nothing",
                [receipt_key(slot), _request_hash(slot), Jsonb(answer)],
                prepare=True,
            ).rowcount
        )

    def _adopt(self, slot: str, owner: str) -> bool:
        return bool(
            self._conn.execute(
                "update command_receipt set answer = coalesce(answer, '{}'::jsonb) || %s"
                " where key = %s and not coalesce(answer, '{}'::jsonb) ? 'of'",
                [Jsonb({"of": str(owner)}), receipt_key(slot)],
                prepare=True,
            ).rowcount
        )


def _refused_key(row_key: str) -> str:
    return f"import-refused:{row_key}"


def _request_hash(row_key: str) -> bytes:
    """As the store computes it of the request of a row, which is its key."""
    return hashlib.sha256(strictjson.canonical(str(row_key))).digest()
