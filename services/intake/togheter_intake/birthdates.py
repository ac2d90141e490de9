"""Dates of birth as precise as they are known: nothing is invented, only mistakes are refused."""

import re
from collections.abc import Collection
from datetime import date

from togheter_intake.dates import MONTHS, Written, impossible, not_a_date, read_date
from togheter_intake.problems import Flaw, shown
from togheter_intake.spelling import ascii_digits, fold, without_marks
from togheter_shared.contracts.intake import Birth, BirthPrecision

UNKNOWN = Birth()
MAX_AGE = 125
BIRTH_WAY_OUT = (
    "scrivi giorno/mese/anno, o solo mese/anno, o solo l'anno, o «circa 1990», o lascia vuoto"
)
IMPOSSIBLE_BIRTH_WAY_OUT = (
    "controlla giorno e mese sul documento; quello che non si sa si scrive 00"
)

_LONGEST = 200
_CLOSE_YEARS = 10
_ABOUT_WORD = (
    r"circa|ca\.?|c\.ca|c\.|approssimativ\w+|approx\.?|forse|presunt\w+|presumibil\w+|stimat\w+|"
    r"probabil\w+|about|intorno al|attorno al|verso il|env\.?|environ"
)
_ABOUT = re.compile(
    rf"^(?:(?:{_ABOUT_WORD})\s*(?:nel |il )?|[~≈]\s*)(.+)$"
    rf"|^(.+?)[\s,]*\(?(?:\b(?:{_ABOUT_WORD})|\?)\)?$"
)
_INTRODUCTION = re.compile(r"^(?:nat[oa]\s+)?(?:(?:nel|il|l'|dal|in|anno|nato|nata|classe)\s+)+")
_SHORT_YEAR = re.compile(r"^(?:nat[oa]\s+)?(?:nel\s+|nell'\s*|classe\s+)'?(\d\d)$")
_HIDDEN_YEAR = re.compile(r"(?:19|20)(?:\d[?x_*-]|[?x_*-]{2})")
_DECADE = re.compile(
    r"(?:(?:fine|inizio|meta|primi)\s+(?:degli\s+)?)?(?:anni|anno)\s*'?(?:19|20)?\d0"
    r"|(?:19|20)(?:\d[?x_*-]|[?x_*-]{2})"
)
_RANGE = re.compile(r"(?:tra (?:il )?)?(\d{4})\s*(?:-|/|e(?: il)?|o)\s*(\d{4})")
_SHORT_RANGE = re.compile(r"(\d{4})\s*[-/]\s*(\d{2})")
_AGE = re.compile(
    r"(?:eta\s*:?\s*|ha\s+|di\s+)?(\d{1,3})\s*(?:anni|aa\.?|a\.|years?|ans)(?: compiuti)?"
)

_FORM = re.compile(r"(?:g{1,2}|d{1,2})\W*m{1,2}\W*(?:a{2,4}|y{2,4})")
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DATE = re.compile(
    r"(?<![\w/.-])(?:\d{4}([/.-])\d{1,2}\1\d{1,2}"
    r"|\d{1,2}\s*([/.-])\s*(?:\d{1,2}|[ivx]{1,4})\s*\2\s*(?:\d{4}|\d{2})"
    rf"|(?:\d{{1,2}}°?[\s/.-]+)?(?:{_MONTH})\b[\s/.-]*\d{{4}}"
    r"|\d{1,2}[/.-]\d{4})(?![\w/-]|\.\d)"
    r"|(?<=gg[/.-])\d{1,2}[/.-]\d{4}(?![\w/-])"
)
_YEAR = re.compile(r"(?<!\w)\d{4}(?!\w)")
_AGE_IN_WORDS = re.compile(
    r"(?<!da )(?<!\d)(\d{1,3})(?:\s*(?:-|/|o|e)\s*\d{1,3})?\s*"
    r"(?:anni|anno|aa|a|enne|years?|y|ans)\b"
    r"|\beta\b\D{0,30}?(\d{1,3})\b(?!\s*[/.-]\s*\d)"
)
_TENS = ("vent", "trent", "quarant", "cinquant", "sessant", "settant", "ottant", "novant")
_TEENS = ("quattordic", "quindic", "sedic", "diciassett", "diciott", "diciannov")
_AGES = {f"{word}enne": age for age, word in enumerate(_TEENS, start=14)} | {
    f"{word}enne": age for age, word in zip(range(20, 100, 10), _TENS, strict=True)
}
_AGE_AS_WORD = re.compile(rf"\b(?:{'|'.join(_AGES)})\b")
_DOUBT = re.compile(
    rf"\b(?:{_ABOUT_WORD})(?!\w)|\?|\b(?:cert[ao]|incert\w+|dubbi\w*|verificare|confermare|prima|"
    r"dopo|fine|inizio|meta|pare|sembra|apparente|indicativ\w+|piu o meno|pressappoco)\b"
)
_WORDS_OF_A_YEAR = "solo soltanto anno annata nel nell l il del gg g mm m dd nato nata classe di in"
_YEAR_WORDS = frozenset(_WORDS_OF_A_YEAR.split())
_NOT_KNOWN = re.compile(
    r"\b(?:non (?:l[ao] |si |se |sanno |e )?(?:sa|so|ricord\w+|conosc\w+|not[ao]|cert[ao]|"
    r"pervenut\w+|dichiara\w*|disponibil\w+|indicat\w+|registrat\w+|document\w+|risponde|dice|"
    r"vuole|fornit\w+|ancora|ha|sicur\w+|compres\w+|comunicat\w+)"
    r"|senza|mai registrat\w+|nessun\w*|ignot\w+|sconosciut\w+|incert\w+|mancante|manca|assente|"
    r"da (?:chiedere|verificare|definire|accertare|confermare|completare|inserire|richiedere|"
    r"stabilire|recuperare|controllare|vedere)|in (?:attesa|accertamento)|attesa documenti|boh|"
    r"dimenticat\w+|minorenne|maggiorenne|minore|adult[oaie]|anzian[oaie]|neonat[oa]|bambin[oa]|"
    r"giovane|anni (?:venti|trenta|quaranta|cinquanta|sessanta|settanta|ottanta|novanta)|"
    r"unknown|not known|don't know|does not know|minor|adult|n\.?\s?[dnp])(?!\w)"
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
    return read_birth(text, seen_on, unknown, order, source)[0]


def read_birth(
    text: str,
    seen_on: date,
    unknown: Collection[str] = (),
    order: str = "dmy",
    source: str = "stated",
) -> tuple[Birth | Flaw, bool]:
    """As `parse_birth`, and whether there are words in the cell that nobody has understood."""
    clean = " ".join(fold(ascii_digits(without_marks(text))).split())
    if not clean or clean in unknown or clean.strip(" ()[].") in unknown or _says_nothing(clean):
        return UNKNOWN, False
    if len(clean) > _LONGEST:
        return _unreadable(text), False
    birth = _plain(clean, text, seen_on, order, source)
    if birth is None:
        birth = _among_words(clean, text, seen_on, order, source)
        return birth, isinstance(birth, Birth) and birth.year is not None
    return birth, False


def _plain(clean: str, text: str, seen_on: date, order: str, source: str) -> Birth | Flaw | None:
    """A date, a year or an age with the usual words around it; None for anything else."""
    clean = _INTRODUCTION.sub("", _SHORT_YEAR.sub(r"'\1", clean))
    estimated = False
    while (about := _ABOUT.match(clean)) and not _HIDDEN_YEAR.fullmatch(clean):
        estimated = True
        clean = _INTRODUCTION.sub("", (about[1] or about[2]).strip(" ().,"))
    if age := _AGE.fullmatch(clean):
        return _from_age(int(age[1]), seen_on, text, source)
    if (years := _RANGE.fullmatch(clean)) and 0 <= int(years[2]) - int(years[1]) <= _CLOSE_YEARS:
        estimated, clean = True, years[1]
    if (years := _SHORT_RANGE.fullmatch(clean)) and int(years[2]) > 12:
        close = 0 < int(years[2]) - int(years[1][2:]) <= _CLOSE_YEARS
        estimated, clean = (True, years[1]) if close else (estimated, clean)
    written = read_date(clean, order)
    if written is None:
        return UNKNOWN if _DECADE.fullmatch(clean) else None
    return _checked(written.years(seen_on), estimated, seen_on, text, source)


def _among_words(clean: str, text: str, seen_on: date, order: str, source: str) -> Birth | Flaw:
    """What a remark in words still says: one date, one year, one age, or that it is not known.

    Every number of the remark must be understood; a mistyped date is no remark.
    """
    doubt = bool(_DOUBT.search(clean))
    if not re.search(r"\d", clean):
        return _without_digits(clean, text, seen_on, source)
    dates = list(_DATE.finditer(clean))
    if len(dates) == 1 and not re.search(
        r"\d", clean[: dates[0].start()] + clean[dates[0].end() :]
    ):
        written = read_date(dates[0][0], order)
        if written is not None:
            return _checked(written.years(seen_on), doubt, seen_on, text, source)
    without_age = _AGE_IN_WORDS.sub(" ", clean, count=1)
    years = [int(year) for year in _YEAR.findall(without_age)]
    rest = _YEAR.sub(" ", without_age)
    if re.search(r"\d", rest):
        return _unreadable(text)
    if years and max(years) - min(years) <= _CLOSE_YEARS:
        plain = without_age == clean and len(years) == 1 and _only_a_year(rest)
        return _checked(Written(min(years)), not plain, seen_on, text, source)
    if not years and (age := _AGE_IN_WORDS.search(clean)):
        return _from_age(int(age[1] or age[2]), seen_on, text, source)
    return _unreadable(text)


def _without_digits(clean: str, text: str, seen_on: date, source: str) -> Birth | Flaw:
    if (age := _AGE_AS_WORD.search(clean)) and not _NOT_KNOWN.search(clean):
        return _from_age(_AGES[age[0]], seen_on, text, source)
    return UNKNOWN if _NOT_KNOWN.search(clean) else _unreadable(text)


def _only_a_year(rest: str) -> bool:
    """Whether the words beside a year say no more than that it is one."""
    return all(word in _YEAR_WORDS for word in re.findall(r"[^\W_]+", rest))


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
    """Only zeros, question marks, dashes and letters for digits: 00/00/0000, ??, gg/mm/aaaa."""
    return not re.search(r"[^0\W_x]", clean) or bool(_FORM.fullmatch(clean))


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
        flaw = impossible(text)
        return Flaw(flaw.code, flaw.value_problem, IMPOSSIBLE_BIRTH_WAY_OUT)
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
