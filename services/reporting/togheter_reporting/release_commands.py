"""The commands of the ledger: publish a report, list what was published, write its files out."""

import json
from datetime import datetime
from pathlib import Path

import click
from psycopg import Connection

from togheter_reporting.catalogue import NoSuchReport, Report, report
from togheter_reporting.disclosure import ledger
from togheter_reporting.disclosure import publish as publishing
from togheter_reporting.disclosure.cells import Audience, Filter, NotReleasable
from togheter_reporting.exports.files import files_of
from togheter_reporting.exports.pdf import MissingLibrary
from togheter_reporting.figures import Figures, StaleView, read
from togheter_reporting.frozen_commands import past_position
from togheter_reporting.parts import PartAway
from togheter_reporting.past import BeyondTheLog, as_of
from togheter_shared.run.cli import MISUSED, Program, stop


@click.group("release")
def release() -> None:
    """Publish reports, and see what was published."""


@release.command("publish")
@click.argument("name", metavar="REPORT")
@click.option(
    "--for",
    "audience",
    type=click.Choice([each.value for each in Audience]),
    required=True,
    help="Who reads it: everybody, or authorities.",
)
@click.option("--by", required=True, help="Who publishes; the ledger keeps it.")
@click.option("--only", multiple=True, metavar="COLUMN=VALUE", help="A part; repeat for more.")
@click.option("--position", type=int, help="As it was at that position of the log.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="As it was known that day.")
@click.option("--new-series", metavar="REASON", help="Earlier releases had other tables: why.")
@click.option("--json", "as_json", is_flag=True, help="Print the release as JSON.")
@click.pass_obj
def publish(
    program: Program,
    name: str,
    audience: str,
    by: str,
    only: tuple[str, ...],
    position: int | None,
    day: datetime | None,
    new_series: str | None,
    as_json: bool,
) -> None:
    """Publish what may be published of a report, checked with all that was published before."""
    part = _filter(only)
    with program.database() as conn:
        try:
            chosen = report(name)
            plan, _ = publishing.load_plan(chosen)
            made = publishing.publish(
                conn,
                _figures(conn, chosen, position, day),
                Audience(audience),
                by,
                filter_=part,
                new_series=new_series,
                render=lambda found: files_of(chosen, plan, found),
            )
        except (NoSuchReport, BeyondTheLog, PartAway) as error:
            stop(str(error), MISUSED)
        except (publishing.Refused, NotReleasable, StaleView, MissingLibrary) as error:
            stop(str(error))
    shown = len(made.figures) - len(made.hidden)
    if as_json:
        click.echo(json.dumps({"new": made.new, "shown": shown, **ledger.line_of(made.entry)}))
        return
    outcome = "published as" if made.new else "nothing has changed since"
    click.echo(
        f"{name}: {outcome} release {made.entry.number};"
        f" {shown} figures shown, {len(made.hidden)} hidden"
    )


def _filter(only: tuple[str, ...]) -> Filter:
    values: dict[str, list[str]] = {}
    for item in only:
        column, equals, value = item.partition("=")
        if not equals:
            stop(f"--only takes COLUMN=VALUE, not {item}", MISUSED)
        values.setdefault(column, []).append(value)
    return ledger.filter_of(values)


def _figures(
    conn: Connection, chosen: Report, position: int | None, day: datetime | None
) -> Figures:
    if position is None and day is None:
        return read(conn, chosen)
    return as_of(conn, chosen, past_position(conn, position, day))


@release.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def list_releases(program: Program, as_json: bool) -> None:
    """Show the ledger."""
    with program.database() as conn:
        found = ledger.entries(conn)
    if as_json:
        click.echo(json.dumps([ledger.line_of(entry) for entry in found]))
        return
    for entry in found:
        click.echo(
            f"{entry.number}: {entry.report} for {entry.audience}, position {entry.position},"
            f" {entry.released_at:%Y-%m-%d %H:%M} by {entry.released_by}"
        )


@release.command("export")
@click.argument("number", type=int)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def export(program: Program, number: int, folder: Path) -> None:
    """Write the files of a release into a folder."""
    with program.database() as conn:
        named = [name for name, *_ in ledger.files(conn, number)]
        if not named:
            stop(f"there is no release {number}; see: togheter-reporting release list")
        folder.mkdir(parents=True, exist_ok=True)
        for name in named:
            file = ledger.file_of(conn, number, name)
            assert file is not None  # nothing is ever taken from the ledger
            (folder / name).write_bytes(file.body)
            click.echo(str(folder / name))
