"""The interface of intake in a running process, with the engine that works on imports."""

import base64
import csv
import http.client
import io
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from togheter_intake.jobs import forget_expired
from togheter_intake.recognition import reindex
from togheter_intake.service import SERVICE
from togheter_shared.access import tokens
from togheter_shared.privacy.keys import generate_keys
from togheter_shared.run.migrate import migrate
from togheter_shared.testing import databases
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.processes import free_port
from togheter_shared.testing.servers import Postgres

REGISTER = Path(__file__).parents[3] / "deploy/demo/registro-porte-sociali.csv"
DOORS = ("Bucaletto", "Centro", "Macchia Romana", "Rione Cocuzzo")


@dataclass(frozen=True)
class Desk:
    """The service in a database of its own, and how to start it there."""

    port: int
    token: str
    database_url: str
    folder: Path

    def ask(
        self, method: str, url: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON (or text) of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        if key is not None:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, url, data, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8-sig")
            is_json = "json" in answer.headers.get("Content-Type", "")
            return answer.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The answer to a POST that must succeed."""
        status, answer = self.ask("POST", f"/api/v1/{path}", body or {}, key=key)
        assert status in (200, 201, 202), answer
        return answer

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", f"/api/v1/{path}")
        assert status == 200, answer
        return answer

    def refused(self, path: str, body: Any, status: int, code: str) -> Any:
        found, answer = self.ask("POST", f"/api/v1/{path}", body)
        assert (found, answer.get("code")) == (status, code), answer
        return answer

    def start_import(self, content: bytes, query: str = "", key: str | None = None) -> str:
        headers = {"Content-Type": "text/csv; charset=utf-8"}
        status, answer = self.ask("POST", f"/api/v1/imports{query}", content, key=key, **headers)
        assert status == 202, answer
        import_id: str = answer["import_id"]
        return import_id

    def wait(self, import_id: str) -> Any:
        deadline = time.monotonic() + 60
        while (found := self.get(f"imports/{import_id}"))["state"] in ("waiting", "running"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found

    def count(self, table: str) -> int:
        with psycopg.connect(self.database_url, autocommit=True) as conn:
            row = conn.execute(f"select count(*) from {table}").fetchone()
        assert row is not None
        return int(row[0])

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """The whole service: web and engine. There is no broker: nothing here needs one."""
        environment = {
            "PATH": os.environ["PATH"],
            "TOGHETER_ORG": "ponte",
            "DATABASE_URL": self.database_url,
            "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",
            "TOGHETER_NETWORK": str(self.folder / "network.json"),
            "TOGHETER_KEYS": str(self.folder / "keys.json"),
            **PRIVACY,
            "TOGHETER_HTTP": f"127.0.0.1:{self.port}",
        }
        log = self.folder / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "togheter_intake.cli", "serve"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        try:
            deadline = time.monotonic() + 30
            while True:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                try:
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            process.wait(20)


def make_desk(postgres: Postgres, folder: Path) -> Desk:
    name = f"togheter_test_{secrets.token_hex(6)}"
    with postgres.connect() as conn:
        database = databases.ensure_database(
            conn, postgres.admin_url, name, secrets.token_hex(8), secrets.token_hex(8)
        )
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        migrate(owner, list(SERVICE.packages), name)
    token = tokens.mint()
    with psycopg.connect(database.url, autocommit=True) as conn:
        tokens.add(conn, "door", token, ["intake.read", "intake.write"], 1)
    (folder / "network.json").write_text('{"organisations": []}')
    (folder / "keys.json").write_text(json.dumps(generate_keys()))
    return Desk(free_port(), token, database.url, folder)


@pytest.fixture(scope="module")
def desk(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    found = make_desk(postgres, tmp_path_factory.mktemp("desk"))
    with found.running():
        yield found


def new_door(desk: Desk) -> str:
    door_id: str = desk.post("doors", {"name": f"Porta {secrets.token_hex(4)}"})["door_id"]
    return door_id


def test_a_door_has_a_name_of_its_own(desk: Desk) -> None:
    name = f"Porta Sociale {secrets.token_hex(4)}"
    body = {"name": name, "address": "Via Pretoria", "languages": ["it", "fr"]}
    door = desk.post("doors", body, key="door-1")
    assert desk.post("doors", body, key="door-1") == door
    assert door in desk.get("doors")
    answer = desk.refused("doors", {"name": f"  {name.upper()} "}, 409, "door_exists")
    assert answer["detail"] == "C'è già una Porta Sociale con questo nome."
    desk.refused("doors", {"name": "--"}, 422, "door_without_name")
    desk.refused("doors", {"name": "x", "languages": ["Italian"]}, 422, "invalid")


def test_a_person_from_registration_to_needs(desk: Desk) -> None:
    door = new_door(desk)
    code = {"kind": "stp", "value": f"stp {secrets.randbelow(10**13):013}"}
    person = desk.post(
        "persons",
        {
            "name": {"given": "Amina", "family": "Diallo"},
            "birth": {"year": 1999, "month": 4},
            "sex": "female",
            "citizenships": ["GIN"],
            "languages": ["fr", "ff"],
            "phones": ["333 1234567"],
            "identifiers": [code],
            "safe_contact": {"channel": "sms", "hours": "mattina"},
            "title": "asylum_seeker",
            "door_id": door,
            "on": "2022-01-10",
        },
    )
    at = f"persons/{person['person_id']}"
    access = desk.post(
        "accesses",
        {"door_id": door, "kind": "request", "person_id": person["person_id"], "minutes": 30},
    )
    needs = desk.post(f"{at}/needs", {"areas": ["work"], "access_id": access["access_id"]})
    again = desk.post(f"{at}/needs", {"areas": ["work", "housing"], "on": "2022-01-10"})
    assert again["case_id"] == needs["case_id"]
    work = next(need for need in again["needs"] if need["area"] == "work")
    assert work["need_id"] == needs["needs"][0]["need_id"]
    assert (work["stated"], work["first_on"]) == (2, "2022-01-10")
    desk.post(f"{at}/residence-title", {"title": "refugee", "expires": "2030-01-01"})
    desk.post(f"{at}/contact", {"phones": ["+39 333 7654321"]})
    desk.post(f"{at}/safe-contact", {"channel": "none"})
    passport = {"kind": "passport", "value": f"ab{secrets.randbelow(10**7):07}"}
    desk.post(f"{at}/identifiers", {"identifier": passport})
    found = desk.get(at)
    assert found["birth"] == {
        "year": 1999, "month": 4, "day": None, "precision": "month", "source": "stated",
    }  # fmt: skip
    assert (found["age"], found["accesses"], found["phones"]) == (22, 1, ["+393337654321"])
    assert (found["title"], found["title_expires"]) == ("refugee", "2030-01-01")
    assert found["safe_contact"]["channel"] == "none"
    assert [item["kind"] for item in found["identifiers"]] == ["passport", "stp"]
    for given in (code, passport):
        [same] = desk.post("persons/search", {"identifier": given})
        assert same == found
    desk.refused("persons", {"identifiers": [code]}, 409, "identifier_taken")


def test_who_may_be_the_same_is_said_at_registration_and_decided_by_a_person(desk: Desk) -> None:
    birth = {"year": 1990, "month": 5, "day": 3}
    mohamed = {"name": {"given": "Mohamed", "family": "Zerrouki"}, "birth": birth}
    first = desk.post("persons", mohamed)
    assert first["duplicates"] == []
    second = desk.post("persons", {"name": {"given": "محمد", "family": "زروقي"}, "birth": birth})
    [candidate] = second["duplicates"]
    assert candidate["person_id"] == first["person_id"]
    pair = {first["person_id"], second["person_id"]}

    def waiting(state: str = "waiting") -> list[Any]:
        return [
            item
            for item in desk.get(f"suspicions?state={state}")
            if {item["person"]["person_id"], item["other"]["person_id"]} == pair
        ]

    assert waiting()[0]["other"]["name"]["family"] == "Zerrouki"
    at = f"suspicions/{first['person_id']}/{second['person_id']}/decide"
    for decision in ("same", "not_same"):
        assert desk.post(at, {"decision": decision})["decision"] == decision
        assert not waiting()
        assert waiting("decided")[0].get("decision") == decision
    desk.refused(
        f"suspicions/{first['person_id']}/{uuid4()}/decide",
        {"decision": "same"},
        404,
        "suspicion_unknown",
    )
    by_name = desk.post("persons/search", {"name": "Zerrouki Mohamed"})
    assert [item["person_id"] for item in by_name][:2] == [
        first["person_id"],
        second["person_id"],
    ]


def test_the_same_key_registers_one_person(desk: Desk) -> None:
    body = {"name": {"given": "Yonas", "family": secrets.token_hex(4)}}
    key = secrets.token_hex(8)
    before = desk.count("person")
    first, second = (desk.post("persons", body, key=key) for _ in range(2))
    assert first == second
    assert desk.count("person") == before + 1
    other = {"name": {"given": "Altro"}}
    status, answer = desk.ask("POST", "/api/v1/persons", other, key=key)
    assert (status, answer["code"]) == (422, "idempotency_key_reused")


def test_refusals_are_sentences_with_a_field(desk: Desk) -> None:
    door, nobody = new_door(desk), str(uuid4())
    answer = desk.refused("persons", {}, 422, "nameless")
    assert answer["errors"][0]["field"] == "name"
    name = {"name": {"given": "A"}}
    birth = {"birth": {"year": 1990, "month": 2, "day": 30}}
    desk.refused("persons", name | birth, 422, "birth_impossible")
    desk.refused("persons", name | {"phones": ["boh"]}, 422, "phone")
    desk.refused("persons", name | {"citizenships": ["Italia"]}, 422, "invalid")
    desk.refused("persons", name | {"door_id": nobody}, 422, "door_unknown")
    wrong = {"identifiers": [{"kind": "codice_fiscale", "value": "DLLMMD94C12Z343A"}]}
    answer = desk.refused("persons", name | wrong, 422, "identifier_check")
    assert "DLLMMD" not in json.dumps(answer)
    other = {"identifiers": [{"kind": "eni", "value": "STP1234567890123"}]}
    desk.refused("persons", name | other, 422, "identifier_kind")
    access = {"door_id": door, "kind": "information"}
    desk.refused("accesses", access | {"door_id": nobody}, 422, "door_unknown")
    desk.refused("accesses", access | {"person_id": nobody}, 422, "person_unknown")
    desk.refused("accesses", access | {"on": "2999-01-01"}, 422, "date_in_future")
    desk.refused(f"persons/{nobody}/needs", {"areas": ["work"]}, 404, "person_unknown")
    desk.refused(f"persons/{nobody}/residence-title", {"title": "work"}, 404, "person_unknown")
    desk.refused("persons/search", {}, 422, "nothing_to_search")
    assert desk.ask("GET", f"/api/v1/persons/{nobody}")[0] == 404


def test_who_has_no_token_reads_nothing(desk: Desk) -> None:
    for method, path in (("GET", "suspicions"), ("POST", "persons/search"), ("GET", "imports")):
        body: Any = {} if method == "POST" else None
        assert desk.ask(method, f"/api/v1/{path}", body, Authorization="Bearer x")[0] == 401


def test_the_page_counts_and_names_nobody(desk: Desk) -> None:
    door = new_door(desk)
    family = f"Riservata{secrets.token_hex(4)}"
    desk.post("persons", {"name": {"given": "Amina", "family": family}})
    for on in (None, "2022-01-10"):
        desk.post("accesses", {"door_id": door, "kind": "information", "on": on})
    basic = base64.b64encode(f"door:{desk.token}".encode()).decode()
    status, page = desk.ask("GET", "/", Authorization=f"Basic {basic}")
    assert status == 200
    assert family not in page and "Amina" not in page
    found = next(item for item in desk.get("doors") if item["door_id"] == door)
    assert (found["accesses"], found["accesses_this_month"]) == (2, 1)


# --- the work on a case ---------------------------------------------------------------------------


def new_person(desk: Desk, **more: Any) -> str:
    body = {"name": {"given": "Amina", "family": secrets.token_hex(6)}, **more}
    person_id: str = desk.post("persons", body)["person_id"]
    return person_id


def test_a_case_goes_from_the_first_interview_to_its_end_and_back(desk: Desk) -> None:
    person = new_person(desk)
    case = f"persons/{person}/case"
    assert desk.ask("GET", f"/api/v1/{case}")[0] == 404
    desk.refused(f"{case}/plan", {"text": "Lavoro"}, 409, "case_none")
    interview = {"language": "ar", "mediator": True, "minutes": 40, "note": "Cerca lavoro."}
    assert desk.post(f"{case}/interviews", interview, key="talk")["state"] == "assessed"
    assert desk.post(f"{case}/interviews", interview, key="talk")["state"] == "assessed"
    need = desk.post(f"persons/{person}/needs", {"areas": ["work"]})["needs"][0]["need_id"]
    assert desk.post(f"{case}/caseworker", {"caseworker": "anna"})["state"] == "assessed"
    plan = {"text": "Un lavoro entro l'estate", "review_on": "2999-06-01"}
    assert desk.post(f"{case}/plan", plan)["state"] == "planned"
    goal = desk.post(f"{case}/goals", {"area": "work", "text": "Un tirocinio"})
    assert goal["state"] == "active"
    review = {"outcome": "reached", "note": "Assunta."}
    desk.post(f"{case}/goals/{goal['made_id']}/review", review)
    desk.post(f"{case}/needs/{need}/resolve", {"outcome": "met"})
    assert desk.post(f"{case}/suspend", {"reason": "away"})["state"] == "suspended"
    assert desk.post(f"{case}/resume")["state"] == "active"
    assert desk.post(f"{case}/close", {"reason": "goals_reached"})["state"] == "closed"
    found = desk.get(case)
    assert (found["state"], found["caseworker"], found["plan"]) == ("closed", "anna", plan["text"])
    assert [item["note"] for item in found["interviews"]] == ["Cerca lavoro."]
    assert [(item["text"], item["outcome"]) for item in found["goals"]] == [
        ("Un tirocinio", "reached")
    ]
    assert [item["outcome"] for item in found["needs"]] == ["met"]
    assert desk.get(f"persons/{person}")["needs"] == []
    desk.refused(f"{case}/suspend", {"reason": "away"}, 409, "case_closed")
    again = desk.post(f"persons/{person}/needs", {"areas": ["work"]})["needs"]
    assert [item["area"] for item in again] == ["work"] and again[0]["need_id"] != need
    assert desk.get(case)["state"] == "reopened"


def test_a_vulnerability_is_noted_and_taken_back(desk: Desk) -> None:
    person = new_person(desk)
    case = f"persons/{person}/case"
    desk.post(case)
    desk.post(f"{case}/vulnerabilities", {"vulnerability": "trafficking", "note": "Riservato"})
    assert desk.get(case)["vulnerabilities"] == ["trafficking"]
    assert desk.count("case_file where protected") == 1
    desk.post(f"{case}/vulnerabilities/lift", {"vulnerability": "trafficking"})
    assert desk.get(case)["vulnerabilities"] == []
    assert desk.count("case_file where protected") == 0


def test_a_consent_is_answered_superseded_and_withdrawn_in_two_actions(desk: Desk) -> None:
    person = new_person(desk, birth={"year": 1990})
    consents = f"persons/{person}/consents"
    answer = {
        "purpose": "referral",
        "granted": True,
        "text_version": "2026-1",
        "text_hash": "0" * 64,
        "language": "ar",
        "mediator": True,
        "recipients": ["scuola"],
    }
    desk.refused(consents, answer | {"recipients": []}, 422, "recipients_missing")
    desk.refused(consents, answer | {"text_hash": "x"}, 422, "invalid")
    desk.refused(f"{consents}/withdraw", {"purpose": "referral"}, 422, "consent_unknown")
    desk.post(consents, answer)
    assert [(item["recipients"], item["holds"]) for item in desk.get(consents)] == [
        (["scuola"], True)
    ]
    desk.post(f"{consents}/withdraw", {"purpose": "referral"})
    assert [(item["recipients"], item["holds"]) for item in desk.get(consents)] == [([], False)]
    year = date.today().year - 10
    minor = new_person(desk, birth={"year": year, "month": 1, "day": 2})
    desk.refused(f"persons/{minor}/consents", answer, 422, "guardian_needed")
    by_guardian = {"given_by": "guardian", "guardian_id": person}
    desk.post(f"persons/{minor}/consents", answer | by_guardian)


def test_a_profile_and_a_household_are_kept_and_changed(desk: Desk) -> None:
    person = new_person(desk)
    study = {"kind": "study", "text": "Infermieristica", "where": "Lagos", "years": "2014-2018"}
    item = desk.post(f"persons/{person}/profile", study)["item_id"]
    changed = study | {"recognition": "in_progress"}
    assert desk.ask("PUT", f"/api/v1/persons/{person}/profile/{item}", changed)[0] == 200
    member = desk.post(f"persons/{person}/household", {"relation": "child", "name": "Null"})
    found = desk.get(f"persons/{person}/profile")
    assert [(one["text"], one["recognition"]) for one in found["items"]] == [
        ("Infermieristica", "in_progress")
    ]
    assert [(one["relation"], one["name"]) for one in found["household"]] == [("child", "Null")]
    desk.post(f"persons/{person}/profile/{item}/remove")
    desk.post(f"persons/{person}/household/{member['item_id']}/remove")
    assert desk.get(f"persons/{person}/profile") == {
        "person_id": person,
        "items": [],
        "household": [],
    }
    desk.refused(f"persons/{person}/profile", study | {"text": " "}, 422, "missing")


def test_an_identity_is_corrected_and_found_by_the_right_name_and_by_the_wrong(desk: Desk) -> None:
    wrong, right = f"Zz{secrets.token_hex(5)}", f"Qq{secrets.token_hex(5)}"
    person = new_person(desk, name={"given": "Amina", "family": wrong})
    name = {"given": "Amina", "family": right}
    desk.post(f"persons/{person}/identity", {"name": name, "birth": {"year": 1990}})
    assert desk.get(f"persons/{person}")["name"]["family"] == right
    desk.refused(f"persons/{person}/identity", {}, 422, "nameless")
    code = {"kind": "passport", "value": f"AA{secrets.randbelow(10**7):07}"}
    desk.post(f"persons/{person}/identifiers", {"identifier": code})
    desk.post(f"persons/{person}/identifiers/supersede", {"identifier": code})
    assert desk.get(f"persons/{person}")["identifiers"] == []
    other = new_person(desk)
    desk.post(f"persons/{other}/identifiers", {"identifier": code})


def test_a_search_finds_any_spelling_a_part_of_a_name_a_birth_or_a_telephone(desk: Desk) -> None:
    family = "".join(secrets.choice("bdfgklmnprstvz") + "a" for _ in range(4)).title()
    phone = f"+39347{secrets.randbelow(10**7):07}"
    birth = {"year": 1987, "month": 3, "day": 9}
    name = {"given": "Mohamed", "family": family}
    person = new_person(desk, name=name, birth=birth, phones=[phone])

    def first(**asked: Any) -> str:
        found: str = desk.post("persons/search", asked)[0]["person_id"]
        return found

    assert first(name=f"{family} Muhammad", birth=birth) == person
    assert first(name=family[:5].lower()) == person
    assert (
        first(name=f"Mohammed {family[:-1]}", birth={"year": 1987, "month": 9, "day": 3}) == person
    )
    assert first(phones=[phone]) == person
    with psycopg.connect(desk.database_url, autocommit=True) as conn:
        conn.execute("delete from person_key where person_id = %s", [person])
        assert desk.post("persons/search", {"phones": [phone]}) == []
        *_, (done, everybody) = reindex(conn)
    assert done == everybody == desk.count("person")
    assert first(phones=[phone]) == person


def test_an_access_entered_in_error_counts_nowhere(desk: Desk) -> None:
    door = new_door(desk)
    access = desk.post("accesses", {"door_id": door, "kind": "information"})["access_id"]
    for _ in range(2):
        path = f"/api/v1/accesses/{access}/entered-in-error"
        assert desk.ask("POST", path, {})[0] == 204
    found = next(item for item in desk.get("doors") if item["door_id"] == door)
    assert found["accesses"] == 0


def test_nothing_is_done_for_somebody_who_is_not_registered(desk: Desk) -> None:
    nobody = uuid4()
    for path, body in (
        ("case", {}),
        ("case/interviews", {}),
        ("consents/withdraw", {"purpose": "contact"}),
        ("profile", {"kind": "skill", "text": "Sarta"}),
        ("household", {"relation": "child"}),
        ("identity", {"name": {"given": "X"}}),
    ):
        desk.refused(f"persons/{nobody}/{path}", body, 404, "person_unknown")
    for path in ("case", "consents", "profile"):
        assert desk.ask("GET", f"/api/v1/persons/{nobody}/{path}")[0] == 404


# --- registers ------------------------------------------------------------------------------------


def test_a_register_comes_in_and_its_refused_rows_go_out(desk: Desk) -> None:
    for name in DOORS:
        desk.ask("POST", "/api/v1/doors", {"name": f"Porta Sociale {name}"})
    before = desk.count("access")
    tried = desk.wait(desk.start_import(REGISTER.read_bytes(), "?dry_run=true"))
    assert (tried["summary"]["accepted"], desk.count("access")) == (392, before)
    import_id = desk.start_import(REGISTER.read_bytes(), key="register-1")
    assert desk.start_import(REGISTER.read_bytes(), key="register-1") == import_id
    found = desk.wait(import_id)
    assert (found["state"], found["lines_done"]) == ("done", found["lines_total"])
    summary = found["summary"]
    assert (summary["rows"], summary["accepted"], summary["refused"]) == (420, 392, 28)
    assert {"name": "porta", "count": 3} in summary["refused_by_column"]
    assert desk.count("access") == before + 392
    for _ in range(2):
        status, text = desk.ask("GET", f"/api/v1/imports/{import_id}/refused")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
        assert (status, len(rows)) == (200, 28)
    again = desk.wait(desk.start_import(REGISTER.read_bytes()))
    assert (again["summary"]["already"], again["summary"]["refused"]) == (392, 28)
    assert desk.count("import_job where body is not null") == 0


def test_refused_rows_are_forgotten(desk: Desk) -> None:
    header = REGISTER.read_bytes().split(b"\r\n" if b"\r\n" in REGISTER.read_bytes() else b"\n")[0]
    import_id = desk.start_import(header + b"\n99/99/2022;;;;;;;;;;;;;;;;;;;\n")
    assert desk.wait(import_id)["refused_until"][:4] >= str(date.today().year)
    with psycopg.connect(desk.database_url, autocommit=True) as conn:
        conn.execute("update import_job set expires_at = now() where job_id = %s", [import_id])
        forget_expired(conn)
        row = conn.execute(
            "select refused, problem from import_job where job_id = %s", [import_id]
        ).fetchone()
    assert row == (None, None)
    assert desk.ask("GET", f"/api/v1/imports/{import_id}/refused")[0] == 404


def test_a_file_that_is_no_register_says_why(desk: Desk) -> None:
    found = desk.wait(desk.start_import(b"a;b\n1;2\n"))
    assert found["state"] == "failed" and "mancano le colonne" in found["problem"]
    excel = desk.wait(desk.start_import(b"PK\x03\x04"))
    assert "foglio elettronico" in excel["problem"]
    csv_headers = {"Content-Type": "text/csv"}
    for query, code in (
        ("?column=nonsense=x", "bad_column"),
        ("?column=door", "bad_column"),
        ("?mapping=none", "mapping_unknown"),
    ):
        status, answer = desk.ask("POST", f"/api/v1/imports{query}", b"x", **csv_headers)
        assert (status, answer["code"]) == (422, code)


def test_columns_and_mappings_of_another_register(desk: Desk) -> None:
    desk.ask("POST", "/api/v1/doors", {"name": "Main desk"})
    content = b'[columns]\non = "Date"\ndoor = "Desk"\nkind = "Visit"\n[kinds]\nrequest = ["ask"]\n'
    toml = {"Content-Type": "application/toml"}
    assert desk.ask("PUT", "/api/v1/mappings/english", content, **toml)[0] == 204
    status, answer = desk.ask("PUT", "/api/v1/mappings/english", b"[colums]", **toml)
    assert (status, answer["code"]) == (422, "mapping_wrong")
    assert desk.ask("PUT", "/api/v1/mappings/Inglese", content, **toml)[0] == 422
    register = b"Date;Counter;Visit\n01/02/2022;main desk;ask\n"
    found = desk.wait(desk.start_import(register, "?mapping=english&column=door%3DCounter"))
    assert found["summary"]["anonymous"] == 1, found


def test_a_service_that_is_killed_goes_on_with_the_register(
    postgres: Postgres, tmp_path: Path
) -> None:
    desk = make_desk(postgres, tmp_path)
    with desk.running() as process:
        for name in DOORS:
            desk.post("doors", {"name": f"Porta Sociale {name}"})
        import_id = desk.start_import(REGISTER.read_bytes())
        deadline = time.monotonic() + 60
        while desk.count("access") < 50:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        process.wait(10)
    done = desk.count("access")
    with desk.running():
        found = desk.wait(import_id)
    summary = found["summary"]
    assert 50 <= done <= 392
    assert (summary["accepted"], summary["already"]) == (392, 0)
    assert summary["registered"] == desk.count("person")
    assert desk.count("access") == 392
