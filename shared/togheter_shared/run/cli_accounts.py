"""Commands about the accounts of an organisation's people, which all its services share."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from togheter_shared.access import accounts as people
from togheter_shared.access.viewer import Role
from togheter_shared.run.cli import MISUSED, Program, stop

if TYPE_CHECKING:
    from psycopg import Connection

ROLES = click.Choice([role.value for role in Role])


@contextmanager
def _database(program: Program, *, owner: bool = False) -> Iterator["Connection"]:
    """A connection to the accounts; a clear message when there is none or it is refused."""
    import psycopg

    settings = program.settings
    if settings.accounts_url is None:
        stop("TOGHETER_ACCOUNTS_URL is not set; see deploy/partner/env.example", MISUSED)
    url = (settings.owner_accounts_url if owner else None) or settings.accounts_url
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as conn:
            yield conn
    except psycopg.OperationalError as error:
        stop(
            f"the database of accounts does not answer ({type(error).__name__});"
            " check TOGHETER_ACCOUNTS_URL"
        )
    except psycopg.errors.UndefinedTable:
        stop("the database of accounts is empty; run `accounts migrate` first")
    except people.AccountError as error:
        stop(str(error))


@click.group("accounts")
def accounts() -> None:
    """Accounts of people, the same for all services of the organisation."""


@accounts.command("migrate")
@click.pass_obj
def _migrate(program: Program) -> None:
    """Bring the database of accounts up to date, as its owner; safe to run again."""
    from psycopg.conninfo import conninfo_to_dict

    from togheter_shared.run.migrate import migrate

    with _database(program, owner=True) as conn:
        role = str(conninfo_to_dict(program.settings.accounts_url or "").get("user", ""))
        own = conn.info.user == role
        applied = migrate(conn, ["togheter_shared.access"], None if own else role)
    click.echo("\n".join(applied) or "nothing to do")


@accounts.command("add")
@click.argument("name")
@click.option("--role", "roles", type=ROLES, multiple=True, required=True, help="What they do.")
@click.option("--full-name", default="", help="As the person writes it.")
@click.option("--email", help="What an identity provider knows them by.")
@click.pass_obj
def _add(
    program: Program, name: str, roles: tuple[str, ...], full_name: str, email: str | None
) -> None:
    """Make an account, and print the secret that sets its password: once, within three days."""
    with _database(program) as conn, conn.transaction():
        people.add(conn, name, [Role(role) for role in roles], full_name=full_name, email=email)
        secret = people.invite(conn, name)
    click.echo(secret)


@accounts.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def _list(program: Program, as_json: bool) -> None:
    """Show who has an account, with which roles, and whether it can be used."""
    with _database(program) as conn:
        found = people.everybody(conn)
    if as_json:
        items = [
            {
                "account_id": str(account.account_id),
                "name": account.name,
                "roles": sorted(account.roles),
                "state": account.state,
                "second_factor": account.has_second_factor,
                "created_at": account.created_at.isoformat(),
            }
            for account in found
        ]
        click.echo(json.dumps(items))
        return
    for account in found:
        click.echo(f"{account.name}: {account.state}: {', '.join(sorted(account.roles))}")


@accounts.command("disable")
@click.argument("name")
@click.pass_obj
def _disable(program: Program, name: str) -> None:
    """End an account's sessions and let nobody use it, from the next request on."""
    with _database(program) as conn:
        people.disable(conn, name)


@accounts.command("enable")
@click.argument("name")
@click.pass_obj
def _enable(program: Program, name: str) -> None:
    """Let a disabled account be used again."""
    with _database(program) as conn:
        people.enable(conn, name)


@accounts.command("roles")
@click.argument("name")
@click.option("--role", "roles", type=ROLES, multiple=True, required=True, help="All they have.")
@click.pass_obj
def _roles(program: Program, name: str, roles: tuple[str, ...]) -> None:
    """Give an account these roles and no others; its sessions end."""
    with _database(program) as conn:
        people.set_roles(conn, name, [Role(role) for role in roles])


@accounts.command("reset")
@click.argument("name")
@click.pass_obj
def _reset(program: Program, name: str) -> None:
    """Take away password, second factor and sessions, and print a new secret to set it up."""
    with _database(program) as conn:
        secret = people.reset(conn, name)
    click.echo(secret)
