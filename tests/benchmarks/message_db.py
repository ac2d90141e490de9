"""The peer message-db: its SQL from its npm package, installed into a database as it comes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from itertools import count
from math import inf
from pathlib import Path
from uuid import uuid4

import psycopg
from tests.benchmarks.events import need
from tests.benchmarks.measure import FOLDER

from togheter_shared.contracts.schema import dump
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.servers import Postgres

PACKAGE = "@eventide/message-db@1.3.1"
FUNCTIONS = (
    "message-store-version", "hash-64", "acquire-lock", "category", "is-category", "id",
    "cardinal-id", "stream-version", "write-message", "get-stream-messages",
    "get-category-messages", "get-last-stream-message",
)  # fmt: skip
EVENTS_PER_STREAM = 10
_writer_numbers = count()


def sources() -> Path:
    """The folder of its SQL; npm brings it once."""
    home = FOLDER / "npm"
    found = home / "node_modules" / "@eventide" / "message-db" / "database"
    if not found.exists():
        home.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
        subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=300)
    return found


def install(server: Postgres, place: ServiceDatabase) -> None:
    """What its install.sh does, but for the database and the role, which are ours."""
    folder = sources()
    with server.connect() as conn:
        conn.execute(
            "do $$ begin create role message_store nologin; exception when duplicate_object"
            " then null; end $$"
        )
    admin = server.admin_url.rpartition("/")[0] + f"/{place.name}"
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("create schema if not exists message_store")
        conn.execute("create extension if not exists pgcrypto")
        conn.execute(f"alter database {place.name} set search_path to message_store, public")
        conn.execute("set search_path to message_store, public")
        files = [folder / "tables" / "messages.sql", folder / "types" / "message.sql"]
        files += [folder / "functions" / f"{name}.sql" for name in FUNCTIONS]
        files += sorted((folder / "indexes").glob("*.sql"))
        for file in files:
            conn.execute(file.read_bytes())
        conn.execute("grant all on schema message_store to public")
        conn.execute("grant all on all tables in schema message_store to public")
        conn.execute("grant all on all sequences in schema message_store to public")


def writer(url: str, categories: int) -> Callable[[float], int]:
    """Its one function, with the version tested, in autocommit; each stream in a category."""
    conn = psycopg.connect(url, autocommit=True)
    category = f"bench{next(_writer_numbers) % categories}"
    text = json.dumps(dump(need(uuid4(), uuid4(), 1)), ensure_ascii=False)

    def write(until: float) -> int:
        done = 0
        while time.monotonic() < until:
            stream = f"{category}-{uuid4().hex}"
            for version in range(-1, EVENTS_PER_STREAM - 1):
                conn.execute(
                    "select write_message(%s::varchar, %s::varchar, 'NeedNoted'::varchar,"
                    " %s::jsonb, null::jsonb, %s::bigint)",
                    [str(uuid4()), stream, text, version],
                    prepare=True,
                )
            done += EVENTS_PER_STREAM
        return done

    return write


def batch_writer(url: str, size: int, most: float = inf) -> Callable[[float], int]:
    """A transaction of `size` calls: it has no other way to write several messages. Ends at the
    moment that it is given, or with `most` messages."""
    conn = psycopg.connect(url)
    text = json.dumps(dump(need(uuid4(), uuid4(), 1)), ensure_ascii=False)

    def write(until: float) -> int:
        done = 0
        while time.monotonic() < until and done < most:
            stream = f"bench-{uuid4().hex}"
            with conn.transaction(), conn.cursor() as cursor:
                cursor.executemany(  # pipelined: one round trip for all
                    "select write_message(%s::varchar, %s::varchar, 'NeedNoted'::varchar,"
                    " %s::jsonb, null::jsonb, %s::bigint)",
                    [(str(uuid4()), stream, text, version) for version in range(-1, size - 1)],
                )
            done += size
        return done

    return write
