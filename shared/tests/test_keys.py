"""A seal opens with the right key at the right place, and in no other way."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from togheter_shared.privacy.keys import (
    Keys,
    KeysUnreadable,
    Unsealable,
    generate_keys,
    load_keys,
    seal,
    unseal,
)

KEYS = Keys(**generate_keys())
OTHER = Keys(**generate_keys())
SEALED = seal(KEYS.seal_public, b"a name", b"here")


@settings(deadline=None)
@given(plaintext=st.binary(max_size=2000), info=st.binary(max_size=200))
def test_what_is_sealed_opens_with_the_same_info(plaintext: bytes, info: bytes) -> None:
    assert unseal(KEYS.seal_private, seal(KEYS.seal_public, plaintext, info), info) == plaintext


def test_the_same_plaintext_is_sealed_differently_each_time() -> None:
    assert seal(KEYS.seal_public, b"a name", b"here") != SEALED


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Unsealable):
        unseal(OTHER.seal_private, SEALED, b"here")


def test_another_place_opens_nothing() -> None:
    with pytest.raises(Unsealable):
        unseal(KEYS.seal_private, SEALED, b"there")


@settings(deadline=None, max_examples=50)
@given(bit=st.integers(0, len(SEALED) * 8 - 1))
def test_one_flipped_bit_opens_nothing(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unsealable):
        unseal(KEYS.seal_private, bytes(changed), b"here")


@settings(deadline=None, max_examples=50)
@given(junk=st.binary(max_size=1200))
def test_junk_opens_nothing(junk: bytes) -> None:
    with pytest.raises(Unsealable):
        unseal(KEYS.seal_private, junk, b"here")


@pytest.mark.parametrize("key", ["", "?", "AAAA", "é", KEYS.sign_public])
def test_a_malformed_key_neither_seals_nor_opens(key: str) -> None:
    with pytest.raises(Unsealable):
        seal(key, b"a name", b"here")
    with pytest.raises(Unsealable):
        unseal(key, SEALED, b"here")


def test_an_encapsulation_key_outside_the_field_is_refused() -> None:
    with pytest.raises(Unsealable, match="malformed"):
        seal(b64encode(b"\xff" * 1216).decode(), b"a name", b"here")


def test_a_public_key_whose_curve_point_is_zero_is_refused() -> None:
    raw = b64decode(KEYS.seal_public)[:-32] + bytes(32)
    with pytest.raises(Unsealable):
        seal(b64encode(raw).decode(), b"a name", b"here")


def test_the_signing_keys_are_a_pair() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b64decode(KEYS.sign_private))
    assert private.public_key().public_bytes_raw() == b64decode(KEYS.sign_public)


def test_private_keys_are_not_printed() -> None:
    assert KEYS.seal_private not in repr(KEYS)
    assert KEYS.sign_private not in repr(KEYS)


def test_keys_are_read_from_their_file(tmp_path: Path) -> None:
    document = generate_keys()
    (tmp_path / "keys.json").write_text(json.dumps(document))
    assert load_keys(tmp_path / "keys.json") == Keys(**document)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps(generate_keys() | {"seal_private": "AAAA"})]
)
def test_unreadable_keys_are_refused_with_the_name_of_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(KeysUnreadable, match=r"keys\.json"):
        load_keys(tmp_path / "keys.json")


@pytest.mark.parametrize("name", ["seal_public", "sign_public"])
def test_keys_that_are_not_a_pair_are_refused(tmp_path: Path, name: str) -> None:
    mixed = generate_keys() | {name: generate_keys()[name]}
    (tmp_path / "keys.json").write_text(json.dumps(mixed))
    with pytest.raises(KeysUnreadable, match="not a pair"):
        load_keys(tmp_path / "keys.json")
