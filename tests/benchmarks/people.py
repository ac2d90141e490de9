"""Synthetic people from many countries, and the ways in which the same one is written otherwise.

Names come from the lists of the package Faker; how they are combined, spelled again and mistyped is
made here, with a seed. Nobody of these is real.
"""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache

from unidecode import unidecode

LOCALES = (
    "fr_DZ", "en_PK", "yo_NG", "ha_NG", "ig_NG", "sw", "tw_GH", "ar_AA", "fa_IR", "bn_BD", "uk_UA",
    "ka_GE", "hi_IN", "es_CO", "fr_FR", "tr_TR", "ro_RO", "pt_BR", "ne_NP", "ru_RU", "zh_CN",
)  # fmt: skip
WITHOUT_VOWELS = ("ar_AA", "fa_IR")
TWO_FAMILY_NAMES = ("es_CO", "pt_BR")


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """As a desk writes people down; `month` 0 and `day` 0 are not known."""

    given: str
    family: str
    native: str
    year: int
    month: int
    day: int
    phone: str


@cache
def names(locale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given and family names of a locale."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    given = [
        name
        for list_ in ("first_names", "first_names_male", "first_names_female")
        for name in getattr(provider, list_, ())
    ]
    family = list(getattr(provider, "last_names", ()))
    return tuple(dict.fromkeys(given)), tuple(dict.fromkeys(family))


def people(count: int, seed: int) -> Iterator[Somebody]:
    """The same `count` people for the same seed: common names are common, some have one name."""
    rng = random.Random(seed)
    for _ in range(count):
        locale = LOCALES[min(int(rng.expovariate(0.18)), len(LOCALES) - 1)]
        given, family = names(locale)
        first = [_often(rng, given)]
        if rng.random() < 0.25:
            first.append(_often(rng, given))
        surname = _rare if rng.random() < 0.5 else _often
        last = [surname(rng, family)] if rng.random() > 0.03 else []
        if locale in TWO_FAMILY_NAMES or (last and rng.random() < 0.15):
            last.append(_often(rng, family if rng.random() < 0.6 else given))
        written = " ".join(first), " ".join(last)
        foreign = not " ".join(written).isascii() and unidecode(written[0]) != written[0]
        latin = tuple(_romanised(rng, part, locale) for part in written) if foreign else written
        born = date(1950, 1, 1) + timedelta(days=int(rng.triangular(0, 26_000, 17_000)))
        unsure = rng.random()
        month, day = (
            (1, 1) if unsure < 0.12 else (0, 0) if unsure < 0.15 else (born.month, born.day)
        )
        yield Somebody(
            given=latin[0],
            family=latin[1],
            native=" ".join(written).strip() if foreign and rng.random() < 0.5 else "",
            year=born.year,
            month=month,
            day=day,
            phone=f"+393{rng.randrange(10**9):09}" if rng.random() < 0.6 else "",
        )


def _often(rng: random.Random, from_: tuple[str, ...]) -> str:
    """One of the names, the first ones far more often."""
    return from_[int(len(from_) * rng.random() ** 2.2)]


def _rare(rng: random.Random, from_: tuple[str, ...]) -> str:
    """A name as these are written that may not be among them: letters follow letters as there.

    Lists are short, and lives are not: most families have a name that is on no list.
    """
    follow = _letters(from_)
    name = rng.choice(from_)[:2]
    while len(name) < 14 and (letter := rng.choice(follow.get(name[-2:], ("",)))):
        name += letter
    return name


@cache
def _letters(from_: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name in from_:
        for at in range(len(name) - 1):
            found.setdefault(name[at : at + 2], []).append(name[at + 2 : at + 3])
    return {pair: tuple(letters) for pair, letters in found.items()}


def _romanised(rng: random.Random, text: str, locale: str) -> str:
    latin = unidecode(text).replace("`", "").replace("'", "")
    if locale in WITHOUT_VOWELS:
        latin = " ".join(_voiced(word) for word in latin.split())
    return latin.title()


def _voiced(word: str) -> str:
    """Vowels where Arabic writing leaves them out."""
    return re.sub(r"([^aeiou\W])(?=[^aeiou\W])", r"\1a", word.lower())


# --- the same person, written otherwise -----------------------------------------------------------

_SPELLINGS = (
    ("ou", "u"), ("u", "ou"), ("sh", "ch"), ("ch", "sh"), ("kh", "h"), ("j", "dj"), ("dj", "j"),
    ("y", "i"), ("i", "y"), ("i", "ee"), ("ee", "i"), ("w", "ou"), ("q", "k"), ("k", "q"),
    ("ph", "f"), ("f", "ph"), ("z", "s"), ("e", "i"), ("o", "u"), ("a", "e"), ("c", "k"),
    ("th", "t"), ("t", "th"), ("ss", "s"), ("l", "ll"), ("m", "mm"), ("dd", "d"), ("gh", "g"),
    ("v", "w"), ("h", ""),
)  # fmt: skip


def _respelled(rng: random.Random, one: Somebody) -> Somebody:
    def respell(name: str) -> str:
        text = name.lower()
        for old, new in rng.sample(_SPELLINGS, 6):
            at = text.find(old, 1)
            if at > 0:
                text = text[:at] + new + text[at + len(old) :]
        return text.title()

    return replace(one, given=respell(one.given), family=respell(one.family), native="")


def _other_script(rng: random.Random, one: Somebody) -> Somebody:
    return replace(one, given=one.native, family="", native="") if one.native else one


def _parts_swapped(rng: random.Random, one: Somebody) -> Somebody:
    return replace(one, given=one.family, family=one.given)


def _day_and_month_swapped(rng: random.Random, one: Somebody) -> Somebody:
    return replace(one, month=one.day, day=one.month) if 0 < one.day <= 12 else one


def _mistyped(rng: random.Random, one: Somebody) -> Somebody:
    parts = [part for part in ("given", "family") if len(getattr(one, part)) > 3]
    if not parts:
        return one
    part = rng.choice(parts)
    text = getattr(one, part)
    at = rng.randrange(1, len(text) - 1)
    letter = rng.choice("aeionrlstm")
    wrong = rng.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + letter + text[at:],
            text[:at] + letter + text[at + 1 :],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        )
    )
    return replace(one, **{part: wrong}, native="")


def _part_missing(rng: random.Random, one: Somebody) -> Somebody:
    parts = f"{one.given} {one.family}".split()
    if len(parts) < 2:
        return one
    parts.remove(rng.choice(parts))
    return replace(one, given=" ".join(parts), family="", native="")


def _first_of_january(rng: random.Random, one: Somebody) -> Somebody:
    return replace(one, month=1, day=1)


CORRUPTIONS: dict[str, Callable[[random.Random, Somebody], Somebody]] = {
    "transliteration": _respelled,
    "other script": _other_script,
    "names swapped": _parts_swapped,
    "day and month swapped": _day_and_month_swapped,
    "mistyped": _mistyped,
    "part missing": _part_missing,
    "1 January": _first_of_january,
}


def corrupted(rng: random.Random, one: Somebody) -> tuple[Somebody, tuple[str, ...]]:
    """The person as somebody else may have written them down, and what was done: one thing or two,
    and the telephone is another one."""
    while True:
        kinds = tuple(rng.sample(list(CORRUPTIONS), rng.choice((1, 1, 2))))
        changed = replace(one, phone="")
        for kind in kinds:
            before, changed = changed, CORRUPTIONS[kind](rng, changed)
            if changed == before:
                break
        else:
            return changed, kinds
