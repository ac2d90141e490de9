"""Reports as of a past position, frozen, restated and proven: exactly what was shown then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest

from togheter_reporting import frozen
from togheter_reporting.catalogue import reports
from togheter_reporting.figures import read
from togheter_reporting.histories import History, history, interleave, store
from togheter_reporting.past import BeyondTheLog, as_of, changes, position_at
from togheter_reporting.projection import project
from togheter_reporting.rebuild import rebuild
from togheter_reporting.verify import count
from togheter_shared.contracts import intake
from togheter_shared.log import follow
from togheter_shared.privacy.keys import generate_keys, is_signed, sign

KEYS = generate_keys()


def signed(document: bytes) -> tuple[str, bytes]:
    return "ours", sign(KEYS["sign_private"], document)


def believe(key: str, signature: bytes, document: bytes, at: datetime) -> bool:
    return key == "ours" and is_signed(KEYS["sign_public"], signature, document)


def project_all(reporting: Any) -> None:
    while follow.project(reporting.conn, project):
        pass


def last(reporting: Any) -> int:
    row = reporting.conn.execute("select max(position) from inbox").fetchone()
    return int(row[0])


@pytest.mark.parametrize("snapshots", [False, True], ids=["from the beginning", "from snapshots"])
def test_a_report_as_of_a_past_position_is_exactly_what_it_showed_then(
    reporting: Any, snapshots: bool
) -> None:
    told = interleave(history(21, hostile=True), 1)
    cuts = sorted(Random(3).sample(range(1, len(told)), 3))
    then: list[tuple[int, dict[str, Any]]] = []
    for low, high in zip([0, *cuts], [*cuts, len(told)], strict=True):
        store(reporting.conn, told[low:high])
        project_all(reporting)
        shown = {name: read(reporting.conn, item).rows for name, item in reports().items()}
        then.append((last(reporting), shown))
    if snapshots:
        rebuild(reporting.owner, runtime_role=reporting.role, window=100)
        kept = reporting.conn.execute("select count(*) from report_snapshot").fetchone()[0]
        assert kept > len(reports()) // 2
    for position, shown in then:
        for name, item in reports().items():
            assert as_of(reporting.conn, item, position).rows == shown[name]
            assert count(reporting.conn, item, position) == shown[name]
    assert as_of(reporting.conn, reports()["persons"], 0).rows == []


def test_looking_back_leaves_nothing_behind(reporting: Any) -> None:
    store(reporting.conn, interleave(history(1), 1))
    project_all(reporting)
    before = {name: read(reporting.conn, item).rows for name, item in reports().items()}
    as_of(reporting.conn, reports()["persons"], 50)
    assert before == {name: read(reporting.conn, item).rows for name, item in reports().items()}
    left = reporting.conn.execute("select count(*) from pg_tables where schemaname ~ 'pg_temp'")
    assert left.fetchone()[0] == 0


def test_a_position_that_the_log_does_not_have_is_refused(reporting: Any) -> None:
    with pytest.raises(BeyondTheLog, match="the log ends at 0"):
        as_of(reporting.conn, reports()["persons"], 1)


def test_a_date_is_the_last_position_of_what_had_come_by_then(reporting: Any) -> None:
    store(reporting.conn, interleave(history(1), 1)[:10])
    days = datetime(2026, 3, 1, tzinfo=UTC)
    for position in range(1, 11):
        reporting.owner.execute(
            "update inbox set received_at = %s where position = %s",
            [days + timedelta(days=position), position],
        )
    assert position_at(reporting.conn, days) == 0
    assert position_at(reporting.conn, days + timedelta(days=4, hours=1)) == 4
    assert position_at(reporting.conn, days + timedelta(days=99)) == 10


def visit(made: History, number: int) -> None:
    made.tell(
        "ponte.intake",
        UUID(int=number, version=4),
        intake.AccessRecorded(
            access_id=UUID(int=number, version=4),
            door_id=UUID(int=1, version=4),
            on=date(2026, 3, 5),
            kind=intake.AccessKind.INFORMATION,
        ),
    )


def frozen_of(reporting: Any, name: str, **rest: Any) -> frozen.Frozen:
    position = last(reporting)
    return frozen.freeze(reporting.conn, reports()[name], position, signed, by="Ufficio", **rest)


def prove(reporting: Any, item: frozen.Frozen) -> list[str]:
    return frozen.prove(reporting.conn, item, reports()[item.report], believe)


def test_a_restatement_says_old_new_and_which_events_made_the_difference(reporting: Any) -> None:
    store(reporting.conn, interleave(history(5), 1))
    first = frozen_of(reporting, "accesses")
    made = History(Random(1))
    for number in (901, 902):
        visit(made, number)
    late = [event for line in made.streams["ponte.intake"] for event in line]
    store(reporting.conn, late)
    second = frozen_of(reporting, "accesses", restates=first.number)
    told = second.content["restates"]
    [difference] = told["differences"]
    assert difference["old"] is None
    assert difference["new"] == [2, 0, 2, 2, 0, 0, 0]
    assert [event["event_id"] for event in told["events"]] == [str(one.event_id) for one in late]
    assert (told["number"], told["more_events"], told["definition_changed"]) == (1, False, False)
    assert prove(reporting, first) == [] == prove(reporting, second)


def test_a_frozen_report_is_proven_until_anything_is_changed_and_says_where(reporting: Any) -> None:
    store(reporting.conn, interleave(history(7), 1))
    item = frozen_of(reporting, "accesses")
    store(reporting.conn, interleave(history(8), 1))
    assert prove(reporting, item) == []
    document = item.document.replace(b'"by":"U', b'"by":"X')
    forged = frozen.Frozen(**{**vars(item), "document": document})
    assert "signature" in prove(reporting, forged)[0]
    reporting.owner.execute(
        'update inbox set data = data || \'{"kind": "request"}\' where position ='
        " (select min(position) from inbox where type = 'intake.access_recorded'"
        " and data ->> 'kind' <> 'request')"
    )
    assert any("frozen" in fault and "from the log" in fault for fault in prove(reporting, item))
    reporting.owner.execute("update inbox set entry = entry || 'x' where position = 3")
    assert any(fault.startswith("position 3:") for fault in prove(reporting, item))
    reporting.owner.execute(
        "delete from inbox where position = (select max(position) from inbox where position <= %s)",
        [item.position],
    )
    assert any("another head" in fault for fault in prove(reporting, item))


def test_a_report_of_an_older_definition_is_computed_with_its_own(reporting: Any) -> None:
    store(reporting.conn, interleave(history(9), 1))
    now = reports()["amif_charge"]
    other = {**now.definition, "excluded_citizenships": ["NGA", "UKR"]}
    then = now.__class__(**{**vars(now), "definition": other, "version": 0})
    made = frozen.freeze(reporting.conn, then, last(reporting), signed, by="Ufficio")
    assert made.content["rows"] != [
        list(row) for row in as_of(reporting.conn, now, last(reporting)).rows
    ]
    assert prove(reporting, made) == []


def test_what_was_frozen_cannot_be_changed_by_the_service(reporting: Any) -> None:
    store(reporting.conn, interleave(history(7), 1))
    frozen_of(reporting, "needs")
    for statement in ("update frozen set report = 'x'", "delete from frozen"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reporting.conn.execute(statement)


def test_the_events_behind_a_figure_are_those_at_which_it_changed(reporting: Any) -> None:
    made = History(Random(1))
    for number in range(10, 40):
        visit(made, number)
    store(reporting.conn, interleave(made, 1))
    report = reports()["accesses"]
    found, more = changes(reporting.conn, report, 0, 30)
    assert ([cause.position for cause in found], more) == (list(range(1, 31)), False)
    found, more = changes(reporting.conn, report, 0, 30, lambda rows: rows[:0])
    assert (found, more) == ([], False)
