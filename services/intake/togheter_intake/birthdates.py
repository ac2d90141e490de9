"""Dates of birth as precise as they are known: nothing is invented, only mistakes are refused."""

import re
from collections.abc import Collection
from datetime import date

from togheter_intake.dates import Written, impossible, not_a_date, read_date
from togheter_intake.problems import Flaw, shown
from togheter_intake.spelling import ascii_digits, fold, without_marks
from togheter_shared.contracts.intake import Birth, BirthPrecision

UNKNOWN = Birth()
MAX_AGE = 125
BIRTH_WAY_OUT = (
    "scrivi giorno/mese/anno, o solo mese/anno, o solo l'anno, o «circa 1990», o lascia vuoto"
)

_LONGEST = 60
_ABOUT_WORD = (
    r"circa|ca\.?|c\.|approssimativ\w+|approx\.?|forse|presunt\w+|presumibil\w+|stimat\w+|"
    r"probabil\w+|about|intorno al|attorno al|verso il|env\.?|environ"
)
_ABOUT = re.compile(
    rf"^(?:(?:{_ABOUT_WORD})\s*(?:nel |il )?|[~≈]\s*)(.+)$"
    rf"|^(.+?)[\s,]*\(?(?:\b(?:{_ABOUT_WORD})|\?)\)?$"
)
_INTRODUCTION = re.compile(r"^(?:nat[oa]\s+)?(?:(?:nel|il|l'|dal|in|anno|nato|nata|classe)\s+)+")
_HIDDEN_YEAR = re.compile(r"(?:19|20)(?:\d[?x_*-]|[?x_*-]{2})")
_DECADE = re.compile(
    r"(?:(?:fine|inizio|meta|primi)\s+(?:degli\s+)?)?(?:anni|anno)\s*'?(?:19|20)?\d0"
    r"|(?:19|20)(?:\d[?x_*-]|[?x_*-]{2})"
)
_RANGE = re.compile(r"(?:tra (?:il )?)?(\d{4})\s*(?:-|/|e(?: il)?|o)\s*(\d{4})")
_AGE = re.compile(
    r"(?:eta\s*:?\s*|ha\s+|di\s+)?(\d{1,3})\s*(?:anni|aa\.?|a\.|years?|ans)(?: compiuti)?"
)


def parse_birth(
    text: str,
    seen_on: date,
    unknown: Collection[str] = (),
    order: str = "dmy",
    source: str = "stated",
) -> Birth | Flaw:
    """The date of birth that a cell states, or why it is a mistake.

    `seen_on` is the day on which the person stood there: nobody is born after it, and a year of two
    digits is the last one that is not after it. `unknown` are folded spellings of "not known".
    An age ("30 anni") gives an estimated year. A decade ("anni 80", "199?") is precision unknown.
    """
    clean = " ".join(fold(ascii_digits(without_marks(text))).split())
    if not clean or clean in unknown or _says_nothing(clean):
        return UNKNOWN
    if len(clean) > _LONGEST:
        return _unreadable(text)
    clean = _INTRODUCTION.sub("", clean)
    estimated = False
    while (about := _ABOUT.match(clean)) and not _HIDDEN_YEAR.fullmatch(clean):
        estimated = True
        clean = _INTRODUCTION.sub("", (about[1] or about[2]).strip(" ().,"))
    if age := _AGE.fullmatch(clean):
        return _from_age(int(age[1]), seen_on, text, source)
    if (years := _RANGE.fullmatch(clean)) and 0 <= int(years[2]) - int(years[1]) <= 10:
        estimated, clean = True, years[1]
    written = read_date(clean, order)
    if written is None:
        return UNKNOWN if _DECADE.fullmatch(clean) else _unreadable(text)
    return _checked(written.years(seen_on), estimated, seen_on, text, source)


def age_on(birth: Birth, day: date) -> int | None:
    """Whole years on `day`; None when the year is not known, or lies after `day`.

    What is not known counts as if the birthday were already past: with a year only, it is the
    difference of the years, so the age can be one too high, never too low.
    """
    if birth.year is None:
        return None
    age = day.year - birth.year
    if birth.month is not None:
        birthday = (birth.month, birth.day if birth.day is not None else 1)
        age -= (day.month, day.day) < birthday
    return age if age >= 0 else None


def _says_nothing(clean: str) -> bool:
    """Only zeros, question marks and dashes: 00/00/0000, ??, --/--/----."""
    return not re.search(r"[^0\W_x]", clean)


def _from_age(age: int, seen_on: date, text: str, source: str) -> Birth | Flaw:
    if age > MAX_AGE:
        return _too_old(text)
    return Birth(year=seen_on.year - age, precision=BirthPrecision.ESTIMATED, source=source)


def _checked(
    written: Written, estimated: bool, seen_on: date, text: str, source: str
) -> Birth | Flaw:
    if written.year == 0:
        return UNKNOWN
    if not written.possible():
        return impossible(text)
    earliest = (written.year, written.month or 1, (written.day or 1) if written.month else 1)
    if earliest > (seen_on.year, seen_on.month, seen_on.day):
        return Flaw(
            "birth_in_future",
            f"la data di nascita {shown(text)} viene dopo l'accesso",
            "controlla l'anno di nascita e la data dell'accesso",
        )
    if written.year < 1900 or seen_on.year - written.year > MAX_AGE:
        return _too_old(text)
    if estimated:
        precision = BirthPrecision.ESTIMATED
    elif written.month is None:
        precision = BirthPrecision.YEAR
    elif written.day is None:
        precision = BirthPrecision.MONTH
    else:
        precision = BirthPrecision.DAY
    return Birth(
        year=written.year,
        month=written.month,
        day=written.day if written.month else None,
        precision=precision,
        source=source,
    )


def _unreadable(text: str) -> Flaw:
    flaw = not_a_date(text)
    return Flaw(flaw.code, flaw.value_problem, BIRTH_WAY_OUT)


def _too_old(text: str) -> Flaw:
    return Flaw(
        "birth_too_old",
        f"con la data di nascita {shown(text)} la persona avrebbe più di {MAX_AGE} anni",
        "controlla l'anno; se viene da un altro calendario (persiano, islamico, etiope), "
        "scrivi quello gregoriano",
    )
