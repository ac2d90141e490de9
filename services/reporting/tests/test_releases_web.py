"""The command that publishes, and what everybody and what accounts get of it over HTTP."""

from __future__ import annotations

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
from pathlib import Path
from typing import Any

import psycopg
import pyshacl
import pytest
import rdflib
from psycopg import errors

from togheter_reporting.histories import history, interleave, store
from togheter_reporting.projection import project
from togheter_shared.access import tokens
from togheter_shared.log import follow
from togheter_shared.testing.databases import (
    ServiceDatabase,
    drop_database,
    ensure_database,
    ensure_reader,
)
from togheter_shared.testing.plugin import TEST_PREFIX
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.processes import free_port
from togheter_shared.testing.servers import Postgres


@dataclass(frozen=True)
class Site:
    """A reporting service with releases: 1 is public, 2 for authorities, 3 public."""

    database: ServiceDatabase
    environment: dict[str, str]
    port: int
    token: str
    reader: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "togheter_reporting.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def get(
        self, url: str, *, account: bool = False, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        if account:
            headers["Authorization"] = f"Bearer {self.token}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", url, headers=named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def document(self, url: str, *, account: bool = False) -> Any:
        status, _, body = self.get(url, account=account)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture(scope="module")
def site(
    postgres: Postgres, pango: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    name = TEST_PREFIX + secrets.token_hex(6)
    with postgres.connect() as admin:
        database = ensure_database(
            admin, postgres.admin_url, name, secrets.token_hex(8), secrets.token_hex(8)
        )
        reader = ensure_reader(admin, postgres.admin_url, name, secrets.token_hex(8))
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "TOGHETER_ORG": "comune",
            "DATABASE_URL": database.url,
            "TOGHETER_OWNER_DATABASE_URL": database.owner_url,
            "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",
            "TOGHETER_NETWORK": str(folder),
            "TOGHETER_KEYS": str(folder),
            **PRIVACY,
            "TOGHETER_HTTP": f"127.0.0.1:{port}",
        }
        site = Site(database, environment, port, tokens.mint(), reader)
        assert site.run("migrate").returncode == 0
        with psycopg.connect(database.url, autocommit=True) as conn:
            tokens.add(conn, "reader", site.token, ["reporting.read"], 1)
            tell(conn, 1)
        for report, audience in (
            ("persons", "public"),
            ("courses", "authorities"),
            ("referrals", "public"),
        ):
            made = site.run("release", "publish", report, "--for", audience, "--by", "the test")
            assert made.returncode == 0, made.stderr
        with (folder / "log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "togheter_reporting.cli", "web"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        try:
            wait_for(process, port, folder / "log")
            yield site
        finally:
            process.terminate()
            process.wait(15)
            drop_database(admin, name)


def tell(conn: psycopg.Connection, seed: int) -> None:
    store(conn, interleave(history(seed), seed))
    while follow.project(conn, project):
        pass


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)


# --- the command -------------------------------------------------------------------------------


def test_publishing_again_says_that_nothing_has_changed(site: Site) -> None:
    again = site.run("release", "publish", "persons", "--for", "public", "--by", "x", "--json")
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert (found["new"], found["number"], found["audience"]) == (False, 1, "public")
    listed = json.loads(site.run("release", "list", "--json").stdout)
    assert [item["report"] for item in listed] == ["persons", "courses", "referrals"]


def test_what_cannot_be_published_is_refused_with_the_way_out(site: Site) -> None:
    command = ("release", "publish", "persons", "--for", "public", "--by", "x")
    wrong = site.run(*command, "--only", "sex")
    assert (wrong.returncode, "COLUMN=VALUE" in wrong.stderr) == (2, True)
    wrong = site.run(*command, "--only", "colour=red")
    assert (wrong.returncode, "leave out one of colour" in wrong.stderr) == (1, True)
    wrong = site.run("release", "publish", "nothing", "--for", "public", "--by", "x")
    assert (wrong.returncode, "there is no report nothing" in wrong.stderr) == (2, True)


def test_the_files_of_a_release_are_written_out_as_they_are_handed_out(
    site: Site, tmp_path: Path
) -> None:
    assert site.run("release", "export", "1", str(tmp_path)).returncode == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"persons-1.{e}" for e in ("csv", "json", "ods", "pdf", "xlsx", "parquet")}
    for name in names:
        status, headers, body = site.get(f"/releases/1/files/{name}")
        assert (status, body) == (200, (tmp_path / name).read_bytes())
        assert name in headers["Content-Disposition"]
    missing = site.run("release", "export", "99", str(tmp_path))
    assert (missing.returncode, "release list" in missing.stderr) == (1, True)


def test_a_schedule_is_set_run_listed_and_ended(site: Site, tmp_path: Path) -> None:
    setting = ("schedule", "set", "monthly", "persons", "--for", "public", "--every", "month")
    who = ("--by", "the test")
    wrong = site.run(*setting, *who, "--mail", "x@comune.example")
    assert (wrong.returncode, "set TOGHETER_SMTP" in wrong.stderr) == (2, True)
    made = site.run(*setting, *who, "--folder", str(tmp_path))
    assert made.returncode == 0, made.stderr
    ran = site.run("schedule", "run")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "persons-1.pdf").read_bytes().startswith(b"%PDF")
    (listed,) = json.loads(site.run("schedule", "list", "--json").stdout)
    assert (listed["name"], listed["waiting"], listed["error"]) == ("monthly", 0, None)
    assert site.run("schedule", "end", "monthly").returncode == 0
    assert site.run("schedule", "list").stdout == ""
    assert site.run("schedule", "end", "monthly").returncode == 1


def test_a_release_as_of_the_past_is_made_and_beyond_the_log_refused(site: Site) -> None:
    command = ("release", "publish", "accesses", "--for", "authorities", "--by", "x")
    beyond = site.run(*command, "--position", "999999")
    assert (beyond.returncode, "the log ends at" in beyond.stderr) == (2, True)
    both = site.run(*command, "--position", "5", "--date", "2026-01-01")
    assert (both.returncode, "not both" in both.stderr) == (2, True)
    then = site.run(*command, "--date", "2020-01-01")
    assert (then.returncode, "nothing of accesses can be shown" in then.stderr) == (1, True)


# --- over HTTP -----------------------------------------------------------------------------------


def test_everybody_sees_what_is_public_and_nothing_else(site: Site) -> None:
    status, _, body = site.get("/releases")
    assert status == 200
    assert b'href="/releases/1"' in body and b'href="/releases/3"' in body
    assert b'href="/releases/2"' not in body
    listed = site.document("/api/v1/public/releases")["releases"]
    assert [item["number"] for item in listed] == [1, 3]
    for url in (
        "/releases/2",
        "/releases/2/files/courses-2.csv",
        "/api/v1/public/releases/2",
        "/releases/99",
        "/releases/1/files/persons-2.csv",
        "/releases/1/files/..%2fx",
    ):
        assert site.get(url)[0] == 404, url
    for url in ("/api/v1/releases", "/api/v1/releases/2", "/api/v1/releases/1"):
        assert site.get(url)[0] == 401


def test_an_account_sees_the_whole_ledger_a_page_at_a_time(site: Site) -> None:
    url, numbers = "/api/v1/releases?limit=2", []
    while url:
        found = site.document(url, account=True)
        numbers.append([item["number"] for item in found["releases"]])
        url = found["next"]
    assert numbers == [[1, 2], [3]]
    assert site.document("/api/v1/releases/2", account=True)["audience"] == "authorities"
    assert site.get("/api/v1/releases?limit=0", account=True)[0] == 422
    assert site.get("/api/v1/releases/2/files/courses-2.csv", account=True)[0] == 200


def test_a_release_that_one_has_is_not_sent_again(site: Site) -> None:
    url = "/api/v1/public/releases/1"
    status, headers, body = site.get(url)
    assert status == 200 and body
    for known in (headers["ETag"], f'"other", {headers["ETag"]}', f"W/{headers['ETag']}"):
        status, again, nothing = site.get(url, If_None_Match=known)
        assert (status, nothing, again["ETag"]) == (304, b"", headers["ETag"])
    assert site.get(url, If_None_Match='"other"')[0] == 200


def test_the_page_of_a_release_shows_its_tables_and_hides_what_is_hidden(site: Site) -> None:
    document = site.document("/api/v1/public/releases/1")
    status, _, body = site.get("/releases/1")
    text = body.decode()
    assert status == 200
    assert text.count("<caption>") == len(document["tables"])
    hidden = sum(
        value is None
        for table in document["tables"]
        for row in table["rows"]
        for value in row["figures"].values()
    )
    assert text.count('<abbr title="riservato">c</abbr>') == hidden > 0
    assert "Donne" in text and "the test" not in text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rdflib's and pyshacl's own
def test_the_catalogue_of_open_data_keeps_to_the_profile(site: Site) -> None:
    status, headers, body = site.get("/releases.jsonld")
    assert (status, headers["Content-Type"]) == (200, "application/ld+json")
    base = f"http://127.0.0.1:{site.port}/releases.jsonld"
    shapes = Path(__file__).with_name("dcat-ap-it.ttl").read_text("utf-8")

    def conforms(document: dict[str, Any]) -> tuple[bool, str]:
        graph = rdflib.Graph().parse(data=json.dumps(document), format="json-ld", publicID=base)
        kept, _, text = pyshacl.validate(
            graph, shacl_graph=rdflib.Graph().parse(data=shapes, format="turtle")
        )
        return bool(kept), text

    document = json.loads(body)
    assert conforms(document) == (True, conforms(document)[1])
    graph = rdflib.Graph().parse(data=body.decode(), format="json-ld", publicID=base)
    download = rdflib.URIRef("http://www.w3.org/ns/dcat#downloadURL")
    addresses = sorted(str(item) for item in graph.objects(None, download))
    assert len(addresses) == 12
    for address in addresses:
        path = address.removeprefix(f"http://127.0.0.1:{site.port}")
        assert site.get(path)[0] == 200
    del document["dcat:dataset"][0]["dct:rightsHolder"]
    assert not conforms(document)[0]


# --- the city's own tools ------------------------------------------------------------------------


def test_the_reader_of_the_database_sees_what_was_published_and_no_more(site: Site) -> None:
    with psycopg.connect(site.reader, autocommit=True) as conn:
        found = conn.execute("select number, audience from published.release order by number")
        assert found.fetchall() == [(1, "public"), (2, "authorities"), (3, "public")]
        counted = conn.execute(
            "select count(*), count(value), min(value) from published.figure where number = 1"
        ).fetchone()
        assert counted is not None
        figures, shown, least = counted
        assert figures > shown > 0 and least >= 5
        for statement in (
            "select * from public.release_snapshot",
            "select * from public.release_figure",
            "select * from public.inbox",
            "select * from report_persons.registered",
            "insert into published.release (number) values (9)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                conn.execute(statement)
        readable = conn.execute(
            "select table_schema || '.' || table_name from information_schema.table_privileges"
            " where grantee = current_user and privilege_type = 'SELECT' order by 1"
        ).fetchall()
        assert readable == [("published.figure",), ("published.release",)]
        undescribed = conn.execute(
            "select relname from pg_class where relnamespace = 'published'::regnamespace"
            " and obj_description(oid, 'pg_class') is null"
        ).fetchall()
        assert undescribed == []
