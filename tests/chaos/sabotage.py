"""What the checker must catch: each sabotage spoils one thing in a copy of one finished database.

A checker that has never cried is not known to have a voice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from tests.chaos.checker import Evidence, check

COPY = "togheter_sabotaged"


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """Statements for the database of one service, and the words that must then say so."""

    service: str
    statements: tuple[str, ...]
    words: tuple[str, ...]


_ACCESS = "(select position from event_log where type = 'intake.access_recorded' limit 1 offset 3)"
_CAUSED = (
    "(select position from event_log where causation_id is not null"
    " and type = 'referrals.referral_received' limit 1 offset 2)"
)
_TOLD = "origin = 'ponte.intake' and channel = 'reporting'"

SABOTAGES: dict[str, Sabotage] = {
    "an event is dropped from the log": Sabotage(
        service="ponte.intake",
        statements=(f"delete from event_log where position = {_ACCESS}",),
        words=("lost",),
    ),
    "an entry is dropped from an inbox": Sabotage(
        service="comune.reporting",
        statements=(f"delete from inbox where {_TOLD} and number = 5",),
        words=("lost", "order"),
    ),
    "two entries of an inbox are swapped": Sabotage(
        service="comune.reporting",
        statements=(
            f"update inbox set number = -5 where {_TOLD} and number = 5",
            f"update inbox set number = 5 where {_TOLD} and number = 6",
            f"update inbox set number = 6 where {_TOLD} and number = -5",
        ),
        words=("order",),
    ),
    "an entry of an inbox is doubled": Sabotage(
        service="comune.reporting",
        statements=(
            "alter table inbox disable trigger inbox_goes_on",
            "create table doubled as select * from inbox where " + _TOLD + " and number = 7",
            "update doubled set position = (select max(position) + 1 from inbox)",
            "insert into inbox overriding system value select * from doubled",
            "drop table doubled",
        ),
        words=("duplicate_effects",),
    ),
    "an effect happens twice": Sabotage(
        service="ponte.referrals",
        statements=(
            f"create table doubled as select * from event_log where position = {_CAUSED}",
            "update doubled set position = (select max(position) + 1 from event_log),"
            " event_id = gen_random_uuid(), stream_version = 1 + (select version from stream s"
            " where s.stream_id = doubled.stream_id)",
            "update stream set version = version + 1 where stream_id in"
            " (select stream_id from doubled)",
            "insert into event_log overriding system value select * from doubled",
            "drop table doubled",
        ),
        words=("duplicate_effects",),
    ),
    "an effect does not happen": Sabotage(
        service="ponte.referrals",
        statements=(
            "delete from command_receipt where key = (select 'reaction:' || causation_id || ':0'"
            f" from event_log where position = {_CAUSED})",
            f"delete from event_log where position = {_CAUSED}",
        ),
        words=("lost",),
    ),
    "a byte of the feed is flipped": Sabotage(
        service="ponte.intake",
        statements=(
            "update feed set entry = convert_to(replace(convert_from(entry, 'UTF8'),"
            " '\"time\":\"2', '\"time\":\"3'), 'UTF8') where channel = 'reporting'"
            " and number = 4",
        ),
        words=("heads",),
    ),
    "a history is written anew, hash and all": Sabotage(
        service="comune.reporting",
        statements=(
            "update inbox set entry = convert_to(replace(convert_from(entry, 'UTF8'),"
            " 'orientation', 'information'), 'UTF8') where " + _TOLD,
            f"update inbox set hash = sha256(entry) where {_TOLD}",
        ),
        words=("heads", "ghosts"),
    ),
    "the columns of an entry say another thing than its bytes": Sabotage(
        service="comune.reporting",
        statements=(
            "update inbox set data = data || '{\"minutes\": 777}' where type ="
            " 'intake.access_recorded' and number = (select min(number) from inbox where type ="
            " 'intake.access_recorded')",
        ),
        words=("ghosts",),
    ),
    "a signed head is somebody else's": Sabotage(
        service="comune.reporting",
        statements=(
            "update inbox_channel set signature = set_byte(signature, 9,"
            f" get_byte(signature, 9) # 1) where {_TOLD}",
        ),
        words=("heads",),
    ),
    "a view skips an event": Sabotage(
        service="ponte.intake",
        statements=(
            "delete from access where access_id = (select min(access_id::text)::uuid from access)",
        ),
        words=("views",),
    ),
    "a view counts an event twice": Sabotage(
        service="ponte.intake",
        statements=(
            "update need set stated = stated + 1 where need_id ="
            " (select min(need_id::text)::uuid from need)",
        ),
        words=("views",),
    ),
    "a report skips an event": Sabotage(
        service="comune.reporting",
        statements=(
            "delete from report_needs.statement where event_id ="
            " (select min(event_id::text)::uuid from report_needs.statement)",
        ),
        words=("views",),
    ),
    "an event that nobody asked for": Sabotage(
        service="ponte.intake",
        statements=(
            f"create table ghost as select * from event_log where position = {_ACCESS}",
            "update ghost set position = (select max(position) + 1 from event_log),"
            " event_id = gen_random_uuid(), stream_id = gen_random_uuid(),"
            " correlation_id = gen_random_uuid()",
            "insert into stream select stream_id, stream_kind, 1 from ghost",
            "insert into event_log overriding system value select * from ghost",
            "drop table ghost",
        ),
        words=("ghosts",),
    ),
    "two events of a stream change places": Sabotage(
        service="ponte.referrals",
        statements=(
            "create table two as select stream_id from event_log where stream_version = 2 limit 1",
            "update event_log set stream_version = -1 where stream_version = 1 and stream_id in"
            " (select stream_id from two)",
            "update event_log set stream_version = 1 where stream_version = 2 and stream_id in"
            " (select stream_id from two)",
            "update event_log set stream_version = 2 where stream_version = -1 and stream_id in"
            " (select stream_id from two)",
            "drop table two",
        ),
        words=("order",),
    ),
    "a name is told to who may not know it": Sabotage(
        service="comune.reporting",
        statements=(
            "insert into engine_state (role, state, detail) values ('x', 'ok', %(canary)s)",
        ),
        words=("leaks",),
    ),
    "a follower stops before the end": Sabotage(
        service="scuola.referrals",
        statements=("update follower set position = position - 1",),
        words=("lost",),
    ),
}


def caught(evidence: Evidence, names: Sequence[str], say: Callable[[str], None]) -> int:
    """Spoil a copy for each name, judge it, and say whether it was caught; returns how many."""
    count = 0
    for name in names:
        sabotage = SABOTAGES[name]
        words = _judged(evidence, sabotage)
        good = set(sabotage.words) <= words
        count += good
        told = ", ".join(sorted(words)) or "nothing"
        say(f"{'caught' if good else 'MISSED'}: {name} ({sabotage.service}): {told}")
    return count


def _judged(evidence: Evidence, sabotage: Sabotage) -> set[str]:
    """The words with which a run is blamed in which that database was spoilt."""
    url = evidence.databases[sabotage.service]
    spoilt = _copied(url)
    token = next(
        token
        for command in evidence.record["commands"]
        if command["origin"] == "ponte.intake" and command["outcome"] == "ok"
        for token in command["canaries"]
    )
    with psycopg.connect(spoilt, autocommit=True) as conn:
        for statement in sabotage.statements:
            done = conn.execute(statement, {"canary": token} if "%(" in statement else None)
            assert done.rowcount != 0 or "table" in statement, f"changes nothing: {statement}"
    other = replace(
        evidence,
        databases={**evidence.databases, sabotage.service: spoilt},
        stores=copy(evidence.stores),
        canaries=copy(evidence.canaries),
    )
    del other.stores[sabotage.service], other.canaries[sabotage.service]
    verdict = check(other)
    return {word for word, found in verdict.faults.items() if found}


def _copied(url: str) -> str:
    """The URL of a fresh copy of a database to which nobody is connected."""
    parts = urlsplit(url)
    admin = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(COPY))
        )
        conn.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(COPY), sql.Identifier(parts.path.removeprefix("/"))
            )
        )
    return urlunsplit(parts._replace(path=f"/{COPY}"))
