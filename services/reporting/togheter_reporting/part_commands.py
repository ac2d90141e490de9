"""The commands of the log's parts: list them, take months away, bring them back."""

import json
from collections.abc import Callable
from pathlib import Path

import click
from psycopg import Connection

from togheter_reporting import parts as cutting
from togheter_shared.run.cli import FAILED, Program, stop

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group("log")
def log() -> None:
    """The network's log, in parts of a month each."""


@log.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the parts as JSON.")
@click.pass_obj
def list_parts(program: Program, as_json: bool) -> None:
    """The parts of the log, from when to when, and which are away."""
    with program.database() as conn:
        found = cutting.parts(conn)
    told = [
        {
            "month": part.month,
            "state": "open" if part.month is None else "away" if part.away_since else "here",
            "events": part.events,
            "from": part.first_position,
            "to": part.last_position,
        }
        for part in found
    ]
    if as_json:
        click.echo(json.dumps(told))
        return
    for one in told:
        last = one["to"] or ""
        click.echo(f"{one['month'] or 'now':8} {one['state']:5} {one['from']}–{last}")


@log.command("turn")
@click.pass_obj
def turn(program: Program) -> None:
    """Close the open part when its month is over; the engine does the same by itself."""
    with program.database() as conn:
        closed = cutting.turn(conn)
    click.echo(f"closed: {closed}" if closed else "nothing to do")


@log.command("detach")
@click.argument("months", nargs=-1, required=True, metavar="MONTH…")
@click.option("--to", "folder", type=FOLDER, required=True, help="Where the files go.")
@click.pass_obj
def detach(program: Program, months: tuple[str, ...], folder: Path) -> None:
    """Take months (YYYY-MM) out of the database into files; the files must be kept for ever."""
    _each(program, months, folder, cutting.detach)


@log.command("attach")
@click.argument("months", nargs=-1, required=True, metavar="MONTH…")
@click.option("--from", "folder", type=FOLDER, required=True, help="Where the files are.")
@click.pass_obj
def attach(program: Program, months: tuple[str, ...], folder: Path) -> None:
    """Bring months back from their files, which stay where they are."""
    _each(program, months, folder, cutting.attach)


def _each(
    program: Program,
    months: tuple[str, ...],
    folder: Path,
    work: Callable[[Connection, str, Path], Path],
) -> None:
    with program.database(owner=True) as conn:
        for month in months:
            try:
                click.echo(str(work(conn, month, folder)))
            except cutting.NotDetachable as error:
                stop(str(error), FAILED)
