"""Readers of the inbox: reactions and views event by event, reports in set-based batches."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import namedtuple_row

from togheter_shared.decider import Rejected
from togheter_shared.log import crash
from togheter_shared.log.inbox import Open
from togheter_shared.log.service import Received, Service
from togheter_shared.log.store import Context, execute

BATCH = 500
WINDOW = 5_000


def follow(conn: Connection, service: Service, organisation: str, open_box: Open) -> int:
    """Handle what has arrived since the last time; returns how many events were passed.

    Each event's views and the position are written in one transaction; each reaction's command has
    a transaction of its own and a key derived from the event, so that a repeat is without effect.
    """
    if service.project is not None:
        return project(conn, service.project)
    return _react(conn, service, organisation, open_box)


def project(conn: Connection, step: Callable[[Connection, int, int], None]) -> int:
    """One window of positions through a set-based projection, with its position, in one go."""
    with conn.transaction():
        after = _position(conn, "project")
        row = conn.execute(
            # what a crash takes back is folded again: its position goes with it, so nobody waits
            "select count(*), max(position), set_config('synchronous_commit', 'off', true)"
            " from (select position from inbox where position > %s order by position limit %s)"
            " as next",
            [after, WINDOW],
            prepare=True,
        ).fetchone()
        assert row is not None
        if row[0]:
            crash.point("project.before")
            step(conn, after, row[1])
            crash.point("project.after")
            crash.point("checkpoint.before")
            _advance(conn, "project", row[1])
    if row[0]:
        crash.point("checkpoint.after")
    return int(row[0])


def _react(conn: Connection, service: Service, organisation: str, open_box: Open) -> int:
    after = _position(conn, "react")
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(
            "select position, origin, event_id, type, type_version, occurred_at, correlation_id,"
            " data, sealed, repeated, entry = '' as erased"
            " from inbox where position > %s order by position limit %s",
            [after, BATCH],
            prepare=True,
        ).fetchall()
    for row in rows:
        crash.point("project.before")
        received = received_event(row, service, organisation, open_box)
        if received is not None:
            _run_reactions(conn, service, received)
        with conn.transaction():
            if received is not None and type(received.event) in service.inbox_views:
                service.inbox_views[type(received.event)](conn, received)
            crash.point("project.after")
            crash.point("checkpoint.before")
            _advance(conn, "react", row.position)
        crash.point("checkpoint.after")
    return len(rows)


def received_event(row: Any, service: Service, own: str, open_box: Open) -> Received | None:
    """The event in a row of the inbox; None when this version of the service does not know it, or
    it came before, in an earlier epoch of its channel, or was erased."""
    if row.repeated or row.erased or service.reads.find(row.type, row.type_version) is None:
        return None
    data = dict(row.data)
    if row.sealed is not None:
        data |= open_box(row.event_id, row.type, bytes(row.sealed))
    organisation, name = row.origin.split(".")
    return Received(
        event=service.reads.load(row.type, row.type_version, data),
        event_id=row.event_id,
        organisation=organisation,
        service=name,
        own=organisation == own,
        position=row.position,
        occurred_at=row.occurred_at,
        correlation_id=row.correlation_id,
    )


def _run_reactions(conn: Connection, service: Service, received: Received) -> None:
    react = service.reactions.get(type(received.event))
    if react is None:
        return
    context = Context(
        actor=f"{received.organisation}.{received.service}",
        correlation_id=received.correlation_id,
        causation_id=received.event_id,
    )
    for ordinal, reaction in enumerate(react(received)):
        try:
            execute(
                conn,
                service,
                reaction.decider,
                reaction.stream_id,
                reaction.command,
                context,
                key=f"reaction:{received.event_id}:{ordinal}",
            )
        except Rejected as rejected:
            _note_refused(conn, received.event_id, ordinal, rejected.code)


def _note_refused(conn: Connection, event_id: UUID, ordinal: int, code: str) -> None:
    conn.execute(
        "insert into refused_reaction (event_id, ordinal, code) values (%s, %s, %s)"
        " on conflict (event_id, ordinal) do nothing",
        [event_id, ordinal, code],
    )


def _position(conn: Connection, name: str) -> int:
    row = conn.execute(
        "select position from follower where name = %s", [name], prepare=True
    ).fetchone()
    if row is None:
        conn.execute(
            "insert into follower (name) values (%s) on conflict (name) do nothing", [name]
        )
        return 0
    return int(row[0])


def _advance(conn: Connection, name: str, position: int) -> None:
    conn.execute(
        "update follower set position = %s where name = %s", [position, name], prepare=True
    )
