"""A migrated database of the service intake, and connections to it as the service has them."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from togheter_intake.service import SERVICE
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase


@pytest.fixture
def make_intake(
    make_database: Callable[[], ServiceDatabase],
) -> Callable[[], ServiceDatabase]:
    """A function that makes one more database of the service."""

    def make() -> ServiceDatabase:
        database = make_database()
        with psycopg.connect(database.owner_url, autocommit=True) as conn:
            migrate(conn, list(SERVICE.packages), database.name)
        return database

    return make


@pytest.fixture
def intake(make_intake: Callable[[], ServiceDatabase]) -> ServiceDatabase:
    return make_intake()


@pytest.fixture
def conn(intake: ServiceDatabase) -> Iterator[psycopg.Connection]:
    with psycopg.connect(intake.url, autocommit=True) as connection:
        yield connection
