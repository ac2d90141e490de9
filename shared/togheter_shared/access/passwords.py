"""Passwords: which ones are taken, and their argon2id hashes."""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 200
_HASHER = PasswordHasher()  # argon2id with the second set of parameters of RFC 9106
_LIST = """
123456789012 1234567890123 12345678901234 123412341234 111111111111 000000000000 qwertyuiop12
qwertyuiop123 qwertyuiopasdf qwerty123456 qwerty1234567 password1234 password12345
password123456 passwordpassword password1password iloveyou1234 administrator administrator1
amministratore amministratore1 abcdefghijkl abcdefghijklm abcd12345678 aaaaaaaaaaaa
qazwsxedcrfv 1q2w3e4r5t6y 1qaz2wsx3edc zaq12wsxcde3 letmeinletmein welcome12345 changeme1234
cambiami1234 benvenuto123 benvenuta123 comunedipotenza comunepotenza portasociale
portesociali togheter1234 togethertogether togheterpotenza basilicata123 forzapotenza
"""
_COMMON = frozenset(_LIST.split())


class PasswordRefused(Exception):
    """The password is too short, too long, or one that everybody tries first."""


def assert_good(password: str, name: str) -> None:
    """Raise `PasswordRefused` with a sentence when it is no password for the account `name`.

    Length is all that is asked for (NIST SP 800-63B): no rules of composition.
    """
    given = _normal(password)
    if len(given) < SHORTEST:
        raise PasswordRefused(f"La password deve avere almeno {SHORTEST} caratteri.")
    if len(given) > LONGEST:
        raise PasswordRefused(f"La password può avere al massimo {LONGEST} caratteri.")
    easy = given.casefold()
    if easy in _COMMON or len(set(easy)) < 4 or easy == name:
        raise PasswordRefused("Questa password è tra le prime che chiunque proverebbe.")


def hash_of(password: str) -> str:
    """The argon2id hash, with its salt and parameters. Takes about a fifth of a second."""
    return _HASHER.hash(_normal(password))


def verify(password: str, password_hash: str | None) -> bool:
    """Whether it is the password. Without a hash it takes as long, and the answer is no."""
    try:
        good = _HASHER.verify(password_hash or _of_nobody(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return good and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


@cache
def _of_nobody() -> str:
    return _HASHER.hash("the account that does not exist")


def _normal(password: str) -> str:
    """The same characters from every keyboard; what is far too long is not worth hashing."""
    return unicodedata.normalize("NFKC", password[: LONGEST * 4])
