"""The organisation's keys, which wrap those of persons: from a file, the environment, a command."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VARIABLE = "TOGHETER_PRIVACY_KEY"
KEY_LENGTH, NONCE_LENGTH = 32, 12


class PrivacyKeyUnreadable(Exception):
    """The organisation's privacy key cannot be read; the message names where it was looked for."""


class NotOpened(Exception):
    """What is sealed does not open: another key, another place, or changed bytes."""


@dataclass(frozen=True)
class OrganisationKeys:
    """The keys that are known, by id: `current` wraps, all of them unwrap."""

    current: str
    keys: dict[str, AESGCM] = field(repr=False)

    def wrap(self, key: bytes, bound: bytes) -> bytes:
        """`key` under the current key, bound to `bound`: a nonce, then AES-256-GCM's output."""
        return encrypt(self.keys[self.current], key, bound)

    def unwrap(self, wrapped: bytes, by: str, bound: bytes) -> bytes:
        """What `wrap` wrapped. Raises `NotOpened`, which names the key that is missing."""
        if by not in self.keys:
            raise NotOpened(f"the privacy key {by} is not among those that {VARIABLE} names")
        return decrypt(self.keys[by], wrapped, bound)


def generate() -> str:
    """A new key of an organisation, as the file holds it: 32 random bytes in base64."""
    return b64encode(secrets.token_bytes(KEY_LENGTH)).decode()


def read_keys(source: str) -> OrganisationKeys:
    """The keys behind `file:/path`, `env:NAME` or `command:words`. See `read_secrets`."""
    found = {key_id(raw): AESGCM(raw) for raw in read_secrets(source)}
    return OrganisationKeys(next(iter(found)), found)


def read_secrets(source: str) -> list[bytes]:
    """The keys themselves, 32 bytes each: one a line, the current first.

    Raises `PrivacyKeyUnreadable`; no message shows a key.
    """
    kind, colon, rest = source.partition(":")
    reader = _READERS.get(kind)
    if not colon or reader is None or not rest.strip():
        raise PrivacyKeyUnreadable(
            f"{VARIABLE} must begin with file:, env: or command:, and say which"
        )
    found: list[bytes] = []
    for line in reader(rest).split():
        try:
            raw = b64decode(line, validate=True)
        except ValueError:
            raw = b""
        if len(raw) != KEY_LENGTH:
            raise PrivacyKeyUnreadable(
                f"a line that {VARIABLE} leads to is not {KEY_LENGTH} bytes in base64; restore it"
                " from the backup or the officers' shares: names open with nothing else"
            )
        found.append(raw)
    if not found:
        raise PrivacyKeyUnreadable(f"{VARIABLE} leads to nothing: there is no key there")
    return found


def key_id(key: bytes) -> str:
    """A short name of a key that does not help to guess it."""
    return hashlib.blake2b(b"togheter privacy key id", key=key, digest_size=8).hexdigest()


def encrypt(key: AESGCM, plaintext: bytes, bound: bytes) -> bytes:
    """AES-256-GCM under a random nonce, which stands before the ciphertext."""
    nonce = os.urandom(NONCE_LENGTH)
    return nonce + key.encrypt(nonce, plaintext, bound)


def decrypt(key: AESGCM, box: bytes, bound: bytes) -> bytes:
    """What `encrypt` made. Raises `NotOpened`."""
    try:
        return key.decrypt(box[:NONCE_LENGTH], box[NONCE_LENGTH:], bound)
    except (InvalidTag, ValueError):
        raise NotOpened(
            "sealed data do not open: they are of another key or place, or were changed"
        ) from None


def _file(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except (OSError, ValueError) as error:
        raise PrivacyKeyUnreadable(
            f"the file that {VARIABLE} names cannot be read ({type(error).__name__})"
        ) from None


def _environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise PrivacyKeyUnreadable(f"{VARIABLE} names {name}, which is not set") from None


def _command(words: str) -> str:
    try:
        done = subprocess.run(
            shlex.split(words), capture_output=True, timeout=30, check=True, text=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise PrivacyKeyUnreadable(
            f"the command that {VARIABLE} names failed ({type(error).__name__})"
        ) from None
    return done.stdout


_READERS: dict[str, Callable[[str], str]] = {
    "file": _file,
    "env": _environment,
    "command": _command,
}
