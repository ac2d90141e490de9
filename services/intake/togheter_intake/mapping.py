"""The mapping file of a register: which column holds what, and how its values are spelled."""

import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from togheter_intake.spelling import fold
from togheter_shared.contracts.intake import (
    AccessKind,
    Area,
    ContactChannel,
    ResidenceTitle,
    SafeContact,
    Sex,
)

FIELDS = (
    "on", "door", "operator", "family", "given", "full_name", "sex", "birth", "birth_country",
    "citizenships", "identifier", "title", "title_expires", "phones", "languages", "mediator",
    "safe_contact", "needs", "kind", "minutes", "note",
)  # fmt: skip
REQUIRED = ("on", "door", "kind")
NAMES = ("family", "given", "full_name")
DEFAULT = "porte-sociali.toml"
_LISTS = "sex kinds areas titles answers safe_contact countries languages"
_SECTIONS = frozenset(("register", "columns", "empty", *_LISTS.split()))
_ENCODINGS = ("utf-8", "cp1252")

E = TypeVar("E", bound=StrEnum)


class MappingError(Exception):
    """The mapping file is wrong; the message names file, key and the way out."""


@dataclass(frozen=True, eq=False)
class Mapping:
    """A register's shape. Spellings are folded; `columns` has the headers that a field may have."""

    source: str
    name: str
    delimiter: str
    encodings: tuple[str, ...]
    date_order: str
    optional: frozenset[str]
    columns: dict[str, tuple[str, ...]]
    empty: dict[str, frozenset[str]]
    sexes: dict[str, Sex]
    kinds: dict[str, AccessKind]
    areas: dict[str, Area]
    titles: dict[str, ResidenceTitle]
    answers: dict[str, bool]
    contacts: dict[str, SafeContact]
    countries: dict[str, str]
    languages: dict[str, str]


def load_mapping(path: Path | None = None) -> Mapping:
    """The mapping in the file, or the one of the Porte Sociali. Raises MappingError."""
    if path is None:
        default = resources.files("togheter_intake").joinpath(f"registers/{DEFAULT}")
        return read_mapping(default.read_bytes(), DEFAULT)
    try:
        return read_mapping(path.read_bytes(), str(path))
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror}") from error


def read_mapping(content: bytes, source: str) -> Mapping:
    """The mapping in a file's content; `source` is its name in messages. Raises MappingError."""
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"{source}: non è un file TOML in UTF-8: {error}") from error
    return _Reader(source, table).mapping()


def with_columns(mapping: Mapping, columns: Table[str, str]) -> Mapping:
    """The mapping with other headers for some fields, as `--door-column` gives them."""
    for field in columns:
        if field not in FIELDS:
            raise MappingError(f"{field}: non è un campo; i campi sono: {', '.join(FIELDS)}")
    changed = {field: (header,) for field, header in columns.items()}
    return replace(mapping, columns={**mapping.columns, **changed})


class _Reader:
    def __init__(self, source: str, table: dict[str, Any]) -> None:
        self.source = source
        self.table = table

    def wrong(self, key: str, what: str) -> MappingError:
        return MappingError(f"{self.source}: {key}: {what}")

    def mapping(self) -> Mapping:
        for section in self.table:
            if section not in _SECTIONS:
                raise self.wrong(section, f"sezione sconosciuta; ci sono: {_listed(_SECTIONS)}")
        columns = self.columns()
        register = self.section("register")
        return Mapping(
            source=self.source,
            name=self.text(register, "register.name", "Registro"),
            delimiter=self.delimiter(register),
            encodings=self.encodings(register),
            date_order=self.choice(register, "register.date_order", "dmy", ("dmy", "mdy", "ymd")),
            optional=self.optional(register, columns),
            columns=columns,
            empty=self.empty(),
            sexes=self.enumeration("sex", Sex),
            kinds=self.enumeration("kinds", AccessKind),
            areas=self.enumeration("areas", Area),
            titles=self.enumeration("titles", ResidenceTitle),
            answers=self.answers(),
            contacts=self.contacts(),
            countries=self.codes("countries"),
            languages=self.codes("languages"),
        )

    def section(self, name: str) -> dict[str, Any]:
        section = self.table.get(name, {})
        if not isinstance(section, dict):
            raise self.wrong(name, "dev'essere una tabella [" + name + "]")
        return section

    def text(self, section: dict[str, Any], key: str, default: str) -> str:
        value = section.get(key.split(".")[-1], default)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "dev'essere un testo non vuoto")
        return value

    def texts(self, value: Any, key: str) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, 'dev\'essere un elenco di testi, per esempio ["si", "sì"]')
        return tuple(value)

    def choice(
        self, section: dict[str, Any], key: str, default: str, choices: tuple[str, ...]
    ) -> str:
        value = self.text(section, key, default)
        if value not in choices:
            raise self.wrong(key, f"«{value}» non va bene; si può: {_listed(choices)}")
        return value

    def delimiter(self, section: dict[str, Any]) -> str:
        value = self.text(section, "register.delimiter", ";")
        if len(value) != 1 or value in '"\r\n':
            raise self.wrong("register.delimiter", "dev'essere un solo carattere, come ; o ,")
        return value

    def encodings(self, section: dict[str, Any]) -> tuple[str, ...]:
        values = self.texts(section.get("encodings", ["utf-8"]), "register.encodings")
        if "utf-8" not in values or set(values) - set(_ENCODINGS):
            raise self.wrong("register.encodings", 'si può: ["utf-8"] o ["utf-8", "cp1252"]')
        return values

    def optional(self, section: dict[str, Any], columns: Table[str, Any]) -> frozenset[str]:
        values = self.texts(section.get("optional", []), "register.optional")
        for field in values:
            if field not in columns or field in REQUIRED:
                raise self.wrong("register.optional", f"«{field}» non è un campo facoltativo")
        return frozenset(values)

    def columns(self) -> dict[str, tuple[str, ...]]:
        columns: dict[str, tuple[str, ...]] = {}
        seen: dict[str, str] = {}
        for field, value in self.section("columns").items():
            if field not in FIELDS:
                raise self.wrong(
                    f"columns.{field}", f"campo sconosciuto; ci sono: {_listed(FIELDS)}"
                )
            columns[field] = self.texts(value, f"columns.{field}")
            for header in columns[field]:
                if not header.strip():
                    raise self.wrong(f"columns.{field}", "l'intestazione è vuota")
                other = seen.setdefault(fold(header), field)
                if other != field:
                    raise self.wrong(f"columns.{field}", f"«{header}» è già la colonna di {other}")
        for field in REQUIRED:
            if not columns.get(field):
                raise self.wrong(f"columns.{field}", "manca: di' quale colonna lo contiene")
        return columns

    def empty(self) -> dict[str, frozenset[str]]:
        section = self.section("empty")
        for key in section:
            if key not in (*FIELDS, "anywhere", "name"):
                raise self.wrong(f"empty.{key}", f"campo sconosciuto; ci sono: {_listed(FIELDS)}")
        lists = {
            key: frozenset(map(fold, self.texts(value, f"empty.{key}")))
            for key, value in section.items()
        }
        anywhere, name = lists.get("anywhere", frozenset()), lists.get("name", frozenset())
        return {
            field: lists.get(field, frozenset())
            | (name if field in NAMES else frozenset() if field == "note" else anywhere)
            for field in FIELDS
        }

    def enumeration(self, name: str, members: type[E]) -> dict[str, E]:
        spellings: dict[str, E] = {}
        for key, value in self.section(name).items():
            try:
                member = members(key)
            except ValueError:
                choices = _listed([m.value for m in members])
                raise self.wrong(
                    f"{name}.{key}", f"valore sconosciuto; ci sono: {choices}"
                ) from None
            self.add(spellings, self.texts(value, f"{name}.{key}"), member, f"{name}.{key}")
        return spellings

    def add(self, spellings: dict[str, Any], texts: tuple[str, ...], value: Any, key: str) -> None:
        for text in texts:
            if spellings.setdefault(fold(text), value) != value:
                raise self.wrong(key, f"«{text}» è già la grafia di un altro valore")

    def answers(self) -> dict[str, bool]:
        spellings: dict[str, bool] = {}
        for key, value in self.section("answers").items():
            if key not in ("yes", "no"):
                raise self.wrong(f"answers.{key}", "valore sconosciuto; ci sono: yes, no")
            self.add(spellings, self.texts(value, f"answers.{key}"), key == "yes", f"answers.{key}")
        return spellings

    def contacts(self) -> dict[str, SafeContact]:
        spellings: dict[str, SafeContact] = {}
        entries = self.table.get("safe_contact", [])
        if not isinstance(entries, list):
            raise self.wrong("safe_contact", "dev'essere un elenco di tabelle [[safe_contact]]")
        for number, entry in enumerate(entries, start=1):
            key = f"safe_contact {number}"
            if set(entry) - {"channel", "hours", "voicemail", "spellings"}:
                raise self.wrong(key, "ci sono: channel, hours, voicemail, spellings")
            channel = self.choice(entry, f"{key}.channel", "none", tuple(ContactChannel))
            hours, voicemail = entry.get("hours", ""), entry.get("voicemail", False)
            if not isinstance(hours, str) or not isinstance(voicemail, bool):
                raise self.wrong(key, "hours è un testo, voicemail è true o false")
            contact = SafeContact(channel=ContactChannel(channel), hours=hours, voicemail=voicemail)
            self.add(spellings, self.texts(entry.get("spellings", []), key), contact, key)
        return spellings

    def codes(self, name: str) -> dict[str, str]:
        codes: dict[str, str] = {}
        for spelling, code in self.section(name).items():
            if not isinstance(code, str) or not code.isalpha() or not 2 <= len(code) <= 3:
                raise self.wrong(f"{name}.{spelling}", "dev'essere un codice di due o tre lettere")
            codes[fold(spelling)] = code.upper() if name == "countries" else code.lower()
        return codes


def _listed(values: Any) -> str:
    return ", ".join(sorted(values))
