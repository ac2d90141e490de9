"""Accesses, counted one by one."""

from collections.abc import Iterable
from typing import Any

from togheter_reporting.naive import Event, day, identifier, text

KINDS = ("information", "orientation", "accompaniment", "request")


def count(events: Iterable[Event], definition: dict[str, Any]) -> list[tuple[Any, ...]]:
    doors: dict[Any, tuple[Any, str]] = {}
    accesses: dict[Any, tuple[Any, tuple[Any, str, str, bool]]] = {}
    void: set[Any] = set()
    for event in events:
        order = (event.stream_version, event.event_id)
        match event.type, event.type_version:
            case "intake.door_opened", 1:
                key = (event.organisation, identifier(event.data.get("door_id")))
                name = text(event.data.get("name"))
                if key[1] and name is not None and (key not in doors or order > doors[key][0]):
                    doors[key] = (order, name)
            case "intake.access_recorded", 1:
                key = (event.organisation, identifier(event.data.get("access_id")))
                door = identifier(event.data.get("door_id"))
                on = day(event.data.get("on"))
                kind = text(event.data.get("kind"))
                if key[1] and door and on and kind is not None:
                    anonymous = event.data.get("person_id") is None
                    row = (door, on.isoformat()[:7], kind, anonymous)
                    if key not in accesses or order > accesses[key][0]:
                        accesses[key] = (order, row)
            case "intake.access_entered_in_error", 1:
                void.add((event.organisation, identifier(event.data.get("access_id"))))
    rows: dict[Any, list[int]] = {}
    for key, (_, (door, month, kind, anonymous)) in accesses.items():
        if key in void:
            continue
        organisation = key[0]
        found = rows.setdefault((organisation, door, month), [0] * 7)
        found[0] += 1
        found[2 if anonymous else 1] += 1
        if kind in KINDS:
            found[3 + KINDS.index(kind)] += 1
    return [
        (organisation, str(door), doors.get((organisation, door), (0, ""))[1], month, *counts)
        for (organisation, door, month), counts in rows.items()
    ]
