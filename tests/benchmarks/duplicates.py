"""`duplicates`: one person found again among a million, beside whole-name `pg_trgm`."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from statistics import quantiles
from uuid import UUID

import psycopg
from tests.benchmarks.measure import Result, database, postgres, say
from tests.benchmarks.people import Somebody, corrupted, people

from togheter_intake.matching import Identity
from togheter_intake.people import PERSON, RegisterPerson
from togheter_intake.recognition import find_people
from togheter_intake.search_index import index_secret, record_hashes
from togheter_intake.service import SERVICE
from togheter_shared.contracts.intake import Birth, BirthPrecision, Contact, PersonName
from togheter_shared.log.store import Context, execute
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase

PEOPLE = int(os.environ.get("SIZE") or 1_000_000)
QUESTIONS = 300
FOUND = 10
A_MINUTE = 50
SEED = 2_019

Search = Callable[[psycopg.Connection, Somebody], Sequence[UUID]]


def run() -> Iterator[Result]:
    """Everybody is loaded as the service stores them; then the same questions to both sides."""
    with postgres() as server, database(server, "duplicates") as store:
        with psycopg.connect(store.owner_url, autocommit=True) as owner:
            migrate(owner, list(SERVICE.packages), store.name)
            load(owner)
            index_for_trigrams(owner)
        questions = asked()
        with psycopg.connect(store.url, autocommit=True) as conn:
            sides: dict[str, Search] = {"ours": ours, "pg_trgm": trigrams}
            times: dict[str, list[float]] = {name: [] for name in sides}
            hits: dict[str, list[bool]] = {name: [] for name in sides}
            for number, (wanted, somebody, _) in enumerate(questions):
                for name, search in sides.items():
                    if number < 20:  # both sides warm up on these first
                        search(conn, somebody)
                    began = time.perf_counter()
                    found = search(conn, somebody)
                    times[name].append((time.perf_counter() - began) * 1000)
                    hits[name].append(wanted in found)
            with registering(store) as registered:
                busy = [timed(conn, somebody) for _, somebody, _ in questions for _ in range(4)]
        say(f"  {registered[0]} people were registered while {len(busy)} questions were asked")
        for name, found in hits.items():
            missed = Counter(
                " and ".join(kinds)
                for (_, _, kinds), hit in zip(questions, found, strict=True)
                if not hit
            )
            say(f"  {name} missed {dict(missed)}")
    mine, peer = p95(times["ours"]), p95(times["pg_trgm"])
    yield _line("duplicates/p95-ratio", mine, peer, "ms", 0.1, mine / peer <= 0.1)
    yield _line("duplicates/p95", mine, peer, "ms", 25.0, mine <= 25)
    yield _line("duplicates/p50", p50(times["ours"]), p50(times["pg_trgm"]), "ms", None, None)
    recalled = {name: 100 * sum(found) / QUESTIONS for name, found in hits.items()}
    enough = recalled["ours"] >= 97 and recalled["ours"] >= recalled["pg_trgm"]
    yield _line("duplicates/recall", recalled["ours"], recalled["pg_trgm"], "%", 97.0, enough)
    yield _line("duplicates/p95-while-registering", p95(busy), peer, "ms", 25.0, p95(busy) <= 25)


def _line(
    name: str, mine: float, peer: float, unit: str, reach: float | None, met: bool | None
) -> Result:
    return Result(
        name=name,
        ours=mine,
        peer=peer,
        peer_name="pg_trgm over the whole name, GIN, the ten most similar",
        ratio=mine / peer,
        unit=unit,
        n=QUESTIONS,
        rounds=1,
        reach=reach,
        met=met,
        note=f"{PEOPLE:,} people",
    )


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def p50(values: list[float]) -> float:
    return quantiles(values, n=2)[0]


# --- both sides -----------------------------------------------------------------------------------


def ours(conn: psycopg.Connection, somebody: Somebody) -> Sequence[UUID]:
    """What the desk's search calls: keys, candidates, comparison one by one."""
    return find_people(conn, identity_of(somebody), FOUND)


def trigrams(conn: psycopg.Connection, somebody: Somebody) -> Sequence[UUID]:
    """Whole names by similarity; among equals, those of the same birth first."""
    name = f"{somebody.given} {somebody.family} {somebody.native}".strip()
    rows = conn.execute(
        "select person_id from peer where name %% lower(%(name)s)"
        " order by similarity(name, lower(%(name)s)) desc,"
        " (birth_year = %(year)s)::int + (birth_month = %(month)s)::int"
        " + (birth_day = %(day)s)::int desc limit %(limit)s",
        {
            "name": name,
            "year": somebody.year,
            "month": somebody.month,
            "day": somebody.day,
            "limit": FOUND,
        },
    ).fetchall()
    return [row[0] for row in rows]


def timed(conn: psycopg.Connection, somebody: Somebody) -> float:
    began = time.perf_counter()
    ours(conn, somebody)
    return (time.perf_counter() - began) * 1000


# --- what they search in --------------------------------------------------------------------------


def asked() -> list[tuple[UUID, Somebody, tuple[str, ...]]]:
    """Who is meant, how somebody else wrote them down, and what was done to them."""
    rng = random.Random(SEED + 1)
    chosen = set(rng.sample(range(PEOPLE), QUESTIONS))
    found = []
    for number, somebody in enumerate(people(PEOPLE, SEED)):
        if number in chosen:
            found.append((UUID(int=number + 1), *corrupted(rng, somebody)))
    return found


def load(conn: psycopg.Connection) -> None:
    """The tables that a search reads, as the views fill them, by COPY."""
    say(f"  {PEOPLE:,} people …")
    conn.execute("alter table person_key drop constraint person_key_pkey")
    conn.execute("alter table person_key drop constraint person_key_person_id_fkey")
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "copy person (person_id, registered_on, sex, citizenships, languages, given_name,"
            " family_name, native_name, birth_year, birth_month, birth_day, birth_precision,"
            " birth_source, phones) from stdin"
        ) as copy,
    ):
        for number, somebody in enumerate(people(PEOPLE, SEED)):
            birth = birth_of(somebody)
            copy.write_row(
                [
                    UUID(int=number + 1),
                    date(2022, 1, 10),
                    "unknown",
                    [],
                    [],
                    somebody.given,
                    somebody.family,
                    somebody.native,
                    birth.year,
                    birth.month,
                    birth.day,
                    birth.precision.value,
                    birth.source,
                    [somebody.phone] if somebody.phone else [],
                ]
            )
    say("  their keys …")
    secret = index_secret(conn)
    with (
        conn.cursor() as cursor,
        cursor.copy("copy person_key (key, person_id) from stdin with (format binary)") as copy,
    ):
        copy.set_types(["int8", "uuid"])
        for number, somebody in enumerate(people(PEOPLE, SEED)):
            person_id = UUID(int=number + 1)
            for key in record_hashes(identity_of(somebody), secret):
                copy.write_row((key, person_id))
    conn.execute("alter table person_key add primary key (key, person_id)")
    conn.execute("vacuum (analyze) person_key")
    conn.execute("vacuum (analyze) person")
    row = conn.execute(
        "select pg_total_relation_size('person_key') / 1048576, count(*) from person_key"
    ).fetchone()
    assert row is not None
    say(f"  index: {row[0]:,} MiB, {row[1] / PEOPLE:.1f} keys a person")


def index_for_trigrams(conn: psycopg.Connection) -> None:
    say("  the peer's index …")
    conn.execute("create extension if not exists pg_trgm")
    conn.execute(
        "create table peer as select person_id, lower(trim(given_name || ' ' || family_name || ' '"
        " || native_name)) as name, birth_year, birth_month, birth_day from person"
    )
    conn.execute("create index on peer using gin (name gin_trgm_ops)")
    conn.execute("vacuum (analyze) peer")
    conn.execute("grant select on peer to public")


def identity_of(somebody: Somebody) -> Identity:
    return Identity(
        given=somebody.given,
        family=somebody.family,
        native=somebody.native,
        birth=birth_of(somebody),
        phones=(somebody.phone,) if somebody.phone else (),
    )


def birth_of(somebody: Somebody) -> Birth:
    if not somebody.day:
        return Birth(year=somebody.year, precision=BirthPrecision.YEAR)
    return Birth(
        year=somebody.year,
        month=somebody.month,
        day=somebody.day,
        precision=BirthPrecision.DAY,
    )


@contextmanager
def registering(store: ServiceDatabase) -> Iterator[list[int]]:
    """Fifty people a minute are registered meanwhile, as the desk does it; yields how many."""
    done, stop = [0], threading.Event()

    def work() -> None:
        with psycopg.connect(store.url, autocommit=True) as conn:
            for somebody in people(10_000, SEED + 2):
                if stop.is_set():
                    return
                person_id = UUID(int=random.getrandbits(128))
                command = RegisterPerson(
                    person_id=person_id,
                    on=date(2022, 1, 10),
                    today=date(2022, 1, 10),
                    name=PersonName(given=somebody.given, family=somebody.family),
                    birth=birth_of(somebody),
                    contact=Contact(phones=(somebody.phone,) if somebody.phone else ()),
                )
                context = Context(actor="bench", correlation_id=person_id)
                execute(conn, SERVICE, PERSON, person_id, command, context)
                done[0] += 1
                stop.wait(60 / A_MINUTE)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield done
    finally:
        stop.set()
        worker.join()
