"""Referrals, counted one by one."""

from collections.abc import Iterable
from datetime import date
from statistics import median
from typing import Any
from uuid import UUID

from togheter_reporting.naive import Event, day, identifier, text

ANSWERS = {
    "referrals.referral_accepted": "accepted",
    "referrals.referral_rejected": "rejected",
    "referrals.referral_started": "in_progress",
    "referrals.referral_completed": "completed",
    "referrals.referral_failed": "failed",
}


def count(events: Iterable[Event], definition: dict[str, Any]) -> list[tuple[Any, ...]]:
    requests: dict[tuple[str, UUID], tuple[Any, str, str, date, date]] = {}
    cancelled: set[tuple[str, UUID]] = set()
    answers: dict[tuple[str, str, UUID], list[tuple[str, date]]] = {}
    for event in events:
        referral = identifier(event.data.get("referral_id"))
        if event.type_version != 1 or referral is None:
            continue
        match event.type:
            case "referrals.referral_requested":
                order = (event.stream_version, event.event_id)
                recipient, area = text(event.data.get("recipient")), text(event.data.get("area"))
                asked = day(event.data.get("requested_on"))
                by = day(event.data.get("answer_by"))
                if recipient is None or area is None or asked is None or by is None:
                    continue
                key = (event.organisation, referral)
                if key not in requests or order > requests[key][0]:
                    requests[key] = (order, recipient, area, asked, by)
            case "referrals.referral_cancelled":
                cancelled.add((event.organisation, referral))
            case told if told in ANSWERS:
                sender, on = text(event.data.get("sender")), day(event.data.get("on"))
                if sender is not None and on is not None:
                    whose = (event.organisation, sender, referral)
                    answers.setdefault(whose, []).append((ANSWERS[told], on))
    rows: dict[tuple[str, str, str, str], list[tuple[int | None, bool]]] = {}
    for (sender, referral), (_, recipient, area, asked, by) in requests.items():
        heard = answers.get((recipient, sender, referral), [])
        first = min((on for _, on in heard), default=None)
        state = state_of({kind for kind, _ in heard}, (sender, referral) in cancelled)
        rows.setdefault((sender, recipient, area, state), []).append(
            (None, False) if first is None else ((first - asked).days, first <= by)
        )
    return [
        (
            *dimensions,
            len(found),
            len(days := [waited for waited, _ in found if waited is not None]),
            sum(in_time for _, in_time in found),
            float(median(days)) if days else None,
        )
        for dimensions, found in rows.items()
    ]


def state_of(told: set[str], cancelled: bool) -> str:
    for state in ("completed", "failed", "rejected"):
        if state in told:
            return state
    if cancelled:
        return "cancelled"
    return "in_progress" if "in_progress" in told else "accepted" if told else "requested"
