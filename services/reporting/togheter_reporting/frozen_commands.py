"""The commands of reports that are handed in: as of, freeze, prove, and the events behind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from psycopg import Connection, errors

from togheter_reporting import frozen as freezing
from togheter_reporting import past
from togheter_reporting.catalogue import NoSuchReport, Row, report
from togheter_reporting.parts import PartAway
from togheter_reporting.spreadsheet import csv_of
from togheter_shared.log.network import load_network
from togheter_shared.privacy.keys import is_signed, key_id, load_keys, sign
from togheter_shared.run.cli import FAILED, MISUSED, Program, stop

ROME = ZoneInfo("Europe/Rome")


@click.command("as-of")
@click.argument("name", metavar="REPORT")
@click.option("--position", type=int, help="The position of the log at which it ended.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="What was known that day.")
@click.pass_obj
def as_of(program: Program, name: str, position: int | None, day: datetime | None) -> None:
    """Print a report as CSV, exactly as it was at a past date or position of the log."""
    with program.database() as conn, _explained():
        found = past.as_of(conn, report(name), past_position(conn, position, day))
    click.echo(csv_of(found), nl=False)


@click.command("freeze")
@click.argument("name", metavar="REPORT")
@click.option("--by", required=True, help="Who hands it in; the document says so.")
@click.option("--position", type=int, help="Freeze as of that position of the log.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="… as known that day.")
@click.option("--restates", type=int, help="The number of the frozen report that it replaces.")
@click.pass_obj
def freeze(
    program: Program,
    name: str,
    by: str,
    position: int | None,
    day: datetime | None,
    restates: int | None,
) -> None:
    """Freeze a report as it is handed in: figures, definition and heads of the log, signed."""
    keys = load_keys(program.settings.keys)

    def signed(document: bytes) -> tuple[str, bytes]:
        return key_id(keys.sign_public), sign(keys.sign_private, document)

    with program.database() as conn, _explained():
        at = past_position(conn, position, day)
        made = freezing.freeze(conn, report(name), at, signed, by=by, restates=restates)
    click.echo(f"{name}: frozen as {made.number} at position {made.position}")
    if restates is not None:
        _say(made.content["restates"])


@click.command("frozen")
@click.argument("number", type=int, required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), help="Where the document goes.")
@click.pass_obj
def frozen(program: Program, number: int | None, file: Path | None) -> None:
    """List what was frozen, or write one document (and beside it its signature) to a file."""
    with program.database() as conn, _explained():
        if number is None:
            for item in freezing.entries(conn):
                click.echo(
                    f"{item.number}: {item.report} at position {item.position},"
                    f" {item.frozen_at:%Y-%m-%d %H:%M}"
                )
            return
        found = freezing.read(conn, number)
    if file is None:
        click.echo(found.document.decode())
        return
    file.write_bytes(found.document)
    file.with_name(f"{file.name}.sig").write_bytes(found.signature)


@click.command("prove")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def prove(program: Program, number: int, as_json: bool) -> None:
    """Compute a frozen report again from the log; ends with 1 and says where it differs."""
    settings = program.settings
    us = load_network(settings.network).organisation(settings.organisation)

    def believe(key: str, signature: bytes, document: bytes, at: datetime) -> bool:
        return us is not None and any(
            key_id(each.key) == key and is_signed(each.key, signature, document)
            for each in us.sign_keys
            if each.is_valid(at)
        )

    with program.database() as conn, _explained():
        item = freezing.read(conn, number)
        faults = freezing.prove(conn, item, report(item.report), believe)
    if as_json:
        click.echo(json.dumps({"number": number, "proven": not faults, "faults": faults}))
    else:
        for fault in faults:
            click.echo(fault)
        rows = len(item.content["rows"])
        click.echo(f"{item.report} {number}: {'NOT proven' if faults else f'proven, {rows} rows'}")
    if faults:
        raise SystemExit(FAILED)


@click.command("behind")
@click.argument("name", metavar="REPORT")
@click.option("--only", multiple=True, metavar="COLUMN=VALUE", help="Of which figures.")
@click.option("--after", type=int, default=0, help="Events after that position only.")
@click.pass_obj
def behind(program: Program, name: str, only: tuple[str, ...], after: int) -> None:
    """List the events at which figures changed: where they came from and when, never whom."""
    with program.database() as conn, _explained():
        chosen = report(name)
        wanted = dict(item.partition("=")[::2] for item in only)
        places = {column.name: place for place, column in enumerate(chosen.columns)}
        if unknown := wanted.keys() - places.keys():
            stop(f"{name} has no column {', '.join(sorted(unknown))}", MISUSED)

        def pick(rows: list[Row]) -> list[Row]:
            return [row for row in rows if all(str(row[places[k]]) == v for k, v in wanted.items())]

        found, more = past.changes(conn, chosen, after, past.position_at(conn, _now()), pick)
    for cause in found:
        click.echo(
            f"{cause.position} {cause.origin} {cause.type} {cause.event_id}"
            f" {cause.occurred_at.isoformat()} {cause.received_at.isoformat()}"
        )
    if more:
        click.echo(f"… and more: go on with --after {found[-1].position}", err=True)


def _now() -> datetime:
    return datetime.now(ROME) + timedelta(days=1)


def past_position(conn: Connection, position: int | None, day: datetime | None) -> int:
    """The position that was asked for, or the last one that was known on that day."""
    if position is not None and day is not None:
        stop("say --position or --date, not both", MISUSED)
    if position is not None:
        return position
    moment = _now() if day is None else day.replace(tzinfo=ROME) + timedelta(days=1)
    return past.position_at(conn, moment)


def _say(restatement: dict[str, object]) -> None:
    differences, events = restatement["differences"], restatement["events"]
    assert isinstance(differences, list) and isinstance(events, list)
    for each in differences:
        click.echo(f"  {each['dimensions']}: {each['old']} -> {each['new']}")
    click.echo(f"  {len(differences)} figures differ, by {len(events)} events")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except NoSuchReport as error:
        stop(str(error), MISUSED)
    except (past.BeyondTheLog, PartAway, freezing.NoSuchFrozenReport) as error:
        stop(str(error))
    except (errors.UndefinedTable, errors.InsufficientPrivilege):
        stop("the database is not up to date; run: togheter-reporting migrate")
