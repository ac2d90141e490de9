"""Connections to the service's database for a web process: a small pool, opened when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from nameko.extensions import DependencyProvider, SharedExtension

if TYPE_CHECKING:  # a web process must be made cooperative before psycopg is imported
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

Result = TypeVar("Result")

MAX_CONNECTIONS = 8
OPTIONS = (
    "-c statement_timeout=15000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=30000"
)


def make_pool(url: str, name: str) -> ConnectionPool[Connection]:
    """A pool that is not open yet; its connections are in autocommit mode."""
    from psycopg import Connection
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg_pool import ConnectionPool

    given = conninfo_to_dict(url).get("options") or ""
    return ConnectionPool(
        make_conninfo(
            url,
            options=f"{OPTIONS} {given}".strip(),
            connect_timeout=5,
            tcp_user_timeout=20_000,
            application_name=name,
        ),
        connection_class=Connection,
        kwargs={"autocommit": True},
        min_size=1,
        max_size=MAX_CONNECTIONS,
        max_waiting=200,
        timeout=3.0,
        reconnect_timeout=3.0,
        open=False,
        name=name,
    )


def _first_alive(
    pool: ConnectionPool[Connection], timeout: float, read: Callable[[Connection], Result]
) -> tuple[Connection, Result]:
    """A connection that answers, and its answer.

    The pool's own `check` waits a second and more after each connection that it finds dead; when
    the server comes back, all of them are.
    """
    from psycopg import OperationalError

    deadline = monotonic() + timeout
    while True:
        conn = pool.getconn(max(deadline - monotonic(), 0.01))
        try:
            return conn, read(conn)
        except OperationalError:
            alive = not conn.closed
            pool.putconn(conn)
            if alive or monotonic() >= deadline:
                raise
        except BaseException:
            pool.putconn(conn)
            raise


def _probe(conn: Connection) -> None:
    conn.execute("")


class Pool(SharedExtension):  # type: ignore[misc]
    """The pool of the process. The service starts, and answers 503, while there is no server."""

    def __init__(self) -> None:
        super().__init__()
        self._pool: ConnectionPool[Connection] | None = None

    def setup(self) -> None:
        if self._pool is None:
            edge = self.container.config["togheter"]
            self._pool = make_pool(edge.database_url, f"togheter-{edge.service}-web")
            self._pool.open(wait=False)

    def stop(self) -> None:
        if self._pool is not None:
            self._pool.close(timeout=2)

    kill = stop

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection]:
        """A connection in autocommit mode; open a transaction with `conn.transaction()`."""
        assert self._pool is not None
        conn, _ = _first_alive(self._pool, timeout or self._pool.timeout, _probe)
        try:
            with conn:
                yield conn
        finally:
            self._pool.putconn(conn)

    def ask(self, read: Callable[[Connection], Result]) -> Result:
        """What `read` gives. It only reads: on a dead connection it is asked again on another."""
        assert self._pool is not None
        conn, result = _first_alive(self._pool, self._pool.timeout, read)
        self._pool.putconn(conn)
        return result


class Database(DependencyProvider):  # type: ignore[misc]
    """Gives a service `self.database.connection()`, a context manager (see `Pool.connection`)."""

    pool = Pool()

    def get_dependency(self, worker_ctx: Any) -> Pool:
        found: Pool = self.pool
        return found
