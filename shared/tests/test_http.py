"""The web edge over real sockets: who gets in, what is refused and how, and what never leaks."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import psycopg
import pytest

from togheter_shared.access import tokens
from togheter_shared.run.migrate import migrate
from togheter_shared.testing import databases
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY
from togheter_shared.testing.processes import free_port
from togheter_shared.testing.servers import Postgres

SERVICE = Path(__file__).parent / "web_service" / "example.py"
CANARY = "Mario-Canary-Rossi"
BODY_LIMIT = 10_000
TIMEOUT = 2.0


@dataclass
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Web:
    """A running web process."""

    port: int
    log: Path
    pid: int
    tokens: Mapping[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        body: bytes | str | dict[str, Any] | None = None,
        **headers: str,
    ) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        if isinstance(body, dict):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
            given.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, url, body, given)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def send(self, raw: bytes, *, seconds: float = 10) -> bytes:
        """Everything that comes back for bytes on a bare connection, until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as sock:
            sock.sendall(raw)
            return received(sock)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def received(sock: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            part = sock.recv(65_536)
        except ConnectionResetError:
            return found
        if not part:
            return found
        found += part


@contextmanager
def serving(tmp_path: Path, database_url: str, **extra: str) -> Iterator[Web]:
    port = free_port()
    log = tmp_path / "log"
    environment = {
        "PATH": os.environ["PATH"],
        "TOGHETER_ORG": "comune",
        "DATABASE_URL": database_url,
        "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",  # a web process needs no broker
        "TOGHETER_NETWORK": str(tmp_path),
        "TOGHETER_KEYS": str(tmp_path),
        **PRIVACY,
        "TOGHETER_HTTP": f"127.0.0.1:{port}",
        "TIMEOUT": str(TIMEOUT),
        **extra,
    }
    engine = tmp_path / "engine"
    if not engine.exists():
        engine.write_text("ok")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(SERVICE), str(engine)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Web(port, log, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture(scope="module")
def service_database(postgres: Postgres) -> Iterator[ServiceDatabase]:
    name = f"togheter_test_{secrets.token_hex(6)}"
    with postgres.connect() as conn:
        found = databases.ensure_database(
            conn, postgres.admin_url, name, secrets.token_hex(8), secrets.token_hex(8)
        )
    with psycopg.connect(found.owner_url, autocommit=True) as owner:
        migrate(owner, ["togheter_shared.log"], name)
    yield found
    with postgres.connect() as conn:
        databases.drop_database(conn, name)


@pytest.fixture(scope="module")
def web(
    service_database: ServiceDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web]:
    given = {name: tokens.mint() for name in ("writer", "reader", "lead", "gone")}
    with psycopg.connect(service_database.url, autocommit=True) as conn:
        tokens.add(conn, "writer", given["writer"], ["notes.write"], 1)
        tokens.add(conn, "reader", given["reader"], ["notes.read"], 1)
        tokens.add(conn, "lead", given["lead"], ["all"], 1)
        tokens.add(conn, "gone", given["gone"], ["all"], 1)
    with serving(tmp_path_factory.mktemp("web"), service_database.url) as found:
        found.tokens = given
        yield found


def is_problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = reply.json
    assert document["status"] == status and document["code"] == code
    assert document["type"] and document["title"] and document["instance"].startswith("urn:uuid:")
    assert set(document) <= {"type", "title", "status", "detail", "instance", "code", "errors"}
    return document


# --- concurrency ----------------------------------------------------------------------------------


def three_at_once(web: Web, token: str) -> float:
    started = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda _: web.ask("GET", "/api/v1/slow", token=token), range(3)))
    assert [reply.status for reply in replies] == [200] * 3
    return time.monotonic() - started


def test_three_requests_that_wait_for_the_database_wait_together(web: Web) -> None:
    assert three_at_once(web, "reader") < 2.5


def test_without_the_cure_three_such_requests_wait_for_each_other(
    service_database: ServiceDatabase, tmp_path: Path
) -> None:
    token = tokens.mint()
    with psycopg.connect(service_database.url, autocommit=True) as conn:
        tokens.add(conn, "uncured", token, ["all"], 1)
    with serving(tmp_path, service_database.url, WITHOUT_THE_CURE="1") as uncured:
        assert three_at_once(uncured, token) > 2.9


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (
            "import psycopg; from togheter_shared.run.green import prepare_green; prepare_green()",
            "",
        ),
        (
            "import eventlet; eventlet.monkey_patch(); import psycopg;"
            " from togheter_shared.run.green import assert_green; assert_green()",
            "PSYCOPG_WAIT_FUNC=wait_selector",
        ),
        ("from togheter_shared.run.green import assert_green; assert_green()", "prepare_green"),
        (
            "import os; os.environ['PSYCOPG_WAIT_FUNC'] = 'wait_selector'; import psycopg;"
            " from togheter_shared.run.green import prepare_green; prepare_green()",
            "before eventlet",
        ),
    ],
)
def test_a_process_that_would_stand_still_is_refused_at_start(program: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 1
    assert "GreenNotReady" in done.stderr.splitlines()[-1]
    assert "prepare_green()" in done.stderr and says in done.stderr


def test_a_prepared_process_is_taken() -> None:
    program = "from togheter_shared.run.green import *; prepare_green(); assert_green()"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PATH": os.environ["PATH"]})


# --- health, metrics, the document ----------------------------------------------------------------


def test_health_says_what_works_without_a_token(web: Web) -> None:
    reply = web.ask("GET", "/health")
    assert reply.status == 200
    assert reply.json == {
        "status": "ok",
        "service": "example",
        "organisation": "comune",
        "version": "1.2.3",
        "checks": {"database": "ok", "engine": "ok"},
    }


@pytest.mark.parametrize(("word", "status"), [("starting", "starting"), ("silent", "failing")])
def test_health_is_503_while_a_part_does_not_work(
    service_database: ServiceDatabase, tmp_path: Path, word: str, status: str
) -> None:
    (tmp_path / "engine").write_text(word)
    with serving(tmp_path, service_database.url) as web:
        reply = web.ask("GET", "/health")
    assert reply.status == 503
    assert reply.json["status"] == status and reply.json["checks"]["engine"] == word


def test_a_service_starts_while_its_database_and_broker_are_down(tmp_path: Path) -> None:
    url = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
    with serving(tmp_path, url) as web:
        health = web.ask("GET", "/health")
        assert health.status == 503
        assert health.json["status"] == "failing"
        assert health.json["checks"] == {"database": "failing"}
        refused = web.ask("GET", "/api/v1/notes", token=tokens.mint())
        is_problem(refused, 503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert web.ask("GET", "/api/v1/echo").status == 200
        assert "hunter2" not in web.log.read_text()


def test_a_service_works_again_soon_after_its_connections_were_cut(
    web: Web, postgres: Postgres, service_database: ServiceDatabase
) -> None:
    assert web.ask("GET", "/api/v1/notes", token="reader").status == 200
    with postgres.connect() as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            [service_database.name],
        )
    assert web.ask("GET", "/api/v1/notes", token="reader").status == 200


def test_a_statement_past_its_time_is_503(web: Web) -> None:
    is_problem(web.ask("GET", "/api/v1/too-slow", token="reader"), 503, "unavailable")


def test_metrics_need_their_scope_and_count_by_route(web: Web) -> None:
    is_problem(web.ask("GET", "/metrics", token="reader"), 403, "forbidden")
    web.ask("GET", f"/api/v1/notes/{CANARY}", token="lead")
    text = web.ask("GET", "/metrics", token="lead").body.decode()
    assert 'togheter_http_requests_total{method="GET",route="/api/v1/notes",status="200"}' in text
    assert CANARY not in text


def test_the_document_is_served_without_a_token(web: Web) -> None:
    reply = web.ask("GET", "/api/v1/openapi.json")
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/json"
    assert reply.json["openapi"] == "3.1.0" and reply.json["info"]["version"] == "1.2.3"


# --- an operation ---------------------------------------------------------------------------------


def test_a_body_is_loaded_and_the_answer_is_dumped(web: Web) -> None:
    reply = web.ask("POST", "/api/v1/notes", token="writer", body={"text": "ciao ‮ 𝄞 שלום"})
    assert reply.status == 201
    assert reply.json["text"] == "ciao ‮ 𝄞 שלום" and reply.json["actor"] == "writer"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_a_query_is_loaded_with_its_types(web: Web) -> None:
    url = "/api/v1/notes?limit=2&open=true&tag=a&tag=b%20c"
    notes = web.ask("GET", url, token="reader").json
    assert [note["text"] for note in notes] == ["True a b c"] * 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=many", "limit"),
        ("limit=11", "limit"),
        ("limit=1&limit=2", "limit"),
        ("open=maybe", "open"),
        ("role=lead", "role"),
        ("limit=99999999999999999999999999", "limit"),
    ],
)
def test_a_query_that_does_not_fit_names_its_field(web: Web, query: str, field: str) -> None:
    problem = is_problem(web.ask("GET", f"/api/v1/notes?{query}", token="reader"), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("query", ["limit=%ff", "&".join(["tag=x"] * 200)])
def test_a_query_that_cannot_be_read_is_400(web: Web, query: str) -> None:
    is_problem(web.ask("GET", f"/api/v1/notes?{query}", token="reader"), 400, "bad_query")


def test_another_media_type_goes_up_and_comes_down_as_bytes(web: Web) -> None:
    reply = web.ask(
        "POST", "/api/v1/files", token="writer", body=b"a;b\r\n", Content_Type="text/csv"
    )
    assert (reply.status, reply.body) == (200, b"5")
    export = web.ask("GET", "/api/v1/export.csv", token="reader")
    assert export.headers["Content-Type"] == "text/csv" and export.body == b"a;b\r\n"


def test_nothing_to_say_is_204_without_a_body(web: Web) -> None:
    url = "/api/v1/notes/00000000-0000-0000-0000-000000000000"
    reply = web.ask("DELETE", url, token="writer", Idempotency_Key="k-1")
    assert (reply.status, reply.body) == (204, b"")
    refused = web.ask("DELETE", url, token="writer", Idempotency_Key="k 1")
    is_problem(refused, 400, "bad_idempotency_key")


def test_the_head_of_an_answer_can_be_asked_for_alone(web: Web) -> None:
    reply = web.ask("HEAD", "/api/v1/echo")
    assert (reply.status, reply.body) == (200, b"") and int(reply.headers["Content-Length"]) > 0


def test_a_correlation_id_is_carried_or_made(web: Web) -> None:
    given = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert web.ask("GET", "/api/v1/echo", X_Correlation_ID=given).json["id"] == given
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (
        web.ask("GET", "/api/v1/echo", traceparent=trace).json["id"]
        == "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
    )
    made = web.ask("GET", "/api/v1/echo", X_Correlation_ID=CANARY)
    assert made.json["id"] == made.headers["X-Correlation-ID"] != CANARY


# --- what is refused ------------------------------------------------------------------------------


def test_without_a_valid_token_nobody_gets_in(web: Web) -> None:
    url = "/api/v1/notes"
    refused = web.ask("GET", url)
    is_problem(refused, 401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    basic = base64.b64encode(f"reader:{web.tokens['reader']}".encode()).decode()
    for header in (
        f"Bearer {tokens.mint()}",
        f"Bearer {web.tokens['reader']}x",
        "Bearer",
        "Bearer \xe9",
        f"Basic {basic}",
        "Negotiate x",
    ):
        is_problem(web.ask("GET", url, Authorization=header), 401, "unauthenticated")


def test_a_revoked_token_is_refused_at_the_next_request(
    web: Web, service_database: ServiceDatabase
) -> None:
    assert web.ask("GET", "/api/v1/notes", token="gone").status == 200
    with psycopg.connect(service_database.url, autocommit=True) as conn:
        tokens.revoke(conn, "gone")
    is_problem(web.ask("GET", "/api/v1/notes", token="gone"), 401, "unauthenticated")


def test_an_account_without_the_scope_is_refused_before_its_body_is_looked_at(web: Web) -> None:
    is_problem(web.ask("POST", "/api/v1/notes", token="reader", body="{"), 403, "forbidden")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"text":"a",}',
        b'{"text":"a"}{}',
        b'\xef\xbb\xbf{"text":"a"}',
        '{"text":"a"}'.encode("utf-16"),
        b'{"text":"\xff"}',
        b'{"text":NaN}',
        b'{"text":1e400}',
        b'{"text":' + b"1" * 5000 + b"}",
        b'{"text":"a","text":"b"}',
        b'{"text":"a","te\\u0078t":"b"}',
        b"[" * 17 + b"]" * 17,
        b"[" * 9_000,
        b'{"text":"\\u0000"}',
        b'{"text":"\\ud800"}',
    ],
)
def test_a_body_that_is_not_json_as_we_take_it_is_400(web: Web, body: bytes) -> None:
    reply = web.ask(
        "POST", "/api/v1/notes", token="writer", body=body, Content_Type="application/json"
    )
    is_problem(reply, 400, "not_json")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["text"]),
        ({"text": None}, ["text"]),
        ({"text": ""}, ["text"]),
        ({"text": 1}, ["text"]),
        ({"text": "x" * 51}, ["text"]),
        ({"text": "a", "person_id": "1"}, ["person_id"]),
        ({"text": "a", "tags": ["a", 1]}, ["tags.1"]),
        ({"text": "a", "actor": "lead"}, ["actor"]),
        ({"text": "a", "__type__": {}}, ["__type__"]),
        ({"text": "", "person_id": 0}, ["person_id", "text"]),
    ],
)
def test_a_body_that_does_not_fit_names_every_field(
    web: Web, body: dict[str, Any], fields: list[str]
) -> None:
    reply = web.ask("POST", "/api/v1/notes", token="writer", body=body)
    problem = is_problem(reply, 422, "invalid")
    assert sorted(error["field"] for error in problem["errors"]) == fields
    assert all(error["reason"] for error in problem["errors"])


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "1", "true"])
def test_a_document_that_is_not_an_object_is_422(web: Web, body: str) -> None:
    is_problem(web.ask("POST", "/api/v1/notes", token="writer", body=body), 422, "invalid")


def test_reasons_are_italian_unless_english_is_preferred(web: Web) -> None:
    italian = web.ask("POST", "/api/v1/notes", token="writer", body={})
    assert italian.json["errors"][0]["reason"] == "Manca un dato obbligatorio."
    english = web.ask(
        "POST", "/api/v1/notes", token="writer", body={}, Accept_Language="en-GB,it;q=0.5"
    )
    assert english.json["errors"][0]["reason"] == "Missing data for required field."
    assert english.json["title"] == "Some data are not valid."


def test_a_refusal_of_the_domain_is_409_or_422_when_it_names_a_field(web: Web) -> None:
    late = web.ask("POST", "/api/v1/notes", token="writer", body={"text": "late"})
    assert is_problem(late, 409, "late")["detail"] == "La nota arriva tardi."
    odd = web.ask("POST", "/api/v1/notes", token="writer", body={"text": "odd"})
    assert is_problem(odd, 422, "odd")["errors"] == [
        {"field": "text", "reason": "Il testo è strano."}
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/xml"},
        {"Content_Type": "application/json; charset=latin-1"},
        {"Content_Type": "application/json", "Content_Encoding": "gzip"},
    ],
)
def test_another_content_type_is_415(web: Web, headers: dict[str, str]) -> None:
    reply = web.ask("POST", "/api/v1/notes", token="writer", body=b'{"text":"a"}', **headers)
    is_problem(reply, 415, "unsupported_media_type")


def test_what_is_not_there_is_404_and_another_method_is_405(web: Web) -> None:
    for url in (
        "/nothing",
        "/api/v1/notes/7",
        "/%00",
        "/%ff",
        "/api/v1/note\x7f",
    ):
        is_problem(web.ask("GET", url.replace("\x7f", "%7f"), token="reader"), 404, "not_found")
    url = "/api/v1/notes/01890a5d-ac96-774b-bcce-b302099a8057"
    is_problem(web.ask("GET", url, token="reader"), 404, "no_note")
    refused = web.ask("PUT", "/api/v1/notes", token="reader")
    is_problem(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["broken", "wrong-class"])
def test_an_error_of_ours_tells_nothing_but_an_identifier_that_is_in_the_log(
    web: Web, path: str
) -> None:
    reply = web.ask("GET", f"/api/v1/{path}?{CANARY}=1", token="reader")
    problem = is_problem(reply, 500, "internal")
    assert "detail" not in problem
    logged = [line for line in web.lines() if line.get("instance") == problem["instance"]]
    assert len(logged) == 1 and logged[0]["frames"] and logged[0]["error"].startswith("builtins.")
    assert CANARY not in web.log.read_text() and CANARY.encode() not in reply.body


def test_the_log_holds_neither_addresses_nor_query_strings_nor_tokens(web: Web) -> None:
    web.ask("GET", f"/api/v1/notes?tag={CANARY}", token="reader")
    web.ask("GET", f"/{CANARY}", token="reader")
    web.send(f"GET /{CANARY} HTTP/9.9\r\n\r\n".encode())
    web.send(f"{CANARY}\r\n\r\n".encode())
    text = web.log.read_text()
    assert CANARY not in text and "tgh_" not in text
    routes = [line.get("route") for line in web.lines() if line["event"] == "request"]
    assert "/api/v1/notes" in routes


# --- limits ---------------------------------------------------------------------------------------


def note_of(length: int) -> bytes:
    return b'{"text":"a"' + b" " * (length - 12) + b"}"


def test_a_body_may_be_as_long_as_the_cap_and_not_a_byte_longer(web: Web) -> None:
    kind = {"Content_Type": "application/json"}
    whole = web.ask("POST", "/api/v1/notes", token="writer", body=note_of(BODY_LIMIT), **kind)
    assert whole.status == 201
    longer = web.ask("POST", "/api/v1/notes", token="writer", body=note_of(BODY_LIMIT + 1), **kind)
    is_problem(longer, 413, "too_large")


def head(web: Web, *more: str, token: str = "writer", method: str = "POST") -> bytes:
    lines = [
        f"{method} /api/v1/notes HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {web.tokens[token]}",
        "Content-Type: application/json",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_body_said_to_be_too_long_is_refused_before_it_is_sent(web: Web) -> None:
    answer = web.send(head(web, "Content-Length: 300000000", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in answer
    assert b"Connection: close" in answer


def test_a_large_body_that_is_refused_does_not_cost_the_client_the_answer(web: Web) -> None:
    reply = web.ask(
        "POST",
        "/api/v1/notes",
        token="writer",
        body=b" " * 2_000_000,
        Content_Type="application/json",
    )
    is_problem(reply, 413, "too_large")


def test_chunks_are_put_together(web: Web) -> None:
    chunks = b'6;x=y\r\n{"text\r\n6\r\n":"ab"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n'
    again = head(web, "Connection: close", "Content-Length: 0", token="reader", method="GET")
    answer = web.send(head(web, "Transfer-Encoding: chunked") + chunks + again)
    assert answer.startswith(b"HTTP/1.1 201 ") and b"HTTP/1.1 200 " in answer


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"-1\r\na\r\n0\r\n\r\n",
        b"0x1\r\na\r\n0\r\n\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"f" * 5000,
        b"1" + b" " * 5000 + b"\r\n",
        b"0\r\n" + b"A: b\r\n" * 1000,
        b"0\r\nA: " + b"b" * 100_000,
    ],
)
def test_chunks_that_are_badly_framed_are_400_and_end_the_connection(
    web: Web, chunks: bytes
) -> None:
    answer = web.send(head(web, "Transfer-Encoding: chunked") + chunks)
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1") == 1


def test_endless_chunks_are_413_and_end_the_connection(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as sock:
        sock.sendall(head(web, "Transfer-Encoding: chunked"))
        sent = 0
        with pytest.raises(OSError):
            while sent < 50_000_000:
                sent += sock.send(b"400\r\n" + b" " * 1024 + b"\r\n")
    assert web.ask("GET", "/api/v1/echo").status == 200
    chunks = (b"400\r\n" + b" " * 1024 + b"\r\n") * 11
    answer = web.send(head(web, "Transfer-Encoding: chunked") + chunks)
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 12", "Content-Length: 13"],
        ["Content-Length: 12", "Content-Length: 12"],
        ["Content-Length: 12, 12"],
        ["Content-Length: +12"],
        ["Content-Length: 1_2"],
        ["Content-Length: -1"],
        ["Content-Length: 12", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Content-Length : 12"],
        ["no colon", "Content-Length: 12"],
        ["Host: y", "Content-Length: 12"],
    ],
)
def test_framing_that_another_server_could_read_differently_is_400(
    web: Web, lines: list[str]
) -> None:
    answer = web.send(head(web, *lines) + b'{"text":"a"}')
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + (b"A: " + b"b" * 8000 + b"\r\n") * 20 + b"\r\n", 431),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 400),
        (b"<script>alert(1)</script>\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
def test_a_head_past_the_limits_is_refused_without_an_echo(
    web: Web, raw: bytes, status: int
) -> None:
    answer = web.send(raw)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in answer
    assert b"script" not in answer and b"elsewhere" not in answer


@pytest.mark.parametrize(
    "first", [b"", b"GET /api/v1/echo HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"]
)
def test_a_head_that_comes_slowly_is_cut(web: Web, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as sock:
        sock.sendall(first)
        started = time.monotonic()
        for _ in range(80):  # a byte now and then must not put the end off
            try:
                sock.sendall(b"X-A: b\r\n" if first else b"G")
            except OSError:
                break
            time.sleep(0.1)
            sock.settimeout(0.01)
            try:
                if sock.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert 0.5 * TIMEOUT < time.monotonic() - started < 3 * TIMEOUT


def test_a_body_that_comes_slowly_is_408_and_cut(web: Web) -> None:
    started = time.monotonic()
    answer = web.send(head(web, "Content-Length: 100") + b'{"text"')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < 6 * TIMEOUT


def test_a_client_that_goes_away_in_its_body_harms_nobody(web: Web) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as sock:
            sock.sendall(head(web, "Content-Length: 100") + b'{"te')
    assert web.ask("GET", "/api/v1/echo").status == 200


def test_a_body_that_an_operation_does_not_take_is_skipped(web: Web) -> None:
    url = "/api/v1/notes/00000000-0000-0000-0000-000000000000"
    assert web.ask("DELETE", url, token="writer", body={}).status == 204
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    for size in (10, 50_000, 200_000):
        connection.request("GET", "/api/v1/echo", b" " * size)
        assert connection.getresponse().read()
    connection.close()


def test_a_port_that_is_taken_is_said_at_start(
    web: Web, tmp_path: Path, service_database: ServiceDatabase
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "TOGHETER_ORG": "comune",
        "DATABASE_URL": service_database.url,
        "AMQP_URL": "amqp://127.0.0.1:1/",
        "TOGHETER_NETWORK": str(tmp_path),
        "TOGHETER_KEYS": str(tmp_path),
        **PRIVACY,
        "TOGHETER_HTTP": f"127.0.0.1:{web.port}",
    }
    done = subprocess.run(
        [sys.executable, str(SERVICE)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode != 0
    assert f"cannot listen on 127.0.0.1:{web.port}" in done.stderr
    assert "set TOGHETER_HTTP" in done.stderr


def test_a_connection_is_kept_for_the_next_request(web: Web) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/api/v1/echo")
        assert connection.getresponse().read()
        sockets.add(id(connection.sock))
    connection.close()
    assert len(sockets) == 1


# --- pages ----------------------------------------------------------------------------------------


def basic(web: Web, name: str, token: str | None = None) -> str:
    text = f"{name}:{token or web.tokens[name]}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_a_browser_is_asked_who_it_is_and_gets_the_page(web: Web) -> None:
    asked = web.ask("GET", "/")
    assert asked.status == 401
    assert asked.headers["WWW-Authenticate"] == 'Basic realm="TOGHETER", charset="UTF-8"'
    assert asked.headers["Content-Type"] == "text/html; charset=utf-8"
    reply = web.ask("GET", "/", Authorization=basic(web, "reader"))
    assert reply.status == 200
    text = reply.body.decode()
    assert '<html lang="it" dir="ltr">' in text and "<main" in text and "<h1>" in text
    assert "&lt;script&gt;" in text and "<script>" not in text
    wrong_name = basic(web, "lead", web.tokens["reader"])
    assert web.ask("GET", "/", Authorization=wrong_name).status == 401
    assert web.ask("GET", "/", Authorization="Basic !!!").status == 401
    assert web.ask("GET", "/", token="reader").status == 200


def test_pages_carry_the_headers_that_protect_them(web: Web) -> None:
    headers = web.ask("GET", "/", token="reader").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_a_form_is_taken_from_our_own_pages_only(web: Web) -> None:
    here = f"http://127.0.0.1:{web.port}"
    kind = {
        "Content_Type": "application/x-www-form-urlencoded",
        "Authorization": basic(web, "writer"),
    }

    def post(**headers: str) -> Reply:
        return web.ask("POST", "/form", body=b"a=1&a=%C3%A8&b=", **kind, **headers)

    taken = post(Origin=here)
    assert taken.status == 303 and taken.headers["Location"] == "/?1,%C3%A8"
    assert post(Sec_Fetch_Site="same-origin").status == 303
    assert post().status == 403
    assert post(Origin="null").status == 403
    assert post(Origin="http://evil.example").status == 403
    assert post(Origin=here, Sec_Fetch_Site="cross-site").status == 403
    assert post(Sec_Fetch_Site="same-site").status == 403


def test_an_unknown_page_is_html_for_who_wants_html(web: Web) -> None:
    reply = web.ask("GET", "/nothing", Accept="text/html,*/*", Accept_Language="en")
    assert reply.status == 404 and b'<html lang="en"' in reply.body


def test_static_files_are_cached_and_nothing_else_is_served(web: Web) -> None:
    reply = web.ask("GET", "/static/togheter.css")
    assert reply.status == 200 and reply.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "max-age" in reply.headers["Cache-Control"]
    again = web.ask("GET", "/static/togheter.css", If_None_Match=reply.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    for path in ("../templates/base.html", "%2e%2e/render.py", "/etc/passwd", "nothing.css"):
        assert web.ask("GET", f"/static/{path}").status == 404


def test_a_file_is_kept_for_ever_under_its_version_and_travels_packed(web: Web) -> None:
    page = web.ask("GET", "/accessibility").body.decode()
    url = re.findall(r'href="(/static/vendor/bootstrap-italia.css[^"]*)"', page)[0]
    reply = web.ask("GET", url, Accept_Encoding="gzip")
    assert "immutable" in reply.headers["Cache-Control"]
    assert reply.headers["Content-Encoding"] == "gzip" and len(reply.body) < 150_000
    assert "immutable" not in web.ask("GET", url[:-1] + "_").headers["Cache-Control"]


def test_a_browser_chooses_its_language_and_keeps_it(web: Web) -> None:
    kind = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin"}
    body = b"language=ar&next=/accessibility"
    chosen = web.ask("POST", "/language", body=body, **kind)
    assert (chosen.status, chosen.headers["Location"]) == (303, "/accessibility")
    cookie = chosen.headers["Set-Cookie"]
    assert (
        cookie.startswith("__Host-togheter-lang=ar;") and "Secure" in cookie and "Path=/" in cookie
    )
    page = web.ask("GET", "/accessibility", Cookie=cookie.partition(";")[0]).body.decode()
    assert '<html lang="ar" dir="rtl">' in page and "rtl.css" in page and "انتقل" in page
    away = web.ask("POST", "/language", body=b"language=it&next=//evil.example", **kind)
    assert away.headers["Location"] == "/"
    assert web.ask("POST", "/language", body=b"language=xx&next=/", **kind).status == 400
    for hostile in (b"/%0d%0aSet-Cookie:x=1", b"/\xd8\xb9", b"/%D8%B9%0a", b"/%00", b"%5C%5Cevil"):
        answer = web.ask("POST", "/language", body=b"language=it&next=" + hostile, **kind)
        assert answer.status in (303, 400), hostile
        assert answer.headers.get("Set-Cookie", "__Host-").startswith("__Host-")


def test_a_problem_is_told_in_the_language_of_who_asks(web: Web) -> None:
    refused = web.ask("GET", "/", Accept_Language="fr")
    assert refused.status == 401 and "Il faut un jeton" in refused.body.decode()


def test_the_sheet_and_the_shell_have_nothing_inline() -> None:
    shell = Path(sys.modules["togheter_shared"].__path__[0]) / "web" / "templates"
    for template in shell.glob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?! src)|\bstyle=|<style|\son\w+=", text)


# --- logs -----------------------------------------------------------------------------------------


def test_libraries_write_neither_arguments_nor_exception_texts() -> None:
    program = textwrap.dedent(
        f"""
        import logging
        from togheter_shared.run import logs
        logs.configure(service="intake", organisation="comune")
        logging.getLogger("kombu").error("Can't decode message body: %r", "{CANARY}")
        logging.getLogger("nameko.containers").warning("error: {CANARY}")
        try:
            raise ValueError("{CANARY}")
        except ValueError:
            logging.getLogger("anything").exception("failed on %s", "{CANARY}")
            import structlog
            structlog.get_logger().exception("our own", event_id=1)
        logging.getLogger("amqp").info("not shown")
        import warnings; warnings.warn("{CANARY}")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert CANARY not in done.stdout + done.stderr
    assert [line["event"] for line in lines[:1]] == ["Can't decode message body: %r"]
    assert all(line["service"] == "intake" and line["timestamp"] for line in lines)
    assert [line["error"] for line in lines if "error" in line] == ["builtins.ValueError"] * 2
    assert len(lines) == 5


# --- ending ---------------------------------------------------------------------------------------


def test_an_idle_process_ends_soon_after_it_is_asked_to(
    service_database: ServiceDatabase, tmp_path: Path
) -> None:
    with serving(tmp_path, service_database.url) as web:
        assert web.ask("GET", "/api/v1/echo").status == 200
        time.sleep(3)  # until the pool has nothing to do and the process sleeps long
        started = time.monotonic()
    assert time.monotonic() - started < 3


def test_a_request_that_is_under_way_is_answered_before_the_process_ends(
    service_database: ServiceDatabase, tmp_path: Path
) -> None:
    token = tokens.mint()
    with psycopg.connect(service_database.url, autocommit=True) as conn:
        tokens.add(conn, "last", token, ["all"], 1)
    with serving(tmp_path, service_database.url) as web, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(web.ask, "GET", "/api/v1/slow", token=token)
        deadline = time.monotonic() + 10
        with psycopg.connect(service_database.url, autocommit=True) as conn:
            while (
                time.monotonic() < deadline
                and not conn.execute(
                    "select 1 from pg_stat_activity where query like 'select pg_sleep(1)%'"
                ).fetchone()
            ):
                time.sleep(0.02)
        os.kill(web.pid, 15)
        assert waiting.result().body == b"done"
