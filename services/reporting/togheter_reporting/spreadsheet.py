"""Figures as CSV that a spreadsheet opens as it was meant, and never as a formula."""

import csv
import io
from typing import Any

from togheter_reporting.figures import Figures

_FORMULA = "=+-@|%\t\r＝＋－＠｜％"
_UNSEEN = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\x00"


def csv_of(figures: Figures) -> str:
    """CSV (RFC 4180): names of the columns, then a row for each row of figures; codes, not words.

    A text that a spreadsheet could take for a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in figures.report.columns])
    writer.writerows([_cell(value) for value in row] for row in figures.rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case int():
            return str(value)
        case float():
            return f"{value:g}"
    return safe(str(value))


def safe(text: str) -> str:
    """The text, with an apostrophe before it when it could begin a formula."""
    seen = text.lstrip(" \n" + _UNSEEN)
    dangerous = any(start.startswith(tuple(_FORMULA)) for start in (text, seen))
    return f"'{text}" if dangerous else text
