"""To forget a person: key destroyed, sealed columns nulled, views purged, in one transaction."""

from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection

from togheter_shared.log.service import Service
from togheter_shared.privacy import persons

_KNOWN = """
select exists (select from event_log where %(id)s in (subject_id, stream_id))
    or exists (select from inbox where stream_id = %(id)s)
    or exists (select from erasure where subject_id = %(id)s)
"""


class UnknownSubject(Exception):
    """Nothing here is about that id: a receipt for it would be a promise that nobody kept."""


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What was done. `told`: the organisations that were told who it is; they must erase too."""

    events: int
    boxes: int
    told: tuple[str, ...]


def erase_subject(conn: Connection, service: Service, subject: UUID, actor: str) -> Erasure:
    """Forget a person (or a referral's or an enrolment's) in this service, with a receipt.

    Asked again it purges again, and changes no receipt. What is recorded about them later is
    refused. Raises `UnknownSubject`, and changes nothing.
    """
    events = boxes = 0
    with conn.transaction():
        known = conn.execute(_KNOWN, {"id": subject}).fetchone()
        purged = service.erase(conn, subject) if service.erase else None
        if known != (True,) and not (purged and purged.subjects):
            raise UnknownSubject
        for one in sorted({subject, *(purged.subjects if purged else ())}):
            persons.destroy(conn, one)
            row = conn.execute("select events, boxes from erase_sealed(%s)", [one]).fetchone()
            assert row is not None
            conn.execute(
                "insert into erasure (subject_id, part_of, erased_by, events, boxes)"
                " values (%s, %s, %s, %s, %s) on conflict do nothing",
                [one, subject, actor, *row],
            )
            events, boxes = events + row[0], boxes + row[1]
    return Erasure(events=events, boxes=boxes, told=purged.told if purged else ())
