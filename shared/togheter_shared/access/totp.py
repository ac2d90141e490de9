"""One-time codes of an authenticator (RFC 6238), and the codes for the day it is lost."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from base64 import b32encode
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from uuid import UUID

if TYPE_CHECKING:  # a web process must be made cooperative before psycopg is imported
    from psycopg import Connection

PERIOD = 30
DIGITS = 6
RECOVERY_CODES = 10


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a time step, which is the Unix time divided by `PERIOD`."""
    made = hmac.new(secret, struct.pack(">Q", step), hashlib.sha1).digest()
    offset = made[-1] & 15
    number = struct.unpack(">I", made[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(secret: bytes, code: str, now: float, after: int) -> int | None:
    """The step whose code this is, one before or behind at most and later than `after`."""
    given = "".join(code.split())
    if not (given.isascii() and given.isdecimal()):
        return None
    middle = int(now // PERIOD)
    found = None
    for step in (middle - 1, middle, middle + 1):
        if hmac.compare_digest(code_at(secret, step), given) and step > after:
            found = step
    return found


def uri(secret: bytes, name: str, organisation: str) -> str:
    """What an authenticator reads from the QR code."""
    label = quote(f"TOGHETER {organisation}:{name}", safe="")
    return f"otpauth://totp/{label}?" + urlencode(
        {"secret": typed(secret), "issuer": f"TOGHETER {organisation}"}, quote_via=quote
    )


def typed(secret: bytes) -> str:
    """The secret for who types it."""
    return b32encode(secret).decode().rstrip("=")


def propose(conn: Connection, account_id: UUID) -> bytes:
    """The secret of an account that has not confirmed one yet: the same until it does.

    Raises `LookupError` when it has confirmed one: that is never shown again.
    """
    row = conn.execute(
        """
        update account set totp_secret = coalesce(totp_secret, %s)
        where account_id = %s and not totp_confirmed returning totp_secret
        """,
        (secrets.token_bytes(20), account_id),
    ).fetchone()
    if row is None:
        raise LookupError("the account has a second factor")
    return bytes(row[0])


def confirm(conn: Connection, account_id: UUID, code: str, now: float) -> list[str] | None:
    """Make the proposed secret the second factor; returns the recovery codes, shown this once.

    None when the code is wrong.
    """
    with conn.transaction():
        row = conn.execute(
            "select totp_secret from account where account_id = %s and not totp_confirmed"
            " for update",
            (account_id,),
        ).fetchone()
        if row is None or row[0] is None:
            return None
        step = step_of(bytes(row[0]), code, now, after=0)
        if step is None:
            return None
        conn.execute(
            "update account set totp_confirmed = true, totp_step = %s where account_id = %s",
            (step, account_id),
        )
        conn.execute("delete from recovery_code where account_id = %s", (account_id,))
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        for made in codes:
            conn.execute(
                "insert into recovery_code values (%s, %s)", (account_id, _hash(account_id, made))
            )
    return codes


def check(conn: Connection, account_id: UUID, code: str, now: float) -> bool:
    """Use a code of the authenticator or a recovery code: each is good once."""
    with conn.transaction():
        row = conn.execute(
            "select totp_secret, totp_step from account"
            " where account_id = %s and totp_confirmed and disabled_at is null for update",
            (account_id,),
        ).fetchone()
        if row is None:
            return False
        step = step_of(bytes(row[0]), code, now, after=row[1])
        if step is not None:
            conn.execute(
                "update account set totp_step = %s where account_id = %s", (step, account_id)
            )
            return True
        used = conn.execute(
            "delete from recovery_code where account_id = %s and code_hash = %s",
            (account_id, _hash(account_id, code)),
        ).rowcount
    return used == 1


def set_secret(conn: Connection, account_id: UUID, secret: bytes) -> None:
    """Give an account of the demonstration a second factor whose secret is known."""
    conn.execute(
        "update account set totp_secret = %s, totp_confirmed = true where account_id = %s"
        " and demonstration",
        (secret, account_id),
    )


def _recovery_code() -> str:
    """80 random bits, in four groups: nothing that could be guessed, so a fast hash will do."""
    text = b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def _hash(account_id: UUID, code: str) -> bytes:
    given = "".join(character for character in code.casefold() if character.isalnum())
    return hashlib.sha256(account_id.bytes + given.encode(errors="replace")).digest()
