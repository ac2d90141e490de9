"""Loads and dumps what is plainly right without marshmallow; everything else is left to it.

Marshmallow defines what a contract takes. Its general machinery costs twenty microseconds an event,
which is most of what a receiver does. Here each dataclass gets a list of closures that know one
kind of value each and give up (`SLOW`) at the first doubt: then marshmallow decides, and writes the
error. So nothing is taken here that it would refuse; `test_swift.py` holds one against the other.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from marshmallow import ValidationError, validate

SLOW: Final = object()
"""Not a value: ask marshmallow."""
MAX_TEXT = 10_000
MAX_INTEGER = 2_147_483_647
"""What an integer column holds, and more than anything that is counted here."""
MAX_ITEMS = 1_000

Convert = Callable[[Any], Any]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(_DAY.pattern + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?\+00:00")


@cache
def loader(cls: Any, closed: bool) -> Convert:
    """A function from a JSON object to an instance of the dataclass, or `SLOW`.

    `closed` gives up at a key that the dataclass does not know; else such keys are left out.
    """
    hints = get_type_hints(cls, include_extras=True)
    steps = []
    for item in fields(cls):
        required = item.default is MISSING and item.default_factory is MISSING
        steps.append((item.name, required, _load(hints[item.name], closed)))

    def load(document: Any) -> Any:
        if type(document) is not dict:
            return SLOW
        found = {}
        for name, required, convert in steps:
            if name in document:
                value = convert(document[name])
                if value is SLOW:
                    return SLOW
                found[name] = value
            elif required:
                return SLOW
        if closed and len(found) != len(document):
            return SLOW
        return cls(**found)

    return load


@cache
def dumper(cls: Any) -> Convert:
    """A function from an instance of the dataclass to its JSON object, or `SLOW`."""
    hints = get_type_hints(cls, include_extras=True)
    steps = [(item.name, _dump(hints[item.name])) for item in fields(cls)]

    def dump(instance: Any) -> Any:
        document = {}
        for name, convert in steps:
            value = convert(getattr(instance, name))
            if value is SLOW:
                return SLOW
            document[name] = value
        return document

    return dump


# --- one kind of value each -----------------------------------------------------------------------


def _load(hint: Any, closed: bool) -> Convert:
    hint, validators, optional = _taken_apart(hint)
    convert = _load_plain(hint, validators, closed)
    return _or_none(convert) if optional else convert


def _load_plain(hint: Any, validators: list[Any], closed: bool) -> Convert:
    if get_origin(hint) is Literal and not validators:
        return _one_of({value: value for value in get_args(hint)})
    if get_origin(hint) is tuple:
        item = _load(get_args(hint)[0], closed)
        return _tuple(item, _checks(validators or [validate.Length(max=MAX_ITEMS)]))
    if hint is str:
        return _text(_checks(validators))
    if hint is int:
        return _integer(_checks(validators))
    if validators:
        return lambda _: SLOW
    if isinstance(hint, type) and is_dataclass(hint):
        return loader(hint, closed)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _one_of({member.value: member for member in hint})
    known: dict[Any, Convert] = {bool: _flag, UUID: _uuid, date: _day, datetime: _moment}
    return known.get(hint, lambda _: SLOW)


def _dump(hint: Any) -> Convert:
    hint, _, optional = _taken_apart(hint)
    convert: Convert
    if get_origin(hint) is tuple:
        convert = _dump_tuple(_dump(get_args(hint)[0]))
    elif get_origin(hint) is Literal:
        convert = _as_it_is(str)
    elif isinstance(hint, type) and is_dataclass(hint):
        convert = _dump_nested(hint)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        convert = _dump_member(hint)
    elif hint in (str, int, bool):
        convert = _as_it_is(hint)
    elif hint is UUID:
        convert = _dump_uuid
    elif hint in (date, datetime):
        convert = _dump_time(hint)
    else:
        return lambda _: SLOW
    return _or_none(convert) if optional else convert


def _taken_apart(hint: Any) -> tuple[Any, list[Any], bool]:
    """The plain type, the validators of its values, and whether None is one of them."""
    validators: list[Any] = []
    optional = False
    while True:
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            validators += [extra for extra in extras if isinstance(extra, validate.Validator)]
        elif get_origin(hint) in (Union, types.UnionType):
            optional = True
            hint = next(part for part in get_args(hint) if part is not types.NoneType)
        else:
            return hint, validators, optional


def _checks(validators: list[Any]) -> Convert | None:
    """A function that says whether a value passes all of them; None when there is none."""
    if not validators:
        return None
    if len(validators) == 1 and type(validators[0]) is validate.Length:
        only = validators[0]
        if only.equal is None:
            least, most = only.min or 0, only.max if only.max is not None else MAX_TEXT
            return lambda value: least <= len(value) <= most

    def passes(value: Any) -> bool:
        try:
            for validator in validators:
                validator(value)
        except ValidationError:
            return False
        return True

    return passes


def _or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _text(passes: Convert | None) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not str or len(value) > MAX_TEXT or _UNSTORABLE.search(value):
            return SLOW
        return value if passes is None or passes(value) else SLOW

    return convert


def _integer(passes: Convert | None) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not int or not -MAX_INTEGER <= value <= MAX_INTEGER:
            return SLOW
        return value if passes is None or passes(value) else SLOW

    return convert


def _tuple(item: Convert, passes: Convert | None) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not list:
            return SLOW
        found = tuple(map(item, value))
        return SLOW if SLOW in found or (passes and not passes(found)) else found

    return convert


def _one_of(values: Mapping[Any, Any]) -> Convert:
    """One of some texts."""
    if not all(type(value) is str for value in values):
        return lambda _: SLOW
    return lambda value: values.get(value, SLOW) if type(value) is str else SLOW


def _flag(value: Any) -> Any:
    return value if type(value) is bool else SLOW


def _uuid(value: Any) -> Any:
    return UUID(value) if type(value) is str and _UUID.fullmatch(value) else SLOW


def _day(value: Any) -> Any:
    return _time(date, _DAY, value)


def _moment(value: Any) -> Any:
    return _time(datetime, _MOMENT, value)


def _time(kind: type[date], form: re.Pattern[str], value: Any) -> Any:
    if type(value) is not str or not form.fullmatch(value):
        return SLOW
    try:
        return kind.fromisoformat(value)
    except ValueError:
        return SLOW


def _as_it_is(kind: type) -> Convert:
    return lambda value: value if type(value) is kind else SLOW


def _dump_uuid(value: Any) -> Any:
    return str(value) if type(value) is UUID else SLOW


def _dump_time(kind: type[date]) -> Convert:
    return lambda value: value.isoformat() if type(value) is kind else SLOW


def _dump_member(kind: type[Enum]) -> Convert:
    return lambda value: value.value if isinstance(value, kind) else SLOW


def _dump_nested(cls: Any) -> Convert:
    inner = dumper(cls)
    return lambda value: inner(value) if type(value) is cls else SLOW


def _dump_tuple(item: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not tuple:
            return SLOW
        found = [item(one) for one in value]
        return SLOW if SLOW in found else found

    return convert
