"""Accounts of people: made, invited, given roles, disabled; in one database per organisation."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from togheter_shared.access.viewer import Role

if TYPE_CHECKING:  # a web process must be made cooperative before psycopg is imported
    from psycopg import Connection

PROTECTED = frozenset({Role.CASEWORKER, Role.PROTECTION_OFFICER, Role.ADMINISTRATOR})
"""Roles that see protected data or give roles: they need a second factor."""
INVITED_HOURS = 72
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,99}")


class AccountError(Exception):
    """What was asked cannot be done with this account; the text says why and the way out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A person who may sign in; `name` is what they type."""

    account_id: UUID
    name: str
    full_name: str
    roles: frozenset[Role]
    doors: frozenset[UUID]
    email: str | None
    demonstration: bool
    has_password: bool
    has_second_factor: bool
    has_provider: bool
    disabled_at: datetime | None
    created_at: datetime

    @property
    def state(self) -> str:
        """`disabled`, `invited` (nobody has signed in with it yet can) or `active`."""
        if self.disabled_at is not None:
            return "disabled"
        return "active" if self.has_password or self.has_provider else "invited"


_SELECT = """
select account_id, name, full_name, roles, doors, email, demonstration,
    password_hash is not null, totp_confirmed, subject is not null, disabled_at, created_at
from account
"""


def needs_second_factor(roles: Collection[Role]) -> bool:
    """Whether somebody with these roles has to show a second factor."""
    return bool(PROTECTED & set(roles))


def known_roles(given: Collection[str]) -> frozenset[Role]:
    """Roles as the database keeps them; one that this version does not know grants nothing."""
    return frozenset(role for role in Role if role.value in given)


def add(
    conn: Connection,
    name: str,
    roles: Collection[Role],
    *,
    full_name: str = "",
    email: str | None = None,
    doors: Collection[UUID] = (),
    demonstration: bool = False,
) -> UUID:
    """A new account, which nobody can sign in with before it is invited or has signed in at the
    provider with that `email`. Raises `AccountError` when the name or the e-mail is taken."""
    if not _NAME.fullmatch(name):
        raise AccountError(
            "the name of an account has 2 to 100 lower-case letters, digits and . _ @ + -"
        )
    if not roles:
        raise AccountError("an account needs at least one role")
    row = conn.execute(
        """
        insert into account (name, full_name, roles, doors, email, demonstration)
        values (%s, %s, %s, %s, lower(%s), %s) on conflict do nothing returning account_id
        """,
        (name, full_name, sorted(roles), list(doors), email, demonstration),
    ).fetchone()
    if row is None:
        raise AccountError("there is an account with this name or e-mail already")
    found: UUID = row[0]
    return found


def invite(conn: Connection, name: str) -> str:
    """A secret that sets the account's password, once, within three days; an earlier one ends."""
    secret = secrets.token_urlsafe(32)
    changed = conn.execute(
        """
        update account set set_up_hash = %s, set_up_until = now() + make_interval(hours => %s)
        where name = %s and disabled_at is null
        """,
        (digest(secret), INVITED_HOURS, name),
    ).rowcount
    _assert_found(changed, "there is no account of that name that is not disabled")
    return secret


def invited(conn: Connection, secret: str) -> Account | None:
    """The account that a secret of `invite` is for, while it is good."""
    return _one(
        conn,
        _SELECT + "where set_up_hash = %s and set_up_until > now() and disabled_at is null",
        digest(secret),
    )


def set_up(conn: Connection, secret: str, password_hash: str) -> UUID | None:
    """Use the secret: the account has that password, and its sessions end. None: it is used up."""
    with conn.transaction():
        row = conn.execute(
            """
            update account set password_hash = %s, set_up_hash = null, set_up_until = null
            where set_up_hash = %s and set_up_until > now() and disabled_at is null
            returning account_id
            """,
            (password_hash, digest(secret)),
        ).fetchone()
        if row is None:
            return None
        conn.execute("delete from session where account_id = %s", row)
    account_id: UUID = row[0]
    return account_id


def set_password(conn: Connection, account_id: UUID, password_hash: str) -> None:
    """Another password, or the same one hashed as it is done today."""
    conn.execute(
        "update account set password_hash = %s where account_id = %s", (password_hash, account_id)
    )


def find(conn: Connection, name: str) -> Account | None:
    """The account of that name."""
    return _one(conn, _SELECT + "where name = %s", name)


def get(conn: Connection, account_id: UUID) -> Account | None:
    """The account with that id."""
    return _one(conn, _SELECT + "where account_id = %s", account_id)


def everybody(conn: Connection) -> list[Account]:
    """All accounts, by name."""
    rows = conn.execute(_SELECT).fetchall()
    return sorted((_account(row) for row in rows), key=lambda account: account.name)


def password_of(conn: Connection, name: str) -> tuple[UUID | None, str | None]:
    """Id and password hash of an account that may sign in with a password; two Nones otherwise."""
    row = conn.execute(
        "select account_id, password_hash from account where name = %s and disabled_at is null",
        (name,),
        prepare=True,
    ).fetchone()
    return (row[0], row[1]) if row is not None and row[1] is not None else (None, None)


def disable(conn: Connection, name: str) -> None:
    """Nobody can use it any more, from the next request on; its sessions end."""
    with conn.transaction():
        changed = conn.execute(
            "update account set disabled_at = coalesce(disabled_at, now()), set_up_hash = null"
            " where name = %s",
            (name,),
        ).rowcount
        _end_sessions(conn, name)
    _assert_found(changed, "there is no account of that name")


def enable(conn: Connection, name: str) -> None:
    """It can be used again, with the password it had."""
    changed = conn.execute(
        "update account set disabled_at = null where name = %s", (name,)
    ).rowcount
    _assert_found(changed, "there is no account of that name")


def set_roles(conn: Connection, name: str, roles: Collection[Role]) -> None:
    """Other roles, from the next request on; sessions end, so that nobody keeps the old ones."""
    if not roles:
        raise AccountError("an account needs at least one role; or disable it")
    with conn.transaction():
        changed = conn.execute(
            "update account set roles = %s where name = %s", (sorted(roles), name)
        ).rowcount
        _end_sessions(conn, name)
    _assert_found(changed, "there is no account of that name")


def reset(conn: Connection, name: str) -> str:
    """Take away password, second factor and sessions, and give a new secret to set it up."""
    with conn.transaction():
        conn.execute(
            """
            delete from recovery_code
            where account_id = (select account_id from account where name = %s)
            """,
            (name,),
        )
        conn.execute(
            """
            update account
            set password_hash = null, totp_secret = null, totp_confirmed = false, totp_step = 0
            where name = %s
            """,
            (name,),
        )
        _end_sessions(conn, name)
        return invite(conn, name)


def demonstration_accounts(conn: Connection) -> int:
    """How many accounts of the demonstration can still be used."""
    row = conn.execute(
        "select count(*) from account where demonstration and disabled_at is null"
    ).fetchone()
    assert row is not None
    return int(row[0])


def digest(secret: str) -> bytes:
    """What is kept of a secret of 256 random bits."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def _end_sessions(conn: Connection, name: str) -> None:
    conn.execute(
        "delete from session where account_id = (select account_id from account where name = %s)",
        (name,),
    )


def _assert_found(changed: int, message: str) -> None:
    if not changed:
        raise AccountError(f"{message}; see `accounts list`")


def _one(conn: Connection, query: Any, value: Any) -> Account | None:
    row = conn.execute(query, (value,)).fetchone()
    return None if row is None else _account(row)


def _account(row: tuple[Any, ...]) -> Account:
    names = Account.__slots__
    found = dict(zip(names, row, strict=True))
    found["roles"] = known_roles(found["roles"])
    found["doors"] = frozenset(found["doors"])
    return Account(**found)
