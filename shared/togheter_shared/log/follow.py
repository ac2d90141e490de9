"""Readers of the inbox: reactions and views event by event, reports in set-based batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from marshmallow import ValidationError
from psycopg import Connection
from psycopg.rows import namedtuple_row

from togheter_shared.contracts.contract import Registry
from togheter_shared.decider import Rejected
from togheter_shared.log import crash
from togheter_shared.log.inbox import Open
from togheter_shared.log.service import Received, Service
from togheter_shared.log.store import Context, execute

BATCH = 500
WINDOW = 5_000


class NotUnderstood(Exception):
    """An event that this version cannot read: it does not know the type, or (`known`) it does, and
    the event breaks its contract. The receiver stores what it does not know without looking."""

    def __init__(self, *, known: bool) -> None:
        super().__init__(known)
        self.known = known


def follow(conn: Connection, service: Service, organisation: str, open_box: Open) -> int:
    """Handle what has arrived since the last time; returns how many events were passed.

    Each event's views and the position are written in one transaction; each reaction's command has
    a transaction of its own and a key derived from the event, so that a repeat is without effect.
    What cannot be read is noted in `not_understood`, and stops nobody.
    """
    if service.project is not None:
        return project(conn, service.project, service.reads)
    after = _position(conn, "react")
    rows = _rows(conn, "position > %s order by position limit %s", [after, BATCH])
    for row in rows:
        crash.point("project.before")
        with _handled(conn, service, organisation, open_box, row):
            crash.point("project.after")
            crash.point("checkpoint.before")
            _advance(conn, "react", row.position)
        crash.point("checkpoint.after")
    return len(rows)


def follow_up(conn: Connection, service: Service, organisation: str, open_box: Open) -> int:
    """Handle what an earlier version could not read and this one can; returns how many events.

    Where a service projects, they are no longer counted: a report that reads them has another
    definition than before, and is rebuilt.
    """
    readable = "(type, type_version) in (select * from unnest(%s::text[], %s::smallint[]))"
    if service.project is not None:
        gone = f"delete from not_understood where {readable}"  # noqa: S608
        return conn.execute(gone.encode(), _known(service.reads)).rowcount
    handled = after = 0
    wanted = (
        f"position in (select position from not_understood where position > %s and {readable}"  # noqa: S608
        " order by position limit %s) order by position"
    )
    while rows := _rows(conn, wanted, [after, *_known(service.reads), BATCH]):
        for row in rows:
            with _handled(conn, service, organisation, open_box, row) as understood:
                if understood:
                    conn.execute("delete from not_understood where position = %s", [row.position])
                    handled += 1
        after = rows[-1].position
    return handled


def project(
    conn: Connection,
    step: Callable[[Connection, int, int], None],
    reads: Registry | None = None,
) -> int:
    """One window of positions through a set-based projection, with its position, in one go.

    What is of a type that `reads` does not know is noted.
    """
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
            if reads is not None:
                conn.execute(_NOTE_UNKNOWN, [after, row[1], *_known(reads)], prepare=True)
            crash.point("checkpoint.before")
            _advance(conn, "project", row[1])
    if row[0]:
        crash.point("checkpoint.after")
    return int(row[0])


_NOTE_UNKNOWN = """
insert into not_understood (position, type, type_version, known)
select position, type, type_version, false from inbox
where position > %s and position <= %s and not repeated
    and (type, type_version) not in (select * from unnest(%s::text[], %s::smallint[]))
on conflict do nothing
"""


def _known(reads: Registry) -> list[list[Any]]:
    """The types that a program can read, and their versions."""
    pairs = [(contract.type, contract.version) for contract in reads.contracts]
    return [list(column) for column in zip(*pairs, strict=True)] or [[], []]


def _rows(conn: Connection, which: str, parameters: list[Any]) -> list[Any]:
    query = (
        "select position, origin, channel, event_id, type, type_version, occurred_at,"  # noqa: S608
        f" correlation_id, data, sealed, repeated, entry = '' as erased from inbox where {which}"
    )
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(query.encode(), parameters, prepare=True).fetchall()


@contextmanager
def _handled(
    conn: Connection, service: Service, organisation: str, open_box: Open, row: Any
) -> Iterator[bool]:
    """React to the event in a row, then view it, in one transaction with what the caller writes;
    yields whether it could be read."""
    received, fault = None, None
    try:
        received = received_event(row, service, organisation, open_box)
    except NotUnderstood as error:
        fault = error
    if received is not None:
        _run_reactions(conn, service, received)
    with conn.transaction():
        if received is not None and type(received.event) in service.inbox_views:
            service.inbox_views[type(received.event)](conn, received)
        if fault is not None:
            conn.execute(
                "insert into not_understood (position, type, type_version, known)"
                " values (%s, %s, %s, %s)"
                " on conflict (position) do update set known = excluded.known",
                [row.position, row.type, row.type_version, fault.known],
            )
        yield fault is None


def received_event(row: Any, service: Service, own: str, open_box: Open) -> Received | None:
    """The event in a row of the inbox; None when it came before, in an earlier epoch of its
    channel, or was erased. Raises `NotUnderstood`."""
    if row.repeated or row.erased:
        return None
    contract = service.reads.find(row.type, row.type_version)
    if contract is None:
        raise NotUnderstood(known=False)
    data = dict(row.data)
    organisation, name = row.origin.split(".")
    try:
        if row.sealed is not None:
            data |= open_box(row.event_id, row.type, bytes(row.sealed))
        event = service.reads.load(row.type, row.type_version, data)
    except (ValidationError, ValueError):
        raise NotUnderstood(known=True) from None
    if row.channel not in contract.channels(row.data, organisation):
        raise NotUnderstood(known=True)
    return Received(
        event=event,
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
