"""Create the database of one service, and the two roles that may use it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

LONGEST_NAME = 63 - len("_reader")


@dataclass(frozen=True, kw_only=True)
class ServiceDatabase:
    """One service's database.

    `url` is the runtime role's (it may connect; the migrations grant it the rest); `owner_url`
    is the owner's, who runs the migrations.
    """

    name: str
    url: str
    owner_url: str


def database_name(organisation: str, service: str) -> str:
    """`togheter_<organisation>_<service>`: the name of the database and of its runtime role."""
    name = f"togheter_{organisation}_{service}".replace("-", "_")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{name} is longer than {LONGEST_NAME} characters; shorten the id")
    return name


def url_for(admin_url: str, *, database: str, user: str, password: str) -> str:
    """A URL to the same server for another database and role."""
    parts = urlsplit(admin_url)
    if parts.scheme in ("postgresql", "postgres"):
        place = parts.netloc.rpartition("@")[2]
        netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"
        return urlunsplit(("postgresql", netloc, f"/{quote(database)}", parts.query, ""))
    given = conninfo_to_dict(admin_url) | {"user": user, "password": password, "dbname": database}
    return psycopg.conninfo.make_conninfo(**given)  # type: ignore[arg-type]


def ensure_database(
    conn: psycopg.Connection, admin_url: str, name: str, password: str, owner_password: str
) -> ServiceDatabase:
    """Create the database `name`, its role `name` and its owner `name_owner`, or repair them.

    `conn` is an administrator's connection in autocommit. Safe to repeat: passwords are set anew.
    """
    owner = f"{name}_owner"
    for role, secret in ((name, password), (owner, owner_password)):
        _ensure_role(conn, role, secret)
    found = conn.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
    if not found:
        _may_act_as(conn, owner)
        conn.execute(
            sql.SQL("create database {} owner {} template template0 encoding 'UTF8'").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )
    conn.execute(
        sql.SQL(
            "revoke all on database {0} from public; grant connect on database {0} to {1}"
        ).format(sql.Identifier(name), sql.Identifier(name))
    )
    return ServiceDatabase(
        name=name,
        url=url_for(admin_url, database=name, user=name, password=password),
        owner_url=url_for(admin_url, database=name, user=owner, password=owner_password),
    )


def ensure_reader(conn: psycopg.Connection, admin_url: str, name: str, password: str) -> str:
    """Create the role `name_reader`, or repair it, and give its URL.

    What it may read of the database `name`, the migrations say.
    """
    role = f"{name}_reader"
    _ensure_role(conn, role, password)
    return url_for(admin_url, database=name, user=role, password=password)


def drop_database(conn: psycopg.Connection, name: str) -> None:
    """Remove the database and its roles, and end whoever is connected to it."""
    conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    for role in (name, f"{name}_owner", f"{name}_reader"):
        conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def _ensure_role(conn: psycopg.Connection, role: str, password: str) -> None:
    found = conn.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    verb = sql.SQL(
        "alter role {} with login password {}" if found else "create role {} with login password {}"
    )
    # The server must never see, and so never log, the password itself.
    secret = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    conn.execute(verb.format(sql.Identifier(role), sql.Literal(secret.decode())))


def _may_act_as(conn: psycopg.Connection, role: str) -> None:
    """Without being superuser, one gives a database only to a role that one is a member of."""
    if conn.info.parameter_status("is_superuser") != "on":
        conn.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
