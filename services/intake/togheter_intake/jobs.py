"""Registers that came through the interface: kept until the background role has imported them."""

import io
from collections.abc import Callable, Sequence
from datetime import date
from time import monotonic
from uuid import UUID

import psycopg
import structlog
from psycopg import Connection
from psycopg.types.json import Jsonb

from togheter_intake.importing import ImportStopped, import_rows
from togheter_intake.mapping import Mapping, MappingError, load_mapping, read_mapping, with_columns
from togheter_intake.problems import Problem
from togheter_intake.refused import RefusedRows
from togheter_intake.register import RawRow, Register, RegisterError, read_register
from togheter_intake.summary import Summary
from togheter_shared.log.feed import wake
from togheter_shared.log.store import Context
from togheter_shared.run.logs import describe

log = structlog.get_logger()

KEPT_DAYS = 30
"""How long the file of refused rows waits to be downloaded."""
SAY_SECONDS = 0.5
BROKEN = (
    "errore interno: il registro è stato importato solo in parte; avvisa chi gestisce il servizio"
)


class Stopping(Exception):
    """The process ends: the job goes on when it runs again."""


def work_on_imports(conn: Connection, stopping: Callable[[], bool]) -> bool:
    """Import the register that has waited longest; False when none waits."""
    forget_expired(conn)
    row = conn.execute(
        "select job_id from import_job where state in ('waiting', 'running')"
        " order by asked_at limit 1",
        prepare=True,
    ).fetchone()
    if row is None or not _lock(conn, row[0]):
        return False
    try:
        _work_on(conn, row[0], stopping)
    except Stopping:
        return False
    finally:
        if not conn.closed:
            conn.execute("select pg_advisory_unlock(hashtextextended(%s::text, 0))", [row[0]])
    return True


def forget_expired(conn: Connection) -> None:
    """Remove the refused rows that nobody fetched in time."""
    conn.execute(
        "update import_job set refused = null, problem = null, expires_at = null"
        " where expires_at < clock_timestamp()",
        prepare=True,
    )


def _lock(conn: Connection, job_id: UUID) -> bool:
    """Ends with the connection: a job whose process was killed is free again."""
    row = conn.execute(
        "select pg_try_advisory_lock(hashtextextended(%s::text, 0))", [job_id]
    ).fetchone()
    return row is not None and bool(row[0])


def _work_on(conn: Connection, job_id: UUID, stopping: Callable[[], bool]) -> None:
    row = conn.execute(
        "update import_job set state = 'running',"
        " started_at = coalesce(started_at, clock_timestamp())"
        " where job_id = %s and state in ('waiting', 'running')"
        " returning asked_by, correlation_id, dry_run, columns, mapping, body",
        [job_id],
    ).fetchone()
    if row is None:
        return
    asked_by, correlation_id, dry_run, columns, mapping_name, body = row
    context = Context(actor=asked_by, correlation_id=correlation_id)
    refused = _Refused()
    try:
        mapping = with_columns(stored_mapping(conn, mapping_name), columns)
        summary = _import(conn, job_id, body, mapping, context, dry_run, refused, stopping)
    except (RegisterError, MappingError) as error:
        _finish(conn, job_id, None, refused, str(error))
    except (Stopping, psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except Exception as error:  # a mistake of ours must not stop the registers behind this one
        log.error("import failed", job_id=str(job_id), **describe(error))
        _finish(conn, job_id, None, refused, BROKEN)
    else:
        _finish(conn, job_id, summary, refused, None)


def stored_mapping(conn: Connection, name: str) -> Mapping:
    """The mapping of that name, "" for the one of the Porte Sociali. Raises MappingError."""
    if not name:
        return load_mapping()
    row = conn.execute("select content from register_mapping where name = %s", [name]).fetchone()
    if row is None:
        raise MappingError(f"{name}: questa mappatura non c'è")
    return read_mapping(row[0].encode(), name)


def _import(
    conn: Connection,
    job_id: UUID,
    body: bytes,
    mapping: Mapping,
    context: Context,
    dry_run: bool,
    refused: "_Refused",
    stopping: Callable[[], bool],
) -> Summary:
    register = read_register(bytes(body), mapping)
    conn.execute(
        "update import_job set lines_total = %s where job_id = %s", [register.lines, job_id]
    )
    said = monotonic()

    def progress(line: int, summary: Summary) -> None:
        nonlocal said
        if stopping():
            raise Stopping
        if monotonic() - said > SAY_SECONDS:
            said = monotonic()
            conn.execute(
                "update import_job set lines_done = %s, summary = %s where job_id = %s",
                [line, Jsonb(summary.document()), job_id],
            )

    def refuse(row: RawRow, problems: Sequence[Problem]) -> None:
        refused.write(register, mapping, row, problems)

    try:
        return import_rows(
            conn, register, mapping, context, date.today(), refuse,
            dry_run=dry_run, run=job_id, progress=progress,
        )  # fmt: skip
    except ImportStopped as stopped:
        cause = stopped.__cause__
        if isinstance(cause, RegisterError):
            raise RegisterError(f"alla riga {stopped.number}: {cause}") from None
        raise cause or stopped from None
    finally:
        if not conn.closed and not dry_run:
            wake(conn)


def _finish(
    conn: Connection,
    job_id: UUID,
    summary: Summary | None,
    refused: "_Refused",
    problem: str | None,
) -> None:
    conn.execute(
        "update import_job set state = %s, body = null, finished_at = clock_timestamp(),"
        " summary = coalesce(%s, summary), lines_done = coalesce(lines_total, lines_done),"
        " refused = %s, problem = %s,"
        " expires_at = clock_timestamp() + make_interval(days => %s) where job_id = %s",
        [
            "done" if problem is None else "failed",
            Jsonb(summary.document()) if summary else None,
            refused.content(),
            problem,
            KEPT_DAYS,
            job_id,
        ],
    )


class _Refused:
    """The file of refused rows, in memory; None when no row was refused."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        self._text: io.TextIOWrapper | None = None
        self._rows: RefusedRows | None = None

    def write(
        self, register: Register, mapping: Mapping, row: RawRow, problems: Sequence[Problem]
    ) -> None:
        if self._rows is None:
            self._text = io.TextIOWrapper(
                self._bytes, encoding="utf-8-sig", errors="surrogateescape", newline=""
            )
            self._rows = RefusedRows(self._text, register.layout, mapping.delimiter)
        self._rows.write(row, problems)

    def content(self) -> bytes | None:
        if self._text is None:
            return None
        self._text.flush()
        return self._bytes.getvalue()
