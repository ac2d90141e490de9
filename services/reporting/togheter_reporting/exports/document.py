"""A release as people read it: titles, words, notes; what every form is made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from togheter_reporting.catalogue import Column, Report
from togheter_reporting.disclosure.cells import MINIMUM, Audience, Plan, Table
from togheter_reporting.disclosure.ledger import Entry, Published

HIDDEN = "c"
"""What stands in the place of a figure that is hidden: Eurostat's flag for confidential."""
TOTAL = "_T"
"""The code of a dimension that is added up, as in SDMX."""
AUDIENCES = {Audience.PUBLIC: "pubblico", Audience.AUTHORITIES: "tra amministrazioni"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of a table: the code at each level (None: added up) and the figures that there are.

    A figure is None where it is hidden, and missing where it would make no sense.
    """

    codes: tuple[str | None, ...]
    figures: Mapping[str, int | None]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table of a release: its levels and measures with their titles, its rows, totals first."""

    name: str
    title: str
    levels: tuple[tuple[str, str], ...]
    measures: tuple[tuple[str, str], ...]
    words: Mapping[str, Column]
    lines: tuple[Line, ...]

    @property
    def dimensions(self) -> int:
        """How many of its columns are dimensions."""
        return len(self.levels)

    @property
    def head(self) -> list[str]:
        """The titles of its columns."""
        return [title for _, title in (*self.levels, *self.measures)]

    @property
    def rows(self) -> Iterator[list[str | int]]:
        """Dimensions in words, then figures; one that is hidden is `c`, one that is none empty."""
        for line in self.lines:
            figures: list[str | int] = []
            for measure, _ in self.measures:
                value = line.figures.get(measure, "")
                figures.append(HIDDEN if value is None else value)
            yield [*self._words(line), *figures]

    def _words(self, line: Line) -> Iterator[str]:
        for (level, _), code in zip(self.levels, line.codes, strict=True):
            yield "Totale" if code is None else self.words[level].words(code)


@dataclass(frozen=True, kw_only=True)
class Document:
    """A release, whole, without anything that is hidden."""

    entry: Entry
    report: Report
    sheets: tuple[Sheet, ...]

    @property
    def title(self) -> str:
        return self.report.title

    @property
    def stem(self) -> str:
        """The name of its files, without their ending."""
        return f"{self.entry.report}-{self.entry.number}"

    @property
    def definitions(self) -> list[tuple[str, str]]:
        """What was counted, when and how: title and text."""
        entry, report = self.entry, self.report
        up_to = "nessun evento" if entry.events_up_to is None else f"{entry.events_up_to:%d/%m/%Y}"
        found = [
            ("Rapporto", report.title),
            ("Che cosa conta", report.description),
            ("Unità di conteggio", report.unit),
            ("Codice e versione", f"{report.code}, versione {entry.version}"),
            ("Pubblicazione", f"n. {entry.number} del {entry.released_at:%d/%m/%Y}"),
            ("Destinatari", AUDIENCES[entry.audience]),
            ("Eventi fino al", f"{up_to} (posizione {entry.position})"),
        ]
        titles = {column.name: column for column in report.columns}
        found.extend(
            (
                f"Filtro: {titles[column].title}",
                ", ".join(titles[column].words(value) for value in sorted(values)),
            )
            for column, values in entry.filter.values
        )
        return found

    @property
    def notes(self) -> list[str]:
        """What a reader must know to use the figures."""
        least = MINIMUM[self.entry.audience]
        return [
            f"«{HIDDEN}» è un dato riservato: conta meno di {least} casi, o meno di 10, zero"
            " compreso, dove si tratta di tratta e violenza; oppure permetterebbe di ricavarne uno"
            " da totali e pubblicazioni precedenti.",
            "Una riga che manca vale zero, tranne dove si tratta di tratta e violenza.",
            "«Totale» somma anche ciò che è riservato.",
            "Una pubblicazione non cambia: ciò che arriva dopo è in quella successiva.",
        ]


def document_of(report: Report, plan: Plan, found: Published) -> Document:
    """The document of a release; a value that is hidden is not looked at."""
    lines: dict[str, dict[Any, dict[str, int | None]]] = {name: {} for name in found.entry.tables}
    for place, each in enumerate(found.figures):
        value = None if place in found.hidden else each.value
        lines[each.table].setdefault(each.key, {})[each.measure] = value
    return Document(
        entry=found.entry,
        report=report,
        sheets=tuple(
            _sheet(report, plan, plan.by_name[name], lines[name]) for name in found.entry.tables
        ),
    )


def _sheet(
    report: Report, plan: Plan, table: Table, lines: Mapping[Any, Mapping[str, int | None]]
) -> Sheet:
    columns = {column.name: column for column in report.columns}
    levels = [level for dimension in table.dimensions for level in dimension.levels]
    words = {level: columns[level.partition(":")[0]] for level in levels}
    made = []
    for key in sorted(lines):
        told = table.named(key)
        made.append(Line(codes=tuple(told.get(level) for level in levels), figures=lines[key]))
    return Sheet(
        name=table.name,
        title=table.title,
        levels=tuple((level, plan.titles.get(level, words[level].title)) for level in levels),
        measures=tuple((measure.name, columns[measure.name].title) for measure in table.measures),
        words=words,
        lines=tuple(made),
    )
