"""Errors as `application/problem+json` (RFC 9457): the only place where one becomes an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import uuid4

from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute

from togheter_shared.contracts.strictjson import NotStrictJson
from togheter_shared.decider import Rejected
from togheter_shared.run.operation import Refusal

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


def problem_of(error: Exception, language: str = "it") -> Problem:
    """The answer to an error; what we do not know becomes a 500 that tells nothing."""
    match error:
        case Refusal():
            return Problem(
                status=error.status,
                code=error.code,
                title=title_of(error.code, error.status, language),
                detail=error.detail,
                errors=error.errors,
                headers=error.headers,
            )
        case Rejected():
            field_ = error.field
            is_input = field_ is not None
            return Problem(
                status=422 if is_input else 409,
                code=error.code,
                title=title_of(error.code, 422 if is_input else 409, language),
                detail=error.sentence,
                errors=((field_, error.sentence),) if field_ is not None else (),
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

_TITLES: Mapping[str, tuple[str, str]] = {
    "bad_request": ("La richiesta non è HTTP valido.", "The request is not valid HTTP."),
    "bad_query": ("I parametri dell'indirizzo non sono validi.", "The query string is not valid."),
    "bad_idempotency_key": (
        "La chiave Idempotency-Key non è valida.",
        "The Idempotency-Key is not valid.",
    ),
    "not_json": (
        "Il corpo della richiesta non è JSON come lo accettiamo.",
        "The body is not JSON as we take it.",
    ),
    "unauthenticated": (
        "Serve un token valido di questo servizio.",
        "A valid token of this service is needed.",
    ),
    "forbidden": (
        "Questo account non ha il permesso necessario.",
        "This account lacks the permission that is needed.",
    ),
    "cross_origin": (
        "Il modulo non è stato inviato da una pagina di questo servizio.",
        "The form was not sent from a page of this service.",
    ),
    "not_found": ("Non esiste, o non è accessibile.", "It does not exist, or is not accessible."),
    "method_not_allowed": (
        "Questo indirizzo non accetta il metodo usato.",
        "This address does not accept the method.",
    ),
    "timeout": ("La richiesta è arrivata troppo lentamente.", "The request came too slowly."),
    "too_large": ("La richiesta è troppo grande.", "The request is too large."),
    "unsupported_media_type": (
        "Il tipo di contenuto non è accettato a questo indirizzo.",
        "The content type is not accepted at this address.",
    ),
    "invalid": ("Alcuni dati non sono validi.", "Some data are not valid."),
    "idempotency_key_reused": (
        "La stessa chiave Idempotency-Key è già stata usata per un'altra richiesta.",
        "The same Idempotency-Key was already used for another request.",
    ),
    "conflict": (
        "Altri stanno modificando gli stessi dati: riprovare.",
        "Others are changing the same data: try again.",
    ),
    "unavailable": (
        "Il servizio non è disponibile in questo momento: riprovare tra poco.",
        "The service is not available at this moment: try again shortly.",
    ),
    "internal": (
        "Errore interno: comunicare il codice a chi gestisce il servizio.",
        "Internal error: tell the operators the identifier.",
    ),
}
_BY_STATUS: Mapping[int, tuple[str, str]] = {
    403: _TITLES["forbidden"],
    404: _TITLES["not_found"],
    409: ("La richiesta non è possibile in questo stato.", "Not possible in this state."),
    422: _TITLES["invalid"],
}
_OTHER = ("La richiesta non può essere accolta.", "The request cannot be granted.")


def title_of(code: str, status: int, language: str) -> str:
    """The sentence for a code, or else for its status."""
    italian, english = _TITLES.get(code) or _BY_STATUS.get(status) or _OTHER
    return english if language == "en" else italian


_REASONS: Mapping[str, str] = {
    "Missing data for required field.": "Manca un dato obbligatorio.",
    "Unknown field.": "Campo sconosciuto.",
    "Field may not be null.": "Non può essere nullo.",
    "Given twice.": "È indicato due volte.",
    "Invalid input type.": "Non è un oggetto JSON.",
    "Not a valid string.": "Non è un testo.",
    "Not a valid UUID.": "Non è un UUID.",
    "Not a valid integer.": "Non è un numero intero.",
    "Not a valid number.": "Non è un numero.",
    "Not a valid boolean.": "Non è vero o falso (true, false).",
    "Not a valid date.": "Non è una data (AAAA-MM-GG).",
    "Not a valid datetime.": "Non è una data con l'ora (ISO 8601).",
    "Not a valid aware datetime.": "Manca il fuso orario.",
    "Not a valid list.": "Non è un elenco.",
    "Holds the character NUL.": "Contiene il carattere NUL.",
    "Holds half of a surrogate pair.": "Contiene mezza coppia di surrogati.",
    "String does not match expected pattern.": "Non ha la forma richiesta.",
}
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), italian)
    for pattern, italian in (
        (r"Must be one of: (.*)\.", r"Valori ammessi: \1."),
        (r"Longer than (\d+) characters\.", r"Più lungo di \1 caratteri."),
        (r"Shorter than minimum length (\d+)\.", r"Più corto di \1."),
        (r"Longer than maximum length (\d+)\.", r"Più lungo di \1."),
        (r"Length must be between (\d+) and (\d+)\.", r"La lunghezza va da \1 a \2."),
        (r"Length must be (\d+)\.", r"La lunghezza deve essere \1."),
        (r"Must be greater than or equal to (.*?)\.?", r"Deve essere almeno \1."),
        (r"Must be less than or equal to (.*?)\.?", r"Deve essere al massimo \1."),
        (r"Must be greater than (.*?)\.?", r"Deve essere maggiore di \1."),
        (r"Must be less than (.*?)\.?", r"Deve essere minore di \1."),
    )
)


def reason_in(reason: str, language: str) -> str:
    """marshmallow's reason in the reader's language; what we do not know stays as it is."""
    if language == "en":
        return reason
    if reason in _REASONS:
        return _REASONS[reason]
    for pattern, italian in _PATTERNS:
        found = pattern.fullmatch(reason)
        if found:
            return found.expand(italian)
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


@lru_cache(maxsize=256)
def language_of(accepted: str) -> str:
    """`en` when an Accept-Language header prefers English to Italian, else `it`."""
    weights = {"it": 0.0, "en": 0.0}
    for part in accepted[:200].split(","):
        tag, _, weight = part.strip().partition(";q=")
        language = tag[:2].lower()
        if language in weights:
            with_weight = re.fullmatch(r"[01](\.\d{0,3})?", weight)
            value = float(weight) if with_weight else 1.0
            weights[language] = max(weights[language], value)
    return "en" if weights["en"] > weights["it"] else "it"
