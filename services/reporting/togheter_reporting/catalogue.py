"""The reports that there are: a folder each, read once and known by the hash of its definition."""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from psycopg import sql

from togheter_reporting.naive import Event

FOLDER = Path(__file__).parent / "reports"
HASHED = ("definition.toml", "tables.sql", "fold.sql", "query.sql")

Row = tuple[Any, ...]
Naive = Callable[[Iterable[Event], dict[str, Any]], list[Row]]


class NoSuchReport(Exception):
    """There is no report of that name; the message names those that there are."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of figures: a dimension, or a measure. `labels` are the words for its codes.

    `total`: adding the rows up makes sense. `page`: whether people see it, not only programs.
    """

    name: str
    title: str
    measure: bool = False
    total: bool = False
    page: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    def words(self, value: Any) -> str:
        """A value as people read it, in Italian."""
        if value is None:
            return ""
        if isinstance(value, float):
            return f"{value:g}".replace(".", ",")
        return self.labels.get(str(value), str(value))


@dataclass(frozen=True, kw_only=True)
class Report:
    """One report: what it counts, and the SQL from events to figures.

    `tables` makes its tables, `fold` brings the relation `batch` into them, `query` gives the
    figures; all three find the tables by their search path. `hash` changes with any of them. A
    report `of` another one asks another question of the same facts: `view` names the report whose
    tables it reads, `view_hash` is that one's, and it has neither tables nor fold of its own.
    """

    name: str
    code: str
    version: int
    title: str
    unit: str
    description: str
    columns: tuple[Column, ...]
    definition: Mapping[str, Any]
    tables: str
    fold: str
    query: str
    hash: str
    view: str
    view_hash: str
    counted_by: str

    @property
    def schema(self) -> str:
        return f"report_{self.view}"

    @property
    def shadow(self) -> str:
        return f"report_{self.view}_next"

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that `fold` names: no other event changes its tables. Empty: any may."""
        return frozenset(re.findall(r"'([a-z]+\.[a-z_]+)'", self.fold))

    @property
    def dimensions(self) -> int:
        return sum(not column.measure for column in self.columns)

    def sorted(self, rows: Iterable[Row]) -> list[Row]:
        """Rows in the order of their dimensions, by code point: the same on every machine."""
        return sorted(rows, key=lambda row: row[: self.dimensions])

    @property
    def naive(self) -> Naive:
        """The second way to count the same, in plain Python."""
        found: Naive = import_module(f"{__package__}.reports.{self.counted_by}.naive").count
        return found


def load(folder: Path) -> Report:
    """The report in `folder`."""
    own = tomllib.loads((folder / "definition.toml").read_text("utf-8"))
    base = load(folder.parent / own["of"]) if "of" in own else None
    texts = {
        name: (folder / name).read_text("utf-8") for name in HASHED if (folder / name).exists()
    }
    if base is not None:
        if "tables.sql" in texts or "fold.sql" in texts:
            raise ValueError(f"{folder.name}: a report `of` another one has no tables or fold")
        inherited = {"tables.sql": base.tables, "fold.sql": base.fold, "query.sql": base.query}
        texts = inherited | texts
        texts["definition.toml"] += base.hash
    definition = (dict(base.definition) if base else {}) | own
    digest = hashlib.sha256()
    for name in HASHED:
        digest.update(f"{name}\n{len(texts[name])}\n{texts[name]}".encode())
    columns = []
    for item in definition["columns"]:
        item = dict(item)
        source = item.pop("labels_from", None)
        if source is not None:
            item["labels"] = {entry["code"]: entry["title"] for entry in definition[source]}
        columns.append(Column(**item))
    if [column.measure for column in columns] != sorted(column.measure for column in columns):
        raise ValueError(f"{folder.name}: dimensions come first, then measures")
    return Report(
        name=folder.name,
        code=definition["code"],
        version=definition["version"],
        title=definition["title"],
        unit=definition["unit"],
        description=definition["description"],
        columns=tuple(columns),
        definition=definition,
        tables=texts["tables.sql"],
        fold=texts["fold.sql"],
        query=texts["query.sql"],
        hash=digest.hexdigest(),
        view=base.view if base else folder.name,
        view_hash=base.view_hash if base else digest.hexdigest(),
        counted_by=folder.name if (folder / "naive.py").exists() or not base else base.counted_by,
    )


@cache
def reports() -> Mapping[str, Report]:
    """Every report by its name."""
    folders = sorted(path.parent for path in FOLDER.glob("*/definition.toml"))
    return {folder.name: load(folder) for folder in folders}


def report(name: str) -> Report:
    """The report of that name, or `NoSuchReport`."""
    found = reports().get(name)
    if found is None:
        raise NoSuchReport(f"there is no report {name}; there is {', '.join(reports())}")
    return found


def views(names: Iterable[str] = ()) -> list[Report]:
    """The reports whose tables those reports (or all) are counted from, each once."""
    chosen = [report(name) for name in names] or list(reports().values())
    return [report(name) for name in dict.fromkeys(item.view for item in chosen)]


def settings(
    report: Report, schema: str, after: int = 0, upto: int = 0
) -> tuple[sql.SQL, list[str]]:
    """A query that sets, until the end of the transaction, what the report's SQL relies on."""
    text = sql.SQL(
        "select set_config('jit', 'off', true),"  # compiling takes longer than a window
        " set_config('search_path', %s, true), set_config('togheter.after', %s, true),"
        " set_config('togheter.upto', %s, true), set_config('togheter.definition', %s, true)"
    )
    path = f'"{schema}", public, pg_temp'
    return text, [path, str(after), str(upto), json.dumps(report.definition)]
