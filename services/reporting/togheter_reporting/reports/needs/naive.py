"""Needs, counted one by one."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from togheter_reporting.naive import Event, Links, identifier, text, texts


def count(events: Iterable[Event], definition: dict[str, Any]) -> list[tuple[Any, ...]]:
    links = Links()
    statements: dict[tuple[str, UUID], tuple[UUID, UUID, str]] = {}
    accesses: dict[tuple[str, UUID], tuple[Any, list[str], bool]] = {}
    void: set[tuple[str, UUID | None]] = set()
    for event in events:
        links.note(event)
        match event.type, event.type_version:
            case "intake.need_recorded", 1:
                need = identifier(event.data.get("need_id"))
                person = identifier(event.data.get("person_id"))
                area = text(event.data.get("area"))
                if need and person and area is not None:
                    key = (event.organisation, event.event_id)
                    statements.setdefault(key, (need, person, area))
            case "intake.access_recorded", 1:
                access = identifier(event.data.get("access_id"))
                order = (event.stream_version, event.event_id)
                if access is None:
                    continue
                key = (event.organisation, access)
                if key not in accesses or order > accesses[key][0]:
                    anonymous = event.data.get("person_id") is None
                    accesses[key] = (order, texts(event.data.get("topics")), anonymous)
            case "intake.access_entered_in_error", 1:
                void.add((event.organisation, identifier(event.data.get("access_id"))))
    persons: dict[tuple[str, str], set[UUID]] = {}
    needs: dict[tuple[str, str], set[UUID]] = {}
    stated: dict[tuple[str, str], int] = {}
    named: dict[tuple[str, str], int] = {}
    for (organisation, _), (need, person, area) in statements.items():
        place = (organisation, area)
        persons.setdefault(place, set()).add(links.component(organisation, person)[0][1])
        needs.setdefault(place, set()).add(need)
        stated[place] = stated.get(place, 0) + 1
    for key, (_, topics, anonymous) in accesses.items():
        for topic in topics if anonymous and key not in void else ():
            named[(key[0], topic)] = named.get((key[0], topic), 0) + 1
    return [
        (
            *place,
            len(persons.get(place, ())),
            len(needs.get(place, ())),
            stated.get(place, 0),
            named.get(place, 0),
        )
        for place in stated.keys() | named.keys()
    ]
