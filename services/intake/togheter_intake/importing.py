"""Importing a register: row after row, each in a transaction of its own, each once for ever."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import islice

import psycopg
from psycopg import Connection

from togheter_intake.mapping import Mapping
from togheter_intake.problems import Problem
from togheter_intake.register import RawRow, Register, RegisterError
from togheter_intake.rehearsal import Rehearsal
from togheter_intake.row_commands import Desk, Outcome, receipt_key
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
    progress: ShowProgress = lambda line, summary: None,
) -> Summary:
    """Take in every row that was not taken in before; give those that cannot be to `refuse`.

    `conn` is in autocommit. `progress` gets the line that was reached, after each row; what it
    raises passes through, between two rows. A dry run changes nothing. Raises `ImportStopped` from
    a `RegisterError`, an `OSError` or a psycopg error.
    """
    summary = Summary(dry_run=dry_run)
    desk = Desk(conn, mapping, context, today, Rehearsal() if dry_run else None)
    number = 1
    try:
        with _fast_commits(conn, dry_run):
            for chunk in _chunks(register):
                number = chunk[0].number
                imported = _imported(conn, chunk)
                for raw in chunk:
                    number = raw.number
                    if raw.key in imported:
                        result: Outcome | list[Problem] | None = None
                    else:
                        result = desk.take(raw)
                    if isinstance(result, list):
                        refuse(raw, result)
                    _count(summary, result)
                    number += 1
                    progress(raw.line, summary)
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
        summary.accepted += 1
        summary.suspected += len(result.candidates)
        summary.warnings.update(set(result.warnings))
        if result.person_id is None:
            summary.anonymous += 1
        elif result.recognised:
            summary.recognised += 1
        else:
            summary.registered += 1


def _chunks(register: Register) -> Iterator[list[RawRow]]:
    rows = iter(register)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _imported(conn: Connection, chunk: Sequence[RawRow]) -> set[str]:
    """The keys of those rows that were taken in before, corrected or not."""
    keys = {receipt_key(raw.key): raw.key for raw in chunk}
    rows = conn.execute(
        "select key from command_receipt where key = any(%s)", [list(keys)], prepare=True
    ).fetchall()
    return {keys[row[0]] for row in rows}


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
