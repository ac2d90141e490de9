"""What somebody typed into a form or a program sent, as the domain wants it; or `Rejected`."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from uuid import UUID

from togheter_intake.identifiers import Identifier, parse_identifier
from togheter_intake.mapping import FIELDS
from togheter_intake.matching import Identity
from togheter_intake.messages import GivenIdentifier, NewPerson
from togheter_intake.people import RegisterPerson
from togheter_intake.phones import parse_phones
from togheter_intake.problems import Flaw
from togheter_shared.contracts.intake import Birth, BirthPrecision, Contact, IdentifierKind
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


def registration(body: NewPerson, person_id: UUID, today: date) -> RegisterPerson:
    """The command that registers a person."""
    return RegisterPerson(
        person_id=person_id,
        on=body.on or today,
        today=today,
        door_id=body.door_id,
        name=body.name,
        birth=birth_of(body.birth),
        birth_country=body.birth_country,
        sex=body.sex,
        citizenships=body.citizenships,
        languages=body.languages,
        contact=Contact(phones=phones_of(body.phones)),
        identifiers=tuple(identifier_of(given, "identifiers") for given in body.identifiers),
        safe=body.safe_contact,
        title=body.title,
        title_expires=body.title_expires,
    )


def identity_of(command: RegisterPerson) -> Identity:
    """What is compared of somebody who is being registered."""
    return Identity(
        given=command.name.given,
        family=command.name.family,
        native=command.name.native,
        birth=command.birth,
        birth_country=command.birth_country,
        sex=command.sex,
        phones=command.contact.phones,
    )


def columns_of(given: Iterable[str]) -> dict[str, str]:
    """Field → header, from texts such as `door=Sportello`."""
    columns = {}
    for text in given:
        field, equals, header = text.partition("=")
        if field not in FIELDS or not equals or not header.strip():
            raise Rejected(
                "Una colonna si indica come campo=intestazione; i campi sono:"
                f" {', '.join(FIELDS)}.",
                "bad_column",
                "column",
            )
        columns[field] = header
    return columns
