"""Comparing what people type: without case, accents, kinds of apostrophe and runs of spaces."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼʻ`´′＇ʹ"), "'")
DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−－"), "-")
COMMAS = {ord("，"): ",", ord("、"): ",", ord("،"): ",", ord("；"): ";", ord("؛"): ";"}

_ACCENT = re.compile(r"(?<=[aeiou])'(?!\w)")
"""An apostrophe where the keyboard had no accent: si', eta', Peru'."""


@lru_cache(maxsize=16384)
def fold(text: str) -> str:
    """The form in which two spellings are compared; never shown or stored."""
    decomposed = unicodedata.normalize("NFKD", text.translate(APOSTROPHES).translate(DASHES))
    kept = "".join(c for c in decomposed if unicodedata.category(c) not in {"Mn", "Cf"})
    return _ACCENT.sub("", " ".join(kept.casefold().split()))


def ascii_digits(text: str) -> str:
    """Digits of every script as 0-9; everything else as it was."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def without_marks(text: str) -> str:
    """Without invisible characters (direction marks, joiners, byte order marks)."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def forbidden_character(text: str) -> str | None:
    """The name of the first character that no text can store: NUL and lone surrogates."""
    if text.isprintable():
        return None
    for c in text:
        if c == "\0" or unicodedata.category(c) == "Cs":
            return f"U+{ord(c):04X}"
    return None


def without_controls(text: str) -> str:
    """With a space in the place of every control character that is no tab or end of line."""
    if text.isprintable():
        return text
    return "".join(
        " " if unicodedata.category(c) == "Cc" and c not in "\t\n\r" else c for c in text
    )


SEPARATORS = (";", r"\n", r"\|", "/", ",", r"\+", "&", r"\b(?:e|ed|and|et)\b", r"\s-\s", "-")
_SPLITTERS = tuple(re.compile(rf"\s*{separator}\s*") for separator in SEPARATORS)


def split_known(
    text: str, known: Callable[[str], T | None], separators: Sequence[re.Pattern[str]] = _SPLITTERS
) -> tuple[list[T], list[str]]:
    """The values that a cell lists, and the pieces that nobody knows.

    The whole text is tried before any separator, the strong separators before the weak ones, and
    neighbours are joined again where only together they mean something: "documenti e assistenza
    legale e casa" is two values although it holds two "e".
    """
    text = text.translate(DASHES).translate(COMMAS).strip()
    if not text:
        return [], []
    value = known(text)
    if value is not None:
        return [value], []
    for position, separator in enumerate(separators):
        spans = [m.span() for m in separator.finditer(text)]
        if not spans or len(spans) > 50:
            continue
        weaker = separators[position + 1 :]
        values: list[T] = []
        unknown: list[str] = []
        starts = [0, *(end for _, end in spans)]
        ends = [*(start for start, _ in spans), len(text)]
        at = 0
        while at < len(starts):
            for to in range(len(ends) - 1, at, -1):
                joined = known(text[starts[at] : ends[to]])
                if joined is not None:
                    values.append(joined)
                    break
            else:
                to = at
                more, rest = split_known(text[starts[at] : ends[at]], known, weaker)
                values += more
                unknown += rest
            at = to + 1
        return values, unknown
    return [], [text]


def unique(values: Sequence[T]) -> tuple[T, ...]:
    """The values without repetitions, in the order in which they came."""
    return tuple(dict.fromkeys(values))
