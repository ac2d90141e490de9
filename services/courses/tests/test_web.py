"""The interface of courses in a running process: a course from its opening to its certificates."""

import base64
import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from togheter_courses.service import SERVICE
from togheter_courses.web import CoursesWeb
from togheter_shared.access import tokens
from togheter_shared.run.migrate import migrate
from togheter_shared.run.openapi import openapi
from togheter_shared.testing import databases
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.processes import free_port
from togheter_shared.testing.servers import Postgres


@dataclass(frozen=True)
class Web:
    port: int
    token: str
    database_url: str

    def ask(
        self, method: str, url: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON (or text) of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", **headers}
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
            return answer.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def post(self, url: str, body: Any = None, *, key: str | None = None) -> Any:
        """The answer to a POST that must succeed."""
        status, answer = self.ask("POST", f"/api/v1/editions{url}", body or {}, key=key)
        assert status in (200, 201), answer
        return answer

    def get(self, url: str) -> Any:
        status, answer = self.ask("GET", f"/api/v1/editions{url}")
        assert status == 200, answer
        return answer


@pytest.fixture(scope="module")
def web(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    name = f"togheter_test_{secrets.token_hex(6)}"
    with postgres.connect() as conn:
        database = databases.ensure_database(
            conn, postgres.admin_url, name, secrets.token_hex(8), secrets.token_hex(8)
        )
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        migrate(owner, list(SERVICE.packages), name)
    token = tokens.mint()
    with psycopg.connect(database.url, autocommit=True) as conn:
        tokens.add(conn, "school", token, ["courses.read", "courses.write"], 1)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "TOGHETER_ORG": "scuola",
        "DATABASE_URL": database.url,
        "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",  # a web process needs no broker
        "TOGHETER_NETWORK": str(folder),
        "TOGHETER_KEYS": str(folder),
        **PRIVACY,
        "TOGHETER_HTTP": f"127.0.0.1:{port}",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "togheter_courses.cli", "web"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        _wait_for(port, process, log)
        yield Web(port, token, database.url)
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


EDITION = {
    "title": "Italiano A1 sera",
    "level": "A1",
    "places": 2,
    "starts_on": "2026-03-02",
    "ends_on": "2026-06-02",
    "evening": True,
}


def enrol(web: Web, edition: str, given: str, **more: Any) -> Any:
    return web.post(f"/{edition}/enrolments", {"name": {"given": given}, **more})


def test_a_course_from_its_opening_to_its_certificates(web: Web) -> None:
    edition = web.post("", EDITION)
    assert (edition["state"], edition["taken"], edition["threshold"]) == ("open", 0, 70)
    at = f"/{edition['edition_id']}"
    one, two, three, four = (
        enrol(web, edition["edition_id"], name, on="2026-02-20") for name in "ABCD"
    )
    assert [item["state"] for item in (one, two, three, four)] == [
        "confirmed",
        "confirmed",
        "waitlisted",
        "waitlisted",
    ]
    assert four["waiting_position"] == 2
    mine = f"{at}/enrolments/{one['enrolment_id']}"
    web.post(f"{mine}/entry-level", {"level": "Pre-A1"})

    gone = web.post(f"{at}/enrolments/{two['enrolment_id']}/withdraw", {"on": "2026-02-21"})
    assert gone["state"] == "withdrawn"
    (offer,) = web.get(f"{at}/enrolments?state=offered")
    assert (offer["enrolment_id"], offer["offer_expires_on"]) == (
        three["enrolment_id"],
        "2026-02-24",
    )
    web.post(f"{at}/enrolments/{three['enrolment_id']}/decline-offer", {"on": "2026-02-22"})
    accepted = web.post(
        f"{at}/enrolments/{four['enrolment_id']}/accept-offer", {"on": "2026-02-23"}
    )
    assert accepted["state"] == "confirmed"

    lesson = web.post(
        f"{at}/lessons", {"on": "2026-03-02", "minutes": 120, "room": "2", "teacher": "Prof"}
    )
    here = f"{at}/lessons/{lesson['lesson_id']}"
    present = {"enrolment_id": one["enrolment_id"], "presence": "present"}
    absent = {"enrolment_id": four["enrolment_id"], "presence": "absent"}
    held = web.post(f"{here}/hold", {"attendance": [present, absent]})
    assert held["held_on"] == "2026-03-02"
    web.post(f"{here}/correct", {**absent, "presence": "late", "minutes": 10})
    assert web.get(f"{at}/lessons")[0]["attendance"][1]["minutes"] == 10

    web.post(f"{mine}/final-test", {"passed": True, "level": "A1"})
    done = web.post(f"{mine}/complete")
    assert done["state"] == "certified"
    web.post(f"{at}/enrolments/{four['enrolment_id']}/drop", {"reason": "work", "on": "2026-04-01"})
    closed = web.post(f"{at}/close")
    assert (closed["state"], closed["taken"], closed["waiting"]) == ("closed", 1, 0)

    first = web.get(f"{at}/enrolments")[0]
    assert (first["percentage"], first["exit_level"]) == (100, "A1")
    code = first["certificate_code"]
    assert re.fullmatch(r"([2-9A-Z]{4}-){3}[2-9A-Z]{4}", code)
    for written in (code, code.lower().replace("-", "")):
        status, found = web.ask("GET", f"/api/v1/certificates/{written}", Authorization="")
        assert (status, found) == (
            200,
            {"valid": True, "kind": "level", "level": "A1", "edition_title": EDITION["title"]},
        )
    assert web.ask("GET", "/api/v1/certificates/nothing", Authorization="") == (
        200,
        {"valid": False},
    )


def test_the_same_key_opens_one_edition_and_another_request_with_it_is_refused(web: Web) -> None:
    first = web.post("", EDITION, key="k-1")
    assert web.post("", EDITION, key="k-1") == first
    status, problem = web.ask("POST", "/api/v1/editions", {**EDITION, "places": 3}, key="k-1")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    at = f"/{first['edition_id']}/enrolments"
    again = [web.post(at, {"name": {"given": "A"}}, key="k-2") for _ in range(3)]
    assert again[0] == again[1] == again[2]
    assert web.get(f"/{first['edition_id']}")["taken"] == 1


def test_receipts_hold_nothing_about_a_person(web: Web) -> None:
    edition = web.post("", EDITION)["edition_id"]
    body = {"name": {"given": "Segretissima"}, "phone": "+39333777888"}
    enrolled = web.post(f"/{edition}/enrolments", body, key="k-secret")
    assert set(enrolled) == {"enrolment_id", "edition_id", "state"}
    with psycopg.connect(web.database_url) as conn:
        rows = conn.execute("select key || coalesce(answer::text, '') from command_receipt")
        text = " ".join(row[0] for row in rows)
    assert "http:school:k-secret" in text
    assert "Segretissima" not in text and "333777888" not in text


def test_what_is_refused_says_which_field_and_why_in_italian(web: Web) -> None:
    edition = web.post("", EDITION)["edition_id"]
    one = enrol(web, edition, "A")
    lesson = web.post(f"/{edition}/lessons", {"on": "2026-03-02", "minutes": 60})["lesson_id"]
    entry = {"enrolment_id": one["enrolment_id"], "presence": "present"}
    foreign = {"enrolment_id": str(uuid4()), "presence": "present"}
    url = f"/api/v1/editions/{edition}/lessons/{lesson}/hold"
    status, problem = web.ask("POST", url, {"attendance": [entry, foreign]})
    assert (status, problem["code"]) == (422, "attendance_foreign")
    assert problem["errors"][0]["field"] == "attendance.1.enrolment_id"
    status, problem = web.ask("POST", url, {"attendance": []})
    assert problem["errors"] == [
        {
            "field": "attendance",
            "reason": "Manca la presenza o l'assenza di chi ha un posto (1).",
        }
    ]
    status, problem = web.ask("POST", url, {"attendance": [{**entry, "presence": "maybe"}]})
    assert (status, problem["errors"][0]["field"]) == (422, "attendance.0.presence")
    accept = f"/api/v1/editions/{edition}/enrolments/{one['enrolment_id']}/accept-offer"
    status, problem = web.ask("POST", accept, {})
    assert (status, problem["code"]) == (409, "no_offer")
    for wrong in ({**EDITION, "places": 0}, {**EDITION, "level": "Z9"}, {**EDITION, "title": ""}):
        assert web.ask("POST", "/api/v1/editions", wrong)[0] == 422


def test_what_does_not_exist_is_not_found_everywhere(web: Web) -> None:
    nowhere, nobody = uuid4(), uuid4()
    edition = web.post("", EDITION)["edition_id"]
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"/{nowhere}", None),
        ("GET", f"/{nowhere}/enrolments", None),
        ("GET", f"/{nowhere}/lessons", None),
        ("POST", f"/{nowhere}/enrolments", {"name": {"given": "A"}}),
        ("POST", f"/{nowhere}/close", {}),
        ("POST", f"/{nowhere}/expire-offers", {}),
        ("POST", f"/{edition}/enrolments/{nobody}/withdraw", {}),
        ("POST", f"/{edition}/lessons/{nobody}/hold", {"attendance": []}),
    ]
    for method, url, body in asked:
        status, problem = web.ask(method, f"/api/v1/editions{url}", body)
        assert (status, url) == (404, url), problem


def test_without_a_token_nothing_is_read_or_written(web: Web) -> None:
    for method, url, body in (
        ("GET", "/api/v1/editions", None),
        ("POST", "/api/v1/editions", EDITION),
        ("GET", "/", None),
    ):
        assert web.ask(method, url, body, Authorization="")[0] == 401


def test_the_page_shows_places_and_no_names(web: Web) -> None:
    title = "Corso <b>accanto</b> & oltre"
    edition = web.post("", {**EDITION, "title": title})["edition_id"]
    enrol(web, edition, "Segretissima")
    basic = base64.b64encode(f"school:{web.token}".encode()).decode()
    status, text = web.ask("GET", "/", Authorization=f"Basic {basic}")
    assert status == 200
    assert "Corso &lt;b&gt;accanto&lt;/b&gt; &amp; oltre" in text
    assert "iscrizioni aperte" in text and "Segretissima" not in text


def test_the_interface_describes_itself() -> None:
    document = openapi(CoursesWeb, "courses", "0")
    assert "/api/v1/editions/{edition_id}/lessons/{lesson_id}/hold" in document["paths"]
    assert len([path for path in document["paths"] if path.startswith("/api/v1/")]) >= 17
