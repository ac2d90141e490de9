"""The technical half of the register of processing (article 30), made from the contracts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from togheter_shared.contracts.contract import Audience, Contract
from togheter_shared.contracts.fields import FieldClass

PURPOSES = {
    "intake": "receive, inform and orient people at the Porte Sociali, and take them in charge",
    "referrals": "ask another organisation to take up a person's need, and hear what came of it",
    "courses": "teach Italian and other skills: places, attendance, tests, certificates",
}
"""What each service processes data for."""

RECIPIENTS = {
    Audience.DIRECTORY: "every organisation of the network",
    Audience.REPORTING: "the city's reporting",
    Audience.RECIPIENT: "the organisation that the event names",
    Audience.OWN: "the other services of the same organisation",
}
_SEALED = (FieldClass.PERSONAL, FieldClass.DISCLOSED, FieldClass.RESTRICTED)


def register(contracts: Iterable[Contract]) -> list[dict[str, Any]]:
    """For each kind of event with data about people: what is held, how, and who is told what."""
    found = []
    for contract in sorted(contracts, key=lambda one: (one.type, one.version)):
        held = {
            kind.value: sorted(name for name, of in contract.classes.items() if of is kind)
            for kind in FieldClass
        }
        if contract.subject is None and not any(held[kind.value] for kind in _SEALED):
            continue
        service = contract.type.partition(".")[0]
        found.append(
            {
                "event": f"{contract.type}.v{contract.version}",
                "what": " ".join((contract.event.__doc__ or "").split()),
                "service": service,
                "purpose": PURPOSES[service],
                "about": contract.subject or "nobody by an identifier of its own",
                "fields": {kind: names for kind, names in held.items() if names},
                "told_in_the_open": [RECIPIENTS[one] for one in contract.audience],
                "told_sealed": sorted({RECIPIENTS[one] for one in _opened_by(contract)}),
            }
        )
    return found


def _opened_by(contract: Contract) -> Iterable[Audience]:
    """Who can open what travels sealed."""
    yield from contract.restricted_to
    if FieldClass.DISCLOSED in contract.classes.values():
        yield from {Audience.RECIPIENT, Audience.OWN}.intersection(contract.audience)


def markdown(entries: list[dict[str, Any]]) -> str:
    """The register as a page for people."""
    lines = [
        "# Register of processing: what the services hold and tell",
        "",
        "Made from the contracts of the events; change those and run",
        "`python deploy/contracts.py`. It is the technical half: controller, legal basis and terms",
        "of retention are each organisation's to add. Personal and restricted fields are sealed",
        "in the log with a key for each person; what is told sealed opens for its recipient alone.",
    ]
    for service, purpose in PURPOSES.items():
        lines += [
            "",
            f"## {service}: {purpose}",
            "",
            "| event | held | told in the open | sealed |",
        ]
        lines.append("|---|---|---|---|")
        for entry in entries:
            if entry["service"] == service:
                held = "; ".join(f"{k}: {', '.join(n)}" for k, n in entry["fields"].items())
                told = ", ".join(entry["told_in_the_open"]) or "nobody"
                sealed = ", ".join(entry["told_sealed"]) or "nobody"
                lines.append(f"| {entry['event']} | {held} | {told} | {sealed} |")
    return "\n".join(lines) + "\n"
