"""What happens to every request, in one order: route, who, from where, what, call, answer."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.client import responses
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter, Histogram, generate_latest
from werkzeug.datastructures import MultiDict
from werkzeug.http import parse_cookie
from werkzeug.routing import Map, Rule

from togheter_shared.access.tokens import find
from togheter_shared.access.viewer import NOBODY, Viewer
from togheter_shared.contracts import strictjson
from togheter_shared.contracts.schema import load
from togheter_shared.run.kernel_pages import ACCESSIBILITY, LANGUAGE, accessibility, change_language
from togheter_shared.run.logs import describe
from togheter_shared.run.openapi import DOCUMENT, HEALTH, METRICS, openapi
from togheter_shared.run.operation import (
    FORM,
    HTML,
    JSON,
    Answer,
    NotFound,
    Operation,
    Refusal,
    Request,
    load_query,
)
from togheter_shared.run.problems import MEDIA, Problem, problem_of
from togheter_shared.run.replies import (
    API_HEADERS,
    PAGE_HEADERS,
    Reply,
    json_bytes,
    reply_of,
    static_reply,
    unless_known,
)
from togheter_shared.run.webserver import KEPT_UNREAD
from togheter_shared.web.language import COOKIE, chosen
from togheter_shared.web.render import KERNEL, Pages, Shell

if TYPE_CHECKING:  # psycopg must not be imported before the process is cooperative
    from psycopg import Connection

    from togheter_shared.run.database import Pool

log: structlog.stdlib.BoundLogger = structlog.get_logger()

REQUESTS = Counter("togheter_http_requests_total", "Requests", ["method", "route", "status"])
SECONDS = Histogram(
    "togheter_http_request_seconds",
    "From the head of a request to its answer",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)

_STATIC = Operation(
    kind="file", method="GET", url="/static/<path:name>", scope=None, summary="A file of the pages"
)
_STATUS_LINES = {status: f"{status} {phrase}" for status, phrase in responses.items()}
_PASSING = {"starting", "waiting"}
_VIEWER = "togheter.viewer"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_KEY = re.compile(r"[\x21-\x7e]{1,100}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and what carries it out."""

    operation: Operation
    call: Callable[[Request], Any]


class Application:
    """The WSGI application of a service: its routes, and `/health`, `/metrics` and the rest."""

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        pool: Pool,
        service_class: type,
        service: str,
        organisation: str,
        version: str,
        health: Callable[[Connection], Mapping[str, str]],
    ) -> None:
        self._pool = pool
        self._checks = health
        self._identity = {"service": service, "organisation": organisation, "version": version}
        self._pages: Pages = getattr(service_class, "pages", KERNEL)
        self._health: tuple[float, Answer] = (0.0, Answer())
        title = f"TOGHETER {service}"
        document = openapi(service_class, title, version)
        self._document = json.dumps(document, ensure_ascii=False).encode()
        own = [
            Route(HEALTH, self._answer_health),
            Route(METRICS, lambda _: generate_latest()),
            Route(DOCUMENT, lambda _: self._document),
            Route(_STATIC, _answer_static),
            Route(LANGUAGE, change_language),
            Route(ACCESSIBILITY, lambda request: accessibility(self._pages, request)),
        ]
        routes = [*own, *routes]
        self._operations = {
            f"{route.operation.method} {route.operation.url}": route.operation for route in routes
        }
        rules = [
            Rule(route.operation.url, methods=[route.operation.method], endpoint=route)
            for route in routes
        ]
        self._match = Map(rules, strict_slashes=False, merge_slashes=False).bind("service").match

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started = perf_counter()
        correlation_id = _correlation_id(environ)
        operation: Operation | None = None
        code = None
        try:
            route, path = self._route(environ)
            operation = route.operation
            reply = self._serve(route, path, environ, correlation_id)
        except Exception as error:
            problem = problem_of(error, _language(environ), self._pages)
            code = problem.code
            if problem.status >= 500:
                log.error(
                    "request failed",
                    instance=problem.instance,
                    correlation_id=str(correlation_id),
                    **describe(error),
                )
            reply = self._problem_reply(problem, operation, environ, correlation_id)
        rule = operation.url if operation is not None else "none"
        method = operation.method if operation is not None else "none"
        seconds = perf_counter() - started
        REQUESTS.labels(method, rule, str(reply.status)).inc()
        SECONDS.labels(rule).observe(seconds)
        if operation is not HEALTH:
            log.info(
                "request",
                method=method,
                route=rule,
                status=reply.status,
                code=code,
                ms=round(seconds * 1000, 1),
                correlation_id=str(correlation_id),
            )
        headers = [*reply.headers, ("X-Correlation-ID", str(correlation_id))]
        body = reply.body
        if reply.status not in (204, 304):
            headers.append(("Content-Length", str(len(body))))
        if environ["wsgi.input"].unread > KEPT_UNREAD or reply.status == 408:
            environ["togheter.close"]()
        start_response(_STATUS_LINES.get(reply.status, f"{reply.status} Other"), headers)
        return [body] if body and environ["REQUEST_METHOD"] != "HEAD" else []

    def _route(self, environ: Environ) -> tuple[Route, Mapping[str, Any]]:
        try:
            path = environ["PATH_INFO"].encode("latin-1").decode()
        except UnicodeDecodeError:
            raise NotFound() from None
        if _UNPRINTABLE.search(path):
            raise NotFound()
        matched: tuple[Route, Mapping[str, Any]] = self._match(
            path, method=environ["REQUEST_METHOD"]
        )
        return matched

    def _serve(
        self, route: Route, path: Mapping[str, Any], environ: Environ, correlation_id: UUID
    ) -> Reply:
        operation = route.operation
        viewer = NOBODY if operation.scope is None else self._viewer(operation, environ)
        environ[_VIEWER] = viewer
        if operation.kind == "page" and operation.changes:
            _assert_same_origin(environ)
        raw = environ["wsgi.input"].take(operation.max_body) if _takes_body(operation) else b""
        body: Any = None
        form: MultiDict[str, str] = MultiDict()
        if operation.kind == "page" and operation.changes:
            form = _form(environ, raw)
        elif isinstance(operation.body, str):
            _assert_media(environ, operation.body)
        elif operation.body is not None:
            _assert_media(environ, JSON)
            body = load(operation.body, strictjson.loads(raw, max_bytes=operation.max_body))
        text = environ.get("QUERY_STRING", "")
        request = Request(
            viewer=viewer,
            body=body,
            query=load_query(operation.query, text) if operation.query is not None else None,
            path=path,
            form=form,
            idempotency_key=_idempotency_key(environ) if operation.changes else None,
            correlation_id=correlation_id,
            raw=raw,
            language=_language(environ),
            shell=self._shell(environ, viewer),
            route=f"{operation.method} {operation.url}",
        )
        if operation is _STATIC:
            return static_reply(request, environ)
        reply = reply_of(operation, route.call(request))
        return unless_known(reply, environ.get("HTTP_IF_NONE_MATCH", ""))

    def _viewer(self, operation: Operation, environ: Environ) -> Viewer:
        """Who asks, as the database says now; raises a `Refusal` when it may not."""
        name, token = _credentials(operation, environ.get("HTTP_AUTHORIZATION", ""))
        viewer = None
        if token is not None and token.startswith("tgh_"):
            viewer = self._pool.ask(lambda conn: find(conn, token))
        if viewer is None or (name is not None and name != viewer.name):
            scheme = "Basic" if operation.kind == "page" else "Bearer"
            challenge = f'{scheme} realm="TOGHETER"'
            if scheme == "Basic":
                challenge += ', charset="UTF-8"'
            elif token is not None:
                challenge += ', error="invalid_token"'
            raise Refusal(401, "unauthenticated", headers={"WWW-Authenticate": challenge})
        environ[_VIEWER] = viewer
        assert operation.scope is not None
        if not viewer.may(operation.scope):
            raise Refusal(403, "forbidden")
        return viewer

    def _shell(self, environ: Environ, viewer: Viewer) -> Shell:
        def may(name: str) -> bool:
            scope = self._operations[name].scope
            return scope is None or viewer.may(scope)

        return Shell(
            service=self._identity["service"],
            organisation=self._identity["organisation"],
            version=self._identity["version"],
            path=_path(environ),
            may=may,
        )

    def _problem_reply(
        self,
        problem: Problem,
        operation: Operation | None,
        environ: Environ,
        correlation_id: UUID,
    ) -> Reply:
        wants_page = (
            operation.kind == "page"
            if operation is not None
            else "text/html" in environ.get("HTTP_ACCEPT", "")
        )
        document = problem.document()
        if not wants_page:
            headers = [*API_HEADERS, *problem.headers.items(), ("Content-Type", MEDIA)]
            return Reply(problem.status, headers, json_bytes(document))
        viewer = environ.get(_VIEWER, NOBODY)
        request = Request(
            viewer=viewer,
            correlation_id=correlation_id,
            language=_language(environ),
            shell=self._shell(environ, viewer),
        )
        told = {"detail": "", "errors": (), **document}
        text = self._pages("problem.html", request, **told)
        headers = [*PAGE_HEADERS, *problem.headers.items(), ("Content-Type", HTML)]
        return Reply(problem.status, headers, text.encode())

    def _answer_health(self, _: Request) -> Answer:
        until, answer = self._health
        if monotonic() < until:
            return answer
        checks = {"database": "ok"}
        try:
            with self._pool.connection(2.0) as conn:
                checks.update(self._checks(conn))
        except Exception as error:
            log.warning("health check failed", **describe(error))
            checks["database" if problem_of(error).status == 503 else "service"] = "failing"
        status = _worst(checks.values())
        document = {"status": status, **self._identity, "checks": checks}
        answer = Answer(200 if status == "ok" else 503, json.dumps(document))
        self._health = (monotonic() + 1.0, answer)
        return answer


def _worst(words: Iterable[str]) -> str:
    found = set(words) - {"ok"}
    return "ok" if not found else "starting" if found <= _PASSING else "failing"


# --- what came ----------------------------------------------------------------------------------


def _correlation_id(environ: Environ) -> UUID:
    """That of the header X-Correlation-ID, else the trace of traceparent, else a new one."""
    given = environ.get("HTTP_X_CORRELATION_ID", "")
    trace = _TRACEPARENT.fullmatch(environ.get("HTTP_TRACEPARENT", ""))
    for text in (given, trace[1] if trace else ""):
        if len(text) in (32, 36):
            try:
                return UUID(text)
            except ValueError:
                continue
    return uuid4()


def _language(environ: Environ) -> str:
    """What this browser chose, else what the account did, else what the browser prefers."""
    cookies = parse_cookie(environ.get("HTTP_COOKIE", "")[:4096])
    viewer: Viewer = environ.get(_VIEWER, NOBODY)
    return chosen((cookies.get(COOKIE), viewer.language), environ.get("HTTP_ACCEPT_LANGUAGE", ""))


def _path(environ: Environ) -> str:
    """The page that was asked for, with its query string, as an address of ours."""
    path = quote(environ["PATH_INFO"].encode("latin-1"))
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query and environ["REQUEST_METHOD"] == "GET" else path


def _credentials(operation: Operation, header: str) -> tuple[str | None, str | None]:
    """Name and token of an Authorization header; a bearer gives no name."""
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return None, rest.strip()
        case "basic" if operation.kind == "page":
            try:
                name, _, token = base64.b64decode(rest, validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return None, ""
            return name, token
    return None, None


def _assert_same_origin(environ: Environ) -> None:
    """Browsers add Basic credentials to what other sites send; refuse what these send."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    origin = environ.get("HTTP_ORIGIN")
    host = environ.get("HTTP_HOST")
    same = site == "same-origin" if site is not None else origin is not None
    if origin is not None and (not host or urlsplit(origin).netloc != host):
        same = False
    if not same:
        raise Refusal(403, "cross_origin")


def _takes_body(operation: Operation) -> bool:
    return operation.body is not None or (operation.kind == "page" and operation.changes)


def _assert_media(environ: Environ, media: str) -> None:
    given, _, parameters = environ.get("CONTENT_TYPE", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if (
        given.strip().lower() != media
        or charset not in ("", "charset=utf-8")
        or environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity"
    ):
        raise Refusal(415, "unsupported_media_type")


def _form(environ: Environ, raw: bytes) -> MultiDict[str, str]:
    _assert_media(environ, FORM)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, max_num_fields=1000, errors="strict"
        )
    except ValueError:
        raise Refusal(400, "bad_request") from None
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise Refusal(400, "bad_request")
    return MultiDict(pairs)


def _idempotency_key(environ: Environ) -> str | None:
    given: str | None = environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    key = given.strip().removeprefix('"').removesuffix('"')
    if not _KEY.fullmatch(key):
        raise Refusal(400, "bad_idempotency_key")
    return key


def _answer_static(_: Request) -> Answer:
    raise NotImplementedError("answered by static_reply, which sees the header If-None-Match")
