"""A rebuild can be killed, raced and watched: readers see the old view or the new one, whole."""

from __future__ import annotations

import threading
from random import Random
from typing import Any

import psycopg
import pytest

from togheter_reporting.catalogue import reports
from togheter_reporting.figures import read, whole
from togheter_reporting.histories import history, interleave, store
from togheter_reporting.projection import project
from togheter_reporting.rebuild import Progress, RebuildRunning, rebuild
from togheter_reporting.verify import verify
from togheter_shared.log import follow


class Killed(Exception):
    pass


def ok(conn: psycopg.Connection) -> bool:
    return not any(item.differences for item in verify(conn))


@pytest.mark.parametrize("seed", range(4))
def test_a_rebuild_that_was_killed_goes_on_and_never_serves_half(reporting: Any, seed: int) -> None:
    told = interleave(history(seed, 100), seed)
    store(reporting.conn, told)
    while follow.project(reporting.conn, project):
        pass
    before = {name: read(reporting.conn, report).rows for name, report in reports().items()}
    windows = -(-len(told) // 40)
    at = Random(seed).randrange(1, windows)
    seen: list[Progress] = []

    def kill(step: Progress) -> None:
        seen.append(step)
        if len(seen) == at:
            raise Killed

    with pytest.raises(Killed):
        rebuild(reporting.owner, runtime_role=reporting.role, window=40, progress=kill)
    assert {n: read(reporting.conn, r).rows for n, r in reports().items()} == before
    rebuild(reporting.owner, runtime_role=reporting.role, window=40, progress=seen.append)
    assert len(seen) == windows  # nothing was folded a second time
    assert {n: read(reporting.conn, r).rows for n, r in reports().items()} == before
    assert ok(reporting.conn)


def test_a_killed_rebuild_of_another_definition_begins_again(reporting: Any) -> None:
    store(reporting.conn, interleave(history(1), 1))
    seen: list[Progress] = []

    def kill(step: Progress) -> None:
        raise Killed

    with pytest.raises(Killed):
        rebuild(reporting.owner, ["needs"], window=40, progress=kill)
    reporting.owner.execute("update report_rebuild set definition_hash = 'of another version'")
    rebuild(
        reporting.owner, ["needs"], runtime_role=reporting.role, window=40, progress=seen.append
    )
    assert seen[0].position == 40
    with reporting.conn.transaction():
        project(reporting.conn, 0, seen[-1].position)
    assert ok(reporting.conn)


def test_two_rebuilds_do_not_run_at_once(reporting: Any) -> None:
    store(reporting.conn, interleave(history(1), 1))

    def second(step: Progress) -> None:
        with psycopg.connect(reporting.database.owner_url, autocommit=True) as other:
            rebuild(other)

    with pytest.raises(RebuildRunning):
        rebuild(reporting.owner, progress=second)


def test_the_runtime_role_may_not_change_tables_or_the_log(reporting: Any) -> None:
    for statement in ("drop table report_persons.registered", "delete from inbox"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reporting.conn.execute(statement)


def test_readers_and_projection_go_on_while_views_are_rebuilt_again_and_again(
    reporting: Any,
) -> None:
    told = interleave(history(3, 200), 3)
    half = len(told) // 2
    store(reporting.conn, told[:half])
    while follow.project(reporting.conn, project):
        pass
    least = {n: sum(row[-1] or 0 for row in read(reporting.conn, r).rows) for n, r in accruing()}
    stop, reads = threading.Event(), [0]
    faults: list[Any] = []

    def reader() -> None:
        with psycopg.connect(reporting.database.url, autocommit=True) as conn:
            while not stop.is_set():
                for name, report in accruing():
                    found = read(conn, report)
                    reads[0] += 1
                    if found.freshness.position < half or (
                        sum(row[-1] or 0 for row in found.rows) < least[name]
                    ):
                        faults.append((name, found.freshness.position))

    def writer() -> None:
        random = Random(1)
        with psycopg.connect(reporting.database.url, autocommit=True) as conn:
            place = half
            while place < len(told):
                step = random.randrange(1, 30)
                store(conn, told[place : place + step])
                place += step
                follow.project(conn, project)

    def guarded(work: Any) -> None:
        try:
            work()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=guarded, args=[work]) for work in (reader, reader, writer)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        rebuild(reporting.owner, runtime_role=reporting.role, window=100)
    threads[-1].join()
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert reads[0] > 20
    while follow.project(reporting.conn, project):
        pass
    assert ok(reporting.conn)


def test_no_reader_waits_a_tenth_of_a_second_for_a_swap_that_waits_for_another(
    reporting: Any,
) -> None:
    store(reporting.conn, interleave(history(4), 4))
    swapping, free = threading.Event(), threading.Event()
    faults: list[Exception] = []

    def reader() -> None:
        try:
            with psycopg.connect(reporting.database.url, autocommit=True) as conn:
                conn.execute("set lock_timeout = '100ms'")  # longer than that: it is refused
                while not free.is_set():
                    read(conn, reports()["accesses"])
        except Exception as error:
            faults.append(error)

    def work() -> None:
        with psycopg.connect(reporting.database.owner_url, autocommit=True) as owner:
            rebuild(owner, runtime_role=reporting.role, progress=lambda step: swapping.set())
        free.set()

    threads = [threading.Thread(target=each) for each in (reader, work)]
    with whole(reporting.conn):
        for thread in threads:
            thread.start()
        assert swapping.wait(20)
        assert not free.wait(1)  # many attempts, while one reader is in the middle
    for thread in threads:
        thread.join(30)
    assert (faults, free.is_set()) == ([], True)


def test_views_are_folded_by_several_workers_and_a_killed_one_goes_on(reporting: Any) -> None:
    store(reporting.conn, interleave(history(5, 100), 5))
    seen: list[Progress] = []

    def kill(step: Progress) -> None:
        seen.append(step)
        if len(seen) == 7:
            raise Killed

    options: dict[str, Any] = {"runtime_role": reporting.role, "window": 40, "workers": 2}
    with pytest.raises(Killed):
        rebuild(reporting.owner, **options, progress=kill)
    while follow.project(reporting.conn, project):
        pass
    seen.clear()
    rebuild(reporting.owner, **options, progress=seen.append)
    assert {len(step.names) for step in seen} == {1}
    assert [step.position for step in seen] == sorted(step.position for step in seen)
    assert ok(reporting.conn)


def accruing() -> list[Any]:
    """Reports whose last column only grows in an honest history."""
    return [(name, reports()[name]) for name in ("accesses", "needs")]


def test_a_swap_waits_for_a_reader_in_the_middle(reporting: Any) -> None:
    store(reporting.conn, interleave(history(4), 4))
    done = threading.Event()

    def work() -> None:
        with psycopg.connect(reporting.database.owner_url, autocommit=True) as owner:
            rebuild(owner, runtime_role=reporting.role)
        done.set()

    with whole(reporting.conn):
        thread = threading.Thread(target=work)
        thread.start()
        assert not done.wait(0.5)
    thread.join(20)
    assert done.is_set()
    assert ok(reporting.conn)
