"""Releases that are due are made once, and brought to folders and mailboxes until they arrive."""

from __future__ import annotations

import mailbox
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from togheter_reporting import schedule as schedules
from togheter_reporting.delivery import Mail, Undelivered, deliver
from togheter_reporting.disclosure import ledger
from togheter_reporting.disclosure.cells import Audience
from togheter_reporting.histories import history, interleave, store
from togheter_reporting.projection import project
from togheter_reporting.schedule import Schedule, add, run_due
from togheter_shared.log import follow
from togheter_shared.testing.processes import free_port

NOW = datetime.now(UTC)


@pytest.fixture
def told(reporting: Any, pango: None) -> Any:
    tell(reporting.conn, 1)
    return reporting


def tell(conn: Any, seed: int) -> None:
    store(conn, interleave(history(seed), seed))
    while follow.project(conn, project):
        pass


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mail, Path]]:
    """A mail server, a process of its own, and the mailbox that it fills."""
    folder = tmp_path_factory.mktemp("post") / "box"
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}"),
            *("-c", "aiosmtpd.handlers.Mailbox", str(folder)),
        ]
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None and time.monotonic() < deadline
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Mail(server=f"smtp://127.0.0.1:{port}", sender="togheter@comune.example"), folder
    finally:
        process.terminate()
        process.wait(15)


def due(name: str, *targets: str, every: str = "month", at: datetime = NOW) -> Schedule:
    return Schedule(
        name=name,
        report="persons",
        audience=Audience.PUBLIC,
        every=every,
        targets=targets,
        set_by="the test",
        next_at=at,
    )


def run_all(conn: Any, mail: Mail | None = None) -> int:
    done = 0
    while run_due(conn, lambda: False, mail):
        done += 1
    return done


def test_what_is_due_is_published_and_brought_to_its_folder(told: Any, tmp_path: Path) -> None:
    add(told.conn, due("folder", tmp_path.as_uri()))
    assert run_all(told.conn) == 2
    assert {path.suffix for path in tmp_path.iterdir()} == {
        ".csv",
        ".json",
        ".ods",
        ".parquet",
        ".pdf",
        ".xlsx",
    }
    entry = ledger.entries(told.conn)[0]
    assert (entry.report, entry.released_by) == ("persons", "the test")
    found = schedules.schedules(told.conn)[0]
    assert (found.waiting, found.error) == (0, None)
    assert timedelta(days=27) < found.next_at - NOW < timedelta(days=32)
    assert run_all(told.conn) == 0


def test_a_release_is_sent_by_mail_with_its_files(told: Any, post: tuple[Mail, Path]) -> None:
    mail, folder = post
    add(told.conn, due("mail", "mailto:ufficio@comune.example"))
    assert run_all(told.conn, mail) == 2
    (message,) = mailbox.Maildir(folder)
    assert message["To"] == "ufficio@comune.example"
    assert message["From"] == "togheter@comune.example"
    assert message["Subject"] == "Persone registrate: pubblicazione n. 1"
    assert message["Message-ID"].startswith("<release-1-")
    parts = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert set(parts) == {"persons-1.pdf", "persons-1.xlsx", "persons-1.csv"}
    for name, part in parts.items():
        file = ledger.file_of(told.conn, 1, name)
        assert file is not None and part.get_payload(decode=True) == file.body
    text = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    assert "riservato" in text.get_payload(decode=True).decode()  # type: ignore[union-attr]


def test_what_does_not_arrive_is_tried_again_and_the_rest_goes_on(
    told: Any, tmp_path: Path, post: tuple[Mail, Path]
) -> None:
    missing = tmp_path / "missing"
    there = tmp_path / "there"
    there.mkdir()
    add(told.conn, due("both", missing.as_uri(), there.as_uri(), "mailto:x@comune.example"))
    assert run_all(told.conn, None) == 4
    assert any(there.iterdir())
    found = schedules.schedules(told.conn)[0]
    assert found.waiting == 2 and found.error
    missing.mkdir()
    assert run_all(told.conn, post[0]) == 0  # not yet
    told.conn.execute("update release_delivery set try_at = clock_timestamp()")
    assert run_all(told.conn, post[0]) == 2
    assert schedules.schedules(told.conn)[0].waiting == 0
    assert any(missing.iterdir())
    assert len(ledger.entries(told.conn)) == 1


def test_the_reasons_of_what_did_not_arrive_name_nobody(told: Any, tmp_path: Path) -> None:
    add(told.conn, due("folder", tmp_path.as_uri()))
    run_all(told.conn)
    nowhere = Mail(server=f"smtp://127.0.0.1:{free_port()}", sender="a@comune.example")
    with pytest.raises(Undelivered, match=r"does not take mail \(ConnectionRefusedError\)"):
        deliver(told.conn, 1, "mailto:maria@comune.example", nowhere)
    with pytest.raises(Undelivered, match="set TOGHETER_SMTP"):
        deliver(told.conn, 1, "mailto:maria@comune.example", None)


def test_a_password_is_not_told_to_a_server_without_tls(
    told: Any, tmp_path: Path, post: tuple[Mail, Path]
) -> None:
    add(told.conn, due("folder", tmp_path.as_uri()))
    run_all(told.conn)
    mail = Mail(server=post[0].server.replace("smtp://", "smtp://me:secret@"), sender="a@b.example")
    with pytest.raises(Undelivered, match="has no TLS"):
        deliver(told.conn, 1, "mailto:x@comune.example", mail)


def test_times_that_were_missed_make_one_release(told: Any) -> None:
    add(told.conn, due("late", every="day", at=NOW - timedelta(days=40)))
    assert run_all(told.conn) == 1
    next_at = schedules.schedules(told.conn)[0].next_at
    assert NOW < next_at <= NOW + timedelta(days=1, minutes=5)
    assert told.conn.execute("select count(*) from release_run").fetchone() == (1,)


def test_a_release_that_was_noted_is_not_made_again_after_a_kill(told: Any) -> None:
    schedule = due("killed")
    add(told.conn, schedule)
    run_all(told.conn)
    told.conn.execute("update release_schedule set next_at = %s", [schedule.next_at])
    tell(told.conn, 2)
    run_all(told.conn)
    assert len(ledger.entries(told.conn)) == 1


def test_when_nothing_can_be_shown_the_reason_is_kept_and_the_next_time_comes(
    reporting: Any,
) -> None:
    add(reporting.conn, due("empty"))
    assert run_all(reporting.conn) == 1
    refused = reporting.conn.execute("select refused from release_run").fetchone()[0]
    assert "nothing of persons can be shown" in refused
    assert schedules.schedules(reporting.conn)[0].next_at > NOW


def test_a_stale_report_is_tried_again_later_and_said(told: Any) -> None:
    told.conn.execute("update report_view set definition_hash = ''")
    add(told.conn, due("stale"))
    assert run_all(told.conn) == 1
    found = schedules.schedules(told.conn)[0]
    assert "rebuild persons" in (found.error or "")
    assert ledger.entries(told.conn) == []


def test_a_schedule_is_ended_and_its_name_is_free_again(told: Any) -> None:
    add(told.conn, due("name"))
    with pytest.raises(schedules.ScheduleExists, match="schedule end name"):
        add(told.conn, due("name"))
    assert schedules.end(told.conn, "name") and not schedules.end(told.conn, "name")
    assert run_all(told.conn) == 0
    add(told.conn, due("name"))
