"""The figures of a release: tables with all their margins, from the rows of a report."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import Any

from togheter_reporting.catalogue import Report, Row

Path = tuple[str, ...]
"""How far a dimension is told: () is its total, ("ponte",) an organisation, then its door."""
Key = tuple[Path, ...]
"""A figure's place in its table: a path for each dimension."""
Counts = Mapping[str, Mapping[Key, int]]
"""By measure: the finest counts of a table; those that are zero are left out."""


class Audience(StrEnum):
    """For whom a release is; the authorities read what is public too."""

    PUBLIC = "public"
    AUTHORITIES = "authorities"


MINIMUM = {Audience.PUBLIC: 5, Audience.AUTHORITIES: 3}
"""The least count that is shown, where nothing sensitive is counted."""

_RELATION = re.compile(r"(\w+)\s*(=|<=)\s*(\w+(?:\s*\+\s*\w+)*)")


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A dimension of a table: the columns that tell it, from coarse to fine.

    `month:4` is the first four characters of the column `month`.
    """

    title: str
    levels: tuple[str, ...]

    def path(self, row: Mapping[str, Any]) -> Path:
        return tuple(value_of(level, row) for level in self.levels)


def value_of(level: str, row: Mapping[str, Any]) -> str:
    """What a row says at a level of a dimension."""
    column, _, length = level.partition(":")
    text = "" if row[column] is None else str(row[column])
    return text[: int(length)] if length else text


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure of a table, and the dimensions over which its counts may be added up."""

    name: str
    over: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Relation:
    """Whole = sum of parts, or whole <= sum of parts, for the counts of each row."""

    whole: str
    parts: tuple[str, ...]
    equal: bool


@dataclass(frozen=True, kw_only=True)
class Sensitive:
    """Values of a column about which more must be hidden: counts under `minimum`, and zeros."""

    column: str
    values: frozenset[str]
    minimum: int


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that a report may publish, with a margin for each combination of its dimensions."""

    name: str
    title: str
    dimensions: tuple[Dimension, ...]
    measures: tuple[Measure, ...]
    relations: tuple[Relation, ...] = ()
    sensitive: tuple[Sensitive, ...] = ()

    @cached_property
    def levels(self) -> frozenset[str]:
        """All the levels of its dimensions."""
        return frozenset(level for dimension in self.dimensions for level in dimension.levels)

    def named(self, key: Key) -> dict[str, str]:
        """What the key says of each level that it reaches."""
        return {
            level: value
            for dimension, path in zip(self.dimensions, key, strict=True)
            for level, value in zip(dimension.levels, path, strict=False)
        }

    def sensitivity(self, key: Key) -> int | None:
        """The minimum of a figure about something sensitive, None when it is about nothing such."""
        if not self.sensitive:
            return None
        named = self.named(key)
        found = [rule.minimum for rule in self.sensitive if named.get(rule.column) in rule.values]
        return max(found, default=None)

    def margins(self, measure: Measure, key: Key) -> Iterator[Key]:
        """The figure at the finest key and every sum in which it is counted."""
        choices = [
            [path[:length] for length in range(len(path) + 1)] if place in measure.over else [path]
            for place, path in enumerate(key)
        ]
        yield from product(*choices)

    def counts(self, columns: Sequence[str], rows: Sequence[Row]) -> Counts:
        """The finest counts, from the rows of the report."""
        found: dict[str, dict[Key, int]] = {measure.name: {} for measure in self.measures}
        for row in rows:
            named = dict(zip(columns, row, strict=True))
            key = tuple(dimension.path(named) for dimension in self.dimensions)
            for name, counts in found.items():
                if named[name]:
                    counts[key] = counts.get(key, 0) + int(named[name])
        return found

    def domain(self, counts: Counts, values: Mapping[int, Collection[Path]]) -> set[Key]:
        """The keys whose counts an attacker must leave open: those that are not zero, and the
        sensitive ones that could be; `values` has the known paths of each dimension."""
        found = {key for measure in counts.values() for key in measure}
        if self.sensitive:
            found.update(
                key
                for key in product(*(sorted(values[place]) for place in sorted(values)))
                if self.sensitivity(key) is not None
            )
        return found


@dataclass(frozen=True, kw_only=True)
class Filter:
    """The part of a report's rows that a release is about; empty: all of them."""

    values: tuple[tuple[str, frozenset[str]], ...] = ()

    def takes(self, table: Table, key: Key) -> bool:
        """Whether the row at this finest key is in it."""
        if not self.values:
            return True
        named = table.named(key)
        return all(named.get(column) in allowed for column, allowed in self.values)

    def fits(self, table: Table) -> bool:
        """Whether the table tells the columns of the filter."""
        return all(column in table.levels for column, _ in self.values)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a release: where it stands, and what was counted."""

    table: str
    measure: str
    key: Key
    value: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a report may publish: its tables, and the column whose owners know their own rows."""

    report: str
    code: str
    version: int
    tables: tuple[Table, ...]
    insiders: str | None = None
    titles: Mapping[str, str] = field(default_factory=dict)
    """Of levels that are part of a column."""

    @cached_property
    def by_name(self) -> Mapping[str, Table]:
        return {table.name: table for table in self.tables}


class NotReleasable(Exception):
    """The report says nothing, or nothing that holds, about its release; the message says what."""


def plan_of(report: Report, document: Mapping[str, Any]) -> Plan:
    """What `release.toml` of the report says. Raises `NotReleasable`."""
    titles = {column.name: column.title for column in report.columns}
    numbers = {column.name for column in report.columns if column.measure}
    tables = []
    for item in document["tables"]:
        dimensions = tuple(
            Dimension(
                title=", ".join(titles[level.partition(":")[0]] for level in levels),
                levels=tuple(levels),
            )
            for levels in ([each] if isinstance(each, str) else each for each in item["dimensions"])
        )
        everywhere = frozenset(range(len(dimensions)))
        only: Mapping[str, Sequence[str]] = item.get("adds_up_over", {})
        measures = tuple(
            Measure(
                name=name,
                over=everywhere
                if name not in only
                else frozenset(
                    place
                    for place, dimension in enumerate(dimensions)
                    if set(dimension.levels) <= set(only[name])
                ),
            )
            for name in item["measures"]
        )
        if unknown := {measure.name for measure in measures} - numbers:
            raise NotReleasable(f"{report.name}: {', '.join(sorted(unknown))} is no measure")
        tables.append(
            Table(
                name=item["name"],
                title=item["title"],
                dimensions=dimensions,
                measures=measures,
                relations=tuple(_relation(report, text) for text in item.get("relations", ())),
                sensitive=tuple(
                    Sensitive(
                        column=rule["column"],
                        values=frozenset(rule["values"]),
                        minimum=rule["minimum"],
                    )
                    for rule in document.get("sensitive", ())
                ),
            )
        )
    _assert_linked(report, tables)
    return Plan(
        report=report.name,
        code=report.code,
        version=report.version,
        tables=tuple(tables),
        insiders=document.get("insiders"),
        titles=document.get("titles", {}),
    )


def _relation(report: Report, text: str) -> Relation:
    found = _RELATION.fullmatch(text)
    if found is None:
        raise NotReleasable(f"{report.name}: {text} is not a relation; write a = b + c or a <= b")
    parts = tuple(part.strip() for part in found[3].split("+"))
    return Relation(whole=found[1], parts=parts, equal=found[2] == "=")


def _assert_linked(report: Report, tables: Sequence[Table]) -> None:
    """Tables that share dimensions in a circle tell more than the programme knows: refuse them.

    Without a circle, any tables that agree on what they share come from one whole, so that nothing
    is overlooked when only what two of them share is set equal (Vorob'ev 1962).
    """
    edges = [
        {level for dimension in table.dimensions for level in dimension.levels} for table in tables
    ]
    shrinking = True
    while shrinking and len(edges) > 1:
        shrinking = False
        for place, edge in enumerate(edges):
            others = edges[:place] + edges[place + 1 :]
            shared = edge & set().union(*others)
            if any(shared <= other for other in others):
                edges, shrinking = others, True
                break
    if len(edges) > 1:
        raise NotReleasable(
            f"{report.name}: its tables share dimensions in a circle; put them into one table"
        )
