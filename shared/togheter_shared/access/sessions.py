"""Sessions of browsers: an opaque cookie, kept as a hash, looked up at every request."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from togheter_shared.access.accounts import known_roles, needs_second_factor
from togheter_shared.access.viewer import Viewer

if TYPE_CHECKING:  # a web process must be made cooperative before psycopg is imported
    from psycopg import Connection

IDLE_MINUTES = 15
LONGEST_HOURS = 8
SIGNING_IN_MINUTES = 10
_SEEN_SECONDS = 30
"""How stale `seen_at` may get: not every request needs to write."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

Stage = Literal["provider", "password", "full"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One browser's session, and whose it is. `viewer` is None until it is signed in whole."""

    session_id: UUID
    stage: Stage
    account_id: UUID | None
    next: str
    provider: dict[str, Any] | None
    account: Viewer | None
    stale: bool
    demonstration: bool
    needs_second_factor: bool
    has_second_factor: bool

    @property
    def viewer(self) -> Viewer | None:
        """Who asks, when nothing is missing any more."""
        missing = self.needs_second_factor and not (self.account and self.account.second_factor)
        return None if self.stage != "full" or missing else self.account


def cookie_name(organisation: str) -> str:
    """The cookie of an organisation. Browsers take `__Host-` from its own host alone, with Secure
    and for the whole host."""
    return f"__Host-togheter-{organisation}"


def cookie(organisation: str, token: str) -> str:
    """The header Set-Cookie for a token; an empty one takes the cookie away."""
    ends = "" if token else "; Max-Age=0"
    return f"{cookie_name(organisation)}={token}; Path=/; Secure; HttpOnly; SameSite=Lax{ends}"


def begin(
    conn: Connection,
    *,
    account_id: UUID | None,
    stage: Stage,
    second_factor: bool = False,
    next_: str = "/",
    provider: dict[str, Any] | None = None,
    replaces: str = "",
) -> str:
    """Begin a session and return its token, which is kept nowhere.

    A change of what a session may do is a new session: `replaces`, the token that the browser had
    before, ends in the same transaction.
    """
    from psycopg.types.json import Jsonb

    token = secrets.token_urlsafe(32)
    minutes = LONGEST_HOURS * 60 if stage == "full" else SIGNING_IN_MINUTES
    with conn.transaction():
        conn.execute(
            "delete from session where ends_at < now() or token_hash = %s", (_hash(replaces),)
        )
        conn.execute(
            """
            insert into session
                (token_hash, account_id, stage, second_factor, provider, next, ends_at)
            values (%s, %s, %s, %s, %s, %s, now() + make_interval(mins => %s))
            """,
            (
                _hash(token),
                account_id,
                stage,
                second_factor,
                Jsonb(provider) if provider is not None else None,
                next_,
                minutes,
            ),
        )
    return token


def find(conn: Connection, token: str) -> Session | None:
    """The session of a cookie, or None when it is unknown, over, idle, or its account disabled."""
    if not _TOKEN.fullmatch(token):
        return None
    row = conn.execute(
        """
        select s.session_id, s.stage, s.account_id, s.next, s.provider, s.second_factor,
            s.seen_at < now() - make_interval(secs => %s),
            a.name, a.roles, a.doors, a.language, a.demonstration, a.totp_confirmed
        from session as s left join account as a using (account_id)
        where s.token_hash = %s and s.ends_at > now()
            and s.seen_at > now() - make_interval(mins => %s)
            and a.disabled_at is null
        """,
        (_SEEN_SECONDS, _hash(token), IDLE_MINUTES),
        prepare=True,
    ).fetchone()
    if row is None:
        return None
    (id_, stage, account_id, next_, provider, second, stale, name, roles, doors, language, demo) = (
        row[:12]
    )
    account = None
    if account_id is not None:
        account = Viewer(
            name=name,
            kind="person",
            account_id=account_id,
            roles=known_roles(roles),
            doors=frozenset(doors),
            second_factor=second,
            language=language,
            csrf=csrf_of(token),
        )
    return Session(
        session_id=id_,
        stage=stage,
        account_id=account_id,
        next=next_,
        provider=provider,
        account=account,
        stale=stale,
        demonstration=bool(demo),
        needs_second_factor=bool(account and (row[12] or needs_second_factor(account.roles))),
        has_second_factor=bool(row[12]),
    )


def touch(conn: Connection, session: Session) -> None:
    """The session is in use: it has its time before it is idle again."""
    conn.execute("update session set seen_at = now() where session_id = %s", (session.session_id,))


def end(conn: Connection, token: str) -> None:
    """Sign out: the cookie opens nothing any more."""
    conn.execute("delete from session where token_hash = %s", (_hash(token),))


def end_one(conn: Connection, account_id: UUID, session_id: UUID) -> None:
    """End one of the account's own sessions."""
    conn.execute(
        "delete from session where account_id = %s and session_id = %s", (account_id, session_id)
    )


def end_all(conn: Connection, account_id: UUID, *, but: UUID | None = None) -> None:
    """End every session of an account, or all but one."""
    conn.execute(
        "delete from session where account_id = %s and session_id is distinct from %s",
        (account_id, but),
    )


def of_account(conn: Connection, account_id: UUID) -> list[tuple[UUID, datetime, datetime]]:
    """Id, beginning and last use of each live session of an account, the latest first."""
    rows = conn.execute(
        """
        select session_id, created_at, seen_at from session
        where account_id = %s and stage = 'full' and ends_at > now()
            and seen_at > now() - make_interval(mins => %s)
        order by created_at desc
        """,
        (account_id, IDLE_MINUTES),
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def csrf_of(token: str) -> str:
    """What the forms of a session bring back: nobody can make it without the cookie."""
    made = hmac.new(token.encode(), b"togheter form", hashlib.sha256).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
