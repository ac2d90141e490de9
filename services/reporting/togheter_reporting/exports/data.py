"""A release for programs: JSON, CSV and Parquet, one row for each figure."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from togheter_reporting.exports.document import HIDDEN, TOTAL, Document
from togheter_reporting.spreadsheet import safe

UNKNOWN = "_U"
"""The code of what is not known, as in SDMX; no code is the empty text in the report."""


def json_of(document: Document) -> dict[str, Any]:
    """The release as JSON; a figure that is hidden is null, a level that is added up is missing."""
    entry = document.entry
    return {
        "number": entry.number,
        "report": entry.report,
        "code": entry.code,
        "version": entry.version,
        "title": document.title,
        "unit": document.report.unit,
        "description": document.report.description,
        "audience": entry.audience.value,
        "position": entry.position,
        "events_up_to": entry.events_up_to and entry.events_up_to.isoformat(),
        "released_at": entry.released_at.isoformat(),
        "filter": {column: sorted(values) for column, values in entry.filter.values},
        "definitions": [list(pair) for pair in document.definitions],
        "notes": document.notes,
        "tables": [
            {
                "name": sheet.name,
                "title": sheet.title,
                "dimensions": [
                    {
                        "name": name,
                        "title": title,
                        "words": {
                            code: sheet.words[name].words(code)
                            for line in sheet.lines
                            if (code := line.codes[place]) is not None
                        },
                    }
                    for place, (name, title) in enumerate(sheet.levels)
                ],
                "measures": [{"name": name, "title": title} for name, title in sheet.measures],
                "rows": [
                    {
                        "of": {
                            name: code
                            for (name, _), code in zip(sheet.levels, line.codes, strict=True)
                            if code is not None
                        },
                        "figures": line.figures,
                    }
                    for line in sheet.lines
                ],
            }
            for sheet in document.sheets
        ],
    }


def json_bytes(document: Document) -> bytes:
    """The same as text in UTF-8."""
    return json.dumps(json_of(document), ensure_ascii=False, indent=1).encode()


def tables_of(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The tables of a release that was read from its JSON, as pages show them."""
    for table in document["tables"]:
        levels, measures = table["dimensions"], table["measures"]
        yield {
            "title": table["title"],
            "dimensions": len(levels),
            "head": [item["title"] for item in (*levels, *measures)],
            "rows": [
                [
                    *(
                        level["words"][row["of"][level["name"]]]
                        if level["name"] in row["of"]
                        else "Totale"
                        for level in levels
                    ),
                    *(
                        HIDDEN if value is None else value
                        for value in (row["figures"].get(item["name"], "") for item in measures)
                    ),
                ]
                for row in table["rows"]
            ],
        }


def levels_of(document: Document) -> list[str]:
    """All levels of all tables, each once."""
    return list(dict.fromkeys(level for sheet in document.sheets for level, _ in sheet.levels))


def figures_of(document: Document) -> Iterator[tuple[str, dict[str, str], str, int | None]]:
    """Table, code of each of its levels, measure, and figure (None: hidden).

    The code is `_T` where a level is added up, `_U` where it is not known.
    """
    for sheet in document.sheets:
        for line in sheet.lines:
            codes = {
                level: TOTAL if code is None else code or UNKNOWN
                for (level, _), code in zip(sheet.levels, line.codes, strict=True)
            }
            for measure, _ in sheet.measures:
                if measure in line.figures:
                    yield sheet.name, codes, measure, line.figures[measure]


def csv_bytes(document: Document) -> bytes:
    """CSV (RFC 4180, UTF-8): a row for each figure, `flag` is c where it is hidden.

    A column that the table does not have is empty. No cell is ever a formula.
    """
    levels = levels_of(document)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["table", *levels, "measure", "value", "flag"])
    for table, codes, measure, value in figures_of(document):
        told = [safe(codes.get(level, "")) for level in levels]
        hidden = value is None
        writer.writerow(
            [table, *told, measure, "" if hidden else str(value), HIDDEN if hidden else ""]
        )
    return out.getvalue().encode()


def parquet_bytes(document: Document) -> bytes | None:
    """The rows of the CSV as Parquet; None without the extra `parquet`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return None
    levels = levels_of(document)
    rows = list(figures_of(document))
    columns = {
        "table": pyarrow.array([row[0] for row in rows], pyarrow.string()),
        **{
            level: pyarrow.array([row[1].get(level) for row in rows], pyarrow.string())
            for level in levels
        },
        "measure": pyarrow.array([row[2] for row in rows], pyarrow.string()),
        "value": pyarrow.array([row[3] for row in rows], pyarrow.int64()),
        "flag": pyarrow.array([HIDDEN if row[3] is None else "" for row in rows], pyarrow.string()),
    }
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()
