"""The keys of persons: what is sealed with one opens for that person, event and class alone."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from togheter_shared.privacy import organisation
from togheter_shared.privacy.organisation import (
    KEY_LENGTH,
    VARIABLE,
    OrganisationKeys,
    PrivacyKeyUnreadable,
    read_keys,
)

if TYPE_CHECKING:  # a web process must be made cooperative before psycopg is imported
    from psycopg import Connection

MOST_CACHED = 10_000
CACHED_SECONDS = 300.0
"""How many unwrapped keys a process remembers, and for how long at most."""

READ_AGAIN_SECONDS = 60.0
"""After how long everybody wraps with a new key of the organisation."""


class Erased(Exception):
    """The person was erased: nothing about them is recorded any more."""


class _Cache:
    """Unwrapped keys by their wrapped form, which is read anew from the database each time.

    So a key that was destroyed is not found again, whatever a process remembers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: OrderedDict[tuple[UUID, bytes], AESGCM] = OrderedDict()
        self._since = time.monotonic()

    def get(self, place: tuple[UUID, bytes]) -> AESGCM | None:
        with self._lock:
            if time.monotonic() - self._since > CACHED_SECONDS:
                self._keys.clear()
                self._since = time.monotonic()
            found = self._keys.get(place)
            if found is not None:
                self._keys.move_to_end(place)
            return found

    def put(self, place: tuple[UUID, bytes], key: AESGCM) -> None:
        with self._lock:
            self._keys[place] = key
            while len(self._keys) > MOST_CACHED:
                self._keys.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._keys.clear()


_cache = _Cache()
_organisations: dict[str, tuple[float, OrganisationKeys]] = {}


def organisation_keys(wanted: str | None = None) -> OrganisationKeys:
    """The organisation's keys as the environment names them, read again when one is `wanted` that
    is not known: so the key changes while everything runs.

    Keys that were read once stay in use while they cannot be read again: a file that is away for a
    moment stops nobody. Raises `PrivacyKeyUnreadable` when what is wanted is not known.
    """
    source = os.environ.get(VARIABLE, "")
    if not source:
        raise PrivacyKeyUnreadable(f"{VARIABLE} is not set; see deploy/partner/env.example")
    read_at, known = _organisations.get(source, (0.0, None))
    stale = time.monotonic() - read_at > READ_AGAIN_SECONDS
    if known is None or stale or (wanted is not None and wanted not in known.keys):
        try:
            known = read_keys(source)
        except PrivacyKeyUnreadable:
            if known is None or (wanted is not None and wanted not in known.keys):
                raise
        _organisations[source] = (time.monotonic(), known)
    return known


def forget_cached() -> None:
    """Empty the caches of this process."""
    _cache.clear()
    _organisations.clear()


def opened(subject: UUID, wrapped: bytes, by: str) -> AESGCM:
    """The key of a person from its row. Raises `NotOpened`, `PrivacyKeyUnreadable`."""
    place = (subject, wrapped)
    key = _cache.get(place)
    if key is None:
        key = AESGCM(organisation_keys(by).unwrap(wrapped, by, _bound_key(subject)))
        _cache.put(place, key)
    return key


def keys_for(conn: Connection, subjects: Collection[UUID]) -> dict[UUID, AESGCM]:
    """The keys of these persons, made where there are none, held until the transaction ends.

    Raises `Erased` when one of them was destroyed.
    """
    wanted = sorted(set(subjects))
    found = _held(conn, wanted)
    missing = [subject for subject in wanted if subject not in found]
    if missing:
        ours = organisation_keys()
        made = {subject: secrets.token_bytes(KEY_LENGTH) for subject in missing}
        wrapped = [ours.wrap(key, _bound_key(subject)) for subject, key in made.items()]
        rows = conn.execute(
            "insert into subject_key (subject_id, wrapped, wrapped_by)"
            " select s, w, %s from unnest(%s::uuid[], %s::bytea[]) as made (s, w)"
            " on conflict do nothing returning subject_id",
            [ours.current, missing, wrapped],
            prepare=True,
        ).fetchall()
        found |= {row[0]: AESGCM(made.pop(row[0])) for row in rows}
        if made:  # somebody else was faster
            found |= _held(conn, sorted(made))
    return found


def secret(conn: Connection, subject: UUID) -> bytes:
    """The key of a row of its own, raw: for what has to be the same each time, as in an index.

    It outlives every change of the organisation's key. Made where there is none.
    """
    read = "select wrapped, wrapped_by from subject_key where subject_id = %s"
    row = conn.execute(read, [subject], prepare=True).fetchone()
    if row is None:
        keys_for(conn, [subject])
        row = conn.execute(read, [subject], prepare=True).fetchone()
    assert row is not None
    return organisation_keys(row[1]).unwrap(bytes(row[0]), row[1], _bound_key(subject))


def _held(conn: Connection, subjects: list[UUID]) -> dict[UUID, AESGCM]:
    rows = conn.execute(
        "select subject_id, wrapped, wrapped_by from subject_key where subject_id = any(%s)"
        " order by subject_id for share",
        [subjects],
        prepare=True,
    ).fetchall()
    if any(row[1] is None for row in rows):
        raise Erased
    return {row[0]: opened(row[0], bytes(row[1]), row[2]) for row in rows}


def box(key: AESGCM, place: bytes, plaintext: bytes) -> bytes:
    """`plaintext` sealed with a person's key for one `place` (see `place_of`)."""
    return organisation.encrypt(key, plaintext, place)


def unbox(key: AESGCM, place: bytes, sealed: bytes) -> bytes:
    """What `box` sealed. Raises `NotOpened`."""
    return organisation.decrypt(key, sealed, place)


def place_of(subject: UUID, event_id: UUID, contract_type: str, kind: str) -> bytes:
    """Where a box belongs: person, event, contract and class of data.

    The names of the fields are within, so that they are bound too.
    """
    words = ["togheter/at-rest/1", str(subject), str(event_id), contract_type, kind]
    return json.dumps(words, separators=(",", ":")).encode()


def rotate(conn: Connection, batch: int = 1_000) -> Iterator[int]:
    """Wrap every person's key with the organisation's current key; yields how many so far.

    In transactions of `batch` keys, beside everything else; nothing that is sealed is touched.
    Asked again it goes on where it was.
    """
    ours, done = read_keys(os.environ.get(VARIABLE, "")), 0
    while True:
        with conn.transaction():
            rows = conn.execute(
                "select subject_id, wrapped, wrapped_by from subject_key where wrapped_by <> %s"
                " and wrapped is not null order by subject_id limit %s for update",
                [ours.current, batch],
            ).fetchall()
            if not rows:
                return
            anew = []
            for subject, wrapped, by in rows:
                bound = _bound_key(subject)
                anew.append(ours.wrap(ours.unwrap(bytes(wrapped), by, bound), bound))
            conn.execute(
                "update subject_key k set wrapped = a.wrapped, wrapped_by = %s"
                " from unnest(%s::uuid[], %s::bytea[]) as a (subject_id, wrapped)"
                " where k.subject_id = a.subject_id",
                [ours.current, [row[0] for row in rows], anew],
            )
        done += len(rows)
        yield done


def opens(conn: Connection, keys: OrganisationKeys, most: int = 1_000) -> tuple[int, int]:
    """How many of at most `most` keys of persons these keys open, and how many need others.

    Raises `NotOpened` when one that they should open does not.
    """
    opened = others = 0
    for subject, wrapped, by in conn.execute(
        "select subject_id, wrapped, wrapped_by from subject_key where wrapped is not null"
        " limit %s",
        [most],
    ).fetchall():
        if by in keys.keys:
            keys.unwrap(bytes(wrapped), by, _bound_key(subject))
            opened += 1
        else:
            others += 1
    return opened, others


def destroy(conn: Connection, subject: UUID) -> bool:
    """Destroy the person's key, in the transaction of the caller; False when it was already.

    A person without a key gets a destroyed one, so that none is ever made.
    """
    destroyed = conn.execute(
        "insert into subject_key (subject_id, wrapped, wrapped_by, destroyed_at)"
        " values (%s, null, '', clock_timestamp()) on conflict (subject_id) do update"
        " set wrapped = null, destroyed_at = clock_timestamp()"
        " where subject_key.destroyed_at is null",
        [subject],
    )
    _cache.clear()
    return destroyed.rowcount == 1


def _bound_key(subject: UUID) -> bytes:
    return f"togheter/subject-key/1:{subject}".encode()
