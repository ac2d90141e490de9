"""What courses forgets of somebody who was enrolled; the counts of places and attendance stay."""

from uuid import UUID

from psycopg import Connection

from togheter_shared.log.service import Purged


def erase(conn: Connection, subject: UUID) -> Purged:
    """Purge an enrolment (by its id), or those that a referral led to (by the referral's)."""
    rows = conn.execute(
        "update enrolment set given_name = '', family_name = '', native_name = '', phone = null,"
        " birth_year = null where %s in (enrolment_id, referral_id)"
        " returning enrolment_id, referral_id",
        [subject],
    ).fetchall()
    return Purged(subjects=tuple({one for row in rows for one in row if one is not None}))
