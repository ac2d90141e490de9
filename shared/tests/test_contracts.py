"""Contracts and JSON: what is taken, what is refused, and what the classes of data make of it."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from togheter_shared.contracts import strictjson
from togheter_shared.contracts.contract import Audience, Contract, Registry, split
from togheter_shared.contracts.fields import PERSONAL, Code, FieldClass, LongText
from togheter_shared.contracts.schema import dump, json_schema, load, load_event


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Inner:
    text: Code


@dataclass(frozen=True, kw_only=True)
class Thing:
    thing_id: UUID
    on: date
    number: int = 0
    colour: Colour = Colour.RED
    inner: Inner | None = None
    many: tuple[int, ...] = ()
    sure: bool = False
    secret: Annotated[LongText, PERSONAL] = ""


GOOD: dict[str, Any] = {"thing_id": "00000000-0000-4000-8000-000000000007", "on": "2021-09-17"}


def test_what_is_written_is_read_back() -> None:
    thing = load(Thing, GOOD | {"many": [1, 2], "inner": {"text": "x"}, "secret": "è"})
    assert load(Thing, dump(thing)) == thing
    assert thing.many == (1, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("thing_id", "urn:uuid:00000000-0000-4000-8000-000000000007"),
        ("thing_id", "00000000000040008000000000000007"),
        ("thing_id", 7),
        ("on", "20210917"),
        ("on", "2021-W37-5"),
        ("on", "2021-02-30"),
        ("on", "2021-09-17T10:00:00"),
        ("number", "7"),
        ("number", 7.0),
        ("number", True),
        ("number", 2**31),
        ("colour", "blue"),
        ("inner", {"text": ""}),
        ("inner", {"text": "x", "role": "admin"}),
        ("many", ["1"]),
        ("many", list(range(1_001))),
        ("sure", "yes"),
        ("sure", 1),
        ("secret", "a\x00b"),
        ("secret", "a\ud800"),
        ("secret", "x" * 10_001),
        ("role", "admin"),
    ],
)
def test_what_does_not_fit_is_refused_and_its_field_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        load(Thing, GOOD | {field: value})
    assert set(refused.value.normalized_messages()) == {field}


def test_a_reader_passes_over_what_a_later_producer_added() -> None:
    later = GOOD | {"later": 1, "inner": {"text": "x", "later": 1}}
    assert load_event(Thing, later) == load(Thing, GOOD | {"inner": {"text": "x"}})


def test_classes_of_data_take_an_event_apart() -> None:
    contract = Contract(event=Thing, type="things.thing", audience=(Audience.REPORTING,))
    parts = split(load(Thing, GOOD | {"secret": "s"}), contract)
    assert parts[FieldClass.PERSONAL] == {"secret": "s"}
    assert "secret" not in parts[FieldClass.OPEN]
    assert json_schema(Thing)["properties"]["secret"]["x-class"] == "personal"


@dataclass(frozen=True, kw_only=True)
class Forgetful:
    name: Annotated[Code, PERSONAL]


def test_an_event_that_travels_cannot_require_what_stays_at_home() -> None:
    Contract(event=Forgetful, type="things.forgetful")
    with pytest.raises(TypeError, match="name does not travel"):
        Contract(event=Forgetful, type="things.forgetful", audience=(Audience.REPORTING,))


def test_an_old_version_is_read_as_the_newest() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Old:
        thing_id: UUID

    contracts = Registry(
        (
            Contract(
                event=Old,
                type="things.thing",
                version=1,
                upcast=lambda data: data | {"on": "2021-09-17"},
            ),
            Contract(event=Thing, type="things.thing", version=2),
        )
    )
    old = {"thing_id": GOOD["thing_id"]}
    assert contracts.load("things.thing", 1, old) == load(Thing, GOOD)
    with pytest.raises(KeyError):
        contracts.load("things.thing", 3, old)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{} {}", "not JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":1e400}', "does not fit"),
        (b'{"a":1e5000}', "does not fit"),
        (b'{"a":' + b"9" * 5_000 + b"}", "digits"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b"[" * 17 + b"]" * 17, "deeper"),
        (b"[" * 100_000, "deeper"),
        (b"{" + b",".join(b'"%d":1' % n for n in range(10_001)) + b"}", "keys"),
        (b'{"a":"\\u0000"}', "NUL"),
        (b'{"\\ud800":1}', "surrogate"),
        (b" " * 1_048_577, "longer"),
        (b'{"a":"\x01"}', "not JSON"),
    ],
)
def test_json_that_would_surprise_somebody_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(strictjson.NotStrictJson, match=reason):
        strictjson.loads(raw)


@pytest.mark.parametrize(
    "text", ['{"a":"[[[[[[[[[[[[[[[[[[[["}', '{"a":"\\"[[[[[[[[[[[[[[[[[["}', '"\\ud83d\\ude00"']
)
def test_good_json_is_not_mistaken_for_bad(text: str) -> None:
    strictjson.loads(text.encode())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=10,
)


@given(JSON)
def test_canonical_bytes_are_read_back_and_written_the_same(document: Any) -> None:
    raw = strictjson.canonical(document)
    assert strictjson.loads(raw) == document
    assert strictjson.canonical(strictjson.loads(raw)) == raw


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_in_another_way(raw: bytes) -> None:
    try:
        strictjson.loads(raw)
    except strictjson.NotStrictJson as refused:
        assert str(refused)
