"""The codes that certificates are verified with: random, and easy to read out loud."""

import secrets

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without 0, 1, I and O, which are read for one another."""
LENGTH = 16
GROUP = 4


def new_code() -> str:
    """Sixteen characters in groups of four: 80 random bits, nobody guesses one."""
    return _grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def as_written(text: str) -> str | None:
    """The code in a text that somebody copied by hand; None when it cannot be one."""
    if len(text) > 100:
        return None
    plain = "".join(character for character in text.upper() if character.isalnum())
    if len(plain) != LENGTH or any(character not in ALPHABET for character in plain):
        return None
    return _grouped(plain)


def _grouped(plain: str) -> str:
    return "-".join(plain[start : start + GROUP] for start in range(0, LENGTH, GROUP))
