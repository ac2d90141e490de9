"""The register of processing says all that is held about people, and who can read what of it."""

from togheter_shared.contracts.all import EVERY
from togheter_shared.contracts.fields import FieldClass
from togheter_shared.contracts.register import PURPOSES, RECIPIENTS, markdown, register

ENTRIES = {entry["event"]: entry for entry in register(EVERY.contracts)}


def test_every_event_with_a_person_or_a_sealed_field_is_in_it_with_all_its_fields() -> None:
    for contract in EVERY.contracts:
        sealed = {n for n, kind in contract.classes.items() if kind is not FieldClass.OPEN}
        entry = ENTRIES.get(f"{contract.type}.v{contract.version}")
        if contract.subject or sealed:
            assert entry is not None, contract.type
            assert {n for names in entry["fields"].values() for n in names} == set(contract.classes)


def test_it_says_who_can_open_what_travels_sealed() -> None:
    disclosed = ENTRIES["referrals.identity_disclosed.v1"]
    assert disclosed["told_sealed"] == ["the organisation that the event names"]
    flagged = ENTRIES["intake.vulnerability_flagged.v1"]
    assert flagged["told_sealed"] == ["the city's reporting"]
    assert ENTRIES["intake.person_registered.v1"]["told_sealed"] == []
    assert ENTRIES["intake.identifier_added.v1"]["told_in_the_open"] == []


def test_every_service_has_a_purpose_and_every_audience_a_name() -> None:
    assert {entry["service"] for entry in ENTRIES.values()} <= set(PURPOSES)
    assert all(RECIPIENTS.values())


def test_the_page_names_every_entry_once() -> None:
    page = markdown(list(ENTRIES.values()))
    assert all(page.count(f"| {event} |") == 1 for event in ENTRIES)
