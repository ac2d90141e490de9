"""Forms of names that can be compared across scripts, transliterations and spellings."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from unidecode import unidecode

ALIKE, FAR = 96.0, 25.0
"""From here on, and below, names cut differently would change nothing."""

_ARTICLES = "al el ul de la las los da das do dos du di del della le lo d the bin ibn bint"
ARTICLES = frozenset(_ARTICLES.split())

_SOUNDS = (
    ("tch", "c"), ("sch", "s"), ("ou", "u"), ("oo", "u"), ("ee", "i"), ("ie", "i"), ("ph", "f"),
    ("kh", "h"), ("gh", "g"), ("sh", "s"), ("ch", "c"), ("th", "t"), ("dh", "d"), ("dj", "j"),
    ("ck", "k"), ("q", "k"), ("c", "k"), ("w", "v"), ("y", "i"), ("z", "s"), ("x", "ks"),
)  # fmt: skip
_DOUBLE = re.compile(r"(.)\1+")
_VOWELS = re.compile(r"[aeiou]")
_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ`][^\W\d_]+)*")
_ARABIC_ARTICLE = re.compile(r"^ال(?=\w{3})")


@lru_cache(maxsize=8192)
def name_tokens(text: str) -> tuple[str, ...]:
    """The parts of a name, Latin, lower case, in the simplest spelling of their sounds.

    Articles and single letters are left out as long as something else remains.
    """
    composed = unicodedata.normalize("NFC", text).casefold()
    words = [_simple(word) for word in _WORD.findall(_separated(composed))]
    tokens = [word for word in words if word]
    long = [token for token in tokens if token not in ARTICLES and len(token) > 1]
    return tuple(dict.fromkeys(long or tokens))


@lru_cache(maxsize=16384)
def skeleton(token: str) -> str:
    """The consonants of a token: what Arabic writing keeps, and most transliterations share."""
    return _DOUBLE.sub(r"\1", _VOWELS.sub("", token)) or token


def similarity(left: Sequence[str], right: Sequence[str]) -> float:
    """0 to 100: how much two names are one, whatever the order of their parts.

    Each part of the shorter name is compared with its best partner in the longer one; parts that
    only the longer one has cost little. A name of one part against one of several is uncertain.
    """
    if not left or not right:
        return 0.0
    short, long = sorted((tuple(left), tuple(right)), key=lambda parts: (len(parts), parts))
    rest = list(long)
    total = weight = 0.0
    for token in sorted(short, key=len, reverse=True):
        best = max(rest, key=lambda other: _alike(token, other))
        rest.remove(best)
        length = len(token) + len(best)
        total += _alike(token, best) * length
        weight += length
    score = total / weight
    missing = len(long) - len(short)
    if missing:
        score -= 12 if len(short) == 1 else 4 * missing
    if score >= ALIKE or score < FAR:
        return max(score, 0.0)
    joined = fuzz.ratio("".join(sorted(left)), "".join(sorted(right)))
    glued = fuzz.ratio("".join(left), "".join(right))
    return max(score, joined, glued, _same_bones(left, right), 0.0)


def _same_bones(left: Sequence[str], right: Sequence[str]) -> float:
    """Names cut differently, as Abdelrahman and Abd al-Rahman, by their consonants."""
    ones, others = [skeleton(t) for t in left], [skeleton(t) for t in right]
    one, other = "".join(ones), "".join(others)
    if len(left) == len(right) or min(len(one), len(other)) < 6:
        return 0.0
    return (
        max(
            fuzz.ratio(one, other),
            fuzz.ratio(one, "".join(reversed(others))),
            fuzz.ratio("".join(reversed(ones)), other),
        )
        - 8
    )


@lru_cache(maxsize=65536)
def _alike(left: str, right: str) -> float:
    if left == right:
        return 100.0
    written = fuzz.ratio(left, right)
    bones, others = skeleton(left), skeleton(right)
    if min(len(left), len(right)) < 3:
        return written if left[0] == right[0] else written / 2
    sounded = 100 * JaroWinkler.similarity(bones, others) - 8
    if min(len(bones), len(others)) < 2 or not (left[0] == right[0] or bones[0] == others[0]):
        sounded = 0.0
    if bones == others and len(bones) > 1:
        sounded = 93.0
    return max(written, sounded if sounded >= 85 else 0.0)


def _separated(text: str) -> str:
    words = text.replace("-", " ").split()
    return " ".join(_ARABIC_ARTICLE.sub("", word) for word in words)


def _simple(word: str) -> str:
    latin = re.sub(r"[^a-z]", "", unidecode(word).lower())
    for sound, plain in _SOUNDS:
        latin = latin.replace(sound, plain)
    latin = _DOUBLE.sub(r"\1", latin)
    return latin[:-1] if len(latin) > 3 and latin.endswith("h") else latin
