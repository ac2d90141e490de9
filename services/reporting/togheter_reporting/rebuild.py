"""Rebuilding views from the log, beside the live ones, and swapping them in whole."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg import Connection, errors, sql

from togheter_reporting.catalogue import Report, views
from togheter_reporting.figures import SWAP
from togheter_reporting.parts import require
from togheter_reporting.past import SNAPSHOTS, drop_snapshots, let_look_back, take_snapshot
from togheter_reporting.projection import WINDOW, fold, next_window
from togheter_shared.run.migrate import grant

REBUILDING = 7_203_101
"""The advisory lock of the one rebuild of a database."""

PATIENCE = 0.05
"""How long a swap lets new readers wait behind it while it waits for old ones, in seconds: with the
change of names itself, no reader waits for more than a tenth of a second."""

ATTEMPTS = 600
"""How often it tries, with a pause of `PATIENCE` in between, before it gives up."""


class RebuildRunning(Exception):
    """Another rebuild is at work on this database: wait until it has ended, then ask again."""


class ReadersInTheWay(Exception):
    """Somebody reads the views without a pause: run the rebuild again, it goes on where it was."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a rebuild is, in positions of the log; `names` are the reports of this step."""

    names: tuple[str, ...]
    position: int
    last: int


Tell = Callable[[Progress], None]


def rebuild(
    conn: Connection,
    names: Sequence[str] | None = None,
    *,
    progress: Tell = lambda progress: None,
    runtime_role: str | None = None,
    window: int = WINDOW,
    workers: int = 1,
) -> list[str]:
    """Make the views of those reports (or all) anew from the log; returns the names of the views.

    `conn` is the owner's, in autocommit mode; `runtime_role` is who serves and projects. Live
    events go on arriving, readers go on reading: they see the old view or the new one, whole. One
    that was killed goes on from its last window. With several `workers`, each view is folded on a
    connection of its own, so many at a time; `progress` is then told of one view at a time.
    Raises `NoSuchReport`, `RebuildRunning`, `ReadersInTheWay`, `PartAway`.
    """
    chosen = views(names or ())
    with _alone(conn):
        require(conn, 0, _last(conn))
        positions = {item.name: _prepare(conn, item, runtime_role) for item in chosen}
        if workers == 1:
            _fold_windows(conn, chosen, positions, window, progress)
        else:
            _fold_apart(conn, chosen, positions, window, progress, workers)
        _analyze(conn, chosen)
        if runtime_role is not None:
            grant(conn, runtime_role)
        _swap(conn, chosen)
        _drop_old(conn, chosen)
    return _names(chosen)


def _fold_windows(
    conn: Connection, chosen: list[Report], positions: dict[str, int], window: int, progress: Tell
) -> None:
    """Window after window into the shadows of `chosen`, a transaction and a checkpoint each."""
    spacing = max(window, _last(conn) // SNAPSHOTS + 1)
    while True:
        low = min(positions[item.name] for item in chosen)
        end = next_window(conn, low, window)
        if end is None:
            break
        step = [item for item in chosen if positions[item.name] < end]
        with conn.transaction():
            for item in step:
                fold(conn, item, item.shadow, positions[item.name], end)
                _checkpoint(conn, item, end)
                if end // spacing > positions[item.name] // spacing:
                    take_snapshot(conn, item, item.shadow, end)
        positions |= {item.name: end for item in step}
        progress(Progress(names=tuple(_names(step)), position=end, last=_last(conn)))


def _fold_apart(
    conn: Connection,
    chosen: list[Report],
    positions: dict[str, int],
    window: int,
    progress: Tell,
    workers: int,
) -> None:
    """Each view on its own connection; what is told is how far the last of them is."""
    telling = threading.Lock()

    def tell(step: Progress) -> None:
        with telling:
            positions.update(dict.fromkeys(step.names, step.position))
            progress(replace(step, position=min(positions.values())))

    def work(item: Report) -> None:
        with psycopg.connect(conn.info.dsn, password=conn.info.password, autocommit=True) as own:
            _fold_windows(own, [item], {item.name: positions[item.name]}, window, tell)

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, item) for item in chosen]:
            done.result()


def missing(conn: Connection) -> list[str]:
    """The reports whose view was never built, or has another definition than the report has now."""
    built: dict[str, str] = dict(
        conn.execute("select name, definition_hash from report_view").fetchall()
    )
    return [item.name for item in views() if built.get(item.name) != item.hash]


def log_is_empty(conn: Connection) -> bool:
    return conn.execute("select from inbox limit 1").fetchone() is None


@contextmanager
def _alone(conn: Connection) -> Iterator[None]:
    row = conn.execute("select pg_try_advisory_lock(%s)", [REBUILDING]).fetchone()
    if not row or not row[0]:
        raise RebuildRunning("another rebuild is at work here; wait until it has ended")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("select pg_advisory_unlock(%s)", [REBUILDING])


def _prepare(conn: Connection, item: Report, runtime_role: str | None) -> int:
    """Go on with the shadow that is there, or begin one; returns how far it is."""
    found = conn.execute(
        "select position from report_rebuild where name = %s and definition_hash = %s"
        " and to_regnamespace(%s) is not null",
        [item.name, item.hash, item.shadow],
    ).fetchone()
    if found is not None:
        return int(found[0])
    with conn.transaction():
        shadow = sql.Identifier(item.shadow)
        conn.execute(sql.SQL("drop schema if exists {} cascade").format(shadow))
        conn.execute(sql.SQL("create schema {}").format(shadow))
        conn.execute(sql.SQL("set local search_path = {}, public, pg_temp").format(shadow))
        conn.execute(item.tables.encode())
        conn.execute("set local search_path = public")
        if runtime_role is not None:
            let_look_back(conn, runtime_role)
        drop_snapshots(conn, item)
        conn.execute(
            "insert into report_rebuild (name, definition_hash) values (%s, %s)"
            " on conflict (name) do update set definition_hash = excluded.definition_hash,"
            " position = 0, started_at = clock_timestamp()",
            [item.name, item.hash],
        )
    return 0


def _checkpoint(conn: Connection, item: Report, position: int) -> None:
    conn.execute("update report_rebuild set position = %s where name = %s", [position, item.name])


def _last(conn: Connection) -> int:
    row = conn.execute("select coalesce(max(position), 0) from inbox").fetchone()
    return int(row[0]) if row else 0


def _analyze(conn: Connection, chosen: list[Report]) -> None:
    """The planner knows the new tables before anybody reads them."""
    tables = conn.execute(
        "select schemaname, tablename from pg_tables where schemaname = any(%s)",
        [[item.shadow for item in chosen]],
    ).fetchall()
    for schema, table in tables:
        conn.execute(sql.SQL("analyze {}").format(sql.Identifier(schema, table)))


def _swap(conn: Connection, chosen: list[Report]) -> None:
    """The last few events and the change of names, in one transaction, while projection waits."""
    for _ in range(ATTEMPTS):
        try:
            with conn.transaction():
                _catch_up(conn, chosen)
                conn.execute(
                    "select set_config('lock_timeout', %s, true)", [f"{int(PATIENCE * 1000)}ms"]
                )
                conn.execute("select pg_advisory_xact_lock(%s)", [SWAP])
                _rename(conn, chosen)
        except errors.LockNotAvailable:
            time.sleep(PATIENCE)
        else:
            return
    raise ReadersInTheWay("readers hold the views without a pause; run the rebuild again")


def _catch_up(conn: Connection, chosen: list[Report]) -> None:
    names = _names(chosen)
    conn.execute(
        "insert into report_view (name) select unnest(%s::text[]) on conflict do nothing", [names]
    )
    conn.execute("select from report_view where name = any(%s) order by name for update", [names])
    last = _last(conn)
    for item in chosen:
        row = conn.execute(
            "select position from report_rebuild where name = %s", [item.name]
        ).fetchone()
        assert row is not None, "only this rebuild removes it"
        position = int(row[0])
        while position < last:
            end = min(next_window(conn, position) or last, last)
            fold(conn, item, item.shadow, position, end)
            position = end
        _checkpoint(conn, item, last)


def _rename(conn: Connection, chosen: list[Report]) -> None:
    for item in chosen:
        live, old = sql.Identifier(item.schema), sql.Identifier(_old(item))
        shadow = sql.Identifier(item.shadow)
        conn.execute(sql.SQL("drop schema if exists {} cascade").format(old))
        built = conn.execute("select to_regnamespace(%s)::text", [item.schema]).fetchone()
        if built and built[0]:
            conn.execute(sql.SQL("alter schema {} rename to {}").format(live, old))
        conn.execute(sql.SQL("alter schema {} rename to {}").format(shadow, live))
        conn.execute(
            "update report_view v set definition_hash = r.definition_hash, position = r.position,"
            " rebuilt_at = clock_timestamp() from report_rebuild r"
            " where v.name = %s and r.name = v.name",
            [item.name],
        )
        conn.execute("delete from report_rebuild where name = %s", [item.name])


def _drop_old(conn: Connection, chosen: list[Report]) -> None:
    for item in chosen:
        conn.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(_old(item))))


def _old(item: Report) -> str:
    return f"report_{item.name}_old"


def _names(chosen: list[Report]) -> list[str]:
    return [item.name for item in chosen]
