"""What somebody typed into a form or a program sent, as the domain wants it; or `Rejected`."""

import re
from collections.abc import Iterable
from dataclasses import replace

from togheter_intake.identifiers import Identifier, parse_identifier
from togheter_intake.messages import GivenIdentifier
from togheter_intake.phones import parse_phones
from togheter_intake.problems import Flaw
from togheter_shared.contracts.intake import Birth, BirthPrecision, IdentifierKind
from togheter_shared.decider import Rejected

_PARTS = {0: "UNKNOWN", 1: "YEAR", 2: "MONTH", 3: "DAY"}


def identifier_of(given: GivenIdentifier, field: str) -> Identifier:
    """The identifier, normalised and checked as its kind allows."""
    if given.kind is IdentifierKind.OTHER:
        value = re.sub(r"\s+", "", given.value).upper()
        found: Identifier | Flaw = Identifier(IdentifierKind.OTHER, value)
        if not value:
            raise Rejected("Manca l'identificativo.", "missing", field)
    elif given.kind is IdentifierKind.PASSPORT:
        found = parse_identifier(f"passaporto {given.value}")
    else:
        found = parse_identifier(given.value)
    if isinstance(found, Flaw):
        raise Rejected(f"L'identificativo non è valido: {found.way_out}.", found.code, field)
    if found.kind is not given.kind:
        raise Rejected(
            "L'identificativo è di un altro tipo: cambia il tipo, o ricopialo.",
            "identifier_kind",
            field,
        )
    return found


def phones_of(given: Iterable[str]) -> tuple[str, ...]:
    """Telephone numbers in E.164, each once."""
    numbers: list[str] = []
    for text in given:
        found = parse_phones(text)
        if found is None:
            raise Rejected(
                "Un numero di telefono non è valido: scrivilo intero, con + e prefisso se è"
                " estero.",
                "phone",
                "phones",
            )
        numbers.extend(found)
    return tuple(dict.fromkeys(numbers))


def birth_of(given: Birth) -> Birth:
    """With the precision that follows from its parts, when it is left out."""
    if given.precision is not BirthPrecision.UNKNOWN:
        return given
    known = sum(part is not None for part in (given.year, given.month, given.day))
    return replace(given, precision=BirthPrecision[_PARTS[known]])
