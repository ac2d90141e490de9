"""JSON as this network takes it: one document, UTF-8, no surprises; and canonical bytes."""

import json
import re
from math import isfinite
from typing import Any

MAX_BYTES = 1_048_576
MAX_DEPTH = 16
MAX_KEYS = 10_000
MAX_DIGITS = 19


class NotStrictJson(ValueError):
    """The bytes are not JSON as we take it; the message says why and never shows a value."""


def loads(raw: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Decode one JSON document, or raise `NotStrictJson`.

    Refused: more than `max_bytes`, not UTF-8, a byte order mark, NaN and Infinity, numbers that do
    not fit (more than 19 digits, or a float that is not finite), a key given twice, nesting deeper
    than `max_depth`, more than 10,000 keys, the character NUL and lone surrogates.
    """
    if len(raw) > max_bytes:
        raise NotStrictJson(f"longer than {max_bytes} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"not UTF-8 at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise NotStrictJson("it starts with a byte order mark")
    _check_depth(text, max_depth)
    keys = 0

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(items)
        if keys > MAX_KEYS:
            raise NotStrictJson(f"more than {MAX_KEYS} keys")
        result = dict(items)
        if len(result) != len(items):
            raise NotStrictJson("a key is given twice")
        return result

    try:
        document = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except json.JSONDecodeError as error:
        raise NotStrictJson(
            f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    if "\\u" in text:  # only an escape can bring these in
        _check_characters(document)
    return document


def canonical(document: Any) -> bytes:
    """The one way to write `document`: sorted keys, no white space, UTF-8, finite numbers.

    For the documents of this network (string keys in ASCII, no floats) these are RFC 8785's bytes.
    """
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("[") + text.count("{") <= max_depth:
        return  # it cannot be deeper than it has brackets, and counting is a hundred times faster
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > max_depth:
                raise NotStrictJson(f"nested deeper than {max_depth}")
        elif character in "]}":
            depth -= 1


def _refuse_constant(name: str) -> Any:
    raise NotStrictJson(f"{name} is not a number here")


def _parse_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise NotStrictJson(f"a number with more than {MAX_DIGITS} digits")
    return int(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if not isfinite(value) or len(digits) > 40:
        raise NotStrictJson("a number that does not fit")
    return value


def _check_characters(document: Any) -> None:
    match document:
        case str():
            if "\x00" in document:
                raise NotStrictJson("a text holds the character NUL")
            if any("\ud800" <= character <= "\udfff" for character in document):
                raise NotStrictJson("a text holds half of a surrogate pair")
        case list():
            for item in document:
                _check_characters(item)
        case dict():
            for key, item in document.items():
                _check_characters(key)
                _check_characters(item)
