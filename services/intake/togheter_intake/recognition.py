"""Who is already known: by identifier, and nobody by less; who may be the same, for a person."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from togheter_intake.identifiers import Identifier
from togheter_intake.matching import (
    SIMILAR_NAME,
    Identity,
    Suspicion,
    compare,
    compare_births,
    likeness,
)
from togheter_intake.names import name_tokens, similarity
from togheter_intake.search_index import index_secret, most_like, record_hashes
from togheter_shared.contracts.intake import Birth, BirthPrecision, PersonName, Sex

MOST_SUSPICIONS = 20
"""Of one person at registration, the strongest: nobody looks through more."""
MOST_FOUND = 20
"""Of a search."""
WORTH_SHOWING = 60.0

_IDENTITY = (
    "p.person_id, p.given_name, p.family_name, p.native_name, p.birth_year, p.birth_month,"
    " p.birth_day, p.birth_precision, p.birth_source, p.birth_country, p.sex, p.phones"
)


@dataclass(frozen=True)
class Known:
    """A registered person, as far as people are compared."""

    person_id: UUID
    identity: Identity


@dataclass(frozen=True)
class Candidate:
    """Somebody who may be the same person."""

    person_id: UUID
    suspicion: Suspicion


def find_by_identifier(conn: Connection, identifier: Identifier) -> Known | None:
    """The one person who has it."""
    row = conn.execute(
        f"select {_IDENTITY} from identifier i join person p using (person_id)"  # noqa: S608
        " where i.kind = %s and i.value = %s",
        [identifier.kind.value, identifier.value],
        prepare=True,
    ).fetchone()
    return _known(row) if row else None


def find_candidates(conn: Connection, identity: Identity) -> list[Candidate]:
    """Registered people who may be this one, the most alike first."""
    return alike(identity, _people(conn, most_like(conn, identity)))


def find_people(conn: Connection, identity: Identity, limit: int = MOST_FOUND) -> list[UUID]:
    """Registered people who look like this identity, the most alike first.

    For somebody who searches: it judges nobody, and leaves out only what has nothing in common.
    """
    found = [
        (likeness(identity, known.identity), known.person_id)
        for known in _people(conn, most_like(conn, identity))
    ]
    found.sort(key=lambda one: (-one[0], one[1]))
    return [person_id for score, person_id in found[:limit] if score >= WORTH_SHOWING]


def reindex(conn: Connection) -> Iterator[tuple[int, int]]:
    """Make everybody's keys anew, in batches; yields (done, all) after each.

    For a version that makes other keys. Searches find everybody meanwhile, by the old keys.
    """
    (everybody,) = conn.execute("select count(*) from person").fetchone() or (0,)
    done, after, secret = 0, UUID(int=0), index_secret(conn)
    while rows := conn.execute(
        f"select {_IDENTITY} from person p where p.person_id > %s"  # noqa: S608
        " order by p.person_id limit 500",
        [after],
    ).fetchall():
        keys = [
            (key, row[0]) for row in rows for key in record_hashes(_known(row).identity, secret)
        ]
        ids = [row[0] for row in rows]
        with conn.transaction():
            conn.execute("delete from person_key where person_id = any(%s)", [ids])
            conn.execute(
                "insert into person_key (key, person_id)"
                " select * from unnest(%s::bigint[], %s::uuid[]) on conflict do nothing",
                [[key for key, _ in keys], [person_id for _, person_id in keys]],
            )
        after, done = ids[-1], done + len(rows)
        yield done, everybody


def _people(conn: Connection, ids: list[UUID]) -> list[Known]:
    rows = conn.execute(
        f"select {_IDENTITY} from person p where p.person_id = any(%s)",  # noqa: S608
        [ids],
        prepare=True,
    ).fetchall()
    return [_known(row) for row in rows]


def alike(identity: Identity, others: Iterable[Known]) -> list[Candidate]:
    """Those of `others` who may be this person, the most alike first."""
    found = [
        Candidate(other.person_id, suspicion)
        for other in others
        if (suspicion := compare(identity, other.identity)) is not None
    ]
    found.sort(key=lambda candidate: (-candidate.suspicion.score, candidate.person_id))
    return found[:MOST_SUSPICIONS]


def differences(known: Identity, name: PersonName | None, birth: Birth) -> list[str]:
    """What somebody recognised says otherwise than at registration, as codes of warnings."""
    found = []
    before = name_tokens(f"{known.given} {known.family}") or name_tokens(known.native)
    now = name_tokens(name.full) if name else ()
    if before and now and similarity(before, now) < SIMILAR_NAME:
        found.append("recognised_other_name")
    if now and not before:
        found.append("recognised_new_name")
    if compare_births(known.birth, birth) not in ("same", "compatible", "unknown"):
        found.append("recognised_other_birth")
    return found


def _known(row: tuple[Any, ...]) -> Known:
    return Known(
        row[0],
        Identity(
            given=row[1],
            family=row[2],
            native=row[3],
            birth=Birth(
                year=row[4],
                month=row[5],
                day=row[6],
                precision=BirthPrecision(row[7]),
                source=row[8],
            ),
            birth_country=row[9],
            sex=Sex(row[10]),
            phones=tuple(row[11]),
        ),
    )
