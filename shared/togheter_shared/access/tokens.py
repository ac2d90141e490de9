"""Bearer tokens of machines and people: minted, kept as a hash, looked up at every request."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from togheter_shared.access.viewer import Viewer

if TYPE_CHECKING:  # a web process must be made cooperative before psycopg is imported
    from psycopg import Connection

_TOKEN = re.compile(r"tgh_[A-Za-z0-9_-]{43}")


def mint() -> str:
    """A new token: 256 bits from the system's generator, recognisable by its prefix."""
    return f"tgh_{secrets.token_urlsafe(32)}"


def add(
    conn: Connection,
    name: str,
    token: str,
    scopes: Iterable[str],
    days: int,
) -> None:
    """Let `token` act as `name` with `scopes` for `days` days from now.

    Adding a token again renews its scopes and its term; one that was revoked stays revoked. Raises
    `ValueError` for a token that `mint` did not make (the database keeps only its hash).
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError("not a token made by mint(): tgh_ and 43 characters of base64url")
    conn.execute(
        """
        insert into access_token (token_hash, name, scopes, expires_at)
        values (%s, %s, %s, now() + make_interval(days => %s))
        on conflict (token_hash) do update
        set name = excluded.name, scopes = excluded.scopes, expires_at = excluded.expires_at
        """,
        (_hash(token), name, sorted(set(scopes)), days),
    )


def revoke(conn: Connection, name: str) -> int:
    """End every token of `name` now; returns how many ended."""
    return conn.execute(
        "update access_token set revoked_at = now() where name = %s and revoked_at is null",
        (name,),
    ).rowcount


def find(conn: Connection, token: str) -> Viewer | None:
    """The machine of a token, or None when it is unknown, expired or revoked.

    The look-up is by SHA-256 of 256 random bits, so its duration tells nothing about other tokens.
    """
    if not _TOKEN.fullmatch(token):
        return None
    row = conn.execute(
        """
        select name, scopes from access_token
        where token_hash = %s and revoked_at is null and expires_at > now()
        """,
        (_hash(token),),
        prepare=True,
    ).fetchone()
    if row is None:
        return None
    name, scopes = row
    assert isinstance(name, str) and isinstance(scopes, list)
    return Viewer(name=name, kind="machine", scopes=frozenset(scopes))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
