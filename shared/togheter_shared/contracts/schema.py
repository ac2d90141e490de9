"""From a frozen dataclass to its marshmallow schema, its JSON Schema, and back."""

import re
import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, ValidationError, post_load, validate
from marshmallow import fields as ma

from togheter_shared.contracts.fields import FieldClass
from togheter_shared.contracts.swift import (
    MAX_INTEGER,
    MAX_ITEMS,
    MAX_TEXT,
    SLOW,
    dumper,
    loader,
)

T = TypeVar("T")


_SURROGATE = re.compile("[\ud800-\udfff]")


class Text(ma.String):
    """A string that can be stored and read back: no NUL, no lone surrogate, at most 10,000 long."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if len(text) > MAX_TEXT:
            raise ValidationError(f"Longer than {MAX_TEXT} characters.")
        if "\x00" in text:
            raise ValidationError("Holds the character NUL.")
        if _SURROGATE.search(text):
            raise ValidationError("Holds half of a surrogate pair.")
        return text


class Flag(ma.Boolean):
    """true or false; 1 and "yes" are neither."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return value


class PlainUUID(ma.UUID):
    """A UUID in its usual form of 36 characters, and in no other."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> UUID:
        found: UUID = super()._deserialize(value, attr, data, **kwargs)
        if not isinstance(value, UUID) and str(found) != str(value).lower():
            raise ValidationError("Not a valid UUID.")
        return found


class PlainDate(ma.Date):
    """A date as YYYY-MM-DD, and in no other form of ISO 8601."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> date:
        found: date = super()._deserialize(value, attr, data, **kwargs)
        if not isinstance(value, date) and found.isoformat() != value:
            raise ValidationError("Not a valid date.")
        return found


class Tuple(ma.List):  # type: ignore[type-arg]
    """A list that becomes a tuple; at most 1,000 items unless the contract says otherwise."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))


Unknown = Literal["exclude", "raise"]


@cache
def schema_of(cls: Any, unknown: Unknown = "raise") -> type[Schema]:
    """The marshmallow schema class of a frozen dataclass; loading it gives an instance.

    Types understood: str, int, bool, UUID, date, datetime (aware), enumerations (by value),
    `Literal`, `X | None`, `tuple[X, ...]`, nested dataclasses, and `Annotated` with marshmallow
    validators or a `FieldClass`. A field with a default may be left out. `unknown` says what to do
    with a key that the dataclass, or one nested in it, does not know.
    """
    hints = get_type_hints(cls, include_extras=True)
    members: dict[str, Any] = {}
    for item in fields(cls):
        optional = item.default is not MISSING or item.default_factory is not MISSING
        members[item.name] = _field(
            hints[item.name],
            required=not optional,
            metadata=dict(item.metadata),
            unknown=unknown,
        )

    def build(self: Schema, data: dict[str, Any], **_: Any) -> Any:
        return cls(**data)

    members["build"] = post_load(build)
    members["Meta"] = type("Meta", (), {"unknown": unknown})
    return type(cls.__name__, (Schema,), members)


@cache
def _schema(cls: Hashable, unknown: Unknown) -> Schema:
    return schema_of(cls, unknown)()


def load(cls: type[T], document: Any) -> T:
    """An instance of `cls` from outside; unknown keys are refused. Raises `ValidationError`."""
    kind: Any = cls
    found = loader(kind, closed=True)(document)
    return _schema(kind, "raise").load(document) if found is SLOW else found  # type: ignore[no-any-return]


def load_event(cls: type[T], document: Mapping[str, Any]) -> T:
    """An instance of `cls` as some version of its producer wrote it; unknown keys pass."""
    kind: Any = cls
    found = loader(kind, closed=False)(document)
    return _schema(kind, "exclude").load(document) if found is SLOW else found  # type: ignore[no-any-return]


def dump(instance: Any) -> dict[str, Any]:
    """The JSON document of an instance: what was left at None is left out at the top level."""
    kind: Any = type(instance)
    document = dumper(kind)(instance)
    if document is SLOW:
        document = _schema(kind, "raise").dump(instance)
    return {key: value for key, value in document.items() if value is not None}


def json_schema(cls: type, *, closed: bool = True) -> dict[str, Any]:
    """JSON Schema 2020-12 of a dataclass, nested ones inlined; `closed` refuses unknown keys."""
    unknown: Unknown = "raise" if closed else "exclude"
    document: dict[str, Any] = _converter().schema2jsonschema(  # type: ignore[no-untyped-call]
        schema_of(cls, unknown)()
    )
    document["title"] = cls.__name__
    if cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}("):
        document["description"] = " ".join(cls.__doc__.split())
    if not closed:
        document.pop("additionalProperties", None)
    return document


@cache
def field_classes(cls: type) -> Mapping[str, FieldClass]:
    """The class of data of each field of an event."""
    hints = get_type_hints(cls, include_extras=True)
    result = {}
    for name, hint in hints.items():
        found = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, FieldClass)]
        result[name] = found[-1] if found else FieldClass.OPEN
    return result


def _field(
    hint: Any, *, required: bool, metadata: dict[str, Any], unknown: Unknown
) -> ma.Field[Any]:
    validators: list[Any] = []
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        validators = [extra for extra in extras if isinstance(extra, validate.Validator)]
        for extra in extras:
            if isinstance(extra, FieldClass):
                metadata["x-class"] = extra.value
            elif isinstance(extra, str):
                metadata["description"] = extra
        if get_origin(hint) in (Union, types.UnionType):
            # Annotated[X | None, …]: the validators are of X
            inner = next(part for part in get_args(hint) if part is not type(None))
            field = _field(inner, required=required, metadata=metadata, unknown=unknown)
            field.allow_none = True
            field.validators.extend(validators)
            return field
    allow_none = False
    if get_origin(hint) in (Union, types.UnionType):
        parts = [part for part in get_args(hint) if part is not type(None)]
        allow_none = len(parts) < len(get_args(hint))
        if len(parts) != 1:
            raise TypeError(f"a contract cannot hold the type {hint}")
        inner = parts[0]
        if get_origin(inner) is Annotated:
            field = _field(inner, required=required, metadata=metadata, unknown=unknown)
            field.allow_none = True
            return field
        hint = inner
    options: dict[str, Any] = {
        "required": required,
        "allow_none": allow_none,
        "metadata": metadata,
        "validate": validators or None,
    }
    if get_origin(hint) is Literal:
        return Text(**{**options, "validate": validate.OneOf(get_args(hint))})
    if get_origin(hint) is tuple:
        item, ellipsis = get_args(hint)
        if ellipsis is not Ellipsis:
            raise TypeError(f"a contract cannot hold the type {hint}")
        options["validate"] = validators or validate.Length(max=MAX_ITEMS)
        return Tuple(_field(item, required=True, metadata={}, unknown=unknown), **options)
    if isinstance(hint, type) and is_dataclass(hint):
        return ma.Nested(schema_of(hint, unknown), **options)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ma.Enum(hint, by_value=True, **options)
    if hint is bool:
        return Flag(**options)
    if hint is int:
        options["validate"] = [*validators, validate.Range(-MAX_INTEGER, MAX_INTEGER)]
        return ma.Integer(strict=True, **options)
    if hint is str:
        return Text(**options)
    if hint is UUID:
        return PlainUUID(**options)
    if hint is datetime:
        return ma.AwareDateTime(format="iso", **options)
    if hint is date:
        return PlainDate(format="iso", **options)
    raise TypeError(f"a contract cannot hold the type {hint}")


def _converter() -> OpenAPIConverter:
    plugin = MarshmallowPlugin(
        schema_name_resolver=lambda schema: None  # type: ignore[arg-type,return-value]
    )
    APISpec(title="", version="", openapi_version="3.1.0", plugins=[plugin])
    assert plugin.converter is not None
    return plugin.converter
