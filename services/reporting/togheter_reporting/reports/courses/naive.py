"""Courses, counted one by one."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from togheter_reporting.naive import Event, day, identifier, number, text

STANDINGS = {
    "courses.enrolment_requested": "requested",
    "courses.enrolment_waitlisted": "waitlisted",
    "courses.place_offered": "offered",
    "courses.enrolment_confirmed": "confirmed",
    "courses.enrolment_withdrawn": "withdrawn",
    "courses.enrolment_dropped": "dropped",
    "courses.enrolment_completed": "completed",
}
CAME = ("present", "late", "left_early")

Key = tuple[str, UUID]


class Enrolment:
    """What was told of one enrolment, the latest of each kind."""

    def __init__(self) -> None:
        self.told: dict[str, tuple[Any, dict[str, Any]]] = {}

    def note(self, kind: str, order: Any, data: dict[str, Any]) -> None:
        if kind not in self.told or order > self.told[kind][0]:
            self.told[kind] = (order, data)

    def data(self, kind: str) -> dict[str, Any]:
        return self.told[kind][1] if kind in self.told else {}

    @property
    def standing(self) -> str | None:
        steps = [(order, kind) for kind, (order, _) in self.told.items() if kind in STEPS]
        return max(steps)[1] if steps else None

    def level(self, field: str, test: str) -> str | None:
        stated = text(self.data("completed").get(field))
        return text(self.data(test).get("level")) if stated is None else stated


STEPS = frozenset(STANDINGS.values())


def count(events: Iterable[Event], definition: dict[str, Any]) -> list[tuple[Any, ...]]:
    opened: dict[Key, tuple[Any, tuple[str, str, str, int]]] = {}
    enrolments: dict[Key, dict[UUID, Enrolment]] = {}
    presences: dict[Key, dict[tuple[UUID, UUID], tuple[Any, bool]]] = {}
    for event in events:
        edition = identifier(event.data.get("edition_id"))
        if event.service != "courses" or event.type_version != 1 or edition is None:
            continue
        key, data = (event.organisation, edition), event.data
        order = (event.stream_version, event.event_id)
        if event.type == "courses.edition_opened":
            starts = day(data.get("starts_on"))
            row = (
                text(data.get("title")) or "",
                text(data.get("level")) or "",
                starts.isoformat() if starts else "",
                number(data.get("places")) or 0,
            )
            if key not in opened or order > opened[key][0]:
                opened[key] = (order, row)
        elif event.type in ("courses.lesson_held", "courses.attendance_corrected"):
            held = event.type == "courses.lesson_held"
            entries = data.get("attendance") if held else [data.get("entry")]
            lesson = identifier(data.get("lesson_id"))
            for entry in entries if isinstance(entries, list) and lesson else ():
                note_presence(presences.setdefault(key, {}), lesson, entry, order)
        elif (kind := kind_of(event)) is not None:
            enrolment = identifier(data.get("enrolment_id"))
            if enrolment is not None:
                those = enrolments.setdefault(key, {})
                those.setdefault(enrolment, Enrolment()).note(kind, order, data)
    known = opened.keys() | enrolments.keys()
    known |= {key for key, found in presences.items() if any(came for _, came in found.values())}
    levels = definition["levels"]
    rows = []
    for key in known:
        title, level, starts_on, places = opened[key][1] if key in opened else ("", "", "", 0)
        people = list(enrolments.get(key, {}).values())
        came = {who for (_, who), (_, came) in presences.get(key, {}).items() if came}
        rows.append(
            (
                key[0],
                str(key[1]),
                title,
                level,
                starts_on,
                places,
                sum("requested" in person.told for person in people),
                sum(person.standing == "waitlisted" for person in people),
                sum("confirmed" in person.told for person in people),
                sum("withdrawn" in person.told for person in people),
                sum("dropped" in person.told for person in people),
                len(came),
                sum("completed" in person.told for person in people),
                sum(is_certified(person) for person in people),
                sum(went_up(person, levels) for person in people),
            )
        )
    return rows


def kind_of(event: Event) -> str | None:
    match event.type:
        case "courses.entry_level_tested":
            return "entry"
        case "courses.final_test_recorded":
            return "final"
        case "courses.certificate_issued":
            return "certificate" if event.data.get("kind") == "level" else None
    return STANDINGS.get(event.type)


def note_presence(
    found: dict[tuple[UUID, UUID], tuple[Any, bool]], lesson: UUID | None, entry: Any, order: Any
) -> None:
    """The latest event on a person at a lesson holds; named twice in one, being there holds."""
    if not isinstance(entry, dict) or entry.get("presence") is None or lesson is None:
        return
    enrolment = identifier(entry.get("enrolment_id"))
    if enrolment is None:
        return
    word = (order, entry["presence"] in CAME)
    found[(lesson, enrolment)] = max(found.get((lesson, enrolment), word), word)


def is_certified(person: Enrolment) -> bool:
    return "certificate" in person.told or person.data("completed").get("certified") is True


def went_up(person: Enrolment, levels: list[str]) -> bool:
    entry, leaving = person.level("entry_level", "entry"), person.level("exit_level", "final")
    return (
        "completed" in person.told
        and entry in levels
        and leaving in levels
        and levels.index(leaving) > levels.index(entry)
    )
