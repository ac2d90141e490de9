"""What the tables of intake forget of a person; the sealed events are the kernel's to erase."""

from uuid import UUID

from psycopg import Connection

from togheter_shared.log.service import Purged

_PURGE = (
    "update person set given_name = '', family_name = '', native_name = '', birth_year = null,"
    " birth_month = null, birth_day = null, birth_precision = 'unknown', birth_source = 'erased',"
    " birth_country = null, phones = '{}', safe_channel = 'none', safe_hours = '',"
    " safe_voicemail = false, title_expires = null where person_id = %(id)s",
    "delete from identifier where person_id = %(id)s",
    "delete from person_key where person_id = %(id)s",
    "delete from suspicion where person_id = %(id)s or other_id = %(id)s",
    "delete from vulnerability where person_id = %(id)s",
    "delete from consent where person_id = %(id)s",
    "update access set operator = '', note = '' where person_id = %(id)s",
    # nobody can say whose rows a file of refused ones holds
    "update import_job set refused = null, expires_at = null where refused is not null",
)


def erase(conn: Connection, person_id: UUID) -> Purged:
    """Purge a person. What stays counts somebody, and says nothing of who it was."""
    for statement in _PURGE:
        conn.execute(statement, {"id": person_id})
    return Purged()
