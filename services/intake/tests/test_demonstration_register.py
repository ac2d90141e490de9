"""The register of the demonstration, counted whole against a count made by hand."""

import csv
import io
from collections import Counter
from datetime import date
from itertools import combinations
from pathlib import Path

from togheter_intake.mapping import load_mapping
from togheter_intake.matching import Identity, blocking_keys, compare, search_keys
from togheter_intake.refused import RefusedRows, open_refused
from togheter_intake.register import read_register
from togheter_intake.register_rows import RegisterRow, parse_row
from togheter_shared.contracts.intake import PersonName

REGISTER = Path(__file__).parents[3] / "deploy/demo/registro-porte-sociali.csv"
MAPPING = load_mapping()
TODAY = date(2026, 1, 31)
MISTAKES = {
    "data": {"03/05/2087"},
    "sesso": {"boh"},
    "data_nascita": {"30/02/1990", "14/03/2091"},
    "cittadinanza": {"Atlantide"},
    "codice_fiscale": {f"DLLMMD94C12Z343{letter}" for letter in "ABCDFGHIJKLMNOPQRSTUVWXYZ"},
    "minuti": {"-30", "mezz'ora"},
}


def by_hand() -> list[dict[str, str]]:
    text = REGISTER.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def test_exactly_the_mistakes_are_refused_each_with_its_column() -> None:
    expected = {
        number: {column for column, wrong in MISTAKES.items() if row[column] in wrong}
        for number, row in enumerate(by_hand(), start=1)
    }
    found = {}
    for raw in read_register(REGISTER, MAPPING):
        row = parse_row(raw, MAPPING, TODAY)
        found[raw.number] = {problem.column for problem in row} if isinstance(row, list) else set()
    assert found == expected
    assert len(found) == 420
    assert Counter(column for columns in found.values() for column in columns) == {
        "data": 3, "sesso": 3, "data_nascita": 5, "cittadinanza": 4, "codice_fiscale": 8,
        "minuti": 2,
    }  # fmt: skip


def accepted() -> list[RegisterRow]:
    rows = [parse_row(raw, MAPPING, TODAY) for raw in read_register(REGISTER, MAPPING)]
    return [row for row in rows if isinstance(row, RegisterRow)]


def test_the_accepted_rows_say_what_the_file_says() -> None:
    hand = by_hand()
    rows = accepted()
    assert len(rows) == 395
    assert len({row.key for row in rows}) == 395
    for row in rows:
        cells = hand[row.number - 1]
        name = row.name or PersonName()
        assert (name.given, name.family) == (cells["nome"].strip(), cells["cognome"].strip())
        assert row.door == cells["porta"]
        assert row.anonymous == (not (cells["nome"] + cells["cognome"] + cells["codice_fiscale"]))
        assert (row.note or "") == cells["note"].strip()
        assert (row.title is None) == (cells["titolo_soggiorno"] == "")
        assert len(row.needs) == 1 + sum(cells["bisogni"].count(mark) for mark in ";,/")
        assert len(row.languages) == 1 + cells["lingue"].count(",")
        assert len(row.phones) == bool(cells["telefono"])
        assert not [w for w in row.warnings if w.code.startswith("identifier_")]
    assert sum(row.anonymous for row in rows) == 41


def test_refused_rows_can_be_imported_again(tmp_path: Path) -> None:
    refused = []
    with open_refused(tmp_path / "rifiutate.csv") as file:
        register = read_register(REGISTER, MAPPING)
        out = RefusedRows(file, register.layout, MAPPING.delimiter)
        for raw in register:
            row = parse_row(raw, MAPPING, TODAY)
            if isinstance(row, list):
                out.write(raw, row)
                refused.append(raw)
    again = list(read_register(tmp_path / "rifiutate.csv", MAPPING))
    assert [(raw.key, raw.cells) for raw in again] == [(raw.key, raw.cells) for raw in refused]
    assert all(isinstance(parse_row(raw, MAPPING, TODAY), list) for raw in again)


def test_the_near_duplicates_are_suspected_and_all_can_be_found() -> None:
    people: dict[str, tuple[RegisterRow, Identity]] = {}
    for row in accepted():
        if row.name:
            identity = Identity(
                given=row.name.given, family=row.name.family, birth=row.birth, phones=row.phones
            )
            same = row.identifier or (row.name, row.birth)
            people.setdefault(str(same), (row, identity))
    pairs = Counter[str]()
    suspected = set()
    for (_, a), (_, b) in combinations(people.values(), 2):
        if found := compare(a, b):
            assert blocking_keys(a) & search_keys(b) and search_keys(a) & blocking_keys(b)
            pairs[found.reasons[0]] += 1
            suspected |= {frozenset((a.family, b.family))} if a.family != b.family else set()
    assert {frozenset(pair) for pair in (("Jallow", "Jellow"), ("Diop", "Diop D"))} <= suspected
    assert sum(pairs.values()) < len(people) / 5
