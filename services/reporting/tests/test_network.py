"""How the network stands is told by sizes, times and states, and by nothing that an event says."""

from __future__ import annotations

from typing import Any

from togheter_reporting.histories import history, interleave, store
from togheter_reporting.network import network
from togheter_reporting.projection import project
from togheter_reporting.rebuild import rebuild
from togheter_shared.contracts.all import EVERY
from togheter_shared.log import follow


def test_channels_views_and_types_are_told_as_they_are(reporting: Any) -> None:
    told = interleave(history(41, 60, hostile=True), 41)
    store(reporting.conn, told)
    reporting.owner.execute(
        "insert into inbox_channel (origin, channel, epoch, next_number) select origin, channel,"
        " epoch, max(number) + 1 from inbox group by origin, channel, epoch"
    )
    reporting.owner.execute("update inbox_channel set state = 'frozen' where origin like 'scuola%'")
    reporting.owner.execute(
        "insert into quarantine (origin, channel, reason, body, body_hash)"
        " values ('ponte.intake', 'reporting', 'a reason', '', '')"
    )
    found = network(reporting.conn, EVERY)
    channels = {row["origin"]: row for row in found["channels"]}
    assert sum(row["taken"] for row in channels.values()) == len(told)
    assert all(row["received_at"] is not None for row in channels.values())
    assert channels["scuola.courses"]["state"] == "frozen"
    assert {o for o, row in channels.items() if row["quarantined"]} == {"ponte.intake"}
    assert {row["last"] - row["position"] for row in found["views"]} == {len(told)}
    newest = {event.type: event.type_version for event in told}
    assert {row["type"]: row["type_version"] for row in found["types"]} == newest
    assert {row["type"] for row in found["types"] if row["known"]} == {
        type_ for type_, version in newest.items() if EVERY.find(type_, version) is not None
    }
    while follow.project(reporting.conn, project):
        pass
    assert {r["last"] - r["position"] for r in network(reporting.conn, EVERY)["views"]} == {0}


def test_a_rebuild_is_seen_while_it_goes_on(reporting: Any) -> None:
    told = interleave(history(42, 60), 42)
    store(reporting.conn, told)
    seen: list[int] = []

    def look(step: Any) -> None:
        views = {row["name"]: row for row in network(reporting.conn, EVERY)["views"]}
        assert views["needs"]["rebuilt_to"] == step.position
        assert views["persons"]["rebuilt_to"] is None
        seen.append(step.position)

    rebuild(reporting.owner, ["needs"], runtime_role=reporting.role, window=100, progress=look)
    assert seen[-1] == len(told)
