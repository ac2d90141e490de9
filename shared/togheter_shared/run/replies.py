"""What goes back to a client: status, headers and bytes, of an answer or of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from togheter_shared.contracts.schema import dump
from togheter_shared.run.operation import JSON, Answer, NotFound, Operation, Request
from togheter_shared.web.static import static_files

_ALWAYS = (("X-Content-Type-Options", "nosniff"),)
API_HEADERS = (
    *_ALWAYS,
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
PAGE_HEADERS = (
    *_ALWAYS,
    # with no-referrer, browsers send the origin `null` with our own forms
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'; img-src 'self' data:",  # the style sheet has its small pictures inside
    ),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
)
_FILE_HEADERS = (
    *_ALWAYS,
    ("Cache-Control", "public, max-age=3600"),
    ("Vary", "Accept-Encoding"),
)
_FOR_EVER = ("Cache-Control", "public, max-age=31536000, immutable")
_HEADERS = {"api": API_HEADERS, "page": PAGE_HEADERS, "file": _FILE_HEADERS}

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def unless_known(reply: Reply, known: str) -> Reply:
    """304 without a body for who has it: one of the ETags in If-None-Match is the answer's."""
    etag = dict(reply.headers).get("ETag")
    if etag is None or reply.status != 200 or etag not in re.findall(r'"[^"]*"', known):
        return reply
    return Reply(304, reply.headers, b"")


def reply_of(operation: Operation, result: Any) -> Reply:
    """The answer of an operation as it declares it. Raises `TypeError` for another one."""
    status, headers = operation.status, dict(_HEADERS[operation.kind])
    if isinstance(result, Answer):
        status, result, more = result.status, result.body, result.headers
        headers.update(more)
    if result is None:
        body = b""
        status = 204 if status == 200 else status
    elif isinstance(result, bytes):
        body = result
    elif isinstance(result, str):
        body = result.encode()
    elif operation.answer is None:
        raise TypeError(f"{operation.url} declares no answer and gave {type(result).__name__}")
    elif operation.many:
        body = json_bytes([_document(operation, item) for item in result])
    else:
        body = json_bytes(_document(operation, result))
    if body:
        headers.setdefault("Content-Type", operation.media or JSON)
    for name, value in headers.items():
        if _UNPRINTABLE.search(value) or not value.isascii():
            raise ValueError(f"the header {name} holds a control or a non-ASCII character")
    return Reply(status, list(headers.items()), body)


def _document(operation: Operation, item: Any) -> dict[str, Any]:
    if type(item) is not operation.answer:
        raise TypeError(f"{operation.url} declares another answer than {type(item).__name__}")
    return dump(item)


def json_bytes(document: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def static_reply(request: Request, environ: Mapping[str, Any]) -> Reply:
    """A file of the pages: kept for ever under its version, packed for who can unpack it."""
    found = static_files().get(request.path["name"])
    if found is None:
        raise NotFound()
    given = parse_qsl(environ.get("QUERY_STRING", "")[:100])
    headers = [*_FILE_HEADERS, ("ETag", found.etag)]
    if ("v", found.version) in given:
        headers = [header for header in headers if header[0] != "Cache-Control"] + [_FOR_EVER]
    if environ.get("HTTP_IF_NONE_MATCH") == found.etag:
        return Reply(304, headers, b"")
    headers.append(("Content-Type", found.media))
    if found.packed is not None and "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
        return Reply(200, [*headers, ("Content-Encoding", "gzip")], found.packed)
    return Reply(200, headers, found.body)
