"""What a spreadsheet could take for a formula stays a text."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from togheter_reporting.catalogue import reports
from togheter_reporting.figures import Figures, Freshness
from togheter_reporting.spreadsheet import csv_of, safe

HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "|calc",
    "%0A",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\ufeff=1",
    "\x00=1",
    "\u200b=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    "｜x",
    "％x",
]


def rows_of(*rows: tuple[Any, ...]) -> list[list[str]]:
    found = Figures(
        report=reports()["persons"],
        freshness=Freshness(position=1, occurred_at=None, received_at=None, rebuilt_at=None),
        rows=list(rows),
    )
    return list(csv.reader(io.StringIO(csv_of(found), newline="")))


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
def test_a_text_that_begins_a_formula_is_quoted(text: str) -> None:
    assert safe(text) == f"'{text}"
    assert rows_of((text, "female", "x", "y", 1))[1][0] == f"'{text}"


@pytest.mark.parametrize("text", ["", "Porta Nord", "d'Aosta", "a=b", "李", "عمر", "Null", "18_29"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert safe(text) == text


def test_numbers_are_numbers_and_nothing_is_empty() -> None:
    assert rows_of(("ponte", None, 'a "b", c\r\nd', 2.5, -3)) == [
        ["organisation", "sex", "age_band", "citizenship", "persons"],
        ["ponte", "", 'a "b", c\r\nd', "2.5", "-3"],
    ]
