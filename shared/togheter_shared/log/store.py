"""The event store: load, fold, decide, append, own views and the receipt, in one transaction."""

import hashlib
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection, errors
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from togheter_shared.contracts import strictjson
from togheter_shared.contracts.contract import Registry, split
from togheter_shared.contracts.fields import FieldClass
from togheter_shared.decider import AnyDecider, Rejected
from togheter_shared.log import crash
from togheter_shared.log.service import Recorded, Service
from togheter_shared.privacy import at_rest
from togheter_shared.privacy.persons import Erased

ATTEMPTS = 8
"""How often a command that lost a race against another is decided anew."""

_cautious: ContextVar[bool] = ContextVar("cautious", default=False)
"""True while a lost race is tried again: then streams are locked before they are read."""


class Conflict(Exception):
    """Another command changed the stream meanwhile: decide again."""


class KeyReused(Exception):
    """The idempotency key came before with another request: use a new key for a new request."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """Who asks, and in which chain of causes."""

    actor: str
    correlation_id: UUID
    causation_id: UUID | None = None


def load(
    conn: Connection, registry: Registry, stream_id: UUID, kind: str | None = None
) -> tuple[list[Any], int]:
    """The events of a stream in order, and its version (0 when it does not exist).

    A stream of another kind than `kind` is refused: an id of one thing is not one of another.
    """
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(
            "select e.type, e.type_version, e.open, e.stream_version, e.stream_kind,"
            " e.event_id, e.subject_id, e.seal, e.restricted, e.personal,"
            " k.wrapped, k.wrapped_by, k.destroyed_at"
            " from event_log e left join subject_key k using (subject_id)"
            " where e.stream_id = %s order by e.stream_version",
            [stream_id],
            prepare=True,
        ).fetchall()
    if rows and kind not in (None, rows[0].stream_kind):
        raise Rejected("Questo identificativo è di un'altra cosa: controllalo.", "wrong_kind")
    events = []
    for row in rows:
        data = row.open | at_rest.fields_of(row)
        if row.destroyed_at is not None:
            contract = registry.find(row.type, row.type_version)
            assert contract is not None, f"{row.type} is in the log and has no contract"
            data |= at_rest.instead(contract, data)
        events.append(registry.load(row.type, row.type_version, data))
    return events, rows[-1].stream_version if rows else 0


_APPEND = """
with head as (
    insert into stream (stream_id, kind, version)
    values (%(stream_id)s, %(kind)s, %(version)s)
    on conflict (stream_id) do update set version = excluded.version
    where stream.version = %(expected)s
    returning version
), logged as (
    insert into event_log (event_id, stream_id, stream_kind, stream_version, type, type_version,
        actor, correlation_id, causation_id, subject_id, open, restricted, personal, seal)
    select e.event_id, %(stream_id)s, %(kind)s, %(expected)s + e.ordinal, e.type, e.type_version,
        %(actor)s, %(correlation_id)s, %(causation_id)s, e.subject_id, e.open, e.restricted,
        e.personal, e.seal
    from head, {events}
        as e (event_id, type, type_version, subject_id, open, restricted, personal, seal, ordinal)
    order by e.ordinal
    returning position, stream_version, recorded_at
), waiting as (
    insert into pending (position) select position from logged
)
select position, recorded_at from logged order by stream_version
"""
_ONE = _APPEND.format(
    events="""(values (%(event_id)s::uuid, %(type)s::text, %(type_version)s::smallint,
        %(subject_id)s::uuid, %(open)s::jsonb, %(restricted)s::bytea, %(personal)s::bytea,
        %(seal)s::smallint, 1))"""
)
_MANY = _APPEND.format(
    events="""rows from (unnest(%(event_id)s::uuid[]), unnest(%(type)s::text[]),
        unnest(%(type_version)s::smallint[]), unnest(%(subject_id)s::uuid[]),
        jsonb_array_elements(%(open)s::jsonb), unnest(%(restricted)s::bytea[]),
        unnest(%(personal)s::bytea[]), unnest(%(seal)s::smallint[])) with ordinality"""
)
# The open parts go as one JSON document: in an array of them every quotation mark is escaped again,
# which took half of a batch's time. Most commands decide one event, and arrays of one cost a third
# more of the processor.


def append(
    conn: Connection,
    registry: Registry,
    kind: str,
    stream_id: UUID,
    expected: int,
    events: Sequence[Any],
    context: Context,
) -> list[Recorded]:
    """Append `events` after version `expected` of the stream, or raise `Conflict`.

    One statement: the head's version is tested before a position is drawn, and the positions wait
    for the sequencer in `pending`.
    """
    contracts = [registry.of(event) for event in events]
    parts = [split(event, contract) for event, contract in zip(events, contracts, strict=True)]
    event_ids = [uuid4() for _ in events]
    try:
        boxes = at_rest.seal(conn, stream_id, event_ids, contracts, parts)
    except Erased:
        raise Rejected(
            "I dati di questa persona sono stati cancellati: registrala di nuovo.", "erased"
        ) from None
    columns: dict[str, Any] = {
        "event_id": event_ids,
        "type": [contract.type for contract in contracts],
        "type_version": [contract.version for contract in contracts],
        "subject_id": [box.subject for box in boxes],
        "open": [part[FieldClass.OPEN] for part in parts],
        "restricted": [box.restricted for box in boxes],
        "personal": [box.personal for box in boxes],
        "seal": [box.seal for box in boxes],
    }
    one = len(events) == 1
    values = {name: column[0] for name, column in columns.items()} if one else columns
    values["open"] = Jsonb(values["open"], dumps=strictjson.canonical)
    crash.point("append.before")
    rows = conn.execute(
        _ONE if one else _MANY,
        {
            "stream_id": stream_id,
            "kind": kind,
            "expected": expected,
            "version": expected + len(events),
            "actor": context.actor,
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
            **values,
        },
        prepare=True,
    ).fetchall()
    crash.point("append.after")
    if not rows:
        raise Conflict
    return [
        Recorded(
            event=event,
            event_id=event_id,
            stream_id=stream_id,
            stream_version=expected + ordinal,
            position=row[0],
            recorded_at=row[1],
        )
        for ordinal, (event, event_id, row) in enumerate(
            zip(events, event_ids, rows, strict=True), start=1
        )
    ]


def handle(
    conn: Connection,
    service: Service,
    decider: AnyDecider,
    stream_id: UUID,
    command: Any,
    context: Context,
) -> list[Recorded]:
    """Load, fold, decide, append and update own views, within the transaction of the caller.

    Raises `Rejected` when the rules refuse, `Conflict` when another command was faster.
    """
    if _cautious.get():
        conn.execute("select 1 from stream where stream_id = %s for update", [stream_id])
    events, version = load(conn, service.writes, stream_id, decider.kind)
    decided = decider.decide(decider.fold(events), command)
    if not decided:
        return []
    recorded = append(conn, service.writes, decider.kind, stream_id, version, decided, context)
    for entry in recorded:
        view = service.views.get(type(entry.event))
        if view is not None:
            view(conn, entry)
    return recorded


def transact(
    conn: Connection,
    service: Service,
    work: Callable[[], Any],
    *,
    key: str | None = None,
    request: Any = None,
) -> Any:
    """Run `work` (one or more `handle`) in one transaction, once for each idempotency key.

    Returns the JSON-able answer of `work`; asked again with the same `key` and `request`, the first
    answer, without a second effect. Raises `Rejected`, `KeyReused`; a lost race is tried again.
    """
    for attempt in range(ATTEMPTS):
        cautious = _cautious.set(attempt > 0)
        try:
            with conn.transaction():
                answer = work() if key is None else _once(conn, key, request, work)
                crash.point("commit.before")
            crash.point("commit.after")
            return answer
        except (Conflict, errors.DeadlockDetected, errors.SerializationFailure):
            if attempt == ATTEMPTS - 1:
                raise
        except errors.IntegrityError as error:
            refusal = service.refusals.get(error.diag.constraint_name or "")
            if refusal is None:
                raise
            raise Rejected(refusal.sentence, refusal.code, refusal.field) from None
        finally:
            _cautious.reset(cautious)
    raise AssertionError("unreachable")


def execute(
    conn: Connection,
    service: Service,
    decider: AnyDecider,
    stream_id: UUID,
    command: Any,
    context: Context,
    *,
    key: str | None = None,
) -> None:
    """Carry one command out in a transaction of its own. See `transact` for `key` and errors."""

    def work() -> None:
        handle(conn, service, decider, stream_id, command, context)

    transact(conn, service, work, key=key, request=[str(stream_id), repr(type(command))])


def _once(conn: Connection, key: str, request: Any, work: Callable[[], Any]) -> Any:
    request_hash = hashlib.sha256(strictjson.canonical(request)).digest()
    claimed = conn.execute(
        "insert into command_receipt (key, request_hash) values (%s, %s)"
        " on conflict (key) do nothing returning key",
        [key, request_hash],
        prepare=True,
    ).fetchone()
    if claimed is None:
        row = conn.execute(
            "select request_hash, answer from command_receipt where key = %s", [key]
        ).fetchone()
        assert row is not None, "a receipt is never deleted"
        if bytes(row[0]) != request_hash:
            raise KeyReused
        return row[1]
    answer = work()
    if answer is not None:
        conn.execute(
            "update command_receipt set answer = %s where key = %s",
            [Jsonb(answer), key],
            prepare=True,
        )
    return answer
