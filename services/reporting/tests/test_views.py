"""Live, rebuilt and counted by hand are the same figures, whatever comes in whatever order."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from psycopg import Connection

from togheter_reporting import rebuild as rebuilding
from togheter_reporting.catalogue import Row, reports
from togheter_reporting.figures import StaleView, read
from togheter_reporting.histories import Told, history, interleave, store
from togheter_reporting.projection import project
from togheter_reporting.rebuild import rebuild
from togheter_reporting.verify import verify

SEEDS = range(6)


def project_all(conn: Connection, random: Random | None = None) -> None:
    """Project what is in the inbox, in windows of random sizes."""
    random = random or Random(0)
    after = 0
    while True:
        row = conn.execute(
            "select max(position) from (select position from inbox where position > %s"
            " order by position limit %s) as next",
            [after, random.choice((1, 2, 7, 50, 400))],
        ).fetchone()
        if row is None or row[0] is None:
            return
        with conn.transaction():
            project(conn, after, row[0])
        after = row[0]


def figures(conn: Connection) -> dict[str, list[Row]]:
    return {name: read(conn, report).rows for name, report in reports().items()}


def differences(conn: Connection) -> list[Any]:
    return [found for item in verify(conn) for found in item.differences]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("hostile", [False, True], ids=["honest", "hostile"])
def test_live_equals_rebuilt_equals_counted_again(reporting: Any, seed: int, hostile: bool) -> None:
    store(reporting.conn, interleave(history(seed, hostile=hostile), seed))
    project_all(reporting.conn, Random(seed))
    live = figures(reporting.conn)
    assert all(live.values())
    assert differences(reporting.conn) == []
    rebuild(reporting.owner, runtime_role=reporting.role, window=37)
    assert figures(reporting.conn) == live
    rebuild(reporting.owner, runtime_role=reporting.role)
    assert figures(reporting.conn) == live


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_in_which_origins_arrive_changes_no_figure(bare: Any, seed: int) -> None:
    found = []
    made = history(seed, hostile=True)
    for order in range(3):
        bare.owner.execute("truncate inbox, inbox_extent")
        store(bare.conn, interleave(made, order))
        rebuild(bare.owner, runtime_role=bare.role, window=100)
        found.append(figures(bare.conn))
    assert found[0] == found[1] == found[2]


def test_an_origin_that_comes_late_counts_as_if_it_had_come_in_time(reporting: Any) -> None:
    told = interleave(history(11), 1)
    late = [event for event in told if event.origin == "ponte.intake"]
    store(reporting.conn, [event for event in told if event.origin != "ponte.intake"])
    project_all(reporting.conn)
    before = figures(reporting.conn)
    store(reporting.conn, late)
    project_all(reporting.conn)
    assert figures(reporting.conn) != before
    assert differences(reporting.conn) == []


def test_an_event_that_comes_a_second_time_under_another_number_changes_nothing(
    reporting: Any,
) -> None:
    told = interleave(history(12), 1)
    told = [event for event in told if event.type != "intake.duplicate_decided"]
    store(reporting.conn, told)
    project_all(reporting.conn)
    before = figures(reporting.conn)
    store(reporting.conn, told)
    project_all(reporting.conn)
    assert figures(reporting.conn) == before


def test_a_window_that_is_projected_again_changes_nothing(reporting: Any) -> None:
    store(reporting.conn, interleave(history(13), 1))
    project_all(reporting.conn)
    before = figures(reporting.conn)
    reporting.conn.execute("update report_view set position = 5")
    project_all(reporting.conn)
    assert figures(reporting.conn) == before


def test_a_view_that_was_never_built_refuses_and_says_the_way_out(bare: Any) -> None:
    with pytest.raises(StaleView, match="togheter-reporting rebuild persons"):
        read(bare.conn, reports()["persons"])


def test_a_stale_view_refuses_and_stands_still_until_it_is_rebuilt(reporting: Any) -> None:
    told = interleave(history(14), 1)
    store(reporting.conn, told[:100])
    project_all(reporting.conn)
    reporting.conn.execute(
        "update report_view set definition_hash = 'of another version' where name = 'needs'"
    )
    store(reporting.conn, told[100:])
    project_all(reporting.conn)
    with pytest.raises(StaleView):
        read(reporting.conn, reports()["needs"])
    rows = reporting.conn.execute("select name, position from report_view").fetchall()
    positions: dict[str, int] = dict(rows)
    assert positions.pop("needs") == 100
    assert set(positions.values()) == {len(told)}
    assert rebuilding.missing(reporting.conn) == ["needs"]
    rebuild(reporting.owner, ["needs"], runtime_role=reporting.role)
    assert differences(reporting.conn) == []


def test_the_second_count_sees_a_row_that_was_changed_behind_its_back(reporting: Any) -> None:
    store(reporting.conn, interleave(history(15), 1))
    project_all(reporting.conn)
    reporting.conn.execute("delete from report_persons.registered where age = 30 or age is null")
    assert {found.report for found in differences(reporting.conn)} == {
        item.name for item in reports().values() if item.view == "persons"
    }


def test_somebody_else_cannot_answer_for_the_recipient_nor_overwrite_a_fact(
    reporting: Any,
) -> None:
    told: list[Told] = interleave(history(16, hostile=True), 1)
    store(reporting.conn, told)
    project_all(reporting.conn)
    honest = {"comune", "ponte", "scuola"}
    before = {
        name: [row for row in rows if row[0] in honest]
        for name, rows in figures(reporting.conn).items()
    }
    assert any(event.origin.startswith("estraneo.") for event in told)
    reporting.owner.execute("truncate inbox, inbox_extent")
    store(reporting.conn, [event for event in told if not event.origin.startswith("estraneo.")])
    rebuild(reporting.owner, runtime_role=reporting.role)
    assert figures(reporting.conn) == before
