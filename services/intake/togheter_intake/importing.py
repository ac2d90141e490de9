"""Importing a register: row after row, each in a transaction of its own, each once for ever."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection

from togheter_intake.mapping import Mapping
from togheter_intake.problems import Problem
from togheter_intake.register import RawRow, Register, RegisterError
from togheter_intake.rehearsal import Rehearsal
from togheter_intake.row_commands import Desk, Outcome
from togheter_intake.row_receipts import Receipts
from togheter_intake.summary import Summary
from togheter_shared.log.store import Conflict, Context

CHUNK = 200
"""Rows of which one query says whether they were imported before."""

Refuse = Callable[[RawRow, Sequence[Problem]], None]
ShowProgress = Callable[[int, Summary], None]


class ImportStopped(Exception):
    """The import broke off before row `number`. What was done stays; a new run goes on from it."""

    def __init__(self, number: int, summary: Summary) -> None:
        super().__init__(f"before row {number}")
        self.number = number
        self.summary = summary


def import_rows(
    conn: Connection,
    register: Register,
    mapping: Mapping,
    context: Context,
    today: date,
    refuse: Refuse,
    *,
    dry_run: bool = False,
    run: UUID | None = None,
    progress: ShowProgress = lambda line, summary: None,
) -> Summary:
    """Take in every row that was not taken in before; give those that cannot be to `refuse`.

    `conn` is in autocommit. `progress` gets the line that was reached, after each row; what it
    raises passes through, between two rows. A dry run changes nothing. With the same `run`, a run
    that was broken off goes on and counts what it took in before as its own. Raises
    `ImportStopped` from a `RegisterError`, an `OSError` or a psycopg error.
    """
    summary = Summary(dry_run=dry_run)
    receipts = Receipts(conn, run or uuid4(), dry_run, lambda: register)
    rehearsal = Rehearsal() if dry_run else None
    desk = Desk(conn, mapping, context, today, rehearsal, receipts)
    number = 1
    try:
        with _indexes_only(conn), _fast_commits(conn, dry_run):
            for chunk in _chunks(register):
                number = chunk[0].number
                receipts.look_up(chunk)
                for found in chunk:
                    number = found.number
                    raw, receipt = receipts.settle(found)
                    result = None if receipt is not None else desk.take(raw)
                    if isinstance(result, list):
                        receipts.note_refusal(raw.key)
                        refuse(raw, result)
                    if receipt is not None and receipt.get("run") == receipts.run:
                        _count_again(summary, receipt)
                    else:
                        _count(summary, result)
                    number += 1
                    progress(found.line, summary)
    except (RegisterError, OSError, psycopg.Error, Conflict) as error:
        raise ImportStopped(number, summary) from error
    return summary


def _count(summary: Summary, result: Outcome | list[Problem] | None) -> None:
    summary.rows += 1
    if result is None:
        summary.already += 1
    elif isinstance(result, list):
        summary.refuse(result)
    else:
        _count_accepted(summary, result.how, len(result.candidates), result.warnings)


def _count_again(summary: Summary, receipt: dict[str, Any]) -> None:
    """Count a row that this run took in before it was broken off."""
    summary.rows += 1
    if receipt.get("as") not in ("anonymous", "recognised", "registered"):
        summary.already += 1
    else:
        _count_accepted(summary, receipt["as"], receipt["suspected"], receipt["warnings"])


def _count_accepted(summary: Summary, how: str, suspected: int, warnings: Sequence[str]) -> None:
    summary.accepted += 1
    summary.suspected += suspected
    summary.warnings.update(set(warnings))
    if how == "anonymous":
        summary.anonymous += 1
    elif how == "recognised":
        summary.recognised += 1
    else:
        summary.registered += 1


def _chunks(register: Register) -> Iterator[list[RawRow]]:
    rows = iter(register)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


@contextmanager
def _fast_commits(conn: Connection, dry_run: bool) -> Iterator[None]:
    """Do not wait for the disk after each row, but after the last: a server that crashes loses
    whole rows only, and a new run takes them in."""
    conn.execute("set synchronous_commit to off")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("set synchronous_commit to on")
    if not dry_run:
        conn.execute("select pg_logical_emit_message(true, 'togheter', '')")


@contextmanager
def _indexes_only(conn: Connection) -> Iterator[None]:
    """Never read a whole table for one row: statistics taken while the tables were empty, as on the
    day of a first import, would ask for it, and make the import quadratic."""
    row = conn.execute("select current_setting('enable_seqscan')").fetchone()
    conn.execute("set enable_seqscan to off")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("select set_config('enable_seqscan', %s, false)", row)
