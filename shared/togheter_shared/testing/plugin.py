"""Fixtures for all tests: a PostgreSQL and a RabbitMQ of the session's own, started when needed."""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from togheter_shared.testing import databases
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.servers import Broker, Postgres, remove_broker, start_broker
from togheter_shared.testing.servers import start_postgres as start
from togheter_shared.testing.topology import definitions

TEST_PREFIX = "togheter_test_"
ORGANISATIONS = {"comune": True, "ponte": False, "scuola": False}  # id → hosts reporting


@pytest.fixture(scope="session", autouse=True)
def privacy_key() -> Iterator[None]:
    """The session's privacy key, in the environment of this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PRIVACY.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def server_folder(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A folder under `.local/test` that no other session uses now: they may run at once."""
    for number in range(100):
        folder = pytestconfig.rootpath / ".local" / "test" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "session").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return
    pytest.fail("100 test sessions at once; are old ones hanging?")


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[Postgres]:
    """The session's PostgreSQL. It does not wait for the disk (fsync off)."""
    server = start(server_folder / "postgres", durable=False)
    if server.folder:  # a session that was killed may have left databases behind
        with server.connect() as conn:
            _drop_all(conn)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def broker(server_folder: Path) -> Iterator[Broker]:
    """The session's RabbitMQ, empty at its start, with the users `ORGANISATIONS`.

    `broker.amqp_url_for("comune")` is an organisation's URL, `broker.admin_url` may do everything.
    A test uses queues of its own and leaves none behind.
    """
    folder = server_folder / "rabbitmq"
    remove_broker(folder)
    passwords = {name: secrets.token_urlsafe(16) for name in ORGANISATIONS}
    server = start_broker(folder, definitions(ORGANISATIONS, passwords), passwords)
    yield server
    if server.folder:
        remove_broker(folder)


@pytest.fixture
def make_database(postgres: Postgres) -> Iterator[Callable[[], ServiceDatabase]]:
    """A function that makes one more empty database with its runtime and owner roles."""
    made: list[str] = []

    def make() -> ServiceDatabase:
        name = TEST_PREFIX + secrets.token_hex(6)
        made.append(name)
        with postgres.connect() as conn:
            return databases.ensure_database(
                conn, postgres.admin_url, name, secrets.token_hex(8), secrets.token_hex(8)
            )

    yield make
    with postgres.connect() as conn:
        for name in made:
            databases.drop_database(conn, name)


@pytest.fixture
def database(make_database: Callable[[], ServiceDatabase]) -> ServiceDatabase:
    """One empty database: `.url` for the runtime role, `.owner_url` for who migrates, `.name`."""
    return make_database()


def _drop_all(conn: psycopg.Connection) -> None:
    found = conn.execute(
        "select datname from pg_database where starts_with(datname, %s)", [TEST_PREFIX]
    )
    for (name,) in found.fetchall():
        databases.drop_database(conn, name)
