"""The short way into a contract takes nothing that marshmallow refuses, and gives the same."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, validate

from togheter_shared.contracts import courses, intake, intake_cases, referrals
from togheter_shared.contracts.contract import registry
from togheter_shared.contracts.fields import Code, LongText
from togheter_shared.contracts.schema import dump, load, load_event, schema_of
from togheter_shared.contracts.swift import SLOW, dumper, loader

KNOWN = registry(intake.CONTRACTS, intake_cases.CONTRACTS, referrals.CONTRACTS, courses.CONTRACTS)
SAMPLES = sorted((Path(__file__).parents[1] / "contracts" / "samples").glob("*.json"))


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Part:
    code: Code
    since: date | None = None


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Every kind of value that a contract can hold."""

    id: UUID
    count: int
    small: Annotated[int, validate.Range(0, 9)] = 0
    urgent: bool = False
    text: LongText = ""
    code: Code | None = None
    word: Annotated[str, validate.Regexp("[a-z]+$")] = "a"
    colour: Colour = Colour.RED
    way: Literal["in", "out"] = "in"
    day: date | None = None
    at: datetime | None = None
    parts: tuple[Part, ...] = ()
    codes: Annotated[tuple[Code, ...], validate.Length(max=3)] = ()
    part: Part | None = None


GOOD = Whole(
    id=uuid4(),
    count=3,
    small=2,
    urgent=True,
    text="Null, O'Brien, 名",
    code="a",
    word="bc",
    colour=Colour.BLUE,
    way="out",
    day=date(1990, 2, 28),
    at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    parts=(Part(code="x"), Part(code="y", since=date(2020, 1, 1))),
    codes=("it", "ar"),
    part=Part(code="z"),
)
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10, 2**31, 2**63, 1.0, 1.5, "", "1", "true", "yes", "red", "RED",
    "in", "IN", "\x00", "a\ud800", "a" * 101, "a" * 10_001, "1990-02-30", "19900228", "1990-W09-3",
    "1990-02-28T00:00:00", "2026-01-02T03:04:05.000006+00:00", "2026-01-02T03:04:05+01:00",
    "2026-01-02T24:00:00+00:00", "2026-01-02T03:04:05Z", str(uuid4()), str(uuid4()).upper(),
    uuid4().hex, "{" + str(uuid4()) + "}", "urn:uuid:" + str(uuid4()), [], {}, [None], ["it"],
    ["it"] * 4, ["it"] * 1_001, [["it"]], {"code": "x"}, {"code": ""}, {"code": "x", "more": 1},
    [{"code": "x"}], [{"code": "x", "since": "2020-13-01"}], [{}], date(2020, 1, 1), GOOD.id, b"a",
)  # fmt: skip


def slowly(cls: type, document: Any, unknown: Any) -> Any:
    """What marshmallow says: an instance, or the fields at fault."""
    try:
        return schema_of(cls, unknown)().load(document)
    except ValidationError as error:
        return sorted(error.normalized_messages())  # type: ignore[no-untyped-call]


def quickly(call: Callable[[Any, Any], Any], cls: type, document: Any) -> Any:
    try:
        return call(cls, document)
    except ValidationError as error:
        return sorted(error.normalized_messages())  # type: ignore[no-untyped-call]


def same(cls: type, document: Any) -> None:
    for call, unknown in ((load, "raise"), (load_event, "exclude")):
        given = copy.deepcopy(document)
        assert quickly(call, cls, given) == slowly(cls, document, unknown)
        assert given == document


def test_what_is_plainly_right_takes_the_short_way() -> None:
    document = dump(GOOD)
    assert loader(Whole, True)(document) == GOOD
    assert dumper(Whole)(GOOD) is not SLOW
    assert document == {
        name: value for name, value in schema_of(Whole)().dump(GOOD).items() if value is not None
    }


@pytest.mark.parametrize("name", [item.name for item in fields(Whole)])
def test_a_strange_value_gets_marshmallows_verdict_in_each_field(name: str) -> None:
    for strange in STRANGE:
        same(Whole, dump(GOOD) | {name: strange})
    without = dump(GOOD)
    del without[name]
    same(Whole, without)
    same(Whole, dump(GOOD) | {name + "x": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([item.name for item in fields(Whole)]), JSON))
def test_any_document_gets_marshmallows_verdict(changes: dict[str, Any]) -> None:
    same(Whole, dump(GOOD) | changes)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda found: found.stem)
def test_each_contract_gets_marshmallows_verdict_in_each_field(path: Path) -> None:
    document = json.loads(path.read_text("utf-8"))
    name, version = path.stem.rsplit(".v", 1)
    contract = KNOWN.find(name, int(version))
    assert contract is not None
    assert loader(contract.event, False)(document) is not SLOW
    for item in fields(contract.event):
        for strange in STRANGE:
            same(contract.event, document | {item.name: strange})


def test_a_value_of_another_type_is_dumped_by_marshmallow() -> None:
    odd = Whole(id=GOOD.id, count=1, text=Colour.RED, codes=["it"])  # type: ignore[arg-type]
    assert dumper(Whole)(odd) is SLOW
    assert dump(odd)["text"] == "red" and dump(odd)["codes"] == ["it"]
