"""What a service offers over HTTP, as values: an operation, its request and its answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal
from urllib.parse import parse_qsl
from uuid import UUID

from marshmallow import ValidationError
from marshmallow import fields as ma
from werkzeug.datastructures import MultiDict
from werkzeug.urls import iri_to_uri

from togheter_shared.access.viewer import Viewer
from togheter_shared.contracts.schema import load, schema_of
from togheter_shared.web.render import Shell

MIB = 1_048_576
JSON = "application/json"
HTML = "text/html; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method on one URL: who may call it, what it takes and what it answers.

    `body` is a dataclass (taken as JSON), a media type (taken as bytes) or None. `answer` is a
    dataclass (a list of them when `many`); `media` is the type of an answer in bytes or text.
    """

    kind: Literal["api", "page", "file"]
    method: str
    url: str
    scope: str | None
    summary: str
    body: type | str | None = None
    query: type | None = None
    answer: type | None = None
    many: bool = False
    status: int = 200
    media: str | None = None
    max_body: int = MIB

    @property
    def changes(self) -> bool:
        """Whether the method may change something."""
        return self.method not in ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request that was authorised and whose parts were loaded."""

    viewer: Viewer
    body: Any = None
    query: Any = None
    path: Mapping[str, Any] = field(default_factory=dict)
    form: MultiDict[str, str] = field(default_factory=MultiDict)
    idempotency_key: str | None = None
    correlation_id: UUID
    raw: bytes = b""
    language: str = "it"
    shell: Shell = field(default_factory=Shell)
    route: str = ""
    """The operation: method and rule, such as `POST /api/v1/persons/<uuid:person_id>`."""

    @property
    def actor(self) -> str:
        """Who asks, as the log is going to name them."""
        return self.viewer.name

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what was asked: tells a repeated request from another with the same key."""
        asked = hashlib.sha256(f"{self.route}\n".encode())
        for name, value in sorted(self.path.items()):
            asked.update(f"{name}={value}\n".encode())
        asked.update(f"{self.query!r}\n".encode())
        asked.update(self.raw)
        return asked.digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with a status or headers of its own; `body` as the operation declares it."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def see_other(url: str) -> Answer:
    """Answer a form that was accepted: the browser gets our page at `url`, a path.

    Raises `ValueError` for an address elsewhere: a redirect must not lead people away.
    """
    if not url.startswith("/") or url.startswith(("//", "/\\")):
        raise ValueError("not a path of this service")
    return Answer(303, "", {"Location": iri_to_uri(url)})


class Refusal(Exception):
    """The request is refused with `status`; `code` is for programs, `detail` a sentence.

    Neither holds a value that somebody entered.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = tuple(errors)


class NotFound(Refusal):
    """What the URL names does not exist, or is not for this account: the two look the same."""

    def __init__(self, code: str = "not_found", detail: str | None = None) -> None:
        super().__init__(404, code, detail)


# --- the query string ----------------------------------------------------------------------------


def load_query(cls: type, text: str) -> Any:
    """An instance of `cls` from a query string.

    Raises marshmallow's `ValidationError`, or `Refusal` when the text cannot be taken apart.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise Refusal(400, "bad_query") from None
    convert = _converters(cls)
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in convert.lists:
            document.setdefault(name, []).append(convert.item(name)(value))
        elif name in document:
            raise ValidationError({name: ["Given twice."]})
        else:
            document[name] = convert.item(name)(value)
    return load(cls, document)


@dataclass(frozen=True)
class _Converters:
    items: Mapping[str, Callable[[str], Any]]
    lists: frozenset[str]

    def item(self, name: str) -> Callable[[str], Any]:
        return self.items.get(name, str)


@cache
def _converters(cls: type) -> _Converters:
    items: dict[str, Callable[[str], Any]] = {}
    lists = set()
    for name, found in schema_of(cls)().fields.items():
        if isinstance(found, ma.List):
            lists.add(name)
            found = found.inner
        if isinstance(found, ma.Integer):
            items[name] = _integer
        elif isinstance(found, ma.Boolean):
            items[name] = _boolean
    return _Converters(items, frozenset(lists))


def _integer(value: str) -> Any:
    return int(value) if re.fullmatch(r"-?[0-9]{1,18}", value) else value


def _boolean(value: str) -> Any:
    return {"true": True, "1": True, "false": False, "0": False}.get(value, value)
