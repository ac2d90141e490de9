"""The web edge of a service: JSON operations and pages on a nameko class, with one set of rules.

A web process calls `togheter_shared.run.green.prepare_green()` before it imports this module.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

import eventlet
import structlog
from eventlet.event import Event
from eventlet.hubs import trampoline
from nameko.containers import ServiceContainer
from nameko.extensions import Entrypoint
from nameko.runners import ServiceRunner
from structlog.contextvars import bind_contextvars

from togheter_shared.run.database import Database, Pool
from togheter_shared.run.edge import Application, Route
from togheter_shared.run.green import GreenNotReady, assert_green, prepare_green
from togheter_shared.run.openapi import OPERATIONS
from togheter_shared.run.operation import (
    HTML,
    MIB,
    Answer,
    NotFound,
    Operation,
    Refusal,
    Request,
    see_other,
)
from togheter_shared.run.settings import Settings
from togheter_shared.run.webserver import Server

if TYPE_CHECKING:  # psycopg must not be imported before the process is cooperative
    from psycopg import Connection

__all__ = [
    "Answer",
    "CannotListen",
    "Database",
    "GreenNotReady",
    "NotFound",
    "Refusal",
    "Request",
    "api",
    "page",
    "prepare_green",
    "run_web",
    "see_other",
]

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Method = TypeVar("Method", bound=Callable[..., Any])
Health = Callable[["Connection"], Mapping[str, str]]
MAX_WORKERS = 64


def api(
    method: str,
    url: str,
    *,
    scope: str | None,
    summary: str,
    body: type | str | None = None,
    query: type | None = None,
    answer: type | None = None,
    many: bool = False,
    status: int | None = None,
    media: str | None = None,
    max_body: int = MIB,
) -> Callable[[Method], Method]:
    """Answer `method` on `url` (a werkzeug rule) with JSON, for accounts that have `scope`.

    The service's method takes one `Request` and returns an instance of `answer` (a sequence of
    them when `many`), bytes or text of the type `media`, None, or an `Answer`. `body` and `query`
    are frozen dataclasses; a `body` that is a media type such as `text/csv` arrives in
    `request.raw`. `scope=None` lets everybody in. Whatever is raised becomes a problem+json.
    """
    nothing = answer is None and media is None
    return _entrypoint(
        Operation(
            kind="api",
            method=method,
            url=url,
            scope=scope,
            summary=summary,
            body=body,
            query=query,
            answer=answer,
            many=many,
            status=status or (204 if nothing else 200),
            media=media,
            max_body=max_body,
        )
    )


def page(
    url: str,
    *,
    scope: str | None,
    method: str = "GET",
    summary: str = "",
    query: type | None = None,
    max_body: int = MIB,
) -> Callable[[Method], Method]:
    """Answer `method` on `url` with HTML, for a browser that says who it is by HTTP Basic.

    The service's method returns the HTML or an `Answer` (`see_other` after a form). A form's fields
    are in `request.form`; one that another site sent is refused.
    """
    return _entrypoint(
        Operation(
            kind="page",
            method=method,
            url=url,
            scope=scope,
            summary=summary,
            query=query,
            media=HTML,
            max_body=max_body,
        )
    )


class CannotListen(Exception):
    """The address of TOGHETER_HTTP cannot be had; the text says which and the way out."""


def run_web(
    service_class: type,
    settings: Settings,
    *,
    version: str | None = None,
    health: Health | None = None,
    timeout: float = 20.0,
) -> None:
    """Serve the class until SIGTERM or SIGINT.

    `version` is that of the distribution the class comes with, unless it is given.
    `health` gives checks by name, each `ok`, a word for what passes (`starting`, `waiting`) or for
    what is wrong; it is asked at most once a second, and is the kernel's unless it is given.
    `timeout` is in seconds: for the head of a request, for its body (longer for a large one), for
    taking the answer, and between two requests.
    """
    assert_green()
    version = version or _version_of(service_class)
    edge = _Edge(service_class, settings, version, health or _kernel_health, timeout)
    runner = ServiceRunner({"max_workers": MAX_WORKERS, "togheter": edge})
    runner.container_cls = ServiceContainer
    runner.add_service(service_class)
    signals = _signals(signal.SIGTERM, signal.SIGINT)

    def wait_and_stop() -> None:
        trampoline(signals, read=True)
        runner.stop()

    try:
        runner.start()
    except OSError as error:
        place = f"{settings.http_host}:{settings.http_port}"
        raise CannotListen(
            f"cannot listen on {place} ({error.strerror}); end what listens there, or set"
            " TOGHETER_HTTP to a free port"
        ) from None
    eventlet.spawn_n(wait_and_stop)
    log.info("web started", host=settings.http_host, port=settings.http_port, version=version)
    runner.wait()
    log.info("web stopped")


def _signals(*numbers: signal.Signals) -> int:
    """A descriptor that can be read once one of the signals came.

    A handler alone would not wake eventlet's hub while it waits with nothing to do.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    return reader


def _kernel_health(conn: Connection) -> Mapping[str, str]:
    from togheter_shared.run.state import health  # after psycopg

    return health(conn)


def _version_of(service_class: type) -> str:
    try:
        return metadata.version(service_class.__module__.split(".")[0].replace("_", "-"))
    except metadata.PackageNotFoundError:
        return "0"


@dataclass(frozen=True)
class _Edge:
    service_class: type
    settings: Settings
    version: str
    health: Health
    timeout: float

    @property
    def host(self) -> str:
        return self.settings.http_host

    @property
    def port(self) -> int:
        return self.settings.http_port

    @property
    def service(self) -> str:
        name: str = self.settings.service or self.service_class.name  # type: ignore[attr-defined]
        return name

    @property
    def database_url(self) -> str:
        return self.settings.database_url

    def application(self, server: _Server) -> Application:
        return Application(
            [entrypoint.route for entrypoint in server.entrypoints],
            pool=server.pool,
            service_class=self.service_class,
            service=self.service,
            organisation=self.settings.organisation,
            version=self.version,
            health=self.health,
        )


class _Server(Server):
    pool = Pool()

    def __init__(self) -> None:
        super().__init__()
        self.entrypoints: list[_Entrypoint] = []


class _Entrypoint(Entrypoint):  # type: ignore[misc]
    """A method of the service at a URL: runs it as a nameko worker and waits for its result."""

    server = _Server()

    def __init__(self, operation: Operation, **kwargs: Any) -> None:
        self.operation = operation
        super().__init__(**kwargs)

    def setup(self) -> None:
        self.server.entrypoints.append(self)
        self.server.register_provider(self)

    def stop(self) -> None:
        self.server.unregister_provider(self)
        super().stop()

    @property
    def route(self) -> Route:
        return Route(self.operation, self._run)

    def _run(self, request: Request) -> Any:
        done = Event()

        def handle(_: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
            done.send((result, exc_info))
            return result, exc_info

        self.container.spawn_worker(
            self, (request,), {"guarded": True}, context_data={}, handle_result=handle
        )
        result, exc_info = done.wait()
        if exc_info is not None:
            raise exc_info[1]
        if isinstance(result, _Raised):
            raise result.error
        return result


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def _entrypoint(operation: Operation) -> Callable[[Method], Method]:
    def decorate(method: Method) -> Method:
        @wraps(method)
        def call(self: Any, request: Request, *, guarded: bool = False) -> Any:
            if not guarded:
                return method(self, request)
            bind_contextvars(correlation_id=str(request.correlation_id))
            try:
                return method(self, request)
            except Exception as error:  # nameko would log its text
                return _Raised(error)

        setattr(call, OPERATIONS, (*getattr(method, OPERATIONS, ()), operation))
        registered: Method = _Entrypoint.decorator(operation)(call)
        return registered

    return decorate
