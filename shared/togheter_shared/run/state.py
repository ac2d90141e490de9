"""How a service is, read from its own database: for its health page, its doctor and its metrics."""

from typing import Any

from psycopg import Connection

STALE_SECONDS = 15


def health(conn: Connection) -> dict[str, str]:
    """One word for each part: `ok`, `waiting` (it passes), `failing`, or `silent` (not running)."""
    rows = conn.execute(
        "select role, case when beat_at < clock_timestamp() - make_interval(secs => %s)"
        " then 'silent' else state end from engine_state",
        [STALE_SECONDS],
        prepare=True,
    ).fetchall()
    states = {row[0]: row[1] for row in rows}
    result = {"database": "ok"}
    for role in ("sequencer", "relay", "receiver"):
        result[role] = states.get(role, "silent")
    result |= {role: states[role] for role in ("follower", "background") if role in states}
    return result


def state(conn: Connection) -> dict[str, Any]:
    """The state in figures: lags in entries, what is in quarantine, and how each role is."""
    row = conn.execute(
        "select (select count(*) from pending),"
        " (select coalesce(sum(head_number - published_number), 0)::bigint from feed_channel),"
        " (select coalesce(max(position), 0) from inbox)"
        "   - (select coalesce(min(position), 0) from follower),"
        " (select count(*) from quarantine where resolved_at is null),"
        " (select count(*) from inbox_channel where state <> 'flowing'),"
        " (select count(*) from refused_reaction),"
        " (select count(*) from feed_dispute where resolved_at is null),"
        " (select coalesce(sum(orphaned), 0)::bigint from inbox_epoch),"
        " (select count(*) from not_understood where not known),"
        " (select count(*) from not_understood where known)"
    ).fetchone()
    assert row is not None
    roles = health(conn)
    return {
        "healthy": all(word == "ok" for word in roles.values())
        and row[3] == row[4] == row[6] == row[9] == 0,
        "roles": roles,
        "not_numbered": row[0],
        "not_published": row[1],
        "not_followed": row[2],
        "in_quarantine": row[3],
        "channels_halted": row[4],
        "reactions_refused": row[5],
        "channels_disputed": row[6],
        "orphaned_entries": row[7],
        "of_unknown_types": row[8],
        "against_contract": row[9],
    }
