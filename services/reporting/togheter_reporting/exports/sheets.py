"""A release as a spreadsheet: a sheet for each table, definitions and notes on their own."""

import io
from collections.abc import Iterator

import xlsxwriter
from odfdo import Cell, Row
from odfdo import Document as OdfDocument
from odfdo import Table as OdfTable

from togheter_reporting.exports.document import HIDDEN, Document

DEFINITIONS = "Definizioni e note"
_LONGEST = 31
"""A name of a sheet has no more characters in XLSX."""

Value = str | int


def xlsx_bytes(document: Document) -> bytes:
    """XLSX: figures are numbers, everything else is text, and nothing is ever a formula."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
    )
    book.set_properties({"title": document.title, "subject": document.report.description})
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True})
    quiet = book.add_format({"align": "right", "font_color": "#5a5a5a"})
    for sheet, name in zip(document.sheets, names_of(document), strict=True):
        page = book.add_worksheet(name)
        page.write_row(0, 0, sheet.head, bold)
        for number, row in enumerate(sheet.rows, 1):
            for place, value in enumerate(row):
                if isinstance(value, int):
                    page.write_number(number, place, value)
                else:
                    page.write_string(number, place, value, quiet if value == HIDDEN else None)
        page.freeze_panes(1, len(sheet.levels))
        page.set_column(0, len(sheet.levels) - 1, 24)
        page.set_column(len(sheet.levels), len(sheet.head), 16)
    page = book.add_worksheet(DEFINITIONS)
    page.set_column(0, 0, 24)
    page.set_column(1, 1, 90)
    for number, (title, text) in enumerate(definitions_of(document)):
        page.write_string(number, 0, title, bold)
        page.write_string(number, 1, text, wrapped)
    book.close()
    return out.getvalue()


def ods_bytes(document: Document) -> bytes:
    """ODS (OpenDocument): as the XLSX, with the number of each figure as a number."""
    book = OdfDocument("spreadsheet")
    book.meta.title = document.title
    book.meta.language = "it-IT"
    book.body.clear()
    for sheet, name in zip(document.sheets, names_of(document), strict=True):
        book.body.append(_table(name, [[*sheet.head], *sheet.rows]))
    book.body.append(_table(DEFINITIONS, [[*pair] for pair in definitions_of(document)]))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _table(name: str, rows: list[list[Value]]) -> OdfTable:
    table = OdfTable(name)
    for values in rows:
        row = Row()
        for value in values:
            kind = "float" if isinstance(value, int) else "string"
            row.append_cell(Cell(value, cell_type=kind))
        table.append_row(row)
    return table


def names_of(document: Document) -> list[str]:
    """A name for each sheet, all of them different, without what XLSX does not take."""
    found: list[str] = []
    for number, sheet in enumerate(document.sheets, 1):
        plain = "".join(" " if letter in "[]:*?/\\'" else letter for letter in sheet.title)
        found.append(f"{number}. {plain}"[:_LONGEST].strip())
    return found


def definitions_of(document: Document) -> Iterator[tuple[str, str]]:
    """The sheet of definitions and notes, as title and text."""
    yield from document.definitions
    for number, note in enumerate(document.notes, 1):
        yield f"Nota {number}", note
