"""Logs as JSON lines on standard output, with ids and never a value about a person."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.contextvars import merge_contextvars

TRUSTED = ("psycopg.pool",)
"""Libraries whose messages are written with their arguments (addresses and causes, no data)."""


def configure(
    *, service: str, organisation: str, level: str = "INFO", stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's records to `stream` (standard output).

    Libraries write message bodies, values and exception texts into their records; of theirs only
    the constant part of the message and the place are kept.
    """
    output = stream or sys.stdout

    def identify(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        event["organisation"] = organisation
        return event

    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Any] = [
        merge_contextvars,
        structlog.processors.add_log_level,
        stamp,
        identify,
        without_exception_text,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(default=_name_only)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(_OfLibraries(shared))
    logging.raiseExceptions = False  # else a record that cannot be written is shown with its values
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("kombu", "nameko", "amqp", "eventlet", "werkzeug"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def without_exception_text(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace an exception by its class and frames: its text may quote what somebody entered."""
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event.update(describe(error))
    return event


class _OfLibraries(logging.Formatter):
    """Of a library's record: the logger, the place and the message without its arguments."""

    def __init__(self, processors: list[Any]) -> None:
        super().__init__()
        self._processors = processors
        self._render = structlog.processors.JSONRenderer(default=_name_only)

    def format(self, record: logging.LogRecord) -> str:
        event: Any = {"logger": record.name, "place": f"{record.module}:{record.lineno}"}
        if record.name.startswith(TRUSTED):
            event["event"] = record.getMessage()
        else:
            # a message without arguments may have been put together before it came here
            event["event"] = str(record.msg) if record.args else "message of a library"
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for processor in self._processors:
            event = processor(None, record.levelname.lower(), event)
        return str(self._render(None, record.levelname.lower(), event))


def describe(error: BaseException) -> dict[str, Any]:
    """The class, the frames and the causes of an exception, and no word of its text."""
    found: dict[str, Any] = {"error": _class(error), "frames": _frames(error)}
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        found["sqlstate"] = sqlstate
    causes: list[dict[str, Any]] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < 5:
        causes.append({"error": _class(cause), "frames": _frames(cause)})
        cause = cause.__cause__ or cause.__context__
    if causes:
        found["causes"] = causes
    return found


def _class(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _frames(error: BaseException) -> list[str]:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-30:]


def _name_only(value: Any) -> str:
    return f"<{type(value).__name__}>"
