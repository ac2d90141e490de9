"""Persons, counted one by one; who is the same as whom by walking from person to person."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from togheter_reporting.naive import Event, Links, day, identifier, number, text, texts


def count(events: Iterable[Event], definition: dict[str, Any]) -> list[tuple[Any, ...]]:
    registered: dict[tuple[str, UUID], tuple[Any, tuple[date, str, int | None, str]]] = {}
    links = Links()
    for event in events:
        links.note(event)
        if (event.type, event.type_version) != ("intake.person_registered", 1):
            continue
        person, on = identifier(event.data.get("person_id")), day(event.data.get("on"))
        if person is None or on is None:
            continue
        order = (event.stream_version, event.event_id)
        sex = text(event.data.get("sex"))
        row = (
            on,
            "unknown" if sex is None else sex,
            number(event.data.get("age")),
            "+".join(texts(event.data.get("citizenships"))),
        )
        key = (event.organisation, person)
        if key not in registered or order > registered[key][0]:
            registered[key] = (order, row)
    figures: Counter[tuple[str, str, str, str]] = Counter()
    seen: set[tuple[str, UUID]] = set()
    for key in registered:
        if key in seen:
            continue
        same = [other for other in links.component(*key) if other in registered]
        seen.update(same)
        same.sort(key=lambda other: (registered[other][1][0], other[1]))
        rows = [registered[other][1] for other in same]
        sex = next((row[1] for row in rows if row[1] != "unknown"), "unknown")
        age = next((row[2] for row in rows if row[2] is not None), None)
        citizenship = next((row[3] for row in rows if row[3] != ""), "")
        figures[(key[0], sex, band_of(age, definition), citizenship)] += 1
    return [(*dimensions, persons) for dimensions, persons in figures.items()]


def band_of(age: int | None, definition: dict[str, Any]) -> str:
    for band in definition["bands"]:
        least, most = band.get("from_age"), band.get("to_age")
        if age is not None and least is not None and age >= least and (most is None or age <= most):
            return str(band["code"])
    return "unknown"
