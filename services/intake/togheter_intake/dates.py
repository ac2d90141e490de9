"""Reading dates as people write them; what is not written stays unknown."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from togheter_intake.problems import Flaw, shown
from togheter_intake.spelling import ascii_digits, fold, without_marks

MONTH_NAMES = (
    "gennaio january janvier enero",
    "febbraio february fevrier febrero",
    "marzo march mars",
    "aprile april avril abril",
    "maggio may mai mayo",
    "giugno june juin junio",
    "luglio july juillet julio",
    "agosto august aout",
    "settembre september septembre septiembre",
    "ottobre october octobre octubre",
    "novembre november noviembre",
    "dicembre december decembre diciembre",
)
MONTH_SHORT = (
    "gen jan janv ene",
    "feb febb fev fevr",
    "mar",
    "apr avr abr",
    "mag mai may",
    "giu jun giug",
    "lug jul lugl juil",
    "ago aug",
    "set sep sett sept",
    "ott oct",
    "nov",
    "dic dec",
)
_ROMAN = "i ii iii iv v vi vii viii ix x xi xii"
ROMAN = {word: number for number, word in enumerate(_ROMAN.split(), start=1)}
"""Only with a day: «x/1990» is a month that nobody knows."""
MONTHS = {
    word: number
    for table in (MONTH_NAMES, MONTH_SHORT)
    for number, words in enumerate(table, start=1)
    for word in words.split()
}

_TIME = re.compile(
    r"(?<=\d)(?:t|\s+)\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?\s*(?:z|[+-]\d\d:?\d\d)?$"
)
_PART = r"(\d{1,2}|x{1,2}|\?{1,2}|_{1,2}|\*{1,2}|--)"
_YEAR = r"('?\d{2}|\d{4})"
_SEPARATOR = r"\s*[./\\,\s-]\s*"
_THREE = re.compile(rf"{_PART}{_SEPARATOR}{_PART}{_SEPARATOR}{_YEAR}")
_YEAR_FIRST = re.compile(rf"(\d{{4}}){_SEPARATOR}{_PART}(?:{_SEPARATOR}{_PART})?")
_MONTH_YEAR = re.compile(rf"{_PART}{_SEPARATOR}{_YEAR}")
_NAMED = re.compile(
    rf"(?:(\d{{1,2}})\s*(?:°|º|o)?[\s./-]*(?:di |de )?)?([a-z]+)\.?[\s./,-]*(?:del |de )?{_YEAR}"
)
_NAMED_FIRST = re.compile(rf"([a-z]+)\.?\s*(\d{{1,2}}),?\s+{_YEAR}")
_EIGHT = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{2})(\d{2})(\d{4})")
_WEEKDAY = re.compile(
    r"^(?:lun|mar|mer|gio|ven|sab|dom)"
    r"(?:[a-z]*(?:di|ato|enica)[.,\s]+|[.,\s]+(?=\d{1,2}[\s./-]+(?:\d{1,2}|[a-z]+)[\s./-]+'?\d{2}))"
)
"""A short one only before a whole date: «mar 1990» is a month."""

DATE_WAY_OUT = "scrivi giorno/mese/anno, per esempio 05/03/2021"


@dataclass(frozen=True)
class Written:
    """A date as written: `year` as typed when `short` (0-99); what is missing is None."""

    year: int
    month: int | None = None
    day: int | None = None
    short: bool = False

    def years(self, last: date) -> "Written":
        """With the century of a short year: the latest that is not after `last`."""
        if not self.short:
            return self
        century = last.year // 100 * 100
        this = (century + self.year, self.month or 1, self.day or 1)
        if this > (last.year, last.month, last.day):
            century -= 100
        return Written(century + self.year, self.month, self.day)

    def possible(self) -> bool:
        """Whether the calendar has such a date."""
        try:
            date(self.year, self.month or 1, self.day or 1)
        except ValueError:
            return False
        return True


def read_date(text: str, order: str = "dmy") -> Written | None:
    """What the text says of a date, its calendar not yet checked; None when it is no date.

    `order` is `dmy`, `mdy` or `ymd`: how three numbers stand when the first has not four digits.
    A month or a day written 00, xx, ?? or -- is unknown.
    """
    if len(text) > 100:
        return None
    clean = fold(ascii_digits(without_marks(text))).strip(" .,;")
    clean = _WEEKDAY.sub("", _TIME.sub("", clean))
    if m := _YEAR_FIRST.fullmatch(clean):
        return _written(m[1], m[2], m[3])
    if m := _THREE.fullmatch(clean):
        if order == "mdy":
            return _written(m[3], m[1], m[2])
        if order == "ymd" and len(m[3]) == 2:
            return _written(m[1], m[2], m[3]) if m[1].isdigit() else None
        return _written(m[3], m[2], m[1])
    if (m := _NAMED.fullmatch(clean)) and (named := _named(m[3], m[2], m[1])):
        return named
    if m := _NAMED_FIRST.fullmatch(clean):
        return _named(m[3], m[1], m[2])
    if m := _MONTH_YEAR.fullmatch(clean):
        return _month_year(m[1], m[2])
    if m := _EIGHT.fullmatch(clean):
        return _eight(clean)
    if re.fullmatch(r"\d{4}|'\d{2}", clean):
        return _written(clean, None, None)
    return None


def parse_day(text: str, latest: date, order: str = "dmy") -> date | Flaw:
    """One day of the calendar, as an access or an expiry has it.

    A year of two digits belongs to this century, 20yy, as long as it is not after `latest`.
    """
    written = read_date(text, order)
    if written is None:
        return not_a_date(text)
    if written.month is None or written.day is None:
        return Flaw(
            "date_incomplete",
            f"in {shown(text)} manca il giorno o il mese",
            DATE_WAY_OUT,
        )
    full = written.years(latest)
    if not full.possible():
        return impossible(text)
    return date(full.year, written.month, written.day)


def month_end(text: str, latest: date, order: str = "dmy") -> date | None:
    """The last day of the month that a text names without its day (06/2025); None for others."""
    written = read_date(text, order)
    if written is None or written.month is None or written.day is not None:
        return None
    full = written.years(latest)
    if not full.possible():
        return None
    return date(full.year, written.month, monthrange(full.year, written.month)[1])


def not_a_date(text: str) -> Flaw:
    serial = re.fullmatch(r"(\d{5})(?:[.,]0+)?", text.strip())
    if serial:
        day = date(1899, 12, 30) + timedelta(days=int(serial[1]))
        return Flaw(
            "date_serial",
            f"{shown(text)} è il numero con cui un foglio elettronico conserva una data (forse "
            f"{day:%d/%m/%Y})",
            "dai alla colonna il formato data e scrivi giorno/mese/anno",
        )
    return Flaw("date_unreadable", f"{shown(text)} non è una data", DATE_WAY_OUT)


def impossible(text: str) -> Flaw:
    return Flaw(
        "date_impossible",
        f"la data {shown(text)} non esiste nel calendario",
        f"controlla giorno, mese e anno; {DATE_WAY_OUT}",
    )


def _written(year: str, month: str | None, day: str | None) -> Written:
    digits = year.lstrip("'")
    return Written(int(digits), _number(month), _number(day), short=len(digits) == 2)


def _number(part: str | None) -> int | None:
    """A month or day; None when it is not known. A day without its month says nothing."""
    return int(part) or None if part is not None and part.isdigit() else None


def _named(year: str, month: str, day: str | None) -> Written | None:
    number = MONTHS.get(month) or (ROMAN.get(month) if day else None)
    return _written(year, str(number), day) if number else None


def _month_year(month: str, year: str) -> Written | None:
    """03/2005; 03/90 too, but 05/06 may be a day and a month."""
    if len(year.lstrip("'")) == 2 and not (year.startswith("'") or int(year) > 31):
        return None
    return _written(year, month, None)


def _eight(digits: str) -> Written:
    """19900305 or 05031990, whichever the calendar has."""
    first = Written(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    last = Written(int(digits[4:]), int(digits[2:4]), int(digits[:2]))
    return first if first.possible() and 1900 <= first.year < 2100 else last
