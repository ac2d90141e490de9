"""The commands for releases that are made by themselves."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import click

from togheter_reporting import schedule as schedules
from togheter_reporting.catalogue import NoSuchReport, report
from togheter_reporting.delivery import Mail
from togheter_reporting.disclosure.cells import Audience, NotReleasable
from togheter_reporting.disclosure.publish import load_plan
from togheter_shared.run.cli import MISUSED, Program, stop
from togheter_shared.run.settings import Settings

_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")


@click.group("schedule")
def schedule() -> None:
    """Releases that are made by themselves, and where they go."""


@schedule.command("set")
@click.argument("name")
@click.argument("chosen", metavar="REPORT")
@click.option(
    "--for",
    "audience",
    type=click.Choice([each.value for each in Audience]),
    required=True,
    help="Who reads it: everybody, or authorities.",
)
@click.option("--every", type=click.Choice(schedules.EVERY), required=True)
@click.option("--by", required=True, help="Who is answerable; the ledger keeps it.")
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="A folder that its files are written into; repeat for more.",
)
@click.option("--mail", "addresses", multiple=True, help="An address that it is sent to.")
@click.option("--first", type=click.DateTime(), help="When, in UTC; without it, now.")
@click.pass_obj
def set_schedule(
    program: Program,
    name: str,
    chosen: str,
    audience: str,
    every: str,
    by: str,
    folders: tuple[Path, ...],
    addresses: tuple[str, ...],
    first: datetime | None,
) -> None:
    """Have a report published every day, week or month, and brought where it is wanted."""
    for address in addresses:
        if not _ADDRESS.fullmatch(address):
            stop(f"--mail takes one address, not {address}", MISUSED)
    if addresses and mail_of(program.settings) is None:
        stop("there is no mail server; set TOGHETER_SMTP and TOGHETER_MAIL_FROM", MISUSED)
    try:
        load_plan(report(chosen))
        with program.database() as conn:
            schedules.add(
                conn,
                schedules.Schedule(
                    name=name,
                    report=chosen,
                    audience=Audience(audience),
                    every=every,
                    targets=(
                        *(folder.resolve().as_uri() for folder in folders),
                        *(f"mailto:{address}" for address in addresses),
                    ),
                    set_by=by,
                    next_at=(first or datetime.now(UTC)).replace(tzinfo=UTC),
                ),
            )
    except (NoSuchReport, NotReleasable) as error:
        stop(str(error), MISUSED)
    except schedules.ScheduleExists as error:
        stop(str(error))


@schedule.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def list_schedules(program: Program, as_json: bool) -> None:
    """Show the schedules, when each is due, and what has not arrived."""
    with program.database() as conn:
        found = schedules.schedules(conn)
    if as_json:
        click.echo(json.dumps([vars(each) for each in found], default=str))
        return
    for each in found:
        state = f"; {each.waiting} on the way" if each.waiting else ""
        state += f"; {each.error}" if each.error else ""
        click.echo(
            f"{each.name}: {each.report} for {each.audience} every {each.every},"
            f" next {each.next_at:%Y-%m-%d %H:%M}{state}"
        )


@schedule.command("end")
@click.argument("name")
@click.pass_obj
def end_schedule(program: Program, name: str) -> None:
    """End a schedule; what it made stays."""
    with program.database() as conn:
        if not schedules.end(conn, name):
            stop(f"there is no schedule {name}; see: togheter-reporting schedule list")


@schedule.command("run")
@click.pass_obj
def run_schedules(program: Program) -> None:
    """Do all that is due now, for a timer where no engine runs; ends with 1 if one has failed."""
    with program.database() as conn:
        while schedules.run_due(conn, lambda: False, mail_of(program.settings)):
            pass
        waiting = [each for each in schedules.schedules(conn) if each.waiting or each.error]
    for each in waiting:
        click.echo(f"{each.name}: {each.error or 'on the way'}", err=True)
    if waiting:
        raise SystemExit(1)


def mail_of(settings: Settings) -> Mail | None:
    """The mail server of the settings; None when there is none."""
    if settings.smtp_url is None or settings.mail_from is None:
        return None
    return Mail(server=settings.smtp_url, sender=settings.mail_from)
