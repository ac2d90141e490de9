"""Restricted and personal fields at rest: sealed at append, opened when an event is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any, get_origin, get_type_hints
from uuid import UUID

from psycopg import Connection

from togheter_shared.contracts import strictjson
from togheter_shared.contracts.contract import Contract
from togheter_shared.contracts.fields import FieldClass
from togheter_shared.privacy import persons
from togheter_shared.privacy.organisation import NotOpened

PLAIN, SEALED = 0, 1
"""What `event_log.seal` says; plain is what was recorded before anything was sealed."""


@dataclass(frozen=True)
class Boxes:
    """The sealed columns of one event, and whose key they are sealed with."""

    subject: UUID | None
    restricted: bytes | None
    personal: bytes | None
    seal: int = SEALED


def seal(
    conn: Connection,
    stream_id: UUID,
    event_ids: Sequence[UUID],
    contracts: Sequence[Contract],
    parts: Sequence[dict[FieldClass, dict[str, Any]]],
) -> list[Boxes]:
    """The sealed columns of events: with the key of the person, or of the stream without one.

    Raises `persons.Erased` when the key was destroyed.
    """
    todo = []
    for contract, part in zip(contracts, parts, strict=True):
        named = part[FieldClass.OPEN].get(contract.subject or "")
        owner = UUID(named) if named else None
        restricted = part[FieldClass.RESTRICTED]
        personal = part[FieldClass.PERSONAL] | part[FieldClass.DISCLOSED]
        if restricted or personal:
            owner = owner or stream_id
        todo.append((owner, restricted, personal))
    sealing = {owner for owner, restricted, personal in todo if owner and (restricted or personal)}
    keys = persons.keys_for(conn, sealing) if sealing else {}
    made = []
    for event_id, contract, (owner, restricted, personal) in zip(
        event_ids, contracts, todo, strict=True
    ):
        columns: list[bytes | None] = []
        for kind, given in (("restricted", restricted), ("personal", personal)):
            if not given:
                columns.append(None)
                continue
            assert owner is not None
            place = persons.place_of(owner, event_id, contract.type, kind)
            columns.append(persons.box(keys[owner], place, strictjson.canonical(given)))
        made.append(Boxes(owner, columns[0], columns[1]))
    return made


def fields_of(row: Any) -> dict[str, Any]:
    """The restricted and personal fields of a row of `event_log` with its `subject_key`.

    None when the person was erased.

    Raises `organisation.NotOpened` for a box that was moved or changed.
    """
    found: dict[str, Any] = {}
    for kind, part in (("restricted", row.restricted), ("personal", row.personal)):
        if part is None:
            continue
        raw = bytes(part)
        if row.seal == SEALED:
            if row.destroyed_at is not None:
                continue
            if row.wrapped is None:
                raise NotOpened("the key of a person is missing; restore it from the backup")
            key = persons.opened(row.subject_id, bytes(row.wrapped), row.wrapped_by)
            place = persons.place_of(row.subject_id, row.event_id, row.type, kind)
            raw = persons.unbox(key, place, raw)
        found |= strictjson.loads(raw)
    return found


def instead(contract: Contract, data: dict[str, Any]) -> dict[str, Any]:
    """What stands for the sealed fields that an erased event lacks, and cannot do without."""
    hints = get_type_hints(contract.event)
    return {
        item.name: _placeholder(hints[item.name])
        for item in fields(contract.event)
        if item.name not in data
        and contract.classes[item.name] is not FieldClass.OPEN
        and item.default is MISSING
        and item.default_factory is MISSING
    }


def _placeholder(kind: Any) -> Any:
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return {
            item.name: _placeholder(hints[item.name])
            for item in fields(kind)
            if item.default is MISSING and item.default_factory is MISSING
        }
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    known = {str: "erased", int: 0, bool: False, date: "0001-01-01", UUID: str(UUID(int=0))}
    return known.get(kind, [] if get_origin(kind) is tuple else None)
