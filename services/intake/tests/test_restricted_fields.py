"""Restricted fields leave sealed for the city's reporting, and for nobody else."""

from datetime import date
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from togheter_intake.case_commands import FlagVulnerability, OpenCase
from togheter_intake.cases import CASE, case_of
from togheter_intake.people import PERSON, RegisterPerson
from togheter_intake.service import SERVICE
from togheter_shared.contracts import referrals
from togheter_shared.contracts.contract import Audience, Contract
from togheter_shared.contracts.intake import PersonName
from togheter_shared.contracts.intake_cases import Vulnerability, VulnerabilityFlagged
from togheter_shared.log import outbox
from togheter_shared.log.entry import Entry, decode
from togheter_shared.log.feed import number_pending
from togheter_shared.log.network import Network, Organisation, SigningKey
from togheter_shared.log.sealing import open_box, seal_for
from togheter_shared.log.store import Context, execute
from togheter_shared.privacy.keys import Unsealable, generate_keys

KEYS = {name: generate_keys() for name in ("comune", "scuola")}
NETWORK = Network(
    tuple(
        Organisation(
            id=name,
            name=name,
            services=("intake",),
            reporting=name == "comune",
            seal_key=keys["seal_public"],
            sign_keys=(SigningKey(key=keys["sign_public"]),),
        )
        for name, keys in KEYS.items()
    )
)
TODAY = date(2026, 3, 2)


@pytest.fixture
def entries(conn: psycopg.Connection) -> list[tuple[str, bytes]]:
    """What the network is told of somebody who was trafficked: (type, bytes)."""
    person, me = uuid4(), Context(actor="test", correlation_id=uuid4())
    about: dict[str, Any] = {"case_id": case_of(person), "person_id": person}
    day: dict[str, Any] = {"on": TODAY, "today": TODAY}
    register = RegisterPerson(person_id=person, name=PersonName(given="Canarino"), **day)
    execute(conn, SERVICE, PERSON, person, register, me)
    flag = FlagVulnerability(
        **about, **day, vulnerability=Vulnerability.TRAFFICKING, note="Un segreto"
    )
    for command in (OpenCase(**about, **day), flag):
        execute(conn, SERVICE, CASE, about["case_id"], command, me)
    number_pending(
        conn,
        SERVICE.writes,
        "ponte",
        "intake",
        lambda *sealed: seal_for(NETWORK, *sealed),
        reporting=NETWORK.reporting,
    )
    lines = [line for run in outbox.runs(conn, "reporting", 0) for line in run.lines]
    return [(decode(line).type, line) for line in lines]


def test_what_is_restricted_is_on_the_bus_in_a_box_for_reporting_alone(
    entries: list[tuple[str, bytes]],
) -> None:
    for _, line in entries:
        for secret in (b"trafficking", b"Canarino", b"Un segreto"):
            assert secret not in line
    [flagged] = [decode(line) for type_, line in entries if type_.endswith("flagged")]
    assert flagged.sealed is not None and flagged.sealed_for == "comune"
    assert _opened(flagged, "comune") == {"vulnerability": "trafficking"}
    assert "vulnerability" not in flagged.data and "note" not in flagged.data
    with pytest.raises(Unsealable):
        _opened(flagged, "scuola")
    others = [decode(line) for type_, line in entries if not type_.endswith("flagged")]
    assert others and all(entry.sealed is None for entry in others)


def _opened(entry: Entry, organisation: str) -> dict[str, object]:
    assert entry.sealed is not None
    private = KEYS[organisation]["seal_private"]
    return open_box(private, organisation, entry.event_id, entry.type, entry.sealed)


def test_restricted_fields_go_nowhere_unless_the_contract_says_so() -> None:
    contract = Contract(
        event=VulnerabilityFlagged,
        type="intake.vulnerability_flagged",
        audience=(Audience.REPORTING, Audience.DIRECTORY),
        subject="person_id",
    )
    for channel in ("reporting", "directory", "to.scuola"):
        assert contract.sealed_fields(channel, "ponte") == frozenset()


def test_what_was_disclosed_reaches_the_other_services_of_the_same_organisation() -> None:
    [sought] = [c for c in referrals.CONTRACTS if c.event is referrals.PlaceSought]
    assert sought.audience == (Audience.OWN,)
    assert sought.sealed_fields("to.scuola", "scuola") == {"identity"}


@pytest.mark.parametrize("audience", [Audience.DIRECTORY, Audience.OWN, Audience.RECIPIENT])
def test_a_contract_that_sends_them_elsewhere_does_not_start(audience: Audience) -> None:
    with pytest.raises(TypeError, match="restricted fields go to reporting"):
        Contract(
            event=VulnerabilityFlagged,
            type="intake.vulnerability_flagged",
            audience=(Audience.REPORTING,),
            restricted_to=(audience,),
            subject="person_id",
        )
