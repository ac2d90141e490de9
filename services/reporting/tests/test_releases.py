"""What is published is in the ledger for ever, in every form, and never more than may be."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pikepdf
import psycopg
import pytest
from psycopg import errors
from python_calamine import CalamineWorkbook
from tests.benchmarks.attacker import Attacker, Published

from togheter_reporting.catalogue import FOLDER, report, reports
from togheter_reporting.disclosure import ledger
from togheter_reporting.disclosure import publish as publishing
from togheter_reporting.disclosure.cells import MINIMUM, Audience, NotReleasable, plan_of
from togheter_reporting.exports.files import files_of
from togheter_reporting.figures import read
from togheter_reporting.histories import history, interleave, store
from togheter_reporting.projection import project
from togheter_reporting.rebuild import rebuild
from togheter_reporting.service import SERVICE
from togheter_shared.log import follow
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import drop_database, ensure_database
from togheter_shared.testing.plugin import TEST_PREFIX
from togheter_shared.testing.servers import Postgres


def tell(conn: psycopg.Connection, *seeds: int) -> None:
    for seed in seeds:
        store(conn, interleave(history(seed), seed))
    while follow.project(conn, project):
        pass


def publish(
    conn: psycopg.Connection, name: str, audience: Audience = Audience.PUBLIC, **more: Any
) -> ledger.Published:
    chosen = report(name)
    plan, _ = publishing.load_plan(chosen)
    more.setdefault("render", lambda found: files_of(chosen, plan, found))
    return publishing.publish(conn, read(conn, chosen), audience, "the test", **more)


@pytest.fixture
def told(reporting: Any, pango: None) -> Any:
    tell(reporting.conn, 1, 2, 3)
    return reporting


# --- the ledger --------------------------------------------------------------------------------


RELEASABLE = [name for name in reports() if (FOLDER / name / "release.toml").exists()]


def test_a_report_that_may_be_published_says_what_of_it() -> None:
    assert RELEASABLE
    for chosen in map(report, RELEASABLE):
        plan, digest = publishing.load_plan(chosen)
        assert plan.tables and digest
        for table in plan.tables:
            columns = {column.name for column in chosen.columns}
            assert {level.partition(":")[0] for level in table.levels} <= columns


def test_a_report_that_does_not_say_what_is_not_published(monkeypatch: Any) -> None:
    monkeypatch.setattr(publishing, "FOLDER", Path("/nowhere"))
    with pytest.raises(NotReleasable, match=r"no release\.toml"):
        publishing.load_plan(report("persons"))


def test_a_second_report_over_the_same_persons_is_not_published() -> None:
    others = [item for item in reports().values() if item.view != item.name]
    assert others
    for item in others:  # two bands of the same persons could be subtracted
        with pytest.raises(NotReleasable, match="may not be published"):
            publishing.load_plan(item)


def test_every_report_is_published_and_no_small_count_is_in_it(told: Any) -> None:
    for name in RELEASABLE:
        found = publish(told.conn, name, render=lambda _: ())
        plan, _ = publishing.load_plan(report(name))
        shown = [each for place, each in enumerate(found.figures) if place not in found.hidden]
        assert found.new and shown
        for figure in shown:
            sensitive = plan.by_name[figure.table].sensitivity(figure.key)
            assert figure.value >= (sensitive or MINIMUM[Audience.PUBLIC]) or figure.value == 0
            assert sensitive is None or figure.value >= sensitive
    numbers = [entry.number for entry in ledger.entries(told.conn)]
    assert numbers == list(range(1, len(RELEASABLE) + 1))


def test_the_same_figures_for_the_same_readers_are_the_release_that_there_is(told: Any) -> None:
    first = publish(told.conn, "persons", render=lambda _: ())
    again = publish(told.conn, "persons", render=lambda _: ())
    assert (again.new, again.entry, again.hidden) == (False, first.entry, first.hidden)
    other = publish(told.conn, "persons", Audience.AUTHORITIES, render=lambda _: ())
    assert other.new and len(other.hidden) <= len(first.hidden)


@pytest.mark.parametrize("as_of", [False, True], ids=["later", "as of before"])
def test_a_release_at_another_position_is_checked_with_the_earlier_one(
    told: Any, as_of: bool
) -> None:
    chosen = report("persons")
    moments = [read(told.conn, chosen)]
    tell(told.conn, 21)
    moments.append(read(told.conn, chosen))
    order = reversed(moments) if as_of else moments
    made = [publishing.publish(told.conn, each, Audience.PUBLIC, "the test") for each in order]
    first, second = sorted(made, key=lambda each: each.entry.position)
    assert first.entry.position < second.entry.position
    attacker = Attacker(
        [
            Published(
                {
                    (f"{each.table}/{each.measure}", each.key): None
                    if place in found.hidden
                    else each.value
                    for place, each in enumerate(found.figures)
                }
            )
            for found in (first, second)
        ]
    )
    for number, name, key in attacker.hidden():
        low, high = attacker.interval(((number, name, key), 1.0))
        assert low < high
    before = {(each.table, each.key): each.value for each in first.figures}
    changes = 0
    for each in second.figures:
        old = before.get((each.table, each.key))
        if old is not None and 0 < abs(each.value - old) < 5:
            changes += 1
            name = f"{each.table}/{each.measure}"
            low, high = attacker.interval(((1, name, each.key), 1.0), ((0, name, each.key), -1.0))
            assert high - low >= 3
    assert changes > 10
    attacker.close()


def test_a_release_of_a_part_shows_the_part_alone(told: Any) -> None:
    only = ledger.filter_of({"organisation": ["ponte"]})
    found = publish(told.conn, "persons", filter_=only, render=lambda _: ())
    assert {each.table for each in found.figures} == {"by_sex_and_age"}
    assert {each.key[0] for each in found.figures} <= {(), ("ponte",)}
    with pytest.raises(publishing.Refused, match="leave out one of nothing"):
        publish(told.conn, "persons", filter_=ledger.filter_of({"nothing": ["x"]}))


def test_when_nothing_could_be_shown_the_release_is_refused_with_the_way_out(
    reporting: Any,
) -> None:
    with pytest.raises(publishing.Refused, match="publish it when more has been counted"):
        publish(reporting.conn, "persons")
    assert ledger.entries(reporting.conn) == []


def test_a_changed_plan_is_refused_until_a_new_series_is_begun_with_a_reason(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(told.conn, "persons", render=lambda _: ())
    plan, _ = publishing.load_plan(report("persons"))
    monkeypatch.setattr(publishing, "load_plan", lambda _: (plan, "another"))
    with pytest.raises(publishing.Refused, match="--new-series REASON"):
        publish(told.conn, "persons", render=lambda _: ())
    made = publish(told.conn, "persons", render=lambda _: (), new_series="new age bands")
    assert made.new


def test_a_release_whose_files_cannot_be_made_is_not_made(told: Any) -> None:
    def fail(_: ledger.Published) -> Iterator[ledger.File]:
        yield ledger.File(name="x.csv", media="text/csv", body=b"")
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        publish(told.conn, "persons", render=fail)
    assert ledger.entries(told.conn) == []
    assert told.conn.execute("select count(*) from release_file").fetchone() == (0,)


@pytest.mark.parametrize("table", ["release", "release_snapshot", "release_figure", "release_file"])
def test_nothing_is_ever_taken_from_the_ledger(told: Any, table: str) -> None:
    publish(told.conn, "persons", render=lambda _: ())
    for statement in (
        f"delete from {table}",
        f"update {table} set number = 9",
        f"truncate {table}",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            told.conn.execute(statement)


def test_tables_that_share_dimensions_in_a_circle_are_refused() -> None:
    document: dict[str, Any] = {
        "tables": [
            {"name": name, "title": name, "dimensions": dimensions, "measures": ["persons"]}
            for name, dimensions in (
                ("one", ["organisation", "sex"]),
                ("two", ["sex", "age_band"]),
                ("three", ["age_band", "organisation"]),
            )
        ]
    }
    with pytest.raises(NotReleasable, match="in a circle"):
        plan_of(report("persons"), document)
    document["tables"].pop()
    assert len(plan_of(report("persons"), document).tables) == 2


# --- the forms ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(postgres: Postgres, pango: None) -> Iterator[dict[str, bytes]]:
    """The files of a release of accesses, by their ending; made once for all tests."""
    name = TEST_PREFIX + secrets.token_hex(6)
    with postgres.connect() as admin:
        made = ensure_database(
            admin, postgres.admin_url, name, secrets.token_hex(8), secrets.token_hex(8)
        )
        with psycopg.connect(made.owner_url, autocommit=True) as owner:
            migrate(owner, list(SERVICE.packages), name)
            rebuild(owner, runtime_role=name)
            with psycopg.connect(made.url, autocommit=True) as conn:
                tell(conn, 1, 2, 3)
                found = publish(conn, "accesses")
                yield {
                    each.rpartition(".")[2]: _body(conn, found.entry.number, each)
                    for each, *_ in ledger.files(conn, found.entry.number)
                }
        drop_database(admin, name)


def _body(conn: psycopg.Connection, number: int, name: str) -> bytes:
    file = ledger.file_of(conn, number, name)
    assert file is not None
    return file.body


def test_every_form_says_the_same_to_a_reader_of_another_make(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    assert set(files) == {"csv", "json", "ods", "parquet", "pdf", "xlsx"}
    document = json.loads(files["json"])
    told = sorted(
        (table["name"], measure, -1 if value is None else value)
        for table in document["tables"]
        for row in table["rows"]
        for measure, value in row["figures"].items()
    )
    assert -1 in {value for *_, value in told} and len(told) > 50

    rows = list(csv.DictReader(io.StringIO(files["csv"].decode(), newline="")))
    assert told == sorted(
        (row["table"], row["measure"], -1 if row["flag"] == "c" else int(row["value"]))
        for row in rows
    )
    assert all((row["flag"] == "c") == (row["value"] == "") for row in rows)

    (tmp_path / "x.parquet").write_bytes(files["parquet"])
    query = f"select \"table\", measure, coalesce(value, -1) from '{tmp_path}/x.parquet'"
    assert told == sorted(duckdb.sql(query).fetchall())

    book = openpyxl.load_workbook(io.BytesIO(files["xlsx"]))
    (tmp_path / "x.ods").write_bytes(files["ods"])
    other = CalamineWorkbook.from_path(tmp_path / "x.ods")
    assert book.sheetnames == other.sheet_names
    assert book.sheetnames[-1] == "Definizioni e note"
    for table, name in zip(document["tables"], book.sheetnames, strict=False):
        page = [["" if cell is None else cell for cell in row] for row in book[name].values]
        assert page == [
            [int(cell) if isinstance(cell, float) else cell for cell in row]
            for row in other.get_sheet_by_name(name).to_python()
        ]
        assert len(page) == len(table["rows"]) + 1
        first = len(table["dimensions"])
        for row, line in zip(page[1:], table["rows"], strict=True):
            figures = [line["figures"].get(item["name"], "") for item in table["measures"]]
            assert row[first:] == ["c" if value is None else value for value in figures]
    notes = dict(book["Definizioni e note"].values)
    assert notes["Unità di conteggio"] == "accesso"
    assert any("riservato" in str(text) for text in notes.values())


def test_the_printed_form_is_tagged_titled_and_in_italian(files: dict[str, bytes]) -> None:
    with pikepdf.open(io.BytesIO(files["pdf"])) as pdf:
        assert pdf.Root.MarkInfo.Marked
        assert str(pdf.Root.Lang) == "it"
        assert pdf.Root.ViewerPreferences.DisplayDocTitle
        with pdf.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"
            assert metadata["dc:title"] == "Accessi alle Porte Sociali"
        kinds: dict[str, int] = {}
        ahead = [pdf.Root.StructTreeRoot]
        while ahead:
            node = ahead.pop()
            if isinstance(node, pikepdf.Dictionary):
                kind = str(node.get("/S", ""))
                kinds[kind] = kinds.get(kind, 0) + 1
                below = node.get("/K", [])
                ahead.extend(below if isinstance(below, pikepdf.Array) else [below])
    assert kinds["/H1"] == 1 and kinds["/Table"] >= 2
    assert kinds["/TH"] > 10 and kinds["/TD"] > 50


def test_a_door_that_is_named_like_a_formula_is_text_in_every_form(
    told: Any, tmp_path: Path
) -> None:
    told.conn.execute("update report_accesses.door set name = '=1+1'")
    found = publish(told.conn, "accesses", filter_=ledger.filter_of({"organisation": ["ponte"]}))
    number = found.entry.number
    rows = csv.DictReader(
        io.StringIO(_body(told.conn, number, f"accesses-{number}.csv").decode(), newline="")
    )
    assert {"'=1+1"} == {row["door"] for row in rows if "1+1" in row["door"]}
    book = openpyxl.load_workbook(io.BytesIO(_body(told.conn, number, f"accesses-{number}.xlsx")))
    cells = [cell for row in book.worksheets[0] for cell in row if cell.value == "=1+1"]
    assert cells and all(cell.data_type == "s" for cell in cells)
