"""The commands of reporting's own: migrate with its views, rebuild, verify."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import click
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from togheter_reporting import rebuild as rebuilding
from togheter_reporting.catalogue import NoSuchReport
from togheter_reporting.figures import StaleView
from togheter_reporting.parts import PartAway
from togheter_reporting.past import let_look_back
from togheter_reporting.reader import let_read
from togheter_reporting.verify import Verified
from togheter_reporting.verify import verify as verify_views
from togheter_shared.run.cli import FAILED, MISUSED, Program, stop
from togheter_shared.run.cli import _migrate as migrate_kernel


@click.command("migrate")
@click.option("--json", "as_json", is_flag=True, help="Print the applied migrations as JSON.")
@click.pass_context
def migrate(context: click.Context, as_json: bool) -> None:
    """Bring the database up to date, as its owner; safe to run again.

    On an empty log it makes the reports' views too. Otherwise it names those that must be rebuilt.
    The role <runtime role>_reader, when there is one, may read what was published.
    """
    context.invoke(migrate_kernel, as_json=as_json)
    program: Program = context.obj
    with program.database(owner=True) as conn:
        role = _runtime_role(program)
        let_read(conn, role)
        if role is not None:
            let_look_back(conn, role)
        names = rebuilding.missing(conn)
        if not names:
            return
        if rebuilding.log_is_empty(conn):
            rebuilding.rebuild(conn, names, runtime_role=_runtime_role(program))
        else:
            click.echo(
                f"stale views, which do not answer: {', '.join(names)};"
                " run: togheter-reporting rebuild --stale",
                err=True,
            )


@click.command("rebuild")
@click.argument("names", nargs=-1, metavar="[REPORT]…")
@click.option("--stale", is_flag=True, help="Only the views that do not answer as they are.")
@click.option("--workers", type=click.IntRange(1, 16), default=2, help="Views at a time (2).")
@click.pass_obj
def rebuild(program: Program, names: tuple[str, ...], stale: bool, workers: int) -> None:
    """Make the views of all reports, or of those named, anew from the log.

    Events go on arriving and readers go on reading meanwhile. Killed, it goes on where it was.
    """
    if names and stale:
        stop("name reports, or say --stale, not both", MISUSED)
    with program.database(owner=True) as conn, _explained():
        chosen = rebuilding.missing(conn) if stale else list(names)
        if stale and not chosen:
            click.echo("nothing to do")
            return
        with _bar() as bar:
            task = bar.add_task("events", total=None, rate="")

            def show(step: rebuilding.Progress) -> None:
                done = bar.tasks[0]
                rate = f"{done.speed:,.0f} positions/s" if done.speed else ""
                bar.update(task, completed=step.position, total=step.last, rate=rate)

            done = rebuilding.rebuild(
                conn,
                chosen or None,
                progress=show,
                runtime_role=_runtime_role(program),
                workers=workers,
            )
    click.echo(f"rebuilt: {', '.join(done)}")


@click.command("verify")
@click.argument("names", nargs=-1, metavar="[REPORT]…")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def verify(program: Program, names: tuple[str, ...], as_json: bool) -> None:
    """Count all reports, or those named, a second time; ends with 1 when a row differs."""
    with program.database() as conn, _explained():
        found = verify_views(conn, names or None)
    if as_json:
        click.echo(json.dumps([_document(item) for item in found]))
    else:
        _say(found)
    if any(item.differences for item in found):
        raise SystemExit(FAILED)


@contextmanager
def _explained() -> Iterator[None]:
    """What can go wrong, in words with the way out."""
    try:
        yield
    except NoSuchReport as error:
        stop(str(error), MISUSED)
    except (StaleView, PartAway, rebuilding.RebuildRunning, rebuilding.ReadersInTheWay) as error:
        stop(str(error))
    except errors.InsufficientPrivilege:
        stop("views are rebuilt by the owner of the tables; set TOGHETER_OWNER_DATABASE_URL")
    except errors.UndefinedTable:
        stop("the database is not up to date; run: togheter-reporting migrate")


def _runtime_role(program: Program) -> str | None:
    """The role that serves, when it is not the owner itself."""
    settings = program.settings
    role = str(conninfo_to_dict(settings.database_url).get("user", ""))
    owner = conninfo_to_dict(settings.owner_database_url or settings.database_url).get("user")
    return None if role == owner else role


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _document(item: Verified) -> dict[str, object]:
    return {
        "report": item.report,
        "position": item.position,
        "rows": item.rows,
        "differences": [
            {"dimensions": found.dimensions, "view": found.view, "naive": found.naive}
            for found in item.differences
        ],
    }


def _say(found: list[Verified]) -> None:
    for item in found:
        differ = len(item.differences)
        outcome = f"{differ} differ" if differ else "all equal"
        click.echo(f"{item.report}: {item.rows} rows at position {item.position}, {outcome}")
        for each in item.differences:
            click.echo(f"  {each.dimensions}: view {each.view}, counted again {each.naive}")
