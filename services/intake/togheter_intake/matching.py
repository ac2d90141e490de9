"""Suspected duplicates on weaker evidence than an identifier: scores, reasons, how to find them.

Nothing here decides: a suspicion is shown to a person, with its reasons. Two people with the same
name and incompatible dates of birth are two people.
"""

from dataclasses import dataclass
from itertools import combinations

from togheter_intake.names import name_tokens, similarity, skeleton
from togheter_shared.contracts.intake import Birth, BirthPrecision, Sex

SUSPECT = 50
"""The lowest score that is a suspicion."""
SAME_NAME = 97.0
SIMILAR_NAME = 84.0
RELATED_NAME = 72.0
BEGUN = 70.0
"""A name of which only the beginning was typed."""
MISTYPED_YEARS = 10
"""How far apart two years may be when one of them may be a mistake: a parent and a child who share
a name and a birthday are further."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What is compared. Names in any script; `phones` in E.164."""

    given: str = ""
    family: str = ""
    native: str = ""
    birth: Birth = Birth()
    birth_country: str | None = None
    sex: Sex = Sex.UNKNOWN
    phones: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suspicion:
    """`score` 50 to 100; `reasons` are codes, the strongest first."""

    score: int
    reasons: tuple[str, ...]


def compare(a: Identity, b: Identity) -> Suspicion | None:
    """Whether the two may be one person, with the reasons; the order of the two does not matter."""
    names = _names(a, b)
    phone = bool(set(a.phones) & set(b.phones))
    if names < RELATED_NAME:
        return None
    births = compare_births(a.birth, b.birth)
    score, reasons = _evidence(names, births, phone)
    if not reasons:
        return None
    if a.birth_country and b.birth_country and a.birth_country != b.birth_country:
        score -= 10
        reasons = (*reasons, "other_birth_country")
    if Sex.UNKNOWN not in (a.sex, b.sex) and a.sex is not b.sex:
        score -= 5
        reasons = (*reasons, "other_sex")
    score = min(round(score), 100)
    return Suspicion(score, reasons) if score >= SUSPECT else None


def likeness(a: Identity, b: Identity) -> float:
    """How much the two look like one person, 0 to 190, to rank what a search has found.

    Unlike `compare` it judges nobody: the best of what there is comes first, however weak.
    """
    births = _BIRTHS[compare_births(a.birth, b.birth)]
    phone = 60 if set(a.phones) & set(b.phones) else 0
    return max(_names(a, b), BEGUN if _begins(a, b) else 0.0) + births + phone


def _begins(a: Identity, b: Identity) -> bool:
    """Whether every part of the first name begins a part of the second: it is being typed."""
    parts, others = _all_tokens(a), _all_tokens(b)
    return bool(parts) and all(any(o.startswith(part) for o in others) for part in parts)


_BIRTHS = {
    "same": 30,
    "swapped": 22,
    "compatible": 18,
    "close": 16,
    "unknown": 6,
    "other": 0,
}
"""What the comparison of two births adds to the likeness of two names."""


def compare_births(a: Birth, b: Birth) -> str:
    """`same`, `swapped` (day and month), `close` (one part differs), `compatible` (as far as they
    are known), `unknown` (one of them), `other`."""
    if a.year is None or b.year is None:
        return "unknown"
    if BirthPrecision.ESTIMATED in (a.precision, b.precision):
        both = a.precision is b.precision
        return "compatible" if abs(a.year - b.year) <= (3 if both else 2) else "other"
    full = (a.month, a.day, b.month, b.day)
    if None not in full:
        first, second = (a.year, a.month, a.day), (b.year, b.month, b.day)
        if a.year == b.year and (1, 1) in (first[1:], second[1:]):
            return "compatible"
        if first == second:
            return "same"
        if first == (b.year, b.day, b.month):
            return "swapped"
        equal = sum(x == y for x, y in zip(first, second, strict=True))
        return "close" if equal == 2 and abs(a.year - b.year) <= MISTYPED_YEARS else "other"
    if a.year != b.year:
        return "other"
    return "other" if None not in (a.month, b.month) and a.month != b.month else "compatible"


def blocking_keys(identity: Identity) -> frozenset[str]:
    """Keys under which a record is found again; at most some dozens.

    Meant to be hashed with a key and kept in an index. One letter says the kind: `t` telephone;
    `n` part of the name (its consonants) with the year of birth; `p` two parts of the name; `w` a
    name that has one part only; `d` day of birth, whichever of the numbers is the month; `m` part
    of the name; `f` its first three letters.
    """
    tokens = _all_tokens(identity)
    bones = _bones(tokens)
    return frozenset(_paired(identity, bones) | _dated(identity, bones) | _parts(tokens, bones))


def search_keys(identity: Identity) -> frozenset[str]:
    """Those of the keys to look for: parts of names alone only when no birth narrows them down.

    Whenever `compare` may suspect two people, the search keys of either are among the keys of the
    other.
    """
    tokens = _all_tokens(identity)
    bones = _bones(tokens)
    keys = _paired(identity, bones) | _dated(identity, bones)
    if identity.birth.year is None:
        keys |= _parts(tokens, bones)
    return frozenset(keys)


def _bones(tokens: tuple[str, ...]) -> list[str]:
    return sorted({skeleton(token) for token in tokens})[:8]


def _parts(tokens: tuple[str, ...], bones: list[str]) -> set[str]:
    return {f"m:{bone}" for bone in bones[:5]} | {f"f:{token[:3]}" for token in tokens[:5]}


def _paired(identity: Identity, bones: list[str]) -> set[str]:
    keys = {f"t:{phone}" for phone in identity.phones}
    keys |= {f"p:{one}+{two}" for one, two in combinations(bones, 2)}
    if len(bones) == 1:
        keys.add(f"w:{bones[0]}")
    return keys


def _dated(identity: Identity, bones: list[str]) -> set[str]:
    keys = {f"n:{bone}:{year}" for bone in bones for year in _years(identity.birth)}
    birth = identity.birth
    exact = birth.precision is BirthPrecision.DAY and birth.month and birth.day
    if exact and (birth.month, birth.day) != (1, 1):
        low, high = sorted((birth.month or 0, birth.day or 0))
        keys.add(f"d:{birth.year}-{low}-{high}")
    return keys


def _years(birth: Birth) -> tuple[int, ...]:
    if birth.year is None:
        return ()
    if birth.precision is BirthPrecision.ESTIMATED:
        return tuple(range(birth.year - 2, birth.year + 3))
    return (birth.year,)


def _tokens(identity: Identity) -> tuple[str, ...]:
    return name_tokens(f"{identity.given} {identity.family}")


def _all_tokens(identity: Identity) -> tuple[str, ...]:
    return (*_tokens(identity), *name_tokens(identity.native))


def _names(a: Identity, b: Identity) -> float:
    forms_a = [t for t in (_tokens(a), name_tokens(a.native)) if t]
    forms_b = [t for t in (_tokens(b), name_tokens(b.native)) if t]
    return max((similarity(x, y) for x in forms_a for y in forms_b), default=0.0)


def _evidence(names: float, births: str, phone: bool) -> tuple[float, tuple[str, ...]]:
    """The score and the reasons that name, birth and telephone give together."""
    same, similar = names >= SAME_NAME, names >= SIMILAR_NAME
    name = "same_name" if same else "similar_name"
    shared = ("same_phone",) if phone else ()
    bonus = 10 if phone else 0
    if births == "same" and (similar or phone):
        return names - 2 + bonus, (f"{name}_same_birth", *shared)
    if births == "same":
        return names - 20, ("related_name_same_birth",)
    if births == "swapped" and similar:
        return names - 12 + bonus, (f"{name}_swapped_day_month", *shared)
    if births == "compatible" and similar:
        return names - 25 + bonus, (f"{name}_compatible_birth", *shared)
    if births == "close" and similar:
        return names - 35 + bonus, (f"{name}_close_birth", *shared)
    if births == "unknown" and same and not phone:
        return 52.0, ("same_name_unknown_birth",)
    if phone:
        return names - (30 if births == "other" else 12), ("same_phone_similar_name",)
    return 0.0, ()
