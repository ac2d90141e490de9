"""The index in which people are found again: keyed hashes of what they share, never a name.

A record has some dozens of keys (`matching.blocking_keys`); who shares keys with a question is a
candidate, the better the rarer what they share. Only the best are looked at one by one. Who has the
index and not the organisation's key can try no name on it.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from psycopg import Connection

from togheter_intake.matching import Identity, blocking_keys, search_keys
from togheter_shared.privacy import persons

MOST_CANDIDATES = 120
"""How many of those who share keys are compared."""
MOST_CARRIERS = 5_000
"""How many people of one key are looked at: more say too little about each."""
_POPULATION = 1_000_000
"""A key of n people weighs ln(1 + this / n)."""


SECRET = UUID(int=1)
"""Whose row in `subject_key` the index is hashed with: nobody's."""


def index_secret(conn: Connection) -> bytes:
    """The secret of this database's index."""
    return persons.secret(conn, SECRET)


def record_hashes(identity: Identity, secret: bytes) -> list[int]:
    """The keys of a record as 64-bit numbers; a collision costs one comparison."""
    return _hashes(blocking_keys(identity), secret)


def question_hashes(identity: Identity, secret: bytes) -> list[int]:
    """The keys to look for, likewise."""
    return _hashes(search_keys(identity), secret)


def most_like(conn: Connection, identity: Identity) -> list[UUID]:
    """The registered people who share the rarest keys with this identity, the best first."""
    rows = conn.execute(
        "select found.person_id from"
        " (select k.person_id, ln(1 + %(population)s / count(*) over (partition by wanted.key))"
        "  as weight"
        "  from unnest(%(keys)s::bigint[]) as wanted (key) cross join lateral"
        "  (select person_id from person_key where person_key.key = wanted.key"
        "   limit %(carriers)s) as k) as found"
        " group by found.person_id order by sum(found.weight) desc, found.person_id"
        " limit %(most)s",
        {
            "keys": question_hashes(identity, index_secret(conn)),
            "population": float(_POPULATION),
            "carriers": MOST_CARRIERS,
            "most": MOST_CANDIDATES,
        },
        prepare=True,
    ).fetchall()
    return [row[0] for row in rows]


def _hashes(keys: Iterable[str], secret: bytes) -> list[int]:
    digests = (hashlib.blake2b(one.encode(), digest_size=8, key=secret).digest() for one in keys)
    return sorted(int.from_bytes(digest, "big", signed=True) for digest in digests)
