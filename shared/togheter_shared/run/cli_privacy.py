"""Commands about the keys of persons: how they are wrapped, and with which key of today."""

import getpass
import json
from uuid import UUID

import click

from togheter_shared.run.cli import MISUSED, UNHEALTHY, Program, stop
from togheter_shared.run.cli_escrow import escrow


@click.group("privacy")
def privacy() -> None:
    """The keys with which data about persons are sealed."""


privacy.add_command(escrow)


@privacy.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def _status(program: Program, as_json: bool) -> None:
    """Count the keys of persons by the key that wraps them; ends with 3 when one is unknown."""
    from togheter_shared.privacy.persons import organisation_keys

    program.settings  # noqa: B018 (says what is missing)
    ours = organisation_keys()
    with program.database() as conn:
        rows = conn.execute(
            "select wrapped_by, count(*) from subject_key where wrapped is not null"
            " group by wrapped_by order by wrapped_by"
        ).fetchall()
    found = {
        "current": ours.current,
        "known": sorted(ours.keys),
        "wrapped_by": {row[0]: row[1] for row in rows},
    }
    for name, value in {} if as_json else found.items():
        click.echo(f"{name}: {value}")
    if as_json:
        click.echo(json.dumps(found))
    raise SystemExit(UNHEALTHY if any(row[0] not in ours.keys for row in rows) else 0)


@privacy.command("rotate")
@click.pass_obj
def _rotate(program: Program) -> None:
    """Wrap every person's key with the first of the organisation's keys; safe to run again."""
    from togheter_shared.privacy.persons import rotate

    program.settings  # noqa: B018 (says what is missing)
    done = 0
    with program.database() as conn:
        for done in rotate(conn):
            click.echo(f"{done} keys", err=True)
    click.echo(f"{done} keys were wrapped anew")


@privacy.command("erase")
@click.argument("subject", type=click.UUID)
@click.option("--yes", is_flag=True, help="Without it, nothing is done: this cannot be undone.")
@click.pass_obj
def _erase(program: Program, subject: UUID, yes: bool) -> None:
    """Forget a person, a referral or an enrolment, by its id, in this service and for ever."""
    from togheter_shared.log.erase import UnknownSubject, erase_subject

    if not yes:
        stop("nothing was done; add --yes: what is erased opens never again", MISUSED)
    program.settings  # noqa: B018 (says what is missing)
    with program.database() as conn:
        try:
            done = erase_subject(conn, program.service, subject, getpass.getuser())
        except UnknownSubject:
            stop("nothing was done: nothing here is about that id; check it, and the service")
    click.echo(f"{done.events} events and {done.boxes} disclosures were erased")
    for organisation in done.told:
        click.echo(f"{organisation} was told who it is: ask it to erase the referral too")


@privacy.command("erasures")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def _erasures(program: Program, as_json: bool) -> None:
    """Show what was erased, when and by whom."""
    with program.database() as conn:
        rows = conn.execute(
            "select subject_id, part_of, erased_by, erased_at, events, boxes from erasure"
            " order by erased_at"
        ).fetchall()
    names = ("subject_id", "part_of", "erased_by", "erased_at", "events", "boxes")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    for one in found:
        click.echo(" ".join(f"{name}={value}" for name, value in one.items()))


@privacy.command("register")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, not as a page.")
def _register(as_json: bool) -> None:
    """Print the register of processing (article 30) as it follows from the contracts."""
    from togheter_shared.contracts.all import EVERY
    from togheter_shared.contracts.register import markdown, register

    found = register(EVERY.contracts)
    click.echo(json.dumps(found) if as_json else markdown(found), nl=as_json)
