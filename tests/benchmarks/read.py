"""`read`: a whole log in its order into Python objects, beside both libraries."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing.domain import DomainEvent, datetime_now_with_tzinfo
from eventsourcing.persistence import DatetimeAsISO, DecimalAsStr, JSONTranscoder, UUIDAsHex
from tests.benchmarks import append, message_db
from tests.benchmarks.events import WRITES, NeedNoted, need
from tests.benchmarks.measure import Result, database, in_turns, postgres, result, say

from togheter_shared.log.store import Context
from togheter_shared.log.store import append as append_events
from togheter_shared.run.migrate import migrate

EVENTS = int(os.environ.get("SIZE") or 200_000)
WINDOW = 5_000
BATCH = 100


def run() -> Iterator[Result]:
    """Each reads its own store of as many events, in windows, and ends with as many objects."""
    with postgres() as server, ExitStack() as stack:
        mine = stack.enter_context(database(server, "store"))
        theirs = stack.enter_context(database(server, "events"))
        streams = stack.enter_context(database(server, "messages"))
        with psycopg.connect(mine.owner_url, autocommit=True) as conn:
            migrate(conn, ["togheter_shared.log"], mine.name)
        append.create_their_tables(theirs.owner_url)
        message_db.install(server, streams)
        say(f"{EVENTS:,} events each …")
        fill_ours(mine.url)
        recorder, mapper = fill_theirs(theirs.owner_url)
        message_db.batch_writer(streams.owner_url, BATCH, EVENTS)(float("inf"))
        sides = {
            "ours": ours(stack.enter_context(psycopg.connect(mine.url))),
            "eventsourcing": eventsourcing(recorder, mapper),
            "message-db": messages(stack.enter_context(psycopg.connect(streams.owner_url))),
        }
        rates = in_turns({name: _timed(read) for name, read in sides.items()}, 5)
    best = [max(one) for one in zip(rates["eventsourcing"], rates["message-db"], strict=True)]
    n = EVENTS * len(best)
    for name, peer, title, reach in (
        ("read", best, "the better of eventsourcing 9.5 and message-db", 2.5),
        ("read/eventsourcing", rates["eventsourcing"], "eventsourcing 9.5", None),
        ("read/message-db", rates["message-db"], "message-db, one category", None),
    ):
        yield result(name, rates["ours"], peer, peer_name=title, unit="events/s", n=n, reach=reach)


def _timed(read: Callable[[], int]) -> Callable[[], float]:
    def side() -> float:
        began = time.monotonic()
        if (count := read()) != EVENTS:
            raise RuntimeError(f"{count} of {EVENTS} events were read")
        return EVENTS / (time.monotonic() - began)

    return side


# --- ours -----------------------------------------------------------------------------------------


def fill_ours(url: str) -> None:
    me, door = Context(actor="bench", correlation_id=uuid4()), uuid4()
    with psycopg.connect(url, autocommit=True) as conn:
        for _ in range(EVENTS // BATCH):
            stream = uuid4()
            events = [need(stream, door, version) for version in range(BATCH)]
            append_events(conn, WRITES, "case", stream, 0, events, me)


def ours(conn: psycopg.Connection) -> Callable[[], int]:
    """The log's rows through the registry, as `store.load` takes them: each keeps its contract."""

    def read() -> int:
        count = last = 0
        while True:
            rows = conn.execute(
                "select position, type, type_version, open from event_log"
                " where position > %s order by position limit %s",
                [last, WINDOW],
                prepare=True,
            ).fetchall()
            if not rows:
                return count
            events = [WRITES.load(row[1], row[2], row[3]) for row in rows]
            assert type(events[0]) is NeedNoted
            count, last = count + len(events), rows[-1][0]

    return read


# --- theirs ---------------------------------------------------------------------------------------


def fill_theirs(url: str) -> tuple[Any, Any]:
    """Events of the library's own kind, through its own mapper and recorder."""
    factory = append.their_factory(url)
    recorder, mapper = factory.application_recorder(), factory.mapper(_transcoder())
    door = uuid4()
    for _ in range(EVENTS // BATCH):
        stream = uuid4()
        made = [_their_event(stream, version, door) for version in range(1, BATCH + 1)]
        recorder.insert_events([mapper.to_stored_event(event) for event in made])
    return recorder, mapper


def _transcoder() -> JSONTranscoder:
    transcoder = JSONTranscoder()
    for transcoding in (UUIDAsHex(), DecimalAsStr(), DatetimeAsISO()):
        transcoder.register(transcoding)
    return transcoder


class TheirNeedNoted(DomainEvent):
    """The same fields as `NeedNoted`; the case is the originator."""

    door_id: UUID
    area: str
    level: int
    urgent: bool
    language: str
    outcome: str
    text: str


def _their_event(stream: UUID, version: int, door: UUID) -> DomainEvent:
    one = need(stream, door, version)
    return TheirNeedNoted(
        originator_id=stream,
        originator_version=version,
        timestamp=datetime_now_with_tzinfo(),
        door_id=one.door_id,
        area=one.area,
        level=one.level,
        urgent=one.urgent,
        language=one.language,
        outcome=one.outcome,
        text=one.text,
    )


def eventsourcing(recorder: Any, mapper: Any) -> Callable[[], int]:
    def read() -> int:
        count = last = 0
        while found := recorder.select_notifications(last + 1, WINDOW):
            events = [mapper.to_domain_event(one) for one in found]
            count, last = count + len(events), found[-1].id
        return count

    return read


def messages(conn: psycopg.Connection) -> Callable[[], int]:
    """Its function for a category; our dataclass, unchecked, from the JSON that it gives."""

    def read() -> int:
        count, position = 0, 1
        while True:
            rows = conn.execute(
                "select global_position, data from get_category_messages(%s, %s, %s)",
                ["bench", position, WINDOW],
                prepare=True,
            ).fetchall()
            if not rows:
                return count
            events = [NeedNoted(**json.loads(row[1])) for row in rows]
            count, position = count + len(events), rows[-1][0] + 1

    return read
