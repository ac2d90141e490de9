"""Numbered SQL files, applied in order, once, by one process at a time, and never changed after."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from psycopg import Connection, sql

LOCK = 7_203_001
"""The advisory lock of whoever migrates."""

APPEND_ONLY = ("event_log", "feed", "inbox")


class MigrationChanged(Exception):
    """A migration that was applied reads differently now: restore the file, and add a new one."""


@dataclass(frozen=True)
class Migration:
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations_of(package: str) -> list[Migration]:
    """The migrations in `package`'s folder `migrations`, in order; names carry the package."""
    folder: Traversable = resources.files(package) / "migrations"
    found = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return [Migration(f"{package}/{entry.name}", entry.read_text("utf-8")) for entry in found]


def migrate(conn: Connection, packages: list[str], runtime_role: str | None) -> list[str]:
    """Apply what is missing, in one transaction each, as the owner; returns the names applied.

    `runtime_role` is the role that the service runs as: it may read and write, but on `event_log`,
    `feed`, `inbox` and every table whose comment begins with "append-only" it may only read and
    insert, and a part of a table it reaches through the whole alone. None when the service runs as
    the owner, which gives that promise up.
    """
    applied: list[str] = []
    conn.execute("select pg_advisory_lock(%s)", [LOCK])
    try:
        conn.execute(
            "create table if not exists migration (name text primary key, checksum text not null,"
            " applied_at timestamptz not null default clock_timestamp())"
        )
        done: dict[str, str] = dict(conn.execute("select name, checksum from migration").fetchall())
        for package in packages:
            for migration in migrations_of(package):
                if migration.name not in done:
                    with conn.transaction():
                        conn.execute(migration.text)
                        conn.execute(
                            "insert into migration (name, checksum) values (%s, %s)",
                            [migration.name, migration.checksum],
                        )
                    applied.append(migration.name)
                elif done[migration.name] != migration.checksum:
                    raise MigrationChanged(
                        f"{migration.name} was applied and reads differently now:"
                        " restore it, and write what you need as a new file"
                    )
        if runtime_role is not None:
            grant(conn, runtime_role)
    finally:
        conn.execute("select pg_advisory_unlock(%s)", [LOCK])
    return applied


def grant(conn: Connection, role: str) -> None:
    """Give the runtime role what it needs, and take from it what would let it rewrite history."""
    name = sql.Identifier(role)
    with conn.transaction():
        for schema in _schemas(conn):
            place = sql.Identifier(schema)
            for statement in (
                "grant usage on schema {place} to {name}",
                "grant select, insert, update, delete on all tables in schema {place} to {name}",
                "grant usage on all sequences in schema {place} to {name}",
            ):
                conn.execute(sql.SQL(statement).format(place=place, name=name))
        for table in [*_present(conn, APPEND_ONLY), *_declared_append_only(conn)]:
            conn.execute(
                sql.SQL("revoke update, delete, truncate on {table} from {name}").format(
                    table=sql.Identifier("public", table), name=name
                )
            )
        for schema, table in _parts(conn):
            conn.execute(
                sql.SQL("revoke insert, update, delete, truncate on {table} from {name}").format(
                    table=sql.Identifier(schema, table), name=name
                )
            )
        conn.execute(
            sql.SQL("revoke insert, update, delete on public.migration from {name}").format(
                name=name
            )
        )


def _present(conn: Connection, tables: Sequence[str]) -> list[str]:
    """Those of the kernel's tables that this database has: that of the accounts has none."""
    rows = conn.execute(
        "select tablename from pg_tables where schemaname = 'public' and tablename = any(%s)",
        [list(tables)],
    ).fetchall()
    return [row[0] for row in rows]


def _declared_append_only(conn: Connection) -> list[str]:
    """The tables of services whose comment says that nothing in them is ever changed."""
    rows = conn.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p') and obj_description(oid, 'pg_class') like 'append-only%'"
        " order by relname"
    ).fetchall()
    return [row[0] for row in rows]


def _parts(conn: Connection) -> list[tuple[str, str]]:
    """The partitions, by schema and name."""
    return conn.execute(
        "select relnamespace::regnamespace::text, relname from pg_class where relispartition"
        " and relkind in ('r', 'p') order by relname"
    ).fetchall()


def _schemas(conn: Connection) -> list[str]:
    rows = conn.execute(
        "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <>"
        " 'information_schema' order by nspname"
    ).fetchall()
    return [row[0] for row in rows]
