"""The commands of intake's own: doors, and the import of a register."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import psycopg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from togheter_intake.doors import DOOR, OpenDoor
from togheter_intake.importing import ImportStopped, import_rows
from togheter_intake.mapping import FIELDS, Mapping, MappingError, load_mapping, with_columns
from togheter_intake.problems import Problem
from togheter_intake.refused import RefusedRows, open_refused
from togheter_intake.register import RawRow, Register, RegisterError, read_register
from togheter_intake.service import SERVICE
from togheter_intake.summary import Summary
from togheter_shared.decider import Rejected
from togheter_shared.log.feed import wake
from togheter_shared.log.store import Context, execute
from togheter_shared.run.cli import FAILED, MISUSED, OK, Program, stop

SOME_REFUSED = 3
"""Exit code: every row was looked at, and some were refused."""


def _columns(command: Callable[..., Any]) -> Callable[..., Any]:
    for field in reversed(FIELDS):
        option = f"--{field.replace('_', '-')}-column"
        words = f"The header of the field {field}."
        command = click.option(option, f"column_{field}", metavar="NAME", help=words)(command)
    return command


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_file", type=click.Path(path_type=Path), help="A mapping file.")
@click.option(
    "--refused",
    "refused_file",
    type=click.Path(path_type=Path),
    help="Where refused rows go; FILE with the suffix .rifiutate.csv when left out.",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@_columns
@click.pass_obj
def import_register(
    program: Program,
    /,
    file: Path,
    mapping_file: Path | None,
    refused_file: Path | None,
    dry_run: bool,
    as_json: bool,
    **columns: str | None,
) -> None:
    """Take in a register of accesses kept in a spreadsheet and saved as CSV.

    Safe to repeat: a row that was taken in is never taken in again. Refused rows are written to a
    file: correct them there, and import that file.

    Ends with 0 when every row is in, 3 when some were refused, 1 when it could not be read to its
    end, 2 when called wrongly.
    """
    given = {name.removeprefix("column_"): text for name, text in columns.items() if text}
    try:
        mapping = with_columns(load_mapping(mapping_file), given)
    except MappingError as error:
        stop(str(error), MISUSED)
    try:
        register = read_register(file, mapping)
    except RegisterError as error:
        stop(str(error), FAILED)
    refused = _RefusedFile(refused_file or file.with_suffix(".rifiutate.csv"), register, mapping)
    if refused.is_the_register(file):
        stop("--refused è il registro stesso: scegli un altro nome", MISUSED)
    with program.database() as conn:
        try:
            with refused, _bar(register.lines) as progress:
                summary = import_rows(
                    conn,
                    register,
                    mapping,
                    Context(actor="togheter-intake import", correlation_id=uuid4()),
                    date.today(),
                    refused.write,
                    dry_run=dry_run,
                    progress=progress,
                )
        except ImportStopped as stopped:
            stop(_stopped(stopped, file))
        with contextlib.suppress(psycopg.Error):  # the sequencer looks by itself, a bit later
            wake(conn)
    _say(summary, refused.path, as_json)
    raise SystemExit(SOME_REFUSED if summary.refused else OK)


def _say(summary: Summary, refused: Path, as_json: bool) -> None:
    where = str(refused) if summary.refused else None
    if as_json:
        click.echo(json.dumps({**summary.document(), "refused_file": where}, ensure_ascii=False))
        return
    if summary.dry_run:
        click.echo("prova: non è stato cambiato nulla")
    click.echo("\n".join(summary.sentences()))
    if where:
        click.echo(f"correggi le righe rifiutate in {where} e importa quel file")


def _stopped(stopped: ImportStopped, file: Path) -> str:
    cause = stopped.__cause__
    reason = str(cause) if isinstance(cause, RegisterError) else type(cause).__name__
    if isinstance(cause, psycopg.OperationalError):
        reason = f"la base dati non risponde ({reason})"
    return (
        f"{file}: l'importazione si è fermata prima della riga {stopped.number}: {reason}."
        f" Le righe già accolte ({stopped.summary.accepted}) restano; lo stesso comando continua"
        " da lì"
    )


class _RefusedFile:
    """The file of refused rows: written beside its place, and moved there when it is complete.

    A file that was there before and differs is kept as `….precedente.csv`: somebody may be
    correcting it. Without refused rows nothing is written.
    """

    def __init__(self, path: Path, register: Register, mapping: Mapping) -> None:
        self.path = path
        self._register = register
        self._mapping = mapping
        self._part = path.with_name(f"{path.name}.parte")
        self._file: Any = None
        self._rows: RefusedRows | None = None

    def is_the_register(self, file: Path) -> bool:
        return self.path.exists() and self.path.samefile(file)

    def write(self, row: RawRow, problems: Sequence[Problem]) -> None:
        if self._rows is None:
            self._part.unlink(missing_ok=True)
            self._part.touch(mode=0o600)
            self._file = open_refused(self._part)
            self._rows = RefusedRows(self._file, self._register.layout, self._mapping.delimiter)
        self._rows.write(row, problems)

    def __enter__(self) -> "_RefusedFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        self._file.close()
        if kind is not None:
            self._part.unlink()  # the rows are refused again when the import goes on
            return
        if self.path.exists() and self.path.read_bytes() != self._part.read_bytes():
            self.path.replace(self.path.with_suffix(".precedente.csv"))
        self._part.replace(self.path)


@contextlib.contextmanager
def _bar(lines: int) -> Iterator[Callable[[int, Summary], None]]:
    """Lines, rows a second and time left, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as bar:
        task = bar.add_task("righe", total=lines, rate="")

        def show(line: int, summary: Summary) -> None:
            if summary.rows % 10 == 0:
                speed = bar.tasks[0].speed
                bar.update(task, completed=line, rate=f"{speed:,.0f}/s" if speed else "")

        yield show
        bar.update(task, completed=lines)


@click.group("doors")
def doors() -> None:
    """The Porte Sociali of this organisation."""


@doors.command("add")
@click.argument("name")
@click.option("--address", default="", help="Where it is.")
@click.option("--language", "languages", multiple=True, help="Spoken there, as BCP 47: it, fr, ar.")
@click.pass_obj
def add_door(program: Program, name: str, address: str, languages: tuple[str, ...]) -> None:
    """Open a door; one of that name that is open already is left as it is."""
    door_id = uuid4()
    command = OpenDoor(door_id=door_id, name=name, address=address, languages=languages)
    context = Context(actor="togheter-intake doors", correlation_id=uuid4())
    with program.database() as conn:
        try:
            execute(conn, SERVICE, DOOR, door_id, command, context)
        except Rejected as rejected:
            if rejected.code != "door_exists":
                stop(rejected.sentence, MISUSED)
            click.echo(rejected.sentence, err=True)
            return
        with contextlib.suppress(psycopg.Error):
            wake(conn)
    click.echo(str(door_id))


@doors.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def list_doors(program: Program, as_json: bool) -> None:
    """Show the doors."""
    with program.database() as conn:
        rows = conn.execute("select door_id, name, address from door order by name").fetchall()
    if as_json:
        names = ("door_id", "name", "address")
        click.echo(json.dumps([dict(zip(names, map(str, row), strict=True)) for row in rows]))
        return
    for door_id, name, address in rows:
        click.echo(f"{door_id}  {name}{f', {address}' if address else ''}")
