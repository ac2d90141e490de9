"""Errors as `application/problem+json` (RFC 9457): the only place where one becomes an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute

from togheter_shared.contracts.strictjson import NotStrictJson
from togheter_shared.decider import Rejected
from togheter_shared.run.operation import Refusal
from togheter_shared.web.language import N_, say
from togheter_shared.web.render import KERNEL, Pages

MEDIA = "application/problem+json"
RETRY_AFTER = "5"
MAX_ERRORS = 100


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An answer that says what is wrong. `instance` is opaque, and is in the log."""

    status: int
    code: str
    title: str
    detail: str | None = None
    errors: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    instance: str = field(default_factory=lambda: uuid4().urn)

    def document(self) -> dict[str, Any]:
        """The members of RFC 9457, with `code` and `errors` as ours."""
        found: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "instance": self.instance,
            "code": self.code,
        }
        if self.detail is not None:
            found["detail"] = self.detail
        if self.errors:
            found["errors"] = [{"field": name, "reason": reason} for name, reason in self.errors]
        return found


def problem_of(error: Exception, language: str = "it", pages: Pages = KERNEL) -> Problem:
    """The answer to an error; what we do not know becomes a 500 that tells nothing.

    `pages` are the service's, whose catalogues translate the sentences of its rules.
    """
    match error:
        case Refusal():
            return Problem(
                status=error.status,
                code=error.code,
                title=title_of(error.code, error.status, language),
                detail=None if error.detail is None else pages.say(error.detail, language),
                errors=error.errors,
                headers=error.headers,
            )
        case Rejected():
            field_ = error.field
            is_input = field_ is not None
            sentence = pages.say(error.sentence, language)
            return Problem(
                status=422 if is_input else 409,
                code=error.code,
                title=title_of(error.code, 422 if is_input else 409, language),
                detail=sentence,
                errors=((field_, sentence),) if field_ is not None else (),
            )
        case ValidationError():
            reasons = [
                (name, reason_in(reason, language)) for name, reason in _reasons(error.messages)
            ]
            return _problem(422, "invalid", language, errors=tuple(reasons[:MAX_ERRORS]))
        case NotStrictJson():
            return _problem(400, "not_json", language, detail=str(error))
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            return _problem(405, "method_not_allowed", language, headers={"Allow": allowed})
        case NoRoute():
            return _problem(404, "not_found", language)
        case HTTPException():
            return _problem(error.code or 500, "http", language)
        case TimeoutError():
            return _problem(408, "timeout", language)
    return _server_problem(error, language)


def _problem(status: int, code: str, language: str, **more: Any) -> Problem:
    return Problem(status=status, code=code, title=title_of(code, status, language), **more)


def _server_problem(error: Exception, language: str) -> Problem:
    # not at the top: a web process must be made cooperative before psycopg is imported
    from psycopg import InterfaceError, OperationalError

    from togheter_shared.log.store import Conflict, KeyReused

    match error:
        case KeyReused():
            return _problem(422, "idempotency_key_reused", language)
        case Conflict():
            return _problem(409, "conflict", language, headers={"Retry-After": "1"})
        case OperationalError() | InterfaceError():  # those of the pool too
            return _problem(503, "unavailable", language, headers={"Retry-After": RETRY_AFTER})
    return _problem(500, "internal", language)


# --- sentences ------------------------------------------------------------------------------------

_TITLES: Mapping[str, str] = {
    "bad_request": N_("The request is not valid HTTP."),
    "bad_query": N_("The query string is not valid."),
    "bad_idempotency_key": N_("The Idempotency-Key is not valid."),
    "not_json": N_("The body is not JSON as we take it."),
    "unauthenticated": N_("A valid token of this service is needed."),
    "forbidden": N_("This account lacks the permission that is needed."),
    "cross_origin": N_("The form was not sent from a page of this service."),
    "not_found": N_("It does not exist, or is not accessible."),
    "method_not_allowed": N_("This address does not accept the method."),
    "timeout": N_("The request came too slowly."),
    "too_large": N_("The request is too large."),
    "unsupported_media_type": N_("The content type is not accepted at this address."),
    "invalid": N_("Some data are not valid."),
    "idempotency_key_reused": N_("The same Idempotency-Key was already used for another request."),
    "conflict": N_("Others are changing the same data: try again."),
    "unavailable": N_("The service is not available at this moment: try again shortly."),
    "internal": N_("Internal error: tell the operators the identifier."),
}
_BY_STATUS: Mapping[int, str] = {
    403: _TITLES["forbidden"],
    404: _TITLES["not_found"],
    409: N_("Not possible in this state."),
    422: _TITLES["invalid"],
}
_OTHER = N_("The request cannot be granted.")


def title_of(code: str, status: int, language: str) -> str:
    """The sentence for a code, or else for its status."""
    return say(language, _TITLES.get(code) or _BY_STATUS.get(status) or _OTHER)


_REASONS = frozenset(
    (
        N_("Missing data for required field."),
        N_("Unknown field."),
        N_("Field may not be null."),
        N_("Given twice."),
        N_("Invalid input type."),
        N_("Not a valid string."),
        N_("Not a valid UUID."),
        N_("Not a valid integer."),
        N_("Not a valid number."),
        N_("Not a valid boolean."),
        N_("Not a valid date."),
        N_("Not a valid datetime."),
        N_("Not a valid aware datetime."),
        N_("Not a valid list."),
        N_("Holds the character NUL."),
        N_("Holds half of a surrogate pair."),
        N_("String does not match expected pattern."),
    )
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), sentence)
    for pattern, sentence in (
        (r"Must be one of: (.*)\.", N_("Must be one of: {1}.")),
        (r"Longer than (\d+) characters\.", N_("Longer than {1} characters.")),
        (r"Shorter than minimum length (\d+)\.", N_("Shorter than minimum length {1}.")),
        (r"Longer than maximum length (\d+)\.", N_("Longer than maximum length {1}.")),
        (r"Length must be between (\d+) and (\d+)\.", N_("Length must be between {1} and {2}.")),
        (r"Length must be (\d+)\.", N_("Length must be {1}.")),
        (r"Must be greater than or equal to (.*?)\.?", N_("Must be greater than or equal to {1}.")),
        (r"Must be less than or equal to (.*?)\.?", N_("Must be less than or equal to {1}.")),
        (r"Must be greater than (.*?)\.?", N_("Must be greater than {1}.")),
        (r"Must be less than (.*?)\.?", N_("Must be less than {1}.")),
    )
)
"""marshmallow's sentences with numbers in them; `{1}` is what the first group found."""


def reason_in(reason: str, language: str) -> str:
    """marshmallow's reason in the reader's language; what we do not know stays as it is."""
    if reason in _REASONS:
        return say(language, reason)
    for pattern, sentence in _PATTERNS:
        found = pattern.fullmatch(reason)
        if found:
            return say(language, sentence).format(reason, *found.groups())
    return reason


def _reasons(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    match messages:
        case dict():
            for name, inner in messages.items():
                part = "" if name == "_schema" else str(name)[:100]
                yield from _reasons(inner, f"{path}.{part}" if path and part else path or part)
        case list() | tuple():
            for inner in messages:
                yield from _reasons(inner, path)
        case _:
            yield path, str(messages)
