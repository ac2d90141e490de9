"""A reporting database with its views, and the connections of its two roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from togheter_reporting.rebuild import rebuild
from togheter_reporting.service import SERVICE
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.packages import ensure_pango


@dataclass(frozen=True)
class Reporting:
    """`conn` is the runtime role's, `owner` the owner's, both in autocommit mode."""

    database: ServiceDatabase
    conn: Connection
    owner: Connection

    @property
    def role(self) -> str:
        return str(conninfo_to_dict(self.database.url)["user"])


@pytest.fixture(scope="session")
def pango() -> None:
    """What a release is printed with."""
    ensure_pango()


@pytest.fixture
def bare(database: ServiceDatabase) -> Iterator[Reporting]:
    """A migrated database in which no view was built."""
    role = str(conninfo_to_dict(database.url)["user"])
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        migrate(owner, list(SERVICE.packages), role)
        with psycopg.connect(database.url, autocommit=True) as conn:
            yield Reporting(database, conn, owner)


@pytest.fixture
def reporting(bare: Reporting) -> Reporting:
    """A migrated database with empty views."""
    rebuild(bare.owner, runtime_role=bare.role)
    return bare
