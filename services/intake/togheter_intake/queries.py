"""What the interface and the page read from the views."""

from datetime import date
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from togheter_intake.birthdates import age_on
from togheter_intake.identifiers import Identifier
from togheter_intake.matching import Identity
from togheter_intake.messages import (
    Compared,
    Count,
    DoorAnswer,
    Identified,
    ImportAnswer,
    ImportState,
    ImportSummary,
    NeedAnswer,
    NeedsAnswer,
    PersonAnswer,
    SuspicionAnswer,
    SuspicionFilter,
)
from togheter_intake.recognition import find_by_identifier, find_people
from togheter_shared.contracts.intake import (
    Area,
    Birth,
    BirthPrecision,
    ContactChannel,
    DuplicateDecision,
    IdentifierKind,
    PersonName,
    ResidenceTitle,
    SafeContact,
    Sex,
)


def doors(conn: Connection, today: date) -> list[DoorAnswer]:
    """The doors with their accesses, by name."""
    rows = _rows(
        conn,
        "select d.door_id, d.name, d.address, d.languages, count(a.access_id) as accesses,"
        " count(a.access_id) filter (where a.on_day between %(first)s and %(today)s)"
        " as accesses_this_month from door d"
        " left join access a on a.door_id = d.door_id and a.in_error_on is null"
        " group by d.door_id order by d.name",
        {"first": today.replace(day=1), "today": today},
    )
    return [DoorAnswer(**{**row, "languages": tuple(row["languages"])}) for row in rows]


def door(conn: Connection, door_id: UUID, today: date) -> DoorAnswer:
    """A door that exists."""
    return next(found for found in doors(conn, today) if found.door_id == door_id)


def figures(conn: Connection) -> dict[str, int]:
    """How many people there are, and how many suspicions nobody has looked at."""
    (row,) = _rows(
        conn,
        "select (select count(*) from person) as persons,"
        " (select count(*) from suspicion where decision is null) as suspicions",
        {},
    )
    return row


def person(conn: Connection, person_id: UUID) -> PersonAnswer | None:
    rows = _rows(
        conn,
        "select p.*, c.case_id,"
        " (select count(*) from access a where a.person_id = p.person_id"
        "   and a.in_error_on is null) as accesses,"
        " (select count(*) from suspicion s where s.decision is null"
        "   and (s.person_id = p.person_id or s.other_id = p.person_id)) as suspicions"
        " from person p left join case_file c using (person_id) where p.person_id = %(id)s",
        {"id": person_id},
    )
    if not rows:
        return None
    row = rows[0]
    return PersonAnswer(
        person_id=person_id,
        registered_on=row["registered_on"],
        door_id=row["door_id"],
        name=_name(row),
        birth=_birth(row),
        birth_country=row["birth_country"],
        sex=Sex(row["sex"]),
        age=row["age"],
        citizenships=tuple(row["citizenships"]),
        languages=tuple(row["languages"]),
        phones=tuple(row["phones"]),
        safe_contact=SafeContact(
            channel=ContactChannel(row["safe_channel"]),
            hours=row["safe_hours"],
            voicemail=row["safe_voicemail"],
        ),
        title=None if row["title"] is None else ResidenceTitle(row["title"]),
        title_on=row["title_on"],
        title_expires=row["title_expires"],
        identifiers=_identifiers(conn, person_id),
        case_id=row["case_id"],
        needs=_needs(conn, person_id),
        accesses=row["accesses"],
        suspicions=row["suspicions"],
    )


def person_exists(conn: Connection, person_id: UUID) -> bool:
    found = conn.execute(
        "select 1 from person where person_id = %s", [person_id], prepare=True
    ).fetchone()
    return found is not None


def age_today(conn: Connection, person_id: UUID, today: date) -> int | None:
    """The age of somebody who exists, in whole years; None when the birth is not known."""
    (row,) = _rows(conn, "select * from person where person_id = %(id)s", {"id": person_id})
    return age_on(_birth(row), today)


def search(
    conn: Connection, identifier: Identifier | None, identity: Identity
) -> list[PersonAnswer]:
    """The one who has the identifier; or those who look like the identity, the best first."""
    if identifier is not None:
        known = find_by_identifier(conn, identifier)
        ids = [known.person_id] if known else []
    else:
        ids = find_people(conn, identity)
    return [found for id_ in ids if (found := person(conn, id_)) is not None]


def needs(conn: Connection, case_id: UUID, person_id: UUID) -> NeedsAnswer:
    """The needs of a case that exists."""
    return NeedsAnswer(case_id=case_id, needs=_needs(conn, person_id))


def suspicions(conn: Connection, wanted: SuspicionFilter) -> list[SuspicionAnswer]:
    """Pairs who may be one person, the most alike first."""
    rows = _rows(
        conn,
        "select person_id, other_id, score, reasons, suspected_at, decision from suspicion"
        " where %(state)s = 'all' or (decision is null) = (%(state)s = 'waiting')"
        " order by score desc, suspected_at, person_id, other_id limit %(limit)s",
        {"state": wanted.state.value, "limit": wanted.limit},
    )
    ids = [row[name] for row in rows for name in ("person_id", "other_id")]
    people = {
        row["person_id"]: _compared(row)
        for row in _rows(
            conn, "select * from person where person_id = any(%(ids)s)", {"ids": list(set(ids))}
        )
    }
    return [
        SuspicionAnswer(
            person=people[row["person_id"]],
            other=people[row["other_id"]],
            score=row["score"],
            reasons=tuple(row["reasons"]),
            suspected_at=row["suspected_at"],
            decision=None if row["decision"] is None else DuplicateDecision(row["decision"]),
        )
        for row in rows
    ]


def suspected_pair(conn: Connection, one: UUID, two: UUID) -> tuple[UUID, UUID] | None:
    """(the person whose stream holds the suspicion, the other), whichever is named first."""
    row = conn.execute(
        "select person_id, other_id from suspicion where least(person_id, other_id) ="
        " least(%(one)s::uuid, %(two)s::uuid) and greatest(person_id, other_id) ="
        " greatest(%(one)s::uuid, %(two)s::uuid)",
        {"one": one, "two": two},
    ).fetchone()
    return (row[0], row[1]) if row else None


_IMPORT = (
    "select job_id, state, dry_run, asked_at, lines_done, lines_total, summary, problem,"
    " case when refused is not null then expires_at end as refused_until from import_job"
)


def imports(conn: Connection) -> list[ImportAnswer]:
    """The hundred latest imports."""
    return [_import(row) for row in _rows(conn, _IMPORT + " order by asked_at desc limit 100", {})]


def import_(conn: Connection, job_id: UUID) -> ImportAnswer | None:
    rows = _rows(conn, _IMPORT + " where job_id = %(id)s", {"id": job_id})
    return _import(rows[0]) if rows else None


def take_refused(conn: Connection, job_id: UUID) -> bytes | None:
    """The file of refused rows; from now on it is kept for one more day."""
    row = conn.execute(
        "update import_job set expires_at = least(expires_at, clock_timestamp() + interval '1 day')"
        " where job_id = %s and refused is not null and expires_at > clock_timestamp()"
        " returning refused",
        [job_id],
    ).fetchone()
    return bytes(row[0]) if row else None


def _rows(conn: Connection, text: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text, values, prepare=True).fetchall()


def _name(row: dict[str, Any]) -> PersonName:
    return PersonName(given=row["given_name"], family=row["family_name"], native=row["native_name"])


def _birth(row: dict[str, Any]) -> Birth:
    return Birth(
        year=row["birth_year"],
        month=row["birth_month"],
        day=row["birth_day"],
        precision=BirthPrecision(row["birth_precision"]),
        source=row["birth_source"],
    )


def _identifiers(conn: Connection, person_id: UUID) -> tuple[Identified, ...]:
    rows = _rows(
        conn,
        "select kind, value from identifier where person_id = %(id)s order by kind, value",
        {"id": person_id},
    )
    return tuple(Identified(kind=IdentifierKind(row["kind"]), value=row["value"]) for row in rows)


def _needs(conn: Connection, person_id: UUID) -> tuple[NeedAnswer, ...]:
    rows = _rows(
        conn,
        "select need_id, area, first_on, last_on, stated from need"
        " where person_id = %(id)s and resolved_on is null"
        " order by first_on, area",
        {"id": person_id},
    )
    return tuple(NeedAnswer(**{**row, "area": Area(row["area"])}) for row in rows)


def _compared(row: dict[str, Any]) -> Compared:
    return Compared(
        person_id=row["person_id"],
        name=_name(row),
        birth=_birth(row),
        sex=Sex(row["sex"]),
        citizenships=tuple(row["citizenships"]),
        phones=tuple(row["phones"]),
        registered_on=row["registered_on"],
    )


def _import(row: dict[str, Any]) -> ImportAnswer:
    return ImportAnswer(
        import_id=row["job_id"],
        state=ImportState(row["state"]),
        dry_run=row["dry_run"],
        asked_at=row["asked_at"],
        lines_done=row["lines_done"],
        lines_total=row["lines_total"],
        summary=_summary(row["summary"]) if row["summary"] else None,
        problem=row["problem"],
        refused_until=row["refused_until"],
    )


def _summary(document: dict[str, Any]) -> ImportSummary:
    numbers = (
        "rows", "accepted", "already", "refused", "registered", "recognised", "anonymous",
        "suspected",
    )  # fmt: skip
    return ImportSummary(
        **{name: document[name] for name in numbers},
        refused_by_column=_counts(document["refused_by_column"]),
        warnings=_counts(document["warnings"]),
    )


def _counts(document: dict[str, int]) -> tuple[Count, ...]:
    return tuple(Count(name=name, count=count) for name, count in sorted(document.items()))
