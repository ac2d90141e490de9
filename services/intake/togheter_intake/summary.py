"""What became of a register: counts, and nothing about a person."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from togheter_intake.problems import Problem

WARNINGS = {
    "identifier_name": "il codice fiscale non corrisponde al nome dichiarato",
    "identifier_birth": "il codice fiscale ha un'altra data di nascita",
    "identifier_sex": "il codice fiscale è di una persona dell'altro sesso",
    "identifier_place": "il codice fiscale dice altro sul luogo di nascita",
    "eni_not_eu": "codice ENI, ma senza cittadinanza dell'Unione europea",
    "stp_eu": "codice STP, ma con cittadinanza dell'Unione europea",
    "title_expired": "titolo di soggiorno già scaduto il giorno dell'accesso",
    "birth_remark": "della data di nascita è stata letta solo una parte: controllala",
    "phone_remark": "del telefono è stato letto solo il numero",
    "country_reading": "un Paese scritto in altro modo: controlla come è stato letto",
    "identifier_other": "l'identificativo è stato preso come numero di un altro documento",
    "expiry_month": "scadenza senza giorno: vale fino alla fine del mese",
    "birth_vague": "data di nascita troppo vaga: resta sconosciuta",
    "recognised_other_name": "stesso identificativo di una persona registrata con un altro nome",
    "recognised_new_name": "la persona era registrata senza nome, e la riga ne ha uno",
    "recognised_other_birth": (
        "stesso identificativo di una persona registrata con un'altra data di nascita"
    ),
    "same_visit_again": (
        "stesso giorno, porta e persona già registrati: una riga cambiata è una riga nuova"
    ),
}
"""What the codes of warnings mean."""


@dataclass
class Summary:
    """`rows` = `accepted` + `already` + `refused`; `accepted` = `registered` + `recognised` +
    `anonymous`. A row counts once in each column that was refused, and once for each warning."""

    dry_run: bool = False
    rows: int = 0
    accepted: int = 0
    already: int = 0
    refused: int = 0
    registered: int = 0
    recognised: int = 0
    anonymous: int = 0
    suspected: int = 0
    refused_by_column: Counter[str] = field(default_factory=Counter)
    refused_by_code: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Count a row that was refused."""
        found = list(problems)
        self.refused += 1
        self.refused_by_column.update({problem.column for problem in found})
        self.refused_by_code.update({problem.code for problem in found})

    def document(self) -> dict[str, Any]:
        """The JSON document of the counts."""
        counters = ("refused_by_column", "refused_by_code", "warnings")
        return {
            name: dict(sorted(value.items())) if name in counters else value
            for name, value in vars(self).items()
        }

    def sentences(self) -> list[str]:
        """The counts in words."""
        done = "sarebbero accolte" if self.dry_run else "accolte"
        lines = [
            f"righe lette: {self.rows}",
            f"{done}: {self.accepted}",
            f"già importate: {self.already}",
            f"rifiutate: {self.refused}",
            *(f"  colonna {name}: {n}" for name, n in self.refused_by_column.most_common()),
            f"persone registrate: {self.registered}",
            f"accessi di persone riconosciute: {self.recognised}",
            f"accessi anonimi: {self.anonymous}",
            f"possibili doppioni da esaminare: {self.suspected}",
        ]
        if self.warnings:
            lines.append("avvisi, che non fermano nessuno:")
            lines += [
                f"  {n} × {WARNINGS.get(code, code)}" for code, n in self.warnings.most_common()
            ]
        return lines
