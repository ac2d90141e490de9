"""How long an access took, in minutes."""

import re

from togheter_intake.problems import Flaw, shown
from togheter_intake.spelling import ascii_digits, fold

MINUTES_IN_A_DAY = 1440

_ABOUT = re.compile(r"^(?:circa|ca\.?|c\.ca|~|piu o meno|quasi)\s*|\s*\(?(?:circa|ca\.?)\)?$")
_MINUTES = re.compile(r"(\d{1,6})(?:[.,]0+)?\s*(?:m|min|mins|minuti|minuto|'|′)?\.?")
_HOURS = re.compile(
    r"(\d{1,2})\s*(?:h|ora|ore)\.?\s*(?:e\s*)?(?:(\d{1,2})\s*(?:m|min|minuti|')?\.?)?"
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::00)?")


def parse_minutes(text: str) -> int | Flaw:
    """Minutes of a non-empty cell: 30, 30 min, 30', 1h, 1h30, 1:30, circa 30. Words are
    no number."""
    clean = _ABOUT.sub("", fold(ascii_digits(text)))
    minutes: int | None = None
    if m := _MINUTES.fullmatch(clean):
        minutes = int(m[1])
    elif m := _HOURS.fullmatch(clean) or _CLOCK.fullmatch(clean):
        minutes = int(m[1]) * 60 + int(m[2] or 0)
    if minutes is None or minutes > MINUTES_IN_A_DAY:
        return Flaw(
            "minutes",
            f"{shown(text)} non è un numero di minuti da 0 a {MINUTES_IN_A_DAY}",
            "scrivi i minuti in cifre, per esempio 30, o lascia vuoto",
        )
    return minutes
