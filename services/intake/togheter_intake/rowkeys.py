"""What makes a row of a register the same row when its file is imported again."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from togheter_intake.problems import Problem

if TYPE_CHECKING:
    from togheter_intake.register import RawRow

KEY = "togheter_chiave"
NUMBER = "togheter_riga"
LINE = "togheter_linea"
COLUMN = "togheter_colonna"
PROBLEM = "togheter_problema"
WAY_OUT = "togheter_rimedio"
OWN_COLUMNS = (KEY, NUMBER, LINE, COLUMN, PROBLEM, WAY_OUT)
"""The columns that the file of refused rows has beside those of the register."""

_KEY = re.compile(r"[0-9a-f]{64}")


class GivenKey(str):
    """A key that stood in the file: the row was refused before, and may say something else now."""

    __slots__ = ()


class Content:
    """What a row says; columns in another order change nothing.

    `fields` is what the columns of the mapping say, `rest` what stands behind the last column.
    """

    def __init__(self, fields: Sequence[tuple[str, str]], rest: Sequence[str]) -> None:
        content = [sorted((field, text.strip()) for field, text in fields), list(rest)]
        self._hash = hashlib.sha256(json.dumps(content).encode("ascii"))
        self.digest = self._hash.digest()[:16]

    @classmethod
    def of(cls, raw: "RawRow") -> "Content":
        """What that row says now, whatever its key."""
        rest = raw.cells[len(raw.layout.header) :]
        fields = [(field, raw.text(field)) for field in raw.layout.places]
        return cls(fields, rest if any(rest) else ())

    def key(self, ordinal: int) -> str:
        """SHA-256, in hexadecimal. `ordinal` tells equal rows of one file apart: two anonymous
        visits on a day are two visits."""
        whole = self._hash.copy()
        whole.update(f" {ordinal}".encode("ascii"))
        return whole.hexdigest()


class RowKeys:
    """Gives the rows of one reading of one file their keys."""

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()
        self._given: set[bytes] = set()

    def key(
        self, given: str, fields: Sequence[tuple[str, str]], rest: Sequence[str]
    ) -> tuple[str, Problem | None]:
        """The key of a row: the one that stands in the file of refused rows, else its own."""
        if not given:
            return self._own(fields, rest), None
        if not _KEY.fullmatch(given):
            return self._own(fields, rest), Problem(
                KEY,
                "key_malformed",
                "la chiave della riga è stata cambiata",
                "rimettila com'era, o svuota la cella se la riga è nuova",
            )
        if bytes.fromhex(given) in self._given:
            return self._own(fields, rest), Problem(
                KEY,
                "key_repeated",
                "la chiave è già quella di un'altra riga di questo file",
                "se questa riga è un altro accesso, svuota la cella della chiave",
            )
        self._given.add(bytes.fromhex(given))
        return GivenKey(given), None

    def _own(self, fields: Sequence[tuple[str, str]], rest: Sequence[str]) -> str:
        content = Content(fields, rest)
        self._seen[content.digest] += 1
        return content.key(self._seen[content.digest])
