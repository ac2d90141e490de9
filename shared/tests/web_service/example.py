"""A service for the tests of the web edge: notes, some slow methods, some broken ones."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

from marshmallow import validate

if __name__ == "__main__":
    from togheter_shared.run.green import prepare_green

    if os.environ.get("WITHOUT_THE_CURE"):  # what happens to requests when psycopg blocks
        import eventlet

        eventlet.monkey_patch()
    else:
        prepare_green()

from togheter_shared.decider import Rejected
from togheter_shared.run.http import (
    Answer,
    Database,
    NotFound,
    Request,
    api,
    page,
    run_web,
    see_other,
)
from togheter_shared.web.render import KERNEL

CANARY = "Mario-Canary-Rossi"


@dataclass(frozen=True, kw_only=True)
class WriteNote:
    """A note to be written."""

    text: Annotated[str, validate.Length(min=1, max=50)]
    person_id: UUID | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Note:
    note_id: UUID
    text: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class Filter:
    limit: Annotated[int, validate.Range(min=1, max=10)] = 3
    open: bool = False
    tag: tuple[str, ...] = ()


class Example:
    name = "example"
    database = Database()

    @api(
        "POST",
        "/api/v1/notes",
        scope="notes.write",
        summary="Write a note",
        body=WriteNote,
        answer=Note,
        status=201,
        max_body=10_000,
    )
    def write(self, request: Request) -> Note:
        if request.body.text == "late":
            raise Rejected("La nota arriva tardi.", "late")
        if request.body.text == "odd":
            raise Rejected("Il testo è strano.", "odd", "text")
        return Note(note_id=uuid4(), text=request.body.text, actor=request.actor)

    @api(
        "GET",
        "/api/v1/notes",
        scope="notes.read",
        summary="List notes",
        query=Filter,
        answer=Note,
        many=True,
    )
    def list_notes(self, request: Request) -> list[Note]:
        text = f"{request.query.open} {' '.join(request.query.tag)}"
        note = Note(note_id=UUID(int=0), text=text, actor=request.actor)
        return [note] * request.query.limit

    @api(
        "GET",
        "/api/v1/notes/<uuid:note_id>",
        scope="notes.read",
        summary="Read a note",
        answer=Note,
    )
    def read(self, request: Request) -> Note:
        if request.path["note_id"] == UUID(int=0):
            return Note(note_id=UUID(int=0), text="zero", actor=request.actor)
        raise NotFound("no_note")

    @api(
        "POST",
        "/api/v1/files",
        scope="notes.write",
        summary="Upload",
        body="text/csv",
        media="text/plain",
    )
    def upload(self, request: Request) -> bytes:
        return str(len(request.raw)).encode()

    @api("GET", "/api/v1/export.csv", scope="notes.read", summary="Export", media="text/csv")
    def export(self, request: Request) -> str:
        return "a;b\r\n"

    @api("GET", "/api/v1/slow", scope="notes.read", summary="One second", media="text/plain")
    def slow(self, request: Request) -> str:
        with self.database.connection() as conn:
            conn.execute("select pg_sleep(1)")
        return "done"

    @api("GET", "/api/v1/too-slow", scope="notes.read", summary="Past the limit")
    def too_slow(self, request: Request) -> None:
        with self.database.connection() as conn:
            conn.execute("set statement_timeout = 100")
            conn.execute("select pg_sleep(5)")

    @api("GET", "/api/v1/broken", scope="notes.read", summary="Raises")
    def broken(self, request: Request) -> None:
        raise RuntimeError(CANARY)

    @api("GET", "/api/v1/wrong-class", scope="notes.read", summary="Breaks", answer=Note)
    def wrong_class(self, request: Request) -> object:
        return Filter()

    @api("DELETE", "/api/v1/notes/<uuid:note_id>", scope="notes.write", summary="Nothing to say")
    def remove(self, request: Request) -> None:
        assert request.idempotency_key is None or request.idempotency_key

    @api("GET", "/api/v1/echo", scope=None, summary="Whoever asks", media="application/json")
    def echo(self, request: Request) -> Answer:
        return Answer(200, f'{{"id":"{request.correlation_id}"}}', {"X-Extra": "1"})

    @page("/", scope="notes.read")
    def home(self, request: Request) -> str:
        return KERNEL(
            "problem.html",
            request,
            title="<script>",
            detail="",
            errors=(),
            status=1,
            code=request.actor,
            instance="",
        )

    @page("/form", scope="notes.write", method="POST")
    def form(self, request: Request) -> Answer:
        return see_other("/?" + ",".join(request.form.getlist("a")))


if __name__ == "__main__":
    from togheter_shared.run import http, logs, settings

    if os.environ.get("WITHOUT_THE_CURE"):
        http.assert_green = lambda: None  # type: ignore[attr-defined]
    found = settings.read()
    logs.configure(service="example", organisation=found.organisation)

    def health(conn: object) -> dict[str, str]:
        return {"engine": Path(sys.argv[1]).read_text().strip()} if len(sys.argv) > 1 else {}

    run_web(
        Example,
        found,
        version="1.2.3",
        health=health,
        timeout=float(os.environ.get("TIMEOUT", "20")),
    )
