"""Releases that are due: made, and brought to a folder or sent by mail, until they have arrived."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from psycopg import Connection

from togheter_reporting.catalogue import report
from togheter_reporting.delivery import Mail, Undelivered, deliver
from togheter_reporting.disclosure import publish as publishing
from togheter_reporting.disclosure.cells import Audience, NotReleasable
from togheter_reporting.disclosure.ledger import File, Published
from togheter_reporting.exports.files import files_of
from togheter_reporting.exports.pdf import MissingLibrary
from togheter_reporting.figures import StaleView, read

log: structlog.stdlib.BoundLogger = structlog.get_logger()

EVERY = ("day", "week", "month")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A release that is made by itself, every day, week or month."""

    name: str
    report: str
    audience: Audience
    every: str
    targets: tuple[str, ...]
    """`file:///folder` or `mailto:address`."""
    set_by: str
    next_at: datetime
    error: str | None = None
    waiting: int = 0
    """How many deliveries have not arrived yet."""


class ScheduleExists(Exception):
    """There is a schedule of that name; end it first, or choose another name."""


def add(conn: Connection, schedule: Schedule) -> None:
    """Set a schedule. Raises `ScheduleExists`."""
    row = conn.execute(
        "insert into release_schedule (name, report, audience, every, targets, set_by, next_at)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict (name) do update set"
        " report = excluded.report, audience = excluded.audience, every = excluded.every,"
        " targets = excluded.targets, set_by = excluded.set_by, next_at = excluded.next_at,"
        " retry_at = null, error = null, ended_at = null"
        " where release_schedule.ended_at is not null returning name",
        [
            schedule.name,
            schedule.report,
            schedule.audience,
            schedule.every,
            list(schedule.targets),
            schedule.set_by,
            schedule.next_at,
        ],
    ).fetchone()
    if row is None:
        raise ScheduleExists(
            f"there is a schedule {schedule.name}; end it first:"
            f" togheter-reporting schedule end {schedule.name}"
        )


def end(conn: Connection, name: str) -> bool:
    """End a schedule; what it made stays. False when there is none of that name."""
    row = conn.execute(
        "update release_schedule set ended_at = clock_timestamp() where name = %s"
        " and ended_at is null returning name",
        [name],
    ).fetchone()
    return row is not None


def schedules(conn: Connection) -> list[Schedule]:
    """The schedules that have not ended, and how they are."""
    rows = conn.execute(
        "select s.name, s.report, s.audience, s.every, s.targets, s.set_by, s.next_at,"
        " coalesce(s.error, max(d.error)), count(d.target) from release_schedule s"
        " left join release_delivery d on d.schedule = s.name and d.delivered_at is null"
        " where s.ended_at is null group by s.name order by s.name"
    ).fetchall()
    return [
        Schedule(
            name=row[0],
            report=row[1],
            audience=Audience(row[2]),
            every=row[3],
            targets=tuple(row[4]),
            set_by=row[5],
            next_at=row[6],
            error=row[7],
            waiting=row[8],
        )
        for row in rows
    ]


def run_due(conn: Connection, stopping: Callable[[], bool], mail: Mail | None) -> bool:
    """Do one thing that is due, a release or a delivery; False when there is nothing to do.

    Killed anywhere, it goes on where it was: a release that was made is not made again, and a
    delivery that was not noted is made again with the same name and the same message id.
    """
    if stopping():
        return False
    row = conn.execute(
        "select name, report, audience, set_by, next_at, targets from release_schedule"
        " where ended_at is null and greatest(next_at, retry_at) <= clock_timestamp()"
        " order by next_at, name limit 1"
    ).fetchone()
    if row is not None:
        name, chosen, audience, by, due_at, targets = row
        _release(conn, name, chosen, Audience(audience), by, due_at, targets)
        return True
    return _deliver(conn, mail)


def _release(
    conn: Connection,
    name: str,
    chosen: str,
    audience: Audience,
    by: str,
    due_at: datetime,
    targets: list[str],
) -> None:
    done = conn.execute(
        "select from release_run where schedule = %s and due_at = %s", [name, due_at]
    ).fetchone()
    if done is None:
        try:
            definition = report(chosen)
            plan, _ = publishing.load_plan(definition)

            def render(found: Published) -> list[File]:
                _note(conn, name, due_at, found.entry.number, targets)
                return list(files_of(definition, plan, found))

            found = publishing.publish(conn, read(conn, definition), audience, by, render=render)
            if not found.new:
                with conn.transaction():
                    _note(conn, name, due_at, found.entry.number, targets)
        except publishing.Refused as refusal:
            conn.execute(
                "insert into release_run (schedule, due_at, refused) values (%s, %s, %s)",
                [name, due_at, str(refusal)],
            )
        except (StaleView, NotReleasable, MissingLibrary) as error:
            log.warning("release failed", schedule=name, error=type(error).__name__)
            conn.execute(
                "update release_schedule set error = %s,"
                " retry_at = clock_timestamp() + interval '10 minutes' where name = %s",
                [str(error), name],
            )
            return
    # What was due while nothing ran is made once, not once for each time.
    conn.execute(
        "update release_schedule set error = null, retry_at = null, next_at = ("
        " select min(at) from generate_series(next_at, clock_timestamp() + interval '2 months',"
        " case every when 'day' then interval '1 day' when 'week' then interval '7 days'"
        " else interval '1 month' end) as at where at > clock_timestamp()) where name = %s",
        [name],
    )


def _note(conn: Connection, name: str, due_at: datetime, number: int, targets: list[str]) -> None:
    conn.execute(
        "insert into release_run (schedule, due_at, number) values (%s, %s, %s)",
        [name, due_at, number],
    )
    for target in targets:
        conn.execute(
            "insert into release_delivery (schedule, due_at, target, number)"
            " values (%s, %s, %s, %s)",
            [name, due_at, target, number],
        )


def _deliver(conn: Connection, mail: Mail | None) -> bool:
    row = conn.execute(
        "select schedule, due_at, target, number from release_delivery"
        " where delivered_at is null and try_at <= clock_timestamp() order by try_at limit 1"
    ).fetchone()
    if row is None:
        return False
    schedule, due_at, target, number = row
    key = [schedule, due_at, target]
    try:
        deliver(conn, number, target, mail)
    except Undelivered as error:
        log.warning("delivery failed", schedule=schedule, release=number, reason=str(error))
        conn.execute(
            "update release_delivery set error = %s, attempts = attempts + 1, try_at ="
            " clock_timestamp() + least(power(2, attempts), 60) * interval '1 minute'"
            " where schedule = %s and due_at = %s and target = %s",
            [str(error), *key],
        )
    else:
        conn.execute(
            "update release_delivery set error = null, attempts = attempts + 1,"
            " delivered_at = clock_timestamp()"
            " where schedule = %s and due_at = %s and target = %s",
            key,
        )
    return True
