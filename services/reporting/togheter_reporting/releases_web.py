"""What reporting hands out of its ledger over HTTP: to everybody, and to accounts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from marshmallow.validate import Range

from togheter_reporting import catalogue
from togheter_reporting.disclosure import ledger
from togheter_reporting.disclosure.cells import Audience
from togheter_reporting.disclosure.ledger import File
from togheter_reporting.exports.data import tables_of
from togheter_reporting.exports.dcat import JSON_LD, catalogue_of
from togheter_reporting.pages import PAGES
from togheter_shared.run.http import Answer, Database, NotFound, Request, api, page
from togheter_shared.run.operation import JSON

if TYPE_CHECKING:
    from psycopg import Connection

READ = "reporting.read"
PAGE = 50
_FOR_A_WHILE = {"Cache-Control": "public, max-age=300"}


@dataclass(frozen=True, kw_only=True)
class ReleasePage:
    """Which part of the ledger: releases after the number `after`, at most `limit`."""

    after: Annotated[int, Range(min=0)] = 0
    limit: Annotated[int, Range(min=1, max=500)] = PAGE


@dataclass(frozen=True, kw_only=True)
class Newest:
    """Which part of the page: releases before the number `before`."""

    before: Annotated[int, Range(min=1)] | None = None


class ReleasesWeb:
    """The ledger over HTTP. The files are those made when it was published, with their ETag.

    Nothing but what was released is read here; what is for authorities needs an account.
    """

    database = Database()

    @api(
        "GET",
        "/api/v1/releases",
        scope=READ,
        query=ReleasePage,
        summary="All releases in their order; `next` leads on",
        media=JSON,
    )
    def list_releases(self, request: Request) -> str:
        return self._page(request, "/api/v1/releases", public=False)

    @api(
        "GET",
        "/api/v1/releases/<int:number>",
        scope=READ,
        summary="A release: its figures, null where they are hidden",
        media=JSON,
    )
    def show_release(self, request: Request) -> Answer:
        return self._json(request, public=False)

    @api(
        "GET",
        "/api/v1/releases/<int:number>/files/<name>",
        scope=READ,
        summary="A release as CSV, JSON, ODS, PDF, XLSX or Parquet",
        media="application/octet-stream",
    )
    def download_release(self, request: Request) -> Answer:
        return self._file(request, request.path["name"], public=False)

    @api(
        "GET",
        "/api/v1/public/releases",
        scope=None,
        query=ReleasePage,
        summary="The public releases in their order; `next` leads on",
        media=JSON,
    )
    def list_public_releases(self, request: Request) -> str:
        return self._page(request, "/api/v1/public/releases", public=True)

    @api(
        "GET",
        "/api/v1/public/releases/<int:number>",
        scope=None,
        summary="A public release: its figures, null where they are hidden",
        media=JSON,
    )
    def show_public_release(self, request: Request) -> Answer:
        return self._json(request, public=True)

    @page("/releases", scope=None, query=Newest, summary="What was published, for everybody")
    def releases_page(self, request: Request) -> str:
        with self.database.connection() as conn:
            found = ledger.latest(conn, Audience.PUBLIC, before=request.query.before, limit=PAGE)
        return PAGES(
            "releases.html",
            request,
            releases=[(_title(entry.report), entry) for entry in found],
            older=found[-1].number if len(found) == PAGE else None,
        )

    @page("/releases/<int:number>", scope=None, summary="A public release as tables")
    def release_page(self, request: Request) -> str:
        number = request.path["number"]
        with self.database.connection() as conn:
            release = json.loads(_json_file(conn, number, public=True).body)
            files = ledger.files(conn, number)
        return PAGES(
            "release.html",
            request,
            release=release,
            tables=list(tables_of(release)),
            files=[(name, size) for name, _, _, size in files],
        )

    @page(
        "/releases/<int:number>/files/<name>",
        scope=None,
        summary="A public release as CSV, JSON, ODS, PDF, XLSX or Parquet",
    )
    def release_file(self, request: Request) -> Answer:
        return self._file(request, request.path["name"], public=True)

    @page("/releases.jsonld", scope=None, summary="The catalogue of open data, in DCAT-AP_IT")
    def open_data_catalogue(self, request: Request) -> Answer:
        with self.database.connection() as conn:
            found = [
                (catalogue.reports()[entry.report], entry, ledger.files(conn, entry.number))
                for entry in ledger.entries(conn, audience=Audience.PUBLIC)
                if entry.report in catalogue.reports()
            ]
        text = json.dumps(catalogue_of(found), ensure_ascii=False)
        return Answer(200, text, {"Content-Type": JSON_LD, **_FOR_A_WHILE})

    def _page(self, request: Request, place: str, *, public: bool) -> str:
        after, limit = request.query.after, request.query.limit
        audience = Audience.PUBLIC if public else None
        with self.database.connection() as conn:
            found = ledger.entries(conn, audience=audience, after=after, limit=limit + 1)
        listed = found[:limit]
        more = f"{place}?after={listed[-1].number}&limit={limit}" if len(found) > limit else None
        return json.dumps({"releases": [ledger.line_of(entry) for entry in listed], "next": more})

    def _json(self, request: Request, *, public: bool) -> Answer:
        with self.database.connection() as conn:
            return _answer(_json_file(conn, request.path["number"], public=public))

    def _file(self, request: Request, name: str, *, public: bool) -> Answer:
        with self.database.connection() as conn:
            file = _file_of(conn, request.path["number"], name, public=public)
        answer = _answer(file)
        headers = {**answer.headers, "Content-Disposition": f'attachment; filename="{file.name}"'}
        return Answer(200, answer.body, headers)


def _json_file(conn: Connection, number: int, *, public: bool) -> File:
    entry = ledger.entry_of(conn, number)
    name = "" if entry is None else f"{entry.report}-{number}.json"
    return _file_of(conn, number, name, public=public)


def _file_of(conn: Connection, number: int, name: str, *, public: bool) -> File:
    """A file of a release; what is not public does not exist for everybody."""
    entry = ledger.entry_of(conn, number)
    if entry is None or (public and entry.audience != Audience.PUBLIC):
        raise NotFound("no_such_release")
    file = ledger.file_of(conn, number, name)
    if file is None:
        raise NotFound("no_such_file")
    return file


def _answer(file: File) -> Answer:
    return Answer(200, file.body, {"Content-Type": file.media, "ETag": file.etag, **_FOR_A_WHILE})


def _title(name: str) -> str:
    found = catalogue.reports().get(name)
    return name if found is None else found.title
