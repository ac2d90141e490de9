"""A register of any length, shaped as the demonstration's; the same seed gives the same file."""

import csv
import random
from pathlib import Path

from tests.benchmarks.measure import ROOT

DEMONSTRATION = ROOT / "deploy" / "demo" / "registro-porte-sociali.csv"
PERSON = (
    *("cognome", "nome", "sesso", "data_nascita", "stato_nascita", "cittadinanza"),
    *("codice_fiscale", "telefono", "lingue"),
)
RETURNING = 0.3


def doors() -> list[str]:
    """The doors of the demonstration, but for a name that is a mistake there."""
    names = {row["porta"] for row in _demonstration()}
    return sorted(name for name in names if name and "Nord-Est" not in name)


def write(path: Path, rows: int, seed: int = 1) -> list[dict[str, str]]:
    """Write `rows` distinct rows: a third of the people come again, the others are new.

    A row is a row of the demonstration with the visit of another one; of a new person the name, the
    birth and the telephone come from three others, and no codice fiscale, for it would be wrong.
    """
    chance = random.Random(seed)
    sample = _demonstration()
    made: list[dict[str, str]] = []
    seen = set()
    while len(made) < rows:
        visit, person, other = (chance.choice(sample) for _ in range(3))
        row = {**visit, **{name: person[name] for name in PERSON}}
        if chance.random() > RETURNING and person["nome"]:
            row["cognome"] = other["cognome"]
            row["data_nascita"] = chance.choice(sample)["data_nascita"]
            row["codice_fiscale"] = ""
            row["telefono"] = f"3{chance.randrange(20, 99)} {chance.randrange(10**6, 10**7)}"
        key = tuple(row.values())
        if key not in seen:
            seen.add(key)
            made.append(row)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(sample[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(made)
    return made


def _demonstration() -> list[dict[str, str]]:
    with DEMONSTRATION.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))
