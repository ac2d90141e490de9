"""The network's log lies in months that can be taken away and come back byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from togheter_reporting.catalogue import reports
from togheter_reporting.figures import read
from togheter_reporting.histories import Told, history, interleave, store
from togheter_reporting.parts import NotDetachable, PartAway, attach, detach, parts, turn
from togheter_reporting.past import as_of, position_at
from togheter_reporting.projection import project
from togheter_reporting.rebuild import rebuild
from togheter_reporting.verify import verify
from togheter_shared.log import follow
from togheter_shared.run.migrate import grant

LOG = "select md5(string_agg(i::text, E'\\n' order by position)) from inbox i"


def told() -> list[Told]:
    return interleave(history(31, 80), 31)


def months(reporting: Any) -> list[str]:
    """The log in three parts: February and March of 2026, and the rest."""
    events = told()
    third = len(events) // 3
    for month, low in (("2026-02", 0), ("2026-03", third)):
        store(reporting.conn, events[low : low + third])
        reporting.owner.execute(
            "update inbox set received_at = %s where position > %s", [f"{month}-10", low]
        )
        assert turn(reporting.conn) is not None
    store(reporting.conn, events[2 * third :])
    while follow.project(reporting.conn, project):
        pass
    return ["2026-02", "2026-03"]


def one(conn: Any, query: str) -> Any:
    return conn.execute(query).fetchone()[0]


def test_a_month_is_taken_away_and_comes_back_byte_for_byte(reporting: Any, tmp_path: Path) -> None:
    before, rows = months(reporting), one(reporting.owner, LOG)
    for month in before:
        detach(reporting.owner, month, tmp_path)
    assert one(reporting.owner, "select min(position) from inbox") == 2 * (len(told()) // 3) + 1
    assert [part.month for part in parts(reporting.conn) if part.away_since] == before
    for month in reversed(before):
        attach(reporting.owner, month, tmp_path)
    assert one(reporting.owner, LOG) == rows
    rebuild(reporting.owner, runtime_role=reporting.role)
    assert not any(item.differences for item in verify(reporting.conn))


def test_events_go_on_arriving_and_figures_stay_while_a_month_is_away(
    reporting: Any, tmp_path: Path
) -> None:
    months(reporting)
    detach(reporting.owner, "2026-02", tmp_path)
    before = {name: read(reporting.conn, item).rows for name, item in reports().items()}
    store(reporting.conn, interleave(history(32, 30), 32))
    while follow.project(reporting.conn, project):
        pass
    after = {name: read(reporting.conn, item).rows for name, item in reports().items()}
    assert before["accesses"] != after["accesses"]
    attach(reporting.owner, "2026-02", tmp_path)
    assert not any(item.differences for item in verify(reporting.conn))


def test_what_needs_a_month_that_is_away_says_how_to_bring_it_back(
    reporting: Any, tmp_path: Path
) -> None:
    months(reporting)
    detach(reporting.owner, "2026-02", tmp_path)
    report = reports()["needs"]
    moment = one(reporting.owner, "select timestamptz '2026-02-05'")
    for work in (
        lambda: rebuild(reporting.owner, runtime_role=reporting.role),
        lambda: verify(reporting.conn),
        lambda: as_of(reporting.conn, report, 40),
        lambda: position_at(reporting.conn, moment),
    ):
        with pytest.raises(PartAway, match="log attach 2026-02 --from FOLDER"):
            work()
    assert read(reporting.conn, report).rows, "the view goes on serving"


def test_a_number_never_comes_twice_not_even_when_its_month_is_away(
    reporting: Any, tmp_path: Path
) -> None:
    months(reporting)
    again = (
        "insert into inbox (origin, channel, epoch, number, entry, hash, event_id, type,"
        " type_version, occurred_at, stream_id, stream_version, data) select origin, channel,"
        " epoch, {}, entry, hash, event_id, type, type_version, occurred_at, stream_id,"
        " stream_version, data from inbox where position = (select max(position) from inbox)"
    )
    detach(reporting.owner, "2026-02", tmp_path)
    for number in ("1", "2", "number", "number + 2"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            reporting.conn.execute(again.format(number))
    reporting.conn.execute(again.format("number + 1"))


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_file_that_is_not_what_was_written_is_not_taken_back(
    reporting: Any, tmp_path: Path, damage: str
) -> None:
    months(reporting)
    path = detach(reporting.owner, "2026-03", tmp_path)
    whole = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "changed":
            other = detach(reporting.owner, "2026-02", tmp_path)
            path.write_bytes(other.read_bytes())
        case "gone":
            path.unlink()
    with pytest.raises((NotDetachable, psycopg.errors.CheckViolation)):
        attach(reporting.owner, "2026-03", tmp_path)
    assert [p.month for p in parts(reporting.conn) if p.away_since][-1] == "2026-03"
    path.write_bytes(whole)
    attach(reporting.owner, "2026-03", tmp_path)


def test_the_end_of_the_log_and_what_is_still_read_stay(reporting: Any, tmp_path: Path) -> None:
    store(reporting.conn, told())
    reporting.owner.execute("update inbox set received_at = '2026-02-10'")
    assert turn(reporting.conn) is not None
    with pytest.raises(NotDetachable, match=r"nothing came after|still being read"):
        detach(reporting.owner, "2026-02", tmp_path)
    while follow.project(reporting.conn, project):
        pass
    with pytest.raises(NotDetachable, match="nothing came after"):
        detach(reporting.owner, "2026-02", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_month_that_is_not_over_stays_open(reporting: Any) -> None:
    assert turn(reporting.conn) is None
    store(reporting.conn, told()[:50])
    assert turn(reporting.conn) is None
    assert [part.month for part in parts(reporting.conn)] == [None]


def test_the_service_may_add_to_the_log_and_to_no_part_of_it_by_another_way(
    reporting: Any,
) -> None:
    months(reporting)
    grant(reporting.owner, reporting.role)
    name = parts(reporting.conn)[0].name
    for statement in (
        f"insert into {name} select * from {name}",
        f"delete from {name}",
        "update inbox_extent set last_number = 0",
        "update inbox_part set away_since = null",
        "delete from inbox",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reporting.conn.execute(statement)
