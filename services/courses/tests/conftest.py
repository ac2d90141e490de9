"""A migrated database of the service courses, and connections to it as the service has them."""

from collections.abc import Iterator

import psycopg
import pytest

from togheter_courses.service import SERVICE
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase


@pytest.fixture
def courses(database: ServiceDatabase) -> ServiceDatabase:
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        migrate(conn, list(SERVICE.packages), database.name)
    return database


@pytest.fixture
def conn(courses: ServiceDatabase) -> Iterator[psycopg.Connection]:
    with psycopg.connect(courses.url, autocommit=True) as connection:
        yield connection
