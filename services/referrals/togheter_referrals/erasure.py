"""What the referral desk forgets of a person whom it sent, or of a referral that it received."""

from uuid import UUID

from psycopg import Connection

from togheter_shared.log.service import Purged


def erase(conn: Connection, subject: UUID) -> Purged:
    """Purge a person whom this desk referred (by the person's id), or one referral (by its id).

    Who was referred is sealed with the person's key, what was disclosed with the referral's.
    """
    conn.execute(
        "update received_referral set given_name = '', family_name = '', native_name = '',"
        " birth_year = null, phone = null, explanation = '' where referral_id = %s",
        [subject],
    )
    sent = conn.execute(
        "select referral_id, recipient, person_id, disclosed_on is not null from sent_referral"
        " where %s in (person_id, referral_id)",
        [subject],
    ).fetchall()
    return Purged(
        subjects=tuple(row[0] for row in sent),
        told=tuple(sorted({row[1] for row in sent if row[3]})),
    )
