"""Persons, counted one by one; who is the same as whom by walking from person to person."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from togheter_reporting.naive import Event, Links, day, identifier, number, text, texts


def count(events: Iterable[Event], definition: dict[str, Any]) -> list[tuple[Any, ...]]:
    registered: dict[tuple[str, UUID], tuple[Any, tuple[date, str, int | None, str]]] = {}
    corrected: dict[tuple[str, UUID], tuple[Any, tuple[str, int | None, str]]] = {}
    links = Links()
    for event in events:
        links.note(event)
        person, on = identifier(event.data.get("person_id")), day(event.data.get("on"))
        if person is None:
            continue
        order, key = (event.stream_version, event.event_id), (event.organisation, person)
        match event.type, event.type_version:
            case "intake.person_registered", 1:
                if on is not None and (key not in registered or order > registered[key][0]):
                    registered[key] = (order, (on, *facts_of(event)))
            case "intake.identity_corrected", 1:
                if key not in corrected or order > corrected[key][0]:
                    corrected[key] = (order, facts_of(event))
    for key in corrected.keys() & registered.keys():
        order, row = registered[key]
        registered[key] = (order, (row[0], *corrected[key][1]))
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


def facts_of(event: Event) -> tuple[str, int | None, str]:
    """Sex, age and citizenship as one event states them."""
    sex = text(event.data.get("sex"))
    return (
        "unknown" if sex is None else sex,
        number(event.data.get("age")),
        "+".join(texts(event.data.get("citizenships"))),
    )


def band_of(age: int | None, definition: dict[str, Any]) -> str:
    for band in definition["bands"]:
        least, most = band.get("from_age"), band.get("to_age")
        if age is not None and least is not None and age >= least and (most is None or age <= most):
            return str(band["code"])
    return "unknown"
