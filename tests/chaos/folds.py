"""Every view counted a second time from the events alone, in the plainest Python that does it.

Each function gives (what the events say, what the view says) for one table, as sets of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.chaos.evidence import Event, Store

Rows = set[tuple[Any, ...]]
Pair = tuple[Rows, Rows]


def text(value: Any) -> Any:
    """Identifiers and days as the events write them; lists as tuples."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(text(item) for item in value)
    return str(value)


def rows(store: Store, table: str, columns: str) -> Rows:
    names = columns.split()
    return {tuple(text(getattr(row, name)) for name in names) for row in store.views[table]}


def of(events: Iterable[Event], type_: str) -> list[Event]:
    return [event for event in events if event.type == type_]


def said(event: Event, fields: str) -> tuple[Any, ...]:
    return tuple(text(event.data.get(name)) for name in fields.split())


# --- intake --------------------------------------------------------------------------------------


def doors(store: Store) -> Pair:
    fields = "door_id name address languages"
    return {said(e, fields) for e in of(store.events, "intake.door_opened")}, rows(
        store, "door", fields
    )


def accesses(store: Store) -> Pair:
    fields = "access_id door_id on kind topics languages minutes mediator sex citizenships"
    fields += " person_id operator note"
    return (
        {said(e, fields) for e in of(store.events, "intake.access_recorded")},
        rows(store, "access", fields.replace(" on ", " on_day ")),
    )


def persons(store: Store) -> Pair:
    fields = "person_id on door_id sex age citizenships languages"
    found = set()
    for event in of(store.events, "intake.person_registered"):
        name, birth = event.data["name"], event.data["birth"]
        found.add(
            (
                *said(event, fields),
                *(
                    name.get("given", ""),
                    name.get("family", ""),
                    birth.get("year"),
                    birth.get("precision"),
                ),
                *(event.data.get("birth_country"), text(event.data["contact"].get("phones"))),
            )
        )
    columns = fields.replace(" on ", " registered_on ")
    columns += " given_name family_name birth_year birth_precision birth_country phones"
    return found, rows(store, "person", columns)


def identifiers(store: Store) -> Pair:
    fields = "kind value person_id"
    return {said(e, fields) for e in of(store.events, "intake.identifier_added")}, rows(
        store, "identifier", fields
    )


def cases(store: Store) -> Pair:
    fields = "case_id person_id on door_id"
    return (
        {said(e, fields) for e in of(store.events, "intake.case_opened")},
        rows(store, "case_file", "case_id person_id opened_on door_id"),
    )


def needs(store: Store) -> Pair:
    found: dict[str, list[Any]] = {}
    for event in of(store.events, "intake.need_recorded"):
        need, case, person, area, day = said(event, "need_id case_id person_id area on")
        known = found.setdefault(need, [case, person, area, day, day, 0])
        known[3], known[4], known[5] = min(known[3], day), max(known[4], day), known[5] + 1
    return (
        {(need, *values) for need, values in found.items()},
        rows(store, "need", "need_id case_id person_id area first_on last_on stated"),
    )


# --- referrals -----------------------------------------------------------------------------------

_CLOSING = ("rejected", "completed", "failed")


def sent(store: Store) -> Pair:
    found: dict[str, dict[str, Any]] = {}
    for event in store.events:
        data, id_ = event.data, event.data.get("referral_id", "")
        match event.type:
            case "referrals.referral_requested":
                fields = "person_id recipient area language age_band urgency requested_on answer_by"
                given = dict(zip(fields.split(), said(event, fields), strict=True))
                found[id_] = given | {"position": event.position, "state": "requested"}
            case "referrals.referral_cancelled":
                found[id_] |= {"state": "cancelled", "closed_on": data["on"]}
                found[id_] |= {"reason": data.get("reason")}
            case "referrals.answer_received":
                told, day = data["told"], data["on"]
                found[id_] |= {
                    "state": told,
                    "reason": data.get("reason"),
                    "outcome": data.get("outcome"),
                }
                if told in ("accepted", "rejected"):
                    found[id_]["answered_on"] = day
                if told == "in_progress":
                    found[id_]["started_on"] = day
                if told in _CLOSING:
                    found[id_]["closed_on"] = day
            case "referrals.identity_disclosed":
                found[id_]["disclosed_on"] = data["on"]
    columns = "person_id recipient area language age_band urgency requested_on answer_by position"
    columns += " state answered_on disclosed_on started_on closed_on reason outcome"
    return (
        {(id_, *(one.get(name) for name in columns.split())) for id_, one in found.items()},
        rows(store, "sent_referral", f"referral_id {columns}"),
    )


def received(store: Store) -> Pair:
    found: dict[str, dict[str, Any]] = {}
    for event in store.events:
        data, id_ = event.data, event.data.get("referral_id", "")
        match event.type:
            case "referrals.referral_received":
                fields = "sender area language age_band urgency requested_on answer_by"
                given = dict(zip(fields.split(), said(event, fields), strict=True))
                found[id_] = given | {"position": event.position, "state": "requested"}
                found[id_] |= {"given_name": "", "family_name": "", "explanation": ""}
            case "referrals.cancellation_received":
                found[id_] |= {"state": "cancelled", "closed_on": data["on"]}
                found[id_] |= {"reason": data.get("reason")}
            case "referrals.referral_accepted":
                found[id_] |= {"state": "accepted", "answered_on": data["on"]}
            case "referrals.referral_rejected":
                found[id_] |= {"state": "rejected", "answered_on": data["on"]}
                found[id_] |= {"closed_on": data["on"], "reason": data.get("reason")}
                found[id_] |= {"explanation": data.get("explanation")}
            case "referrals.identity_received":
                name = data["identity"]["name"]
                found[id_] |= {
                    "given_name": name.get("given", ""),
                    "family_name": name.get("family", ""),
                }
                found[id_] |= {"disclosed_on": str(event.recorded_at.date())}
            case "referrals.referral_started":
                found[id_] |= {"state": "in_progress", "started_on": data["on"]}
            case "referrals.referral_completed":
                found[id_] |= {"state": "completed", "closed_on": data["on"]}
                found[id_] |= {"outcome": data.get("outcome")}
    columns = "sender area language age_band urgency requested_on answer_by position state"
    columns += " answered_on disclosed_on started_on closed_on reason outcome"
    columns += " given_name family_name explanation"
    return (
        {(id_, *(one.get(name) for name in columns.split())) for id_, one in found.items()},
        rows(store, "received_referral", f"referral_id {columns}"),
    )


# --- reporting: from the logs of those who told it ------------------------------------------------

Logs = dict[str, list[Event]]
"""By service, such as `ponte.intake`."""


def _told(logs: Logs, type_: str) -> list[tuple[str, Event]]:
    return [
        (name.partition(".")[0], event)
        for name, events in logs.items()
        for event in of(events, type_)
    ]


def report_doors(logs: Logs, store: Store) -> Pair:
    return (
        {(org, *said(e, "door_id name")) for org, e in _told(logs, "intake.door_opened")},
        rows(store, "report_accesses.door", "organisation door_id name"),
    )


def report_accesses(logs: Logs, store: Store) -> Pair:
    found = set()
    for org, event in _told(logs, "intake.access_recorded"):
        access, door, day, kind = said(event, "access_id door_id on kind")
        found.add((org, access, door, day[:7], kind, event.data.get("person_id") is None))
    return found, rows(
        store, "report_accesses.access", "organisation access_id door_id month kind anonymous"
    )


def report_topics(logs: Logs, store: Store) -> Pair:
    found = set()
    for org, event in _told(logs, "intake.access_recorded"):
        topics = tuple(sorted(set(event.data.get("topics", ()))))
        found.add((org, event.data["access_id"], topics, event.data.get("person_id") is None))
    return found, rows(store, "report_needs.access", "organisation access_id topics anonymous")


def report_persons(logs: Logs, store: Store) -> Pair:
    found = set()
    for org, event in _told(logs, "intake.person_registered"):
        citizenship = "+".join(sorted(set(event.data.get("citizenships", ()))))
        found.add((org, *said(event, "person_id on sex age"), citizenship))
    return found, rows(
        store,
        "report_persons.registered",
        "organisation person_id registered_on sex age citizenship",
    )


def report_needs(logs: Logs, store: Store) -> Pair:
    return (
        {
            (org, event.id, *said(event, "need_id person_id area"))
            for org, event in _told(logs, "intake.need_recorded")
        },
        rows(store, "report_needs.statement", "organisation event_id need_id person_id area"),
    )


def report_requests(logs: Logs, store: Store) -> Pair:
    fields = "referral_id recipient area requested_on answer_by"
    return (
        {(org, *said(e, fields)) for org, e in _told(logs, "referrals.referral_requested")},
        rows(store, "report_referrals.request", f"organisation {fields}"),
    )


def report_cancellations(logs: Logs, store: Store) -> Pair:
    return (
        {(org, *said(e, "referral_id")) for org, e in _told(logs, "referrals.referral_cancelled")},
        rows(store, "report_referrals.cancellation", "organisation referral_id"),
    )


def report_answers(logs: Logs, store: Store) -> Pair:
    found: dict[tuple[Any, ...], str] = {}
    for type_, kind in (
        ("referral_accepted", "accepted"),
        ("referral_rejected", "rejected"),
        ("referral_started", "in_progress"),
        ("referral_completed", "completed"),
        ("referral_failed", "failed"),
    ):
        for org, event in _told(logs, f"referrals.{type_}"):
            key = (org, *said(event, "sender referral_id"), kind)
            found[key] = min(event.data["on"], found.get(key, "9999"))
    return (
        {(*key, day) for key, day in found.items()},
        rows(store, "report_referrals.answer", "organisation sender referral_id kind answered_on"),
    )


OWN: dict[str, tuple[Callable[[Store], Pair], ...]] = {
    "intake": (doors, accesses, persons, identifiers, cases, needs),
    "referrals": (sent, received),
}
REPORTS: tuple[Callable[[Logs, Store], Pair], ...] = (
    *(report_doors, report_accesses, report_topics, report_persons, report_needs),
    *(report_requests, report_cancellations, report_answers),
)
