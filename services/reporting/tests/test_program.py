"""The command and the web of reporting in running processes."""

from __future__ import annotations

import base64
import csv
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from togheter_reporting.catalogue import reports
from togheter_reporting.histories import history, interleave, store
from togheter_reporting.projection import project
from togheter_reporting.web import ReportingWeb
from togheter_shared.access import tokens
from togheter_shared.log import follow
from togheter_shared.privacy.keys import generate_keys
from togheter_shared.run.openapi import openapi
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.processes import free_port


@dataclass(frozen=True)
class Program:
    """The command `togheter-reporting` on a database of its own."""

    database: ServiceDatabase
    environment: dict[str, str]
    port: int
    token: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "togheter_reporting.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def tell(self, seed: int) -> None:
        with psycopg.connect(self.database.url, autocommit=True) as conn:
            store(conn, interleave(history(seed), seed))
            while follow.project(conn, project):
                pass

    def get(
        self, url: str, *, name: str = "reader", token: str | None = None
    ) -> tuple[int, dict[str, str], str]:
        credentials = base64.b64encode(f"{name}:{token or self.token}".encode()).decode()
        bearer = f"Bearer {token or self.token}"
        headers = {"Authorization": bearer if "/api/" in url else f"Basic {credentials}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", url, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def program(database: ServiceDatabase, tmp_path: Path) -> Program:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "TOGHETER_ORG": "comune",
        "DATABASE_URL": database.url,
        "TOGHETER_OWNER_DATABASE_URL": database.owner_url,
        "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",  # none of these needs a broker
        "TOGHETER_NETWORK": str(tmp_path),
        "TOGHETER_KEYS": str(tmp_path),
        **PRIVACY,
        "TOGHETER_HTTP": f"127.0.0.1:{port}",
    }
    return Program(database, environment, port, tokens.mint())


@pytest.fixture
def web(program: Program, tmp_path: Path) -> Iterator[Program]:
    assert program.run("migrate").returncode == 0
    with psycopg.connect(program.database.url, autocommit=True) as conn:
        tokens.add(conn, "reader", program.token, ["reporting.read"], 1)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "togheter_reporting.cli", "web"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=program.environment,
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", program.port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield program
    finally:
        process.terminate()
        process.wait(15)


def test_migrate_makes_the_views_of_an_empty_log_and_is_safe_to_repeat(program: Program) -> None:
    first = program.run("migrate", "--json")
    assert first.returncode == 0, first.stderr
    applied = json.loads(first.stdout)["applied"]
    assert "togheter_reporting/0001_reporting.sql" in applied
    assert json.loads(program.run("migrate", "--json").stdout) == {"applied": []}
    program.tell(1)
    found = program.run("verify", "--json")
    assert found.returncode == 0, found.stderr
    assert {item["report"]: len(item["differences"]) for item in json.loads(found.stdout)} == (
        dict.fromkeys(reports(), 0)
    )
    assert all(item["rows"] for item in json.loads(found.stdout))


def test_verify_ends_with_one_and_shows_the_row_and_a_rebuild_mends_it(program: Program) -> None:
    program.run("migrate")
    program.tell(2)
    with psycopg.connect(program.database.url, autocommit=True) as conn:
        conn.execute("update report_courses.edition set places = places + 1")
    found = program.run("verify")
    assert found.returncode == 1
    assert re.search(r"^courses: \d+ rows at position \d+, \d+ differ$", found.stdout, re.MULTILINE)
    assert "counted again" in found.stdout
    assert program.run("verify", "persons", "needs").returncode == 0
    mended = program.run("rebuild", "courses")
    assert (mended.returncode, mended.stdout) == (0, "rebuilt: courses\n"), mended.stderr
    assert program.run("verify").returncode == 0
    assert program.run("rebuild").returncode == 0
    assert program.run("rebuild", "--stale").stdout == "nothing to do\n"
    program.tell(3)  # the runtime role still may write what was rebuilt
    assert program.run("verify").returncode == 0


def test_a_report_that_does_not_exist_is_refused_with_those_that_do(program: Program) -> None:
    program.run("migrate")
    for command in ("rebuild", "verify"):
        found = program.run(command, "nothing")
        assert found.returncode == 2
        assert "there is no report nothing; there is accesses, amif_charge, charge" in found.stderr


def test_who_may_not_rebuild_or_comes_too_early_is_told_the_way_out(program: Program) -> None:
    early = program.run("verify")
    assert (early.returncode, early.stderr.count("\n")) == (1, 1)
    assert "run: togheter-reporting migrate" in early.stderr
    program.run("migrate")
    del program.environment["TOGHETER_OWNER_DATABASE_URL"]
    found = program.run("rebuild")
    assert found.returncode == 1
    assert "set TOGHETER_OWNER_DATABASE_URL" in found.stderr
    assert program.run("verify").returncode == 0


def test_migrate_names_the_views_that_must_be_rebuilt(program: Program) -> None:
    program.run("migrate")
    program.tell(4)
    with psycopg.connect(program.database.url, autocommit=True) as conn:
        conn.execute("update report_view set definition_hash = '' where name = 'needs'")
    found = program.run("migrate")
    assert found.returncode == 0
    assert "needs; run: togheter-reporting rebuild --stale" in found.stderr
    assert program.run("verify", "needs").returncode == 1
    assert program.run("rebuild", "--stale").stdout == "rebuilt: needs\n"
    assert program.run("verify").returncode == 0


def test_figures_as_json_csv_and_pages(web: Program) -> None:
    status, _, body = web.get("/")
    assert status == 200
    assert body.count("nessun evento ancora") == len(reports())
    assert "Non ci sono ancora dati." in web.get("/reports/persons")[2]
    web.tell(5)
    status, _, body = web.get("/api/v1/reports")
    listed = json.loads(body)["reports"]
    assert (status, [item["name"] for item in listed]) == (200, list(reports()))
    for item in listed:
        name = item["name"]
        status, _, body = web.get(f"/api/v1/reports/{name}")
        found: dict[str, Any] = json.loads(body)
        assert status == 200
        assert found["freshness"]["position"] == item["freshness"]["position"] > 0
        assert found["freshness"]["received_at"]
        names = [column["name"] for column in found["columns"]]
        assert found["rows"] and all(list(row) == names for row in found["rows"])
        for url in (f"/api/v1/reports/{name}.csv", f"/reports/{name}.csv"):
            status, headers, body = web.get(url)
            assert status == 200
            assert headers["Content-Type"] == "text/csv; charset=utf-8"
            assert headers["Content-Disposition"].startswith(f'attachment; filename="{name}-')
            table = list(csv.reader(io.StringIO(body, newline="")))
            assert (table[0], len(table)) == (names, len(found["rows"]) + 1)
        assert json.loads(web.get(f"/reports/{name}.json")[2]) == found
        status, headers, body = web.get(f"/reports/{name}")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert f"<caption>{found['title']}</caption>" in body
        assert body.count('scope="col"') == sum(column.page for column in reports()[name].columns)
        assert body.count("<tr>") == len(found["rows"]) + 2
        assert "<script>" not in body


def test_how_the_network_stands_as_json_and_as_a_page(web: Program) -> None:
    web.tell(7)
    with psycopg.connect(web.database.owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into inbox_channel (origin, channel, epoch, state)"
            " values ('scuola.courses', 'reporting', gen_random_uuid(), 'frozen')"
        )
        owner.execute("update inbox set type_version = 9 where type = 'intake.door_opened'")
    status, _, body = web.get("/api/v1/network")
    found = json.loads(body)
    assert (status, [row["state"] for row in found["channels"]]) == (200, ["frozen"])
    assert [row["type"] for row in found["types"] if not row["known"]] == ["intake.door_opened"]
    status, _, body = web.get("/network")
    assert status == 200
    assert "fermo: due storie diverse" in body
    assert body.count("no: da aggiornare") == 1
    assert web.get("/network", token=tokens.mint())[0] == 401


def test_a_stale_report_answers_503_with_the_way_out_and_the_others_go_on(web: Program) -> None:
    web.tell(6)
    with psycopg.connect(web.database.url, autocommit=True) as conn:
        conn.execute("update report_view set definition_hash = '' where name = 'needs'")
    status, _, body = web.get("/api/v1/reports/needs")
    assert (status, json.loads(body)["code"]) == (503, "report_stale")
    assert "togheter-reporting rebuild needs" in json.loads(body)["detail"]
    assert web.get("/api/v1/reports/persons")[0] == 200
    assert "da ricostruire" in web.get("/")[2]
    assert web.get("/reports/needs")[0] == 503


def test_nobody_reads_without_the_scope_and_what_is_not_there_is_404(web: Program) -> None:
    with psycopg.connect(web.database.url, autocommit=True) as conn:
        other = tokens.mint()
        tokens.add(conn, "other", other, ["intake.read"], 1)
    for url in ("/api/v1/reports", "/api/v1/reports/persons", "/api/v1/reports/persons.csv", "/"):
        assert web.get(url, name="other", token=other)[0] == 403
        assert web.get(url, token="nobody")[0] == 401
    for url in ("/api/v1/reports/nothing", "/api/v1/reports/nothing.csv", "/reports/..%2fx"):
        assert web.get(url)[0] == 404


def test_the_interface_describes_itself() -> None:
    paths = openapi(ReportingWeb, "reporting", "1")["paths"]
    assert set(paths) >= {
        "/api/v1/reports",
        "/api/v1/reports/{name}",
        "/api/v1/reports/{name}.csv",
    }


def test_a_report_is_frozen_restated_proven_and_led_back_to_its_events(
    program: Program, tmp_path: Path
) -> None:
    keys = generate_keys()
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    us = {"id": "comune", "name": "Comune", "services": ["reporting"], "reporting": True}
    us |= {"seal_key": keys["seal_public"], "sign_keys": [{"key": keys["sign_public"]}]}
    (tmp_path / "network.json").write_text(json.dumps({"organisations": [us]}))
    program.environment["TOGHETER_KEYS"] = str(tmp_path / "keys.json")
    program.environment["TOGHETER_NETWORK"] = str(tmp_path / "network.json")
    program.run("migrate")
    program.tell(1)
    first = program.run("freeze", "amif_charge", "--by", "Ufficio inclusione")
    assert first.stdout.startswith("amif_charge: frozen as 1 at position"), first.stderr
    program.tell(2)
    second = program.run("freeze", "amif_charge", "--by", "Ufficio inclusione", "--restates", "1")
    assert re.search(r"[1-9]\d* figures differ, by [1-9]\d* events", second.stdout), second.stderr
    for number in ("1", "2"):
        proof = program.run("prove", number, "--json")
        assert json.loads(proof.stdout)["proven"] is True, proof.stdout
    shown = program.run("as-of", "amif_charge", "--position", "0")
    assert shown.stdout.splitlines() == [
        "organisation,sex,age_band,citizenship,residence_title,persons"
    ]
    refused = program.run("as-of", "amif_charge", "--position", "99999")
    assert (refused.returncode, "the log ends at" in refused.stderr) == (1, True)
    behind = program.run("behind", "amif_charge", "--only", "organisation=ponte", "--after", "100")
    assert behind.stdout and all(
        " ponte.intake intake." in line for line in behind.stdout.splitlines()
    )
    with psycopg.connect(program.database.owner_url, autocommit=True) as conn:
        conn.execute("update inbox set data = data - 'on' where type = 'intake.case_opened'")
    broken = program.run("prove", "1")
    assert (broken.returncode, "NOT proven" in broken.stdout) == (1, True)
