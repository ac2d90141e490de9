"""The interface of referrals in a running process: ask, answer, close; who is refused and why."""

import base64
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from openapi_spec_validator import validate

from togheter_referrals.received import RECEIVED, ReceiveIdentity, ReceiveReferral
from togheter_referrals.service import SERVICE
from togheter_referrals.states import State, after_working_days
from togheter_referrals.web import ReferralsWeb, today
from togheter_shared.access import tokens
from togheter_shared.contracts.intake import Area, PersonName
from togheter_shared.contracts.referrals import AgeBand, Identity, Urgency
from togheter_shared.log.store import Context, execute
from togheter_shared.run.migrate import migrate
from togheter_shared.run.openapi import openapi
from togheter_shared.testing import databases
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.processes import free_port
from togheter_shared.testing.servers import Postgres

ME = Context(actor="test", correlation_id=uuid4())
CANARY = "Mario-Canary-Rossi"
NETWORK = {
    "organisations": [
        {
            "id": id_,
            "name": name,
            "services": services,
            "reporting": id_ == "comune",
            "seal_key": "",
            "sign_keys": [],
        }
        for id_, name, services in (
            ("comune", "Comune", ["intake", "referrals", "reporting"]),
            ("ponte", "Il Ponte", ["intake", "referrals"]),
            ("scuola", "La Scuola", ["courses", "referrals"]),
            ("sportello", "Lo Sportello", ["intake"]),
        )
    ]
}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    json: Any
    text: str


@dataclass(frozen=True)
class Web:
    port: int
    tokens: dict[str, str]
    conn: psycopg.Connection
    log: Path

    def ask(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        key: str | None = None,
        account: str = "desk",
        **headers: str,
    ) -> Reply:
        headers = {"Authorization": f"Bearer {self.tokens[account]}", **headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, url, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            is_json = "json" in answer.headers.get("Content-Type", "")
            document = json.loads(text) if is_json else None
            return Reply(answer.status, answer.headers, document, text)
        finally:
            connection.close()

    def post(self, url: str, body: Any, **more: Any) -> Reply:
        return self.ask("POST", f"/api/v1/{url}", body, **more)

    def get(self, url: str, **more: Any) -> Reply:
        return self.ask("GET", f"/api/v1/{url}", **more)

    def receive(self, **changes: Any) -> UUID:
        """A referral has come from the school."""
        referral_id = uuid4()
        values: dict[str, Any] = {
            "referral_id": referral_id,
            "sender": "scuola",
            "area": Area.HOUSING,
            "requested_on": today(),
            "answer_by": today(),
            "language": "fr",
            "age_band": AgeBand.FROM_18_TO_29,
            "urgency": Urgency.ROUTINE,
        }
        command = ReceiveReferral(**values | changes)
        execute(self.conn, SERVICE, RECEIVED, referral_id, command, ME)
        return referral_id

    def identify(self, referral_id: UUID) -> None:
        identity = Identity(name=PersonName(given=CANARY), birth_year=1999)
        command = ReceiveIdentity(organisation="scuola", on=today(), identity=identity)
        execute(self.conn, SERVICE, RECEIVED, referral_id, command, ME)


@pytest.fixture(scope="module")
def web(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    network = folder / "network.json"
    network.write_text(json.dumps(NETWORK))
    name = f"togheter_test_{secrets.token_hex(6)}"
    with postgres.connect() as conn:
        database = databases.ensure_database(
            conn, postgres.admin_url, name, secrets.token_hex(8), secrets.token_hex(8)
        )
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        migrate(owner, list(SERVICE.packages), name)
    accounts = {name: tokens.mint() for name in ("desk", "other", "reader", "nobody")}
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "TOGHETER_ORG": "ponte",
        "DATABASE_URL": database.url,
        "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",  # a web process needs no broker
        "TOGHETER_NETWORK": str(network),
        "TOGHETER_KEYS": str(folder),
        **PRIVACY,
        "TOGHETER_HTTP": f"127.0.0.1:{port}",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "togheter_referrals.cli", "web"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        with psycopg.connect(database.url, autocommit=True) as conn:
            both = ["referrals.read", "referrals.write"]
            tokens.add(conn, "desk", accounts["desk"], both, 1)
            tokens.add(conn, "other", accounts["other"], both, 1)
            tokens.add(conn, "reader", accounts["reader"], ["referrals.read"], 1)
            tokens.add(conn, "nobody", accounts["nobody"], ["courses.read"], 1)
            _wait_for(port, process, log)
            yield Web(port, accounts, conn, log)
    finally:
        process.terminate()
        process.wait(15)
        with postgres.connect() as conn:
            databases.drop_database(conn, name)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)


def draft(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "person_id": str(uuid4()),
        "recipient": "scuola",
        "area": "language",
        "language": "ar",
        "age_band": "30_64",
        "consent": {
            "given_on": today().isoformat(),
            "given_by": "person",
            "language": "ar",
            "text_version": "2026-1",
        },
        "identity": {"name": {"given": CANARY}, "birth_year": 1990},
    }
    return document | changes


def fault(reply: Reply, status: int, code: str) -> list[str]:
    """The fields at fault of a problem with that status and code."""
    assert (reply.status, reply.json["code"]) == (status, code), reply.text
    assert CANARY not in reply.text
    return [error["field"] for error in reply.json.get("errors", [])]


def test_a_referral_is_asked_read_and_taken_back(web: Web) -> None:
    created = web.post("referrals", draft(urgency="urgent"))
    assert created.status == 201, created.text
    referral = created.json
    assert created.headers["Location"] == f"/api/v1/referrals/{referral['referral_id']}"
    assert (referral["state"], referral["recipient"]) == ("requested", "scuola")
    assert referral["requested_on"] == today().isoformat()
    assert referral["answer_by"] == after_working_days(today(), 2).isoformat()
    assert CANARY not in created.text
    url = f"referrals/{referral['referral_id']}"
    assert web.get(url).json == referral
    cancelled = web.post(f"{url}/cancel", {"reason": "no_longer_needed"})
    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert cancelled.json["reason"] == "no_longer_needed"
    again = web.post(f"{url}/cancel", {"reason": "mistake"})
    assert fault(again, 409, "already_cancelled") == []
    assert again.json["detail"] == "La segnalazione è già stata annullata."


def test_the_same_key_and_request_give_one_referral(web: Web) -> None:
    body, key = draft(), str(uuid4())
    first, second = web.post("referrals", body, key=key), web.post("referrals", body, key=key)
    assert first.status == second.status == 201
    assert first.json == second.json
    listed = web.get(f"referrals?person_id={body['person_id']}").json
    assert [item["referral_id"] for item in listed] == [first.json["referral_id"]]
    fault(web.post("referrals", draft(), key=key), 422, "idempotency_key_reused")


def test_two_accounts_do_not_share_their_keys(web: Web) -> None:
    key = str(uuid4())
    first = web.post("referrals", draft(), key=key)
    second = web.post("referrals", draft(), key=key, account="other")
    assert first.json["referral_id"] != second.json["referral_id"]


def test_a_key_is_never_that_of_a_reaction(web: Web) -> None:
    web.post("referrals", draft(), key="reaction:x:0")
    keys = [row[0] for row in web.conn.execute("select key from command_receipt").fetchall()]
    assert all(key.startswith("http:") for key in keys if "reaction" in key)


def test_a_repeated_answer_is_carried_out_once(web: Web) -> None:
    referral, key = web.receive(), str(uuid4())
    url = f"received/{referral}/accept"
    replies = [web.post(url, {}, key=key) for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 200]
    fault(web.post(url, {}), 409, "already_accepted")


@pytest.mark.parametrize(
    ("changes", "code", "fields"),
    [
        ({"recipient": "nessuno"}, "unknown_recipient", ["recipient"]),
        ({"recipient": "sportello"}, "unknown_recipient", ["recipient"]),
        ({"recipient": "ponte"}, "own_organisation", ["recipient"]),
        ({"edition_id": str(uuid4())}, "unknown_edition", ["edition_id"]),
        ({"area": "sport"}, "invalid", ["area"]),
        ({"requested_on": "2999-01-01"}, "future_date", ["requested_on"]),
        ({"identity": {"name": {}}}, "name_missing", ["identity.name"]),
        ({"colour": "red"}, "invalid", ["colour"]),
    ],
    ids=["stranger", "no desk", "own", "edition", "area", "future", "no name", "unknown field"],
)
def test_what_cannot_be_asked_names_its_field(
    web: Web, changes: dict[str, Any], code: str, fields: list[str]
) -> None:
    assert fault(web.post("referrals", draft(**changes)), 422, code) == fields


def test_without_a_live_consent_nothing_is_recorded(web: Web) -> None:
    yesterday = (today() - timedelta(days=1)).isoformat()
    consent = draft()["consent"] | {"given_on": yesterday, "valid_until": yesterday}
    body = draft(consent=consent)
    reply = web.post("referrals", body)
    assert fault(reply, 422, "no_live_consent") == ["consent.valid_until"]
    assert web.get(f"referrals?person_id={body['person_id']}").json == []


def test_an_edition_of_the_directory_can_be_asked_for(web: Web) -> None:
    edition = uuid4()
    web.conn.execute(
        "insert into offer values ('scuola', %s, 1, 'Italiano A1', 'A1', 12, '2026-09-01',"
        " '2027-06-30', 70, true, false, false)",
        [edition],
    )
    assert web.post("referrals", draft(edition_id=str(edition))).status == 201
    other = web.post("referrals", draft(edition_id=str(edition), recipient="comune"))
    assert fault(other, 422, "unknown_edition") == ["edition_id"]
    offers = web.get("offers?organisation=scuola&level=A1&on=2027-01-01").json
    assert [(offer["edition_id"], offer["title"]) for offer in offers] == [
        (str(edition), "Italiano A1")
    ]
    assert web.get("offers?on=2027-07-01").json == []


def test_a_received_referral_is_taken_up_and_closed(web: Web) -> None:
    referral = web.receive()
    url = f"received/{referral}"
    assert "identity" not in web.get(url).json
    accepted = web.post(f"{url}/accept", {})
    assert (accepted.json["state"], accepted.json["answered_on"]) == (
        "accepted",
        today().isoformat(),
    )
    assert "identity" not in accepted.json
    fault(web.post(f"{url}/start", {}), 409, "identity_awaited")
    web.identify(referral)
    assert web.get(url).json["identity"]["name"]["given"] == CANARY
    assert web.post(f"{url}/start", {}).json["state"] == "in_progress"
    closed = web.post(f"{url}/complete", {"outcome": "partly_met"}).json
    assert (closed["state"], closed["outcome"]) == ("completed", "partly_met")
    fault(web.post(f"{url}/fail", {"reason": "no_show"}), 409, "closed")


def test_a_rejection_needs_a_reason(web: Web) -> None:
    url = f"received/{web.receive()}"
    assert fault(web.post(f"{url}/reject", {}), 422, "invalid") == ["reason"]
    reply = web.post(f"{url}/reject", {"reason": "other", "explanation": "solo adulti"})
    assert (reply.json["state"], reply.json["explanation"]) == ("rejected", "solo adulti")


def test_what_was_accepted_can_fail(web: Web) -> None:
    url = f"received/{web.receive()}"
    web.post(f"{url}/accept", {})
    reply = web.post(f"{url}/fail", {"reason": "cannot_help", "on": today().isoformat()})
    assert (reply.json["state"], reply.json["reason"]) == ("failed", "cannot_help")


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", "referrals/{}", None),
        ("POST", "referrals/{}/cancel", {"reason": "mistake"}),
        ("GET", "received/{}", None),
        ("POST", "received/{}/accept", {}),
        ("POST", "received/{}/complete", {"outcome": "need_met"}),
    ],
)
def test_what_does_not_exist_is_not_found(web: Web, method: str, url: str, body: Any) -> None:
    fault(web.ask(method, f"/api/v1/{url.format(uuid4())}", body), 404, "not_found")


def test_the_two_sides_do_not_reach_into_each_other(web: Web) -> None:
    received, sent = web.receive(), web.post("referrals", draft()).json["referral_id"]
    fault(web.post(f"referrals/{received}/cancel", {"reason": "mistake"}), 404, "not_found")
    fault(web.post(f"received/{sent}/accept", {}), 404, "not_found")


def test_lists_are_filtered_and_lead_to_their_next_page(web: Web) -> None:
    person = str(uuid4())
    made = [web.post("referrals", draft(person_id=person)).json["referral_id"] for _ in range(3)]
    page = web.get(f"referrals?person_id={person}&limit=2&state=requested")
    assert [item["referral_id"] for item in page.json] == made[:0:-1]
    link = page.headers["Link"].removeprefix("<").partition(">")[0]
    rest = web.ask("GET", link)
    assert [item["referral_id"] for item in rest.json] == made[:1]
    assert "Link" not in rest.headers
    assert web.get("received?sender=comune").json == []
    assert fault(web.get("referrals?state=lost"), 422, "invalid") == ["state"]


def test_the_organisations_of_the_network_are_known(web: Web) -> None:
    found = {item["organisation"]: item for item in web.get("organisations").json}
    assert {name: item["referrals"] for name, item in found.items()} == {
        "comune": True,
        "ponte": True,
        "scuola": True,
        "sportello": False,
    }
    assert [name for name, item in found.items() if item["own"]] == ["ponte"]


def test_who_may_only_read_does_not_write_and_a_stranger_does_neither(web: Web) -> None:
    assert web.get("referrals", account="reader").status == 200
    fault(web.post("referrals", draft(), account="reader"), 403, "forbidden")
    fault(web.get("received", account="nobody"), 403, "forbidden")
    fault(web.get("received", Authorization="Bearer nothing"), 401, "unauthenticated")


def test_the_page_counts_and_names_nobody(web: Web) -> None:
    referral = web.receive()
    web.post(f"received/{referral}/accept", {})
    web.identify(referral)
    basic = base64.b64encode(f"reader:{web.tokens['reader']}".encode()).decode()
    page = web.ask("GET", "/", Authorization=f"Basic {basic}")
    assert page.status == 200
    assert "<caption>Ricevute</caption>" in page.text
    assert "Il Ponte" in page.text
    assert CANARY not in page.text


def test_no_name_is_in_the_log_of_the_process(web: Web) -> None:
    assert web.get("received").status == 200
    assert CANARY not in web.log.read_text()


def test_the_interface_is_described(web: Web) -> None:
    document = openapi(ReferralsWeb, "TOGHETER referrals", "0.1.0")
    validate(document)
    assert len([path for path in document["paths"] if path.startswith("/api/v1/re")]) == 10
    states = document["components"]["schemas"]["SentReferral"]["properties"]["state"]
    assert set(states["enum"]) == {state.value for state in State}


def test_today_is_a_day_in_italy() -> None:
    assert abs(today() - date.today()) <= timedelta(days=1)
