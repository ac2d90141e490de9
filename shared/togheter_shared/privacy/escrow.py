"""The organisation's privacy key in three shares, any two of which give it back: Shamir's scheme.

Over GF(2^8) with the polynomial of AES, byte by byte: a share is a point of a line whose height at
zero is the secret. One share alone says nothing about the key.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence

from togheter_shared.privacy.organisation import KEY_LENGTH, key_id

OFFICERS, NEEDED = 3, 2
_HEAD = "togheter-share-1"


class BadShares(Exception):
    """The shares do not give a key; the message says what is wrong, and never shows one."""


def split(key: bytes) -> list[str]:
    """A share for each officer: a line of text that names the key and itself."""
    slopes = secrets.token_bytes(len(key))
    return [
        " ".join((_HEAD, key_id(key), str(x), b64encode(_line(key, slopes, x)).decode()))
        for x in range(1, OFFICERS + 1)
    ]


def combine(shares: Sequence[str]) -> bytes:
    """The key of which these are shares. Raises `BadShares`."""
    points: dict[int, bytes] = {}
    names = set()
    for share in shares:
        name, x, y = _read(share)
        names.add(name)
        points[x] = y
    if len(names) != 1:
        raise BadShares("these are shares of different keys: look for those of one day")
    if len(points) < NEEDED:
        raise BadShares(f"{NEEDED} different shares are needed: ask another officer")
    (one, first), (two, second) = sorted(points.items())[:NEEDED]
    scale = inverse(one ^ two)
    key = bytes(
        multiply(multiply(a, two) ^ multiply(b, one), scale)
        for a, b in zip(first, second, strict=True)
    )
    if key_id(key) not in names:
        raise BadShares("a share was changed or mistyped: copy both again, or ask the third")
    return key


def multiply(a: int, b: int) -> int:
    """The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def inverse(a: int) -> int:
    """The one number whose product with `a` is 1; `a` is 1 to 255."""
    return next(b for b in range(1, 256) if multiply(a, b) == 1)


def _line(key: bytes, slopes: bytes, x: int) -> bytes:
    return bytes(byte ^ multiply(slope, x) for byte, slope in zip(key, slopes, strict=True))


def _read(share: str) -> tuple[str, int, bytes]:
    words = share.split()
    try:
        head, name, x, y = words
        number, value = int(x), b64decode(y, validate=True)
    except ValueError:
        raise BadShares("that is not a share: it is one line of four words") from None
    if head != _HEAD or not 1 <= number <= OFFICERS or len(value) != KEY_LENGTH:
        raise BadShares("that is not a share of this version, or a part of it is missing")
    return name, number, value
