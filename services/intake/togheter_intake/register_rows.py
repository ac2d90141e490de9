"""One row of a register: from cells to values, or to everything that is wrong with it."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

from togheter_intake.birthdates import UNKNOWN, read_birth
from togheter_intake.countries import country_code, country_name, is_reading, without_double
from togheter_intake.dates import month_end, parse_day
from togheter_intake.identifiers import Identifier, parse_identifier
from togheter_intake.languages import language_code
from togheter_intake.mapping import Mapping
from togheter_intake.minutes import parse_minutes
from togheter_intake.phones import read_phones
from togheter_intake.problems import Flaw, Problem, ProblemKind, shown
from togheter_intake.register import RawRow
from togheter_intake.row_shape import shape_problem
from togheter_intake.row_warnings import warnings_of
from togheter_intake.spelling import (
    fold,
    forbidden_character,
    split_known,
    unique,
    without_controls,
)
from togheter_shared.contracts.intake import (
    AccessKind,
    Area,
    Birth,
    ContactChannel,
    PersonName,
    ResidenceTitle,
    SafeContact,
    Sex,
)

T = TypeVar("T")

LONGEST = {"family": 500, "given": 500, "full_name": 500, "operator": 200, "door": 200}
LONGEST_NOTE = 10_000
LONGEST_CELL = 1_000
LAST_DAY = date(2099, 12, 31)
"""Years of two digits of accesses and expiries are of this century."""
LONGEST_TITLE = 30
"""Years; no title to stay is valid that long."""
EARLIEST_ACCESS = date(1990, 1, 1)

_BRACKETS = re.compile(r"\([^()]*\)")
_PLACE = re.compile(r"\(([^()]+)\)\s*$|[,/–-]\s*([^,/–-]+)$")


@dataclass(frozen=True, kw_only=True)
class RegisterRow:
    """One access. `name` and `identifier` are both None exactly when it is `anonymous`."""

    number: int
    line: int
    key: str
    on: date
    door: str
    """As the file writes it; whether there is such a door is the caller's question."""
    kind: AccessKind
    operator: str = ""
    name: PersonName | None = None
    sex: Sex = Sex.UNKNOWN
    birth: Birth = UNKNOWN
    birth_country: str | None = None
    citizenships: tuple[str, ...] = ()
    identifier: Identifier | None = None
    title: ResidenceTitle | None = None
    title_expires: date | None = None
    phones: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    mediator: bool | None = None
    safe_contact: SafeContact = SafeContact()
    needs: tuple[Area, ...] = ()
    minutes: int | None = None
    note: str | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def anonymous(self) -> bool:
        return self.name is None and self.identifier is None


def parse_row(raw: RawRow, mapping: Mapping, today: date) -> RegisterRow | list[Problem]:
    """The row, or all its problems, each with its column. `today` is the last day of an access."""
    if raw.damage is not None:
        return [raw.damage]
    shape = shape_problem(
        raw,
        mapping.delimiter,
        lambda other: isinstance(parse_row(other, mapping, today), RegisterRow),
    )
    return [shape] if shape is not None else _Row(raw, mapping, today).read()


class _Row:
    """Collects values and problems of one row; a value with a problem is never used."""

    def __init__(self, raw: RawRow, mapping: Mapping, today: date) -> None:
        self.raw = raw
        self.mapping = mapping
        self.today = today
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.broken: frozenset[str] = frozenset()

    def read(self) -> RegisterRow | list[Problem]:
        for field in self.raw.layout.places:
            self.check_text(field)
        self.broken = frozenset(problem.column for problem in self.problems)
        on = self.access_day()
        row = RegisterRow(
            number=self.raw.number,
            line=self.raw.line,
            key=self.raw.key,
            on=on or self.today,
            door=self.required("door", "la Porta Sociale"),
            operator=_clean(self.text("operator")),
            name=self.name(),
            sex=self.one_of("sex", self.mapping.sexes) or Sex.UNKNOWN,
            birth=self.birth(on or self.today),
            birth_country=self.birth_country(),
            citizenships=self.citizenships(),
            identifier=self.identifier(),
            title=self.one_of("title", self.mapping.titles),
            title_expires=self.expiry(on or self.today),
            phones=self.phones(),
            languages=self.listed("languages", _language, "una lingua che si conosca"),
            mediator=self.one_of("mediator", self.mapping.answers),
            safe_contact=self.safe_contact(),
            needs=self.listed("needs", _area, "un bisogno previsto", self.mapping.areas),
            kind=self.kind(),
            minutes=self.minutes(),
            note=self.text("note") or None,
        )
        if self.problems:
            return self.problems
        warnings = (*self.warnings, *warnings_of(row, self.raw.layout, self.text("birth")))
        return replace(row, warnings=warnings) if warnings else row

    def text(self, field: str) -> str:
        """The stripped cell; "" when it is empty, stands for nothing, or already has a problem."""
        text = self.raw.text(field)
        text = text.strip() if field == "note" else without_controls(text).strip()
        if not text or self.raw.layout.column(field) in self.broken:
            return ""
        if field != "note" and fold(text) in self.mapping.empty[field]:
            return ""
        if field not in ("note", "birth") and not any(c.isalnum() for c in text):
            return ""
        return text

    def check_text(self, field: str) -> None:
        text = self.raw.text(field)
        character = forbidden_character(text)
        limit = LONGEST_NOTE if field == "note" else LONGEST.get(field, LONGEST_CELL)
        if character is not None:
            self.refuse(field, _forbidden(character))
        elif (
            3 * len(text) > limit and len(text.strip() if field == "note" else _clean(text)) > limit
        ):
            self.refuse(
                field,
                Flaw(
                    "too_long",
                    f"il testo ha {len(text.strip())} caratteri; il massimo è {limit}",
                    "accorcialo, o controlla che non manchi una virgoletta",
                ),
            )

    def refuse(self, field: str, flaw: Flaw) -> None:
        self.problems.append(flaw.at(self.raw.layout.column(field)))

    def warn(self, field: str, code: str, what: str, way_out: str) -> None:
        flaw = Flaw(code, what, way_out)
        self.warnings.append(flaw.at(self.raw.layout.column(field), ProblemKind.WARNING))

    def required(self, field: str, what: str) -> str:
        text = _clean(self.text(field))
        if not text and self.raw.layout.column(field) not in self.broken:
            self.refuse(field, Flaw("missing", f"manca {what}", "scrivi il valore nella cella"))
        return text

    def access_day(self) -> date | None:
        text = self.required("on", "la data dell'accesso")
        if not text:
            return None
        day = parse_day(text, LAST_DAY, self.mapping.date_order)
        if isinstance(day, date) and day > self.today:
            day = Flaw(
                "date_in_future", f"la data {shown(text)} non è ancora venuta", "controlla l'anno"
            )
        elif isinstance(day, date) and day < EARLIEST_ACCESS:
            day = Flaw(
                "date_too_old", f"la data {shown(text)} è troppo lontana", "controlla l'anno"
            )
        if isinstance(day, Flaw):
            self.refuse("on", day)
            return None
        return day

    def expiry(self, on: date) -> date | None:
        text = self.text("title_expires")
        if not text:
            return None
        day = parse_day(text, LAST_DAY, self.mapping.date_order)
        last = month_end(text, LAST_DAY, self.mapping.date_order)
        if last is not None:
            day = last
            self.warn(
                "title_expires",
                "expiry_month",
                f"in {shown(text)} manca il giorno: vale fino alla fine del mese",
                "scrivi anche il giorno, se si sa",
            )
        if isinstance(day, date) and not 1990 <= day.year <= on.year + LONGEST_TITLE:
            day = Flaw(
                "date_unlikely", f"l'anno di {shown(text)} non può essere", "controlla l'anno"
            )
        if isinstance(day, Flaw):
            self.refuse("title_expires", day)
            return None
        return day

    def name(self) -> PersonName | None:
        family, given, full = (_clean(self.text(f)) for f in ("family", "given", "full_name"))
        return PersonName(given=given or full, family=family) if family or given or full else None

    def birth(self, seen_on: date) -> Birth:
        text = self.text("birth")
        empty = self.mapping.empty["birth"]
        birth, remark = read_birth(text, seen_on, empty, self.mapping.date_order)
        if isinstance(birth, Flaw):
            self.refuse("birth", birth)
            return UNKNOWN
        if remark:
            self.warn(
                "birth",
                "birth_remark",
                f"di {shown(text)} è stata letta solo la data, l'anno o l'età",
                "controlla la data di nascita; il resto va nelle note",
            )
        return birth

    def birth_country(self) -> str | None:
        text = self.text("birth_country")
        if not text:
            return None
        place = _PLACE.search(text)
        code = _country(self.mapping, text)
        if code is None and place:
            code = _country(self.mapping, place[1] or place[2])
        if code is None:
            self.refuse("birth_country", _not_known(text, "un paese che si conosca"))
        elif is_reading(text):
            self.warn_reading("birth_country", text, (code,))
        return code

    def citizenships(self) -> tuple[str, ...]:
        text = self.text("citizenships")
        codes = self.listed("citizenships", _country, "un paese che si conosca")
        if codes and is_reading(text):
            self.warn_reading("citizenships", text, codes)
        return codes

    def warn_reading(self, field: str, text: str, codes: tuple[str, ...]) -> None:
        names = ", ".join(map(country_name, codes))
        self.warn(field, "country_reading", f"{shown(text)} è letto come {names}", "controlla")

    def one_of(self, field: str, spellings: dict[str, T]) -> T | None:
        text = self.text(field)
        if not text:
            return None
        value = spellings.get(fold(text))
        if value is None:
            self.refuse(field, _not_known(text, "un valore previsto", spellings))
        return value

    def listed(
        self,
        field: str,
        known: Callable[[Mapping, str], T | None],
        what: str,
        spellings: dict[str, T] | None = None,
    ) -> tuple[T, ...]:
        text = self.text(field)
        if field == "citizenships":
            text = without_double(text)
        values, unknown = _split(self.mapping, known, text)
        if unknown and field == "languages":
            values, unknown = _split(self.mapping, known, _BRACKETS.sub(" ", text))
        empty = self.mapping.empty[field]
        unknown = [
            text for text in unknown if any(map(str.isalnum, text)) and fold(text) not in empty
        ]
        if unknown:
            self.refuse(field, _not_known(unknown[0], what, spellings))
        return unique(values)

    def identifier(self) -> Identifier | None:
        text = self.text("identifier")
        if not text:
            return None
        identifier = parse_identifier(text)
        if isinstance(identifier, Flaw):
            self.refuse("identifier", identifier)
            return None
        return identifier

    def phones(self) -> tuple[str, ...]:
        text = self.text("phones")
        found = read_phones(text) if text else ((), False)
        if found is None:
            self.refuse(
                "phones",
                Flaw(
                    "phone",
                    f"{shown(text)} non è un numero di telefono",
                    "scrivi il numero intero, con + e prefisso se è estero; più numeri con / in "
                    "mezzo; lascia vuoto se non c'è",
                ),
            )
            return ()
        numbers, remark = found
        if remark:
            self.warn(
                "phones",
                "phone_remark",
                "accanto al numero ci sono parole, che non sono state conservate",
                "scrivile nelle note, o nel contatto sicuro",
            )
        return numbers

    def safe_contact(self) -> SafeContact:
        spellings = self.mapping.contacts
        contacts = self.listed("safe_contact", _contact, "un modo previsto", spellings)
        allowed = [contact for contact in contacts if contact.channel is not ContactChannel.NONE]
        if not contacts or len(allowed) < len(contacts):
            return SafeContact()
        return SafeContact(
            channel=allowed[0].channel,
            hours=", ".join(dict.fromkeys(contact.hours for contact in allowed if contact.hours)),
            voicemail=any(contact.voicemail for contact in allowed),
        )

    def kind(self) -> AccessKind:
        text = self.required("kind", "il tipo di accesso")
        kind = self.one_of("kind", self.mapping.kinds) if text else None
        return kind or AccessKind.INFORMATION

    def minutes(self) -> int | None:
        text = self.text("minutes")
        if not text:
            return None
        minutes = parse_minutes(text)
        if isinstance(minutes, Flaw):
            self.refuse("minutes", minutes)
            return None
        return minutes


def _country(mapping: Mapping, text: str) -> str | None:
    return mapping.countries.get(fold(text)) or country_code(text)


def _language(mapping: Mapping, text: str) -> str | None:
    return mapping.languages.get(fold(text)) or language_code(text)


def _area(mapping: Mapping, text: str) -> Area | None:
    return mapping.areas.get(fold(text))


def _contact(mapping: Mapping, text: str) -> SafeContact | None:
    return mapping.contacts.get(fold(text))


@lru_cache(maxsize=4096)
def _split(mapping: Mapping, known: Callable[[Mapping, str], Any], text: str) -> Any:
    return split_known(text, lambda piece: known(mapping, piece))


def _clean(text: str) -> str:
    """On one line, composed; otherwise as it was given."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _not_known(text: str, what: str, spellings: dict[str, T] | None = None) -> Flaw:
    first: dict[T, str] = {}
    for spelling, value in (spellings or {}).items():
        first.setdefault(value, spelling)
    choices = f": {', '.join(first.values())}" if first else ", in italiano e per intero"
    return Flaw(
        "value_unknown", f"{shown(text)} non è {what}", f"scrivi uno dei valori previsti{choices}"
    )


def _forbidden(character: str) -> Flaw:
    if character.startswith("U+DC"):
        return Flaw(
            "not_utf8",
            f"il testo contiene un byte che non è UTF-8 (0x{character[-2:]})",
            "riscrivi la cella e salva il file come CSV UTF-8",
        )
    return Flaw(
        "control_character",
        f"il testo contiene un carattere di controllo ({character})",
        "riscrivi la cella senza quel carattere",
    )
