"""The keys of an organisation, and sealing: to one recipient, bound to where it belongs."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

# A seal opened in twenty years must not be broken by a quantum computer of then: the hybrid KEM
# holds while either half does.
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
SEED_LENGTH, PUBLIC_LENGTH, CURVE_LENGTH = 64, 1184, 32


class Unsealable(ValueError):
    """The sealed bytes are not for this key and place, or were changed, or a key is malformed."""


class KeysUnreadable(Exception):
    """The file with an organisation's private keys cannot be read; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """An organisation's keys in base64: HPKE (ML-KEM-768 + X25519) to seal, Ed25519 to sign.

    The private sealing key is ML-KEM's seed (64 bytes) and X25519's scalar (32), the public one
    ML-KEM's encapsulation key (1184) and X25519's point (32); both Ed25519 keys are raw (32).
    """

    seal_private: str = field(repr=False)
    seal_public: str
    sign_private: str = field(repr=False)
    sign_public: str


def generate_keys() -> dict[str, str]:
    """A new organisation's keys, as its `keys.json` holds them; see `Keys` for their form."""
    kem, curve = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
    signing = Ed25519PrivateKey.generate()
    return {
        "seal_private": _text(kem.private_bytes_raw() + curve.private_bytes_raw()),
        "seal_public": _public_text((kem, curve)),
        "sign_private": _text(signing.private_bytes_raw()),
        "sign_public": _text(signing.public_key().public_bytes_raw()),
    }


def load_keys(path: Path) -> Keys:
    """The keys in the file that `generate_keys` filled. Raises `KeysUnreadable`."""
    try:
        document = json.loads(path.read_text("utf-8"))
        keys = Keys(**{name: str(document[name]) for name in Keys.__dataclass_fields__})
        seal_public = _public_text(_private_key(keys.seal_private))
        signing = Ed25519PrivateKey.from_private_bytes(b64decode(keys.sign_private, validate=True))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeysUnreadable(
            f"the organisation's keys in {path} cannot be read ({type(error).__name__});"
            " restore the file from the backup: what was sealed for it opens with nothing else"
        ) from None
    pairs = (seal_public, _text(signing.public_key().public_bytes_raw()))
    if pairs != (keys.seal_public, keys.sign_public):
        raise KeysUnreadable(f"the public and the private key in {path} are not a pair")
    return keys


def prepare_signing_key(path: Path) -> str:
    """Put the next signing key beside today's in the file; returns its public half (base64).

    Asked again it gives the same one. Nothing is signed with it before `activate_signing_key`, so
    that the registry of everybody can know it first. Raises `KeysUnreadable`.
    """
    load_keys(path)
    document = json.loads(path.read_text("utf-8"))
    if "sign_next_public" not in document:
        signing = Ed25519PrivateKey.generate()
        document["sign_next_private"] = _text(signing.private_bytes_raw())
        document["sign_next_public"] = _text(signing.public_key().public_bytes_raw())
        _replace(path, document)
    return str(document["sign_next_public"])


def next_signing_key(path: Path) -> str | None:
    """The public half of the key that was prepared, if one was."""
    found = json.loads(path.read_text("utf-8")).get("sign_next_public")
    return None if found is None else str(found)


def activate_signing_key(path: Path) -> str:
    """Sign with the prepared key from now on; returns its public half. The old private key is gone.

    Raises `KeyError` when none was prepared, `KeysUnreadable`.
    """
    load_keys(path)
    document = json.loads(path.read_text("utf-8"))
    document["sign_private"] = document.pop("sign_next_private")
    document["sign_public"] = document.pop("sign_next_public")
    _replace(path, document)
    return str(document["sign_public"])


def _replace(path: Path, document: dict[str, str]) -> None:
    """Whole or not at all, and readable by its owner alone."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600, exist_ok=False)
    with beside.open("w") as file:
        file.write(json.dumps(document, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def seal(public_key: str, plaintext: bytes, info: bytes) -> bytes:
    """Seal for the owner of the public key (base64), bound to `info`, which `unseal` must repeat.

    RFC 9180 in base mode, one message: the encapsulated key, then the ciphertext. Raises
    `Unsealable` for a malformed key.
    """
    key = _public_key(public_key)
    try:
        return SUITE.encrypt(plaintext, key, info)
    except ValueError:
        raise Unsealable("a public key for sealing is malformed") from None


def unseal(private_key: str, sealed: bytes, info: bytes) -> bytes:
    """Open what `seal` made. Raises `Unsealable`, and does not say which part did not fit."""
    key = MLKEM768X25519PrivateKey(*_private_key(private_key))
    try:
        return SUITE.decrypt(sealed, key, info)
    except (InvalidTag, ValueError):
        raise Unsealable(
            "what was sealed does not open: it is for another key or place, or was changed"
        ) from None


def sign(private_key: str, message: bytes) -> bytes:
    """The Ed25519 signature (64 bytes) of `message` with a private signing key (base64)."""
    return Ed25519PrivateKey.from_private_bytes(b64decode(private_key)).sign(message)


def is_signed(public_key: str, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is that of `message` by the owner of the public key (base64)."""
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(public_key, validate=True))
        key.verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public_key: str) -> str:
    """A short name of a public key (base64): the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(b64decode(public_key)).hexdigest()[:16]


def _public_key(text: str) -> MLKEM768X25519PublicKey:
    raw = _bytes(text, PUBLIC_LENGTH + CURVE_LENGTH)
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(raw[:PUBLIC_LENGTH]),
            X25519PublicKey.from_public_bytes(raw[PUBLIC_LENGTH:]),
        )
    except ValueError:
        raise Unsealable("a public key for sealing is malformed") from None


def _private_key(text: str) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    raw = _bytes(text, SEED_LENGTH + CURVE_LENGTH)
    return (
        MLKEM768PrivateKey.from_seed_bytes(raw[:SEED_LENGTH]),
        X25519PrivateKey.from_private_bytes(raw[SEED_LENGTH:]),
    )


def _public_text(key: tuple[MLKEM768PrivateKey, X25519PrivateKey]) -> str:
    kem, curve = (half.public_key().public_bytes_raw() for half in key)
    return _text(kem + curve)


def _bytes(text: str, length: int) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != length:
        raise Unsealable(f"a key for sealing is not {length} bytes in base64")
    return raw


def _text(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")
