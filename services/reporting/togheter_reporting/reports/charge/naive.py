"""Persons taken in charge, counted one by one, with the rules that the definition has."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from togheter_reporting.naive import Event, Links, day, identifier, number, text, texts

Person = tuple[str, UUID]


def count(events: Iterable[Event], definition: dict[str, Any]) -> list[tuple[Any, ...]]:
    said: dict[str, dict[Person, list[tuple[Any, Event]]]] = {}
    links = Links()
    for event in events:
        links.note(event)
        person = identifier(event.data.get("person_id"))
        if person is not None and event.type_version == 1:
            order = (event.stream_version, event.event_id)
            whose = said.setdefault(event.type, {}).setdefault((event.organisation, person), [])
            whose.append((order, event))
    registered: dict[Person, tuple[date, Event]] = {}
    for key, told in said.get("intake.person_registered", {}).items():
        dated = [(order, event, on) for order, event in told if (on := day(event.data.get("on")))]
        if dated:
            _, facts, on = max(dated, key=lambda found: found[0])
            if corrections := said.get("intake.identity_corrected", {}).get(key):
                _, facts = max(corrections, key=lambda found: found[0])
            registered[key] = (on, facts)
    figures: Counter[tuple[str, ...]] = Counter()
    for members in {tuple(links.component(*key)) for key in registered}:
        known = sorted(
            (registered[key][0], key[1], registered[key][1]) for key in members if key in registered
        )
        opened = [
            on
            for _, person, _ in known
            for _, event in said.get("intake.case_opened", {}).get((members[0][0], person), [])
            if (on := day(event.data.get("on"))) is not None
        ]
        stated = [event.data for _, _, event in known]
        citizenship = next(
            (found for data in stated if (found := "+".join(texts(data.get("citizenships"))))), ""
        )
        if not opened or not eligible(min(opened), citizenship, definition):
            continue
        sexes = (text(data.get("sex")) for data in stated)
        sex = next((found for found in sexes if found not in (None, "unknown")), "unknown")
        ages = (number(data.get("age")) for data in stated)
        age = next((found for found in ages if found is not None), None)
        titles = [
            (-title[0].toordinal(), person, title[1])
            for _, person, _ in known
            if (title := title_of(said, (members[0][0], person))) is not None
        ]
        last = min(titles)[2] if titles else "unknown"
        figures[(members[0][0], str(sex), band_of(age, definition), citizenship, last)] += 1
    return [(*dimensions, persons) for dimensions, persons in figures.items()]


def eligible(opened: date, citizenship: str, definition: dict[str, Any]) -> bool:
    first = day(definition.get("valid_from")) or date.min
    last = day(definition.get("valid_until")) or date.max
    excluded = set(definition.get("excluded_citizenships", ()))
    return first <= opened <= last and not excluded & set(citizenship.split("+"))


def title_of(said: Any, key: Person) -> tuple[date, str] | None:
    """The title that this registration stated last, and on which day."""
    found = [
        (on, order, title)
        for order, event in said.get("intake.residence_title_recorded", {}).get(key, [])
        if (on := day(event.data.get("on")))
        and (title := text(event.data.get("title"))) is not None
    ]
    if not found:
        return None
    on, _, title = max(found)
    return on, title


def band_of(age: int | None, definition: dict[str, Any]) -> str:
    for band in definition["bands"]:
        least, most = band.get("from_age"), band.get("to_age")
        if age is not None and least is not None and age >= least and (most is None or age <= most):
            return str(band["code"])
    return "unknown"
