"""What makes a row of a register the same row when its file is imported again."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence

from togheter_intake.problems import Problem

KEY = "togheter_chiave"
NUMBER = "togheter_riga"
COLUMN = "togheter_colonna"
PROBLEM = "togheter_problema"
WAY_OUT = "togheter_rimedio"
OWN_COLUMNS = (KEY, NUMBER, COLUMN, PROBLEM, WAY_OUT)
"""The columns that the file of refused rows has beside those of the register."""

_KEY = re.compile(r"[0-9a-f]{64}")


def row_key(fields: Sequence[tuple[str, str]], rest: Sequence[str], ordinal: int) -> str:
    """SHA-256, in hexadecimal, of what the row says; columns in another order change nothing.

    `ordinal` tells equal rows of one file apart: two anonymous visits on a day are two visits.
    """
    return _numbered(_content(fields, rest), ordinal)


def _content(fields: Sequence[tuple[str, str]], rest: Sequence[str]) -> "hashlib._Hash":
    content = [sorted((field, text.strip()) for field, text in fields), list(rest)]
    return hashlib.sha256(json.dumps(content).encode("ascii"))


def _numbered(content: "hashlib._Hash", ordinal: int) -> str:
    whole = content.copy()
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
        """The key of a row: the one that stands in the file of refused rows, else its own.

        `fields` is what the columns of the mapping say, `rest` what stands behind the last column.
        """
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
        return given, None

    def _own(self, fields: Sequence[tuple[str, str]], rest: Sequence[str]) -> str:
        content = _content(fields, rest)
        digest = content.digest()[:16]
        self._seen[digest] += 1
        return _numbered(content, self._seen[digest])
