"""Nothing that can say who somebody is, or what happened to them, is an open field of an event."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from marshmallow import validate

from togheter_shared.contracts import courses, intake, intake_cases, referrals
from togheter_shared.contracts.contract import Contract
from togheter_shared.contracts.fields import PERSONAL, FieldClass, LongText, ShortText
from togheter_shared.contracts.intake import Birth, Contact, PersonName

CONTRACTS = (
    *intake.CONTRACTS,
    *intake_cases.CONTRACTS,
    *referrals.CONTRACTS,
    *courses.CONTRACTS,
)
NEVER_OPEN = {
    *("name", "given", "family", "native", "birth", "year", "month", "birth_year", "birth_country"),
    *("contact", "phone", "phones", "email", "address", "safe", "value", "identity", "consent"),
    *("note", "text", "explanation", "operator", "teacher", "vulnerability", "code", "expires"),
}
"""Names of fields."""
SHORTEST_FREE_TEXT = 101
"""A text that may be as long as this is not a code: somebody writes into it what they like."""
OF_PLACES = {
    ("intake.door_opened", "name"),
    ("intake.door_opened", "address"),
    ("courses.edition_opened", "title"),
    ("courses.lesson_scheduled", "room"),
}
"""Of doors, courses and rooms, and of nobody."""


def open_and_personal(contract: Contract) -> Iterator[str]:
    """The open fields of a contract, nested ones too, that must not be open."""
    hints = get_type_hints(contract.event, include_extras=True)
    for name, kind in contract.classes.items():
        if kind is FieldClass.OPEN and (contract.type, name) not in OF_PLACES:
            yield from (f"{contract.type}: {path}" for path in _personal(name, hints[name]))


def _personal(path: str, hint: Any) -> Iterator[str]:
    if path.rpartition(".")[2] in NEVER_OPEN or _free_text(hint):
        yield path
    for part in (hint, *_parts(hint)):
        if is_dataclass(part):
            inner = get_type_hints(part, include_extras=True)
            for item in fields(part):
                yield from _personal(f"{path}.{item.name}", inner[item.name])


def _parts(hint: Any) -> Iterator[Any]:
    for part in get_args(hint):
        yield part
        yield from _parts(part)


def _free_text(hint: Any) -> bool:
    bounds = [one for one in (hint, *_parts(hint)) if get_origin(one) is Annotated]
    rules = [rule for one in bounds for rule in get_args(one)[1:]]
    longest = [rule.max for rule in rules if isinstance(rule, validate.Length)]
    return any(most is None or most >= SHORTEST_FREE_TEXT for most in longest)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.type)
def test_no_open_field_can_say_who_somebody_is(contract: Contract) -> None:
    assert list(open_and_personal(contract)) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("name", PersonName),
        ("who", PersonName),
        ("born", Birth),
        ("reach", tuple[Contact, ...]),
        ("phone", int),
        ("remark", LongText),
        ("remark", ShortText | None),
    ],
)
def test_a_personal_field_that_is_marked_open_is_found(name: str, kind: Any) -> None:
    body = {"__annotations__": {"person_id": UUID, name: kind}}
    event = dataclass(frozen=True, kw_only=True)(type("Spoilt", (), body))
    found = list(open_and_personal(Contract(event=event, type="intake.spoilt")))
    assert found and all(line.startswith(f"intake.spoilt: {name}") for line in found)


def test_the_mark_of_a_field_is_what_makes_the_difference() -> None:
    hint = Annotated[LongText, PERSONAL]
    body = {"__annotations__": {"person_id": UUID, "remark": hint}}
    event = dataclass(frozen=True, kw_only=True)(type("Good", (), body))
    assert list(open_and_personal(Contract(event=event, type="intake.good"))) == []
