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
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[constant_part_only, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=_name_only),
            ],
            keep_exc_info=True,
            keep_stack_info=False,
        )
    )
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


def constant_part_only(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Keep of a library's record the logger, the place and the message without its arguments."""
    record: logging.LogRecord = event["_record"]
    event["logger"] = record.name
    if record.name.startswith(TRUSTED):
        return event
    event["place"] = f"{record.module}:{record.lineno}"
    # a message without arguments may have been put together before it came here
    event["event"] = str(record.msg) if record.args else "message of a library"
    event.pop("positional_args", None)
    return event


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
