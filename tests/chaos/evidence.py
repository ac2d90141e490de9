"""What a run left behind, read by SQL and from files, with nothing of the services' own code."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql
from psycopg.rows import namedtuple_row

KERNEL = {
    "event_log": "* from event_log order by position",
    "feed": "* from feed order by channel, number",
    "feed_channel": "channel, epoch, head_number, head_hash from feed_channel",
    "inbox": "* from inbox order by position",
    "inbox_channel": "origin, channel, epoch, next_number, head_hash, state, signed_number,"
    " signature, signed_at, after_epoch, after_number, after_hash from inbox_channel",
    "pending": "* from pending",
    "quarantine": "* from quarantine",
    "refused_reaction": "* from refused_reaction",
    "command_receipt": "* from command_receipt",
    "stream": "* from stream",
    "follower": "* from follower",
    "not_understood": "* from not_understood",
}


@dataclass(kw_only=True)
class Store:
    """The tables of one service's database; `tables` has the kernel's, `views` all others."""

    url: str
    tables: dict[str, list[Any]]
    views: dict[str, list[Any]]
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A row of event_log; `data` is all that the event said, whatever its class."""

    id: str
    position: int
    stream: str
    version: int
    type: str
    actor: str
    recorded_at: Any
    correlation: str
    causation: str | None
    data: dict[str, Any]


def read_store(url: str, privacy_key: Path | None = None) -> Store:
    """Everything in the database behind an administrator's URL; sealed fields open with the key."""
    with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as conn:
        kernel = {name: conn.execute(f"select {what}").fetchall() for name, what in KERNEL.items()}
        names = conn.execute(
            "select schemaname, tablename from pg_tables"
            " where schemaname !~ '^(pg_|information_schema)'"
        ).fetchall()
        views = {}
        for schema, table in names:
            if table not in KERNEL:
                name = table if schema == "public" else f"{schema}.{table}"
                query = sql.SQL("select * from {}").format(sql.Identifier(schema, table))
                views[name] = conn.execute(query).fetchall()
    store = Store(url=url, tables=kernel, views=views)
    persons = dict(_persons(views.get("subject_key", []), privacy_key))
    store.events = [
        Event(
            id=str(row.event_id),
            position=row.position,
            stream=str(row.stream_id),
            version=row.stream_version,
            type=row.type,
            actor=row.actor,
            recorded_at=row.recorded_at,
            correlation=str(row.correlation_id),
            causation=str(row.causation_id) if row.causation_id else None,
            data=row.open | _said(row, "restricted", persons) | _said(row, "personal", persons),
        )
        for row in kernel["event_log"]
    ]
    return store


def _persons(rows: list[Any], privacy_key: Path | None) -> Iterator[tuple[Any, AESGCM]]:
    if privacy_key is None or not rows:
        return
    organisation = AESGCM(base64.b64decode(privacy_key.read_text("ascii").split()[0]))
    for row in rows:
        if row.wrapped is not None:
            bound = f"togheter/subject-key/1:{row.subject_id}".encode()
            key = organisation.decrypt(row.wrapped[:12], row.wrapped[12:], bound)
            yield row.subject_id, AESGCM(key)


def _said(row: Any, column: str, persons: dict[Any, AESGCM]) -> dict[str, Any]:
    part = getattr(row, column)
    if not part:
        return {}
    if row.seal:
        words = ["togheter/at-rest/1", str(row.subject_id), str(row.event_id), row.type, column]
        bound = json.dumps(words, separators=(",", ":")).encode()
        try:
            part = persons[row.subject_id].decrypt(part[:12], part[12:], bound)
        except (InvalidTag, KeyError):
            return {}  # moved, changed, or without a key: what its views show was never said
    found: dict[str, Any] = json.loads(bytes(part))
    return found


# --- canaries ------------------------------------------------------------------------------------

_TOKEN = re.compile(rb"zqv[b-df-hj-np-tv-z]{12}", re.IGNORECASE)
_HEX = re.compile(rb"\\x([0-9a-f]{30,})")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")


def canaries_in(data: bytes) -> set[str]:
    """The canaries in some bytes: as they are, as PostgreSQL shows bytes, and in base64."""
    found = {match.decode().lower() for match in _TOKEN.findall(data)}
    for match in _HEX.finditer(data):
        text = match[1]
        found |= canaries_in(bytes.fromhex(text[: len(text) & ~1].decode()))
    for match in _BASE64.finditer(data):
        raw = match[0].rstrip(b"=")
        for skip in range(4):  # it may begin in the middle
            part = raw[skip:]
            try:
                decoded = base64.b64decode(part[: len(part) & ~3])
            except binascii.Error:
                continue
            found |= {token.decode().lower() for token in _TOKEN.findall(decoded)}
    return found


def canaries_of_database(url: str) -> dict[str, set[str]]:
    """By table, the canaries in any column of the database."""
    found: dict[str, set[str]] = {}
    with psycopg.connect(url, autocommit=True) as conn:
        names = conn.execute(
            "select schemaname, tablename from pg_tables"
            " where schemaname !~ '^(pg_|information_schema)'"
        ).fetchall()
        for schema, table in names:
            query = sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))
            for (text,) in conn.execute(query).fetchall():
                tokens = canaries_in(text.encode())
                if tokens:
                    found.setdefault(f"{schema}.{table}", set()).update(tokens)
    return found


def canaries_of_files(folders: list[Path]) -> dict[str, set[str]]:
    """By file, the canaries in files under the folders."""
    found = {}
    for path in _files(folders):
        try:
            tokens = canaries_in(path.read_bytes())
        except OSError:  # a server has just removed it
            continue
        if tokens:
            found[str(path)] = tokens
    return found


def _files(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_file():
            yield folder
        else:
            yield from (path for path in folder.rglob("*") if path.is_file())
