"""The commands of intake's own: doors, and the import of a register."""

import contextlib
import filecmp
import json
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NoReturn, TextIO
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
from togheter_intake.mapping import (
    DEFAULT,
    FIELDS,
    Mapping,
    MappingError,
    load_mapping,
    with_columns,
)
from togheter_intake.problems import Problem
from togheter_intake.recognition import reindex
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

LARGEST = 2 << 30
"""Bytes of a register."""
_BUILT_IN = Path(__file__).parent / "registers" / DEFAULT


def _columns(command: Callable[..., Any]) -> Callable[..., Any]:
    for field in reversed(FIELDS):
        option = f"--{field.replace('_', '-')}-column"
        words = f"The header of the field {field}."
        command = click.option(option, f"column_{field}", metavar="NAME", help=words)(command)
    return command


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), required=False)
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
    file: Path | None,
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
    if file is None:
        stop("manca il nome del registro da importare: intake import FILE", MISUSED)
    _look_at(file, FAILED)
    if mapping_file is not None:
        _look_at(mapping_file, MISUSED)
    try:
        mapping = with_columns(load_mapping(mapping_file), given)
    except MappingError as error:
        stop(str(error), MISUSED)
    try:
        register, mapping = _read(file, mapping, own_mapping=mapping_file is not None)
    except RegisterError as error:
        stop(str(error), FAILED)
    refused = _RefusedFile(refused_file or file.with_suffix(".rifiutate.csv"), register, mapping)
    if refused.is_the_register(file):
        stop("--refused è il registro stesso: scegli un altro nome", MISUSED)
    with program.database() as conn:
        try:
            with refused:
                with _bar(register.lines) as progress:
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
                refused.finish(summary)
        except ImportStopped as stopped:
            stop(_stopped(stopped, file, refused.path))
        finally:
            with contextlib.suppress(psycopg.Error):  # the sequencer looks by itself, a bit later
                wake(conn)
    _say(summary, refused.path, as_json)
    raise SystemExit(SOME_REFUSED if summary.refused else OK)


def _look_at(file: Path, code: int) -> None:
    """Only regular files are read, and of a size that a register has: a device has no end."""
    try:
        found = file.stat()
        if stat.S_ISDIR(found.st_mode):
            stop(f"{file}: è una cartella; indica il file del registro, salvato come CSV", code)
        if not stat.S_ISREG(found.st_mode):
            stop(f"{file}: non è un file; salva il registro come CSV e indica quello", code)
        with file.open("rb"):
            pass
    except FileNotFoundError:
        stop(f"{file}: questo file non c'è; controlla il nome e la cartella", code)
    except PermissionError:
        stop(f"{file}: manca il permesso di leggerlo; chiedilo a chi ha il file", code)
    except OSError as error:
        stop(f"{file}: non si può leggere ({error.strerror})", code)
    if found.st_size > LARGEST:
        stop(
            f"{file}: è più grande di {LARGEST >> 30} GiB; dividi il registro, per esempio per"
            " anno",
            code,
        )


def _read(file: Path, mapping: Mapping, *, own_mapping: bool) -> tuple[Register, Mapping]:
    """The register, and the mapping with the separator that the file has: when the header does not
    fit, a comma and a tab are tried too. Raises RegisterError."""
    reason = ""
    for delimiter in (mapping.delimiter, *(() if own_mapping else (",", "\t"))):
        tried = replace(mapping, delimiter=delimiter)
        try:
            register = read_register(file, tried)
        except RegisterError as error:
            reason = reason or str(error)
            continue
        if reason:
            name = "la tabulazione" if delimiter == "\t" else f"«{delimiter}»"
            click.echo(f"il separatore di {file} è {name}: lo leggo così", err=True)
        return register, tried
    if not own_mapping and mapping.source in reason:  # its header is not the one of the mapping
        reason += (
            f". Se il registro è fatto in un altro modo, copia {_BUILT_IN}, cambia la copia e"
            " indicala con --mapping"
        )
    raise RegisterError(f"{file}: {reason}" if str(file) not in reason else reason)


def _say(summary: Summary, refused: Path, as_json: bool) -> None:
    where = str(refused) if summary.refused else None
    if as_json:
        click.echo(json.dumps({**summary.document(), "refused_file": where}, ensure_ascii=False))
        return
    if summary.dry_run:
        click.echo("prova: non è stato cambiato nulla")
    click.echo("\n".join(summary.sentences()))
    if where and summary.dry_run:
        click.echo(f"le righe che sarebbero rifiutate sono in {where}")
    elif where:
        click.echo(f"correggi le righe rifiutate in {where} e importa quel file")


def _stopped(stopped: ImportStopped, file: Path, refused: Path) -> str:
    cause = stopped.__cause__
    reason = str(cause) if isinstance(cause, RegisterError) else type(cause).__name__
    if isinstance(cause, psycopg.OperationalError):
        reason = (
            f"la base dati non risponde ({reason}); controlla DATABASE_URL e, per la rete di prova,"
            " `make status`"
        )
    elif isinstance(cause, OSError):
        reason = (
            f"non si può scrivere in {refused} ({cause.strerror}): fai spazio, o scegli un altro"
            " posto con --refused"
        )
    where = f"{file}: l'importazione si è fermata prima della riga {stopped.number}: {reason}."
    if stopped.summary.dry_run:
        return f"{where} Era una prova: non è stato cambiato nulla"
    return (
        f"{where} Le righe già accolte ({stopped.summary.accepted}) restano; lo stesso comando"
        " continua da lì"
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
        self._file: TextIO | None = None
        self._rows: RefusedRows | None = None

    def is_the_register(self, file: Path) -> bool:
        with contextlib.suppress(OSError):  # said when it is opened
            return self.path.samefile(file)
        return False

    def write(self, row: RawRow, problems: Sequence[Problem]) -> None:
        assert self._rows is not None and self._file is not None
        self._rows.write(row, problems)
        self._file.flush()  # a full disk is met here, and stops the import

    def finish(self, summary: Summary) -> None:
        """Every row was looked at. Raises ImportStopped when the file cannot take its place."""
        assert self._file is not None
        try:
            self._file.close()
            if not summary.refused:
                return
            if self.path.exists() and not filecmp.cmp(self.path, self._part, shallow=False):
                self.path.replace(self.path.with_suffix(".precedente.csv"))
            self._part.replace(self.path)
        except OSError as error:
            raise ImportStopped(summary.rows + 1, summary) from error

    def __enter__(self) -> "_RefusedFile":
        """Open it before anything is imported, or say why not."""
        try:
            if self.path.exists() and not self.path.is_file():
                self._cannot("non è un file")
            self._part.unlink(missing_ok=True)
            self._part.touch(mode=0o600, exist_ok=False)
            self._file = open_refused(self._part)
            self._rows = RefusedRows(self._file, self._register.layout, self._mapping.delimiter)
            self._file.flush()
        except OSError as error:
            self._forget()
            self._cannot(error.strerror or type(error).__name__)
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()

    def _cannot(self, reason: str) -> NoReturn:
        stop(
            f"{self.path}: qui non si possono scrivere le righe rifiutate ({reason});"
            " scegli un altro posto con --refused. Non è stato importato nulla"
        )

    def _forget(self) -> None:
        """Nothing about people stays beside the file: the rows are refused again next time."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


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


@click.command("reindex")
@click.pass_obj
def reindex_people(program: Program) -> None:
    """Make the index of the search anew; the desk goes on searching meanwhile."""
    with (
        program.database() as conn,
        Progress(console=Console(stderr=True), refresh_per_second=4) as bar,
    ):
        task = bar.add_task("persone", total=None)
        done = 0
        for done, everybody in reindex(conn):
            bar.update(task, completed=done, total=everybody)
    click.echo(f"{done} people are in the index")


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
