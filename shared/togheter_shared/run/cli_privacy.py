"""Commands about the keys of persons: how they are wrapped, and with which key of today."""

import json

import click

from togheter_shared.run.cli import UNHEALTHY, Program


@click.group("privacy")
def privacy() -> None:
    """The keys with which data about persons are sealed."""


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
