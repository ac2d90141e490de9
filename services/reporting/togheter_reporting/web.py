"""The web of reporting: figures as JSON, CSV and plain pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from togheter_reporting import catalogue, figures
from togheter_reporting.figures import Figures, Freshness
from togheter_reporting.network import network
from togheter_reporting.pages import PAGES
from togheter_reporting.releases_web import ReleasesWeb
from togheter_reporting.spreadsheet import csv_of
from togheter_shared.contracts.all import EVERY
from togheter_shared.run.http import Answer, Database, NotFound, Refusal, Request, api, page
from togheter_shared.run.operation import JSON

READ = "reporting.read"
CSV = "text/csv; charset=utf-8"


class ReportingWeb(ReleasesWeb):
    """What reporting answers over HTTP."""

    name = "reporting"
    pages = PAGES
    database = Database()

    @api("GET", "/api/v1/reports", scope=READ, summary="The reports, and how fresh", media=JSON)
    def list_reports(self, request: Request) -> str:
        with self.database.connection() as conn:
            found = figures.catalogue(conn)
        return _json({"reports": [_entry(report, fresh) for report, fresh in found]})

    @api(
        "GET",
        "/api/v1/reports/<name>",
        scope=READ,
        summary="The definition, freshness and figures of a report",
        media=JSON,
    )
    def show_report(self, request: Request) -> str:
        return _json(document(self._figures(request)))

    @api(
        "GET",
        "/api/v1/reports/<name>.csv",
        scope=READ,
        summary="The figures of a report, safe to open in a spreadsheet",
        media=CSV,
    )
    def download_report(self, request: Request) -> Answer:
        found = self._figures(request)
        name = f"{found.report.name}-{found.freshness.position}.csv"
        return Answer(200, csv_of(found), {"Content-Disposition": f'attachment; filename="{name}"'})

    @page("/", scope=READ, summary="The catalogue of reports")
    def catalogue_page(self, request: Request) -> str:
        with self.database.connection() as conn:
            found = figures.catalogue(conn)
        return PAGES("catalogue.html", request, reports=found)

    @page("/reports/<name>", scope=READ, summary="A report as a table")
    def report_page(self, request: Request) -> str:
        found = self._figures(request)
        return PAGES("report.html", request, **_table(found))

    @page("/reports/<name>.csv", scope=READ, summary="A report as CSV, for a browser")
    def report_csv(self, request: Request) -> Answer:
        answer = ReportingWeb.download_report(self, request)
        return Answer(200, answer.body, {**answer.headers, "Content-Type": CSV})

    @page("/reports/<name>.json", scope=READ, summary="A report as JSON, for a browser")
    def report_json(self, request: Request) -> Answer:
        return Answer(200, _json(document(self._figures(request))), {"Content-Type": JSON})

    @api(
        "GET",
        "/api/v1/network",
        scope=READ,
        summary="How the network stands: channels, views, types of events",
        media=JSON,
    )
    def show_network(self, request: Request) -> str:
        with self.database.connection() as conn:
            return json.dumps(network(conn, EVERY), ensure_ascii=False, default=_time)

    @page("/network", scope=READ, summary="How the network stands")
    def network_page(self, request: Request) -> str:
        with self.database.connection() as conn:
            found = network(conn, EVERY)
        return PAGES("network.html", request, **found)

    def _figures(self, request: Request) -> Figures:
        with _problems(), self.database.connection() as conn:
            return figures.read(conn, catalogue.report(request.path["name"]))


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except catalogue.NoSuchReport:
        raise NotFound("no_such_report") from None
    except figures.StaleView as error:
        raise Refusal(503, "report_stale", str(error)) from None


def document(found: Figures) -> dict[str, Any]:
    """A report as JSON: its definition, how fresh it is, and each row by the names of columns."""
    names = [column.name for column in found.report.columns]
    return {
        **_entry(found.report, found.freshness),
        "definition": dict(found.report.definition),
        "columns": [
            {"name": column.name, "title": column.title, "measure": column.measure}
            for column in found.report.columns
        ],
        "rows": [dict(zip(names, row, strict=True)) for row in found.rows],
    }


def _entry(report: catalogue.Report, fresh: Freshness | None) -> dict[str, Any]:
    return {
        "name": report.name,
        "code": report.code,
        "version": report.version,
        "title": report.title,
        "unit": report.unit,
        "description": report.description,
        "definition_hash": report.hash,
        "freshness": None
        if fresh is None
        else {
            "position": fresh.position,
            "occurred_at": _time(fresh.occurred_at),
            "received_at": _time(fresh.received_at),
            "rebuilt_at": _time(fresh.rebuilt_at),
        },
    }


def _time(value: Any) -> str | None:
    return None if value is None else value.isoformat()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _table(found: Figures) -> dict[str, Any]:
    """The table as people read it: titles, words for codes, sums where adding up makes sense."""
    shown = [item for item in enumerate(found.report.columns) if item[1].page]
    return {
        "report": found.report,
        "fresh": found.freshness,
        "columns": [column for _, column in shown],
        "rows": [
            [(column, column.words(row[place])) for place, column in shown] for row in found.rows
        ],
        "totals": [
            sum(row[place] for row in found.rows) if column.total else None
            for place, column in shown
            if column.measure
        ],
        "dimensions": sum(not column.measure for _, column in shown),
    }
