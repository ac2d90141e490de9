"""From a request of the web to the store: once for each account and key."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg

from togheter_shared.log.feed import wake
from togheter_shared.log.service import Service
from togheter_shared.log.store import Context, transact
from togheter_shared.run.operation import Request


def context(request: Request) -> Context:
    """Who asks, in which chain of causes."""
    return Context(actor=request.actor, correlation_id=request.correlation_id)


def scoped_key(request: Request) -> str | None:
    """The caller's idempotency key, apart from every other caller's and from the kernel's own."""
    key = request.idempotency_key
    return None if key is None else f"http:{request.actor}:{key}"


def carry_out(
    conn: psycopg.Connection, service: Service, request: Request, work: Callable[[], Any]
) -> Any:
    """Run `work` as `log.store.transact` does, under the request's key, and return its answer."""
    answer = transact(
        conn, service, work, key=scoped_key(request), request=request.fingerprint.hex()
    )
    with suppress(psycopg.Error):  # it is committed; the sequencer looks by itself, a bit later
        wake(conn)
    return answer
