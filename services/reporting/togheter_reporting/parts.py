"""The parts of the network's log: a month each, taken away into a file and brought back whole."""

import gzip
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg import Connection, errors, sql

CHUNK = 1_048_576


class PartAway(Exception):
    """What is asked for needs a part of the log that was taken away; the message says the way."""


class NotDetachable(Exception):
    """The part cannot be taken away, or brought back; the message says why, and the way out."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the log. `month` is that of its first event, None while the part is open."""

    name: str
    first_position: int
    last_position: int | None
    month: str | None
    events: int | None
    received_from: datetime | None
    received_until: datetime | None
    away_since: datetime | None
    file_hash: bytes | None

    @property
    def file(self) -> str:
        return f"log-{self.month}-from-{self.first_position}.gz"


def parts(conn: Connection) -> list[Part]:
    """All parts, in the order of the log; the last is the open one."""
    names = tuple(Part.__dataclass_fields__)
    rows = conn.execute(
        "select name, first_position, last_position, month, events, received_from, received_until,"
        " away_since, file_hash from public.inbox_part order by first_position"
    ).fetchall()
    return [Part(**dict(zip(names, row, strict=True))) for row in rows]


def turn(conn: Connection) -> str | None:
    """Close the open part when its month is over; says which. None: nothing to do, or not now."""
    try:
        row = conn.execute("select public.turn_inbox()").fetchone()
    except errors.LockNotAvailable:
        return None  # somebody reads; the next time will do
    assert row is not None
    closed: str | None = row[0]
    return closed


def require(conn: Connection, after: int, upto: int) -> None:
    """Raises `PartAway` when something of the log behind `after`, up to `upto`, is not here."""
    rows = conn.execute(
        "select month from public.inbox_part where away_since is not null"
        " and last_position > %s and first_position <= %s order by first_position",
        [after, upto],
    ).fetchall()
    if rows:
        months = " ".join(month for (month,) in rows)
        raise PartAway(
            f"a part of the log is away: {months};"
            f" run: togheter-reporting log attach {months} --from FOLDER"
        )


def require_since(conn: Connection, moment: datetime) -> None:
    """Raises `PartAway` when something that came at that moment or later is not here."""
    row = conn.execute(
        "select min(first_position) from public.inbox_part"
        " where away_since is not null and received_until >= %s",
        [moment],
    ).fetchone()
    if row is not None and row[0] is not None:
        require(conn, row[0] - 1, 2**62)


def detach(conn: Connection, month: str, folder: Path) -> Path:
    """Write the part to a file in `folder`, read it back, and take it out of the database.

    As the owner, in autocommit mode. Killed before its end, nothing was taken out. Raises
    `NotDetachable`.
    """
    part = _closed(conn, month)
    if part.away_since is not None:
        raise NotDetachable(f"{month} is away already")
    _nobody_needs(conn, part)
    path = folder / part.file
    unfinished = path.with_name(f".{path.name}.part")
    name = sql.Identifier("public", part.name)
    try:
        with conn.transaction():
            conn.execute(sql.SQL("lock table {} in share mode").format(name))
            with gzip.open(unfinished, "wb", compresslevel=6) as file:
                query = sql.SQL("copy (select * from {} order by position) to stdout")
                with conn.cursor() as cursor, cursor.copy(query.format(name)) as copy:
                    for chunk in copy:
                        file.write(chunk)
            _sync(unfinished)
            digest, lines = _read(unfinished, lambda chunk: None)
            if lines != part.events:
                raise NotDetachable(
                    f"{month} has {part.events} events and the file {lines} lines; try again"
                )
            unfinished.replace(path)
            _sync(folder)
            conn.execute("set local lock_timeout = '1s'")
            conn.execute(sql.SQL("alter table inbox detach partition {}").format(name))
            conn.execute(sql.SQL("drop table {}").format(name))
            conn.execute(
                "update inbox_part set away_since = clock_timestamp(), file_hash = %s"
                " where name = %s",
                [digest, part.name],
            )
    except OSError as error:
        raise NotDetachable(f"the folder cannot be written ({error.strerror})") from None
    except errors.LockNotAvailable:
        raise NotDetachable("somebody reads the log; try again in a while") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def attach(conn: Connection, month: str, folder: Path) -> Path:
    """Bring a part back from its file, byte for byte. As the owner. Raises `NotDetachable`."""
    part = _closed(conn, month)
    if part.away_since is None:
        raise NotDetachable(f"{month} is here")
    path = folder / part.file
    name = sql.Identifier("public", part.name)
    assert part.last_position is not None
    try:
        with conn.transaction():
            conn.execute(
                sql.SQL(
                    "create table {} (like public.inbox including defaults including storage"
                    " including indexes, constraint part check (position >= {} and position <= {}))"
                ).format(name, part.first_position, part.last_position)
            )
            query = sql.SQL("copy {} from stdin").format(name)
            with conn.cursor() as cursor, cursor.copy(query) as copy:
                digest, _ = _read(path, copy.write)
            if digest != part.file_hash:
                raise NotDetachable(f"{path.name} is not the file that was written for {month}")
            conn.execute("set local lock_timeout = '1s'")
            conn.execute(
                sql.SQL(
                    "alter table inbox attach partition {} for values from ({}) to ({})"
                ).format(name, part.first_position, part.last_position + 1)
            )
            conn.execute(
                sql.SQL(
                    "comment on table {} is 'append-only: a part of the network''s log'"
                ).format(name)
            )
            conn.execute(
                "update inbox_part set away_since = null, file_hash = null where name = %s",
                [part.name],
            )
    except errors.LockNotAvailable:
        raise NotDetachable("somebody reads the log; try again in a while") from None
    except (OSError, EOFError, errors.DataError) as error:
        raise NotDetachable(f"{path.name} cannot be read ({type(error).__name__})") from None
    return path


def _closed(conn: Connection, month: str) -> Part:
    found = [part for part in parts(conn) if part.month == month]
    if not found:
        there = ", ".join(part.month for part in parts(conn) if part.month)
        raise NotDetachable(f"no closed part of the log is of {month}; there is: {there or 'none'}")
    return found[0]


def _nobody_needs(conn: Connection, part: Part) -> None:
    """What follows the log is past the part, and something of the log stays behind it."""
    row = conn.execute(
        "select exists (select from follower where position < %(last)s)"
        " or exists (select from report_rebuild),"
        " not exists (select from inbox where position > %(last)s)",
        {"last": part.last_position},
    ).fetchone()
    assert row is not None
    if row[0]:
        raise NotDetachable(f"{part.month} is still being read: wait until views are up to date")
    if row[1]:
        raise NotDetachable(f"nothing came after {part.month}: the end of the log stays")


def _read(path: Path, take: Callable[[bytes], object]) -> tuple[bytes, int]:
    """The hash of what the file holds, and how many lines; each chunk is given to `take`."""
    digest, lines = hashlib.sha256(), 0
    with gzip.open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            take(chunk)
    return digest.digest(), lines


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
