"""Commands about the network: quarantine, epochs after a restore, and the key that signs."""

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from togheter_shared.run.cli import MISUSED, Program, stop

if TYPE_CHECKING:
    from psycopg import Connection


@click.group("quarantine")
def quarantine() -> None:
    """What came from others and could not be taken."""


@quarantine.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--resolved", is_flag=True, help="What was decided, and by whom.")
@click.pass_obj
def _list(program: Program, as_json: bool, resolved: bool) -> None:
    """Show what waits for a person, without its content."""
    from togheter_shared.log.quarantine import quarantined

    with program.database() as conn:
        found = quarantined(conn, resolved=resolved)
    if as_json:
        click.echo(json.dumps([asdict(item) for item in found]))
        return
    for item in found:
        number = "" if item.number is None else f" number {item.number}"
        decided = f" ({item.resolution})" if item.resolution else ""
        click.echo(f"{item.id}: {item.origin} {item.channel}{number}: {item.reason}{decided}")


@quarantine.command("show")
@click.argument("id_", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def _show(program: Program, id_: int, as_json: bool) -> None:
    """Show the shape of one delivery: sizes, hash and types, and no value."""
    from togheter_shared.log.quarantine import shape

    with program.database() as conn:
        found = shape(conn, id_)
    if found is None:
        stop(f"nothing in quarantine has the id {id_}; see `quarantine list`")
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    for name, value in found.items():
        click.echo(f"{name}: {value}")


def _settle(name: str, text: str, act: Callable[["Connection", int, str], bool]) -> click.Command:
    @click.command(name, help=text)
    @click.argument("id_", metavar="ID", type=int)
    @click.option("--reason", required=True, help="Why; kept with it.")
    @click.pass_obj
    def command(program: Program, id_: int, reason: str) -> None:
        if not reason.strip():
            stop("a reason is needed: whoever looks later has to understand it", MISUSED)
        with program.database() as conn:
            if not act(conn, id_, f"{reason.strip()} ({getpass.getuser()})"):
                stop(f"nothing in quarantine has the id {id_}; see `quarantine list`")

    return command


def _retry(conn: "Connection", id_: int, reason: str) -> bool:
    from togheter_shared.log.quarantine import resolve

    return resolve(conn, id_, f"retried: {reason}")


def _discard(conn: "Connection", id_: int, reason: str) -> bool:
    from togheter_shared.log.quarantine import discard

    return discard(conn, id_, reason)


quarantine.add_command(_settle("retry", "Let the channel flow; it is asked for anew.", _retry))
quarantine.add_command(_settle("discard", "Give an entry up and go on behind it.", _discard))


@click.group("epoch")
def epoch() -> None:
    """After this store was restored from a backup: what others hold of it, and beginning anew."""


@epoch.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def _status(program: Program, as_json: bool) -> None:
    """Show who holds what this store does not; ends with 3 when somebody does."""
    from togheter_shared.log.epochs import disputes
    from togheter_shared.run.cli import OK, UNHEALTHY

    with program.database() as conn:
        found = disputes(conn)
    if as_json:
        click.echo(json.dumps([asdict(item) for item in found]))
    for item in [] if as_json else found:
        click.echo(
            f"{item.channel}: {item.requester} holds up to number {item.number};"
            f" up to {item.common_number} this store holds the same"
        )
    raise SystemExit(UNHEALTHY if found else OK)


@epoch.command("start")
@click.option("--reason", required=True, help="Why; kept with the epoch.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def _start(program: Program, reason: str, yes: bool, as_json: bool) -> None:
    """Begin a new epoch of every channel, behind what nobody disputes.

    For a store that was restored from a backup: best before the service is started again, else
    when `epoch status` says who holds more. What others hold and this store has lost stays with
    them and is listed as orphaned.
    """
    from togheter_shared.log.epochs import begin, disputes

    if not reason.strip():
        stop("a reason is needed: whoever looks later has to understand it", MISUSED)
    with program.database(owner=True) as conn:
        for item in [] if as_json else disputes(conn):
            click.echo(
                f"{item.channel}: {item.requester} holds numbers {item.common_number + 1} to"
                f" {item.number}, which this store has lost or numbered otherwise",
                err=True,
            )
        if not yes and not click.confirm("Begin a new epoch of every channel?", err=True):
            stop("nothing was begun")
        begun = begin(conn, getpass.getuser(), reason.strip())
    if as_json:
        click.echo(json.dumps([asdict(item) for item in begun], default=str))
        return
    for new in begun:
        click.echo(
            f"{new.channel}: epoch {new.epoch} behind number {new.after_number};"
            f" orphaned {new.orphaned}, told again {new.told_again}"
        )


@click.group("keys")
def keys() -> None:
    """The key with which this organisation signs what it tells."""


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def _keys_list(program: Program, as_json: bool) -> None:
    """Show the keys of this organisation, and what the registry says of each."""
    from togheter_shared.log.network import load_network
    from togheter_shared.privacy.keys import key_id, load_keys, next_signing_key

    settings = program.settings
    own = {key_id(load_keys(settings.keys).sign_public): "signs"}
    prepared = next_signing_key(settings.keys)
    if prepared is not None:
        own[key_id(prepared)] = "prepared"
    found = load_network(settings.network).organisation(settings.organisation)
    now = datetime.now(UTC)
    registered = {
        key_id(key.key): "believed" if key.is_valid(now) else "not believed now"
        for key in (found.sign_keys if found else ())
    }
    rows = [
        {
            "key": id_,
            "here": own.get(id_, "not here"),
            "registry": registered.get(id_, "not in the registry"),
        }
        for id_ in {**own, **registered}
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['key']}: {row['here']}, {row['registry']}")


@keys.command("prepare")
@click.pass_obj
def _keys_prepare(program: Program) -> None:
    """Make the next key, and print its public half for the municipality's registry."""
    from togheter_shared.privacy.keys import prepare_signing_key

    click.echo(prepare_signing_key(program.settings.keys))


@keys.command("activate")
@click.pass_obj
def _keys_activate(program: Program) -> None:
    """Sign with the prepared key from now on, once the registry has it; running services follow."""
    from togheter_shared.log.network import load_network
    from togheter_shared.privacy.keys import activate_signing_key, key_id, next_signing_key

    settings = program.settings
    prepared = next_signing_key(settings.keys)
    if prepared is None:
        stop("no key was prepared; see `keys prepare`")
    found = load_network(settings.network).organisation(settings.organisation)
    now = datetime.now(UTC)
    if found is None or not any(k.key == prepared and k.is_valid(now) for k in found.sign_keys):
        stop(
            f"the registry {settings.network} does not hold the key {key_id(prepared)} as valid"
            " now; give its public half to the municipality, and wait for the new registry: what is"
            " signed with a key that others do not know is not taken"
        )
    click.echo(key_id(activate_signing_key(settings.keys)))
