"""What somebody asks for: read strictly, whatever a hostile partner sends."""

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from togheter_shared.contracts import strictjson
from togheter_shared.log.entry import BadEntry
from togheter_shared.log.wish import Wish, read_wish

EPOCH = uuid4()
GOOD: dict[str, Any] = {"channel": "to.ponte", "from": 3, "epoch": str(EPOCH), "held": [[1, "ab"]]}
HOSTILE: tuple[dict[str, Any], ...] = (
    {"epoch": 7},
    {"epoch": None},
    {"epoch": ["a"]},
    {"epoch": "not an epoch"},
    {"channel": ["to.ponte"]},
    {"channel": {"to": "ponte"}},
    {"from": "3"},
    {"from": True},
    {"from": 1.5},
    {"held": {"1": "ab"}},
    {"held": [1]},
    {"held": [[1, 2]]},
    {"held": [[1, "xy"]]},
    {"held": [["1", "ab"]]},
    {"held": [[True, "ab"]]},
    {"held": [[10**30, "ab"]]},
    {"held": [[1, "ab", 3]]},
    {"proof": 5},
    {"proof": {"a": 1}},
)


def test_a_wish_is_read_as_it_was_written() -> None:
    wish = Wish(channel="directory", number=5, epoch=EPOCH, held=((4, b"\x01"),), proof="{}")
    assert read_wish(wish.body()) == wish
    assert read_wish(Wish(channel="directory", number=1).body()).epoch is None


@pytest.mark.parametrize("wrong", HOSTILE, ids=repr)
def test_a_value_of_another_kind_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadEntry):
        read_wish(_raw(GOOD | wrong))


def test_what_an_older_or_newer_version_adds_is_left_out() -> None:
    assert read_wish(strictjson.canonical(GOOD | {"more": 1})).number == 3


@pytest.mark.parametrize("number", [-5, 0, 9 * 10**18])
def test_a_number_that_no_feed_has_is_brought_into_range(number: int) -> None:
    assert 1 <= read_wish(strictjson.canonical(GOOD | {"from": number})).number < 2**63 - 1


@given(st.binary(max_size=200) | st.sampled_from([b"[]", b"1", b'"a"', b"{}", b"null"]))
def test_any_other_bytes_are_refused_and_nothing_else_happens(body: bytes) -> None:
    with pytest.raises(BadEntry):
        read_wish(body)


def _raw(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
