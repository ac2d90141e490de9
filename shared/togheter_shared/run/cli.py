"""The command of a service: serve, its roles apart, migrations, tokens, quarantine, health."""

import json
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from togheter_shared.run.settings import Settings, SettingsError, read

if TYPE_CHECKING:
    from psycopg import Connection

    from togheter_shared.log.service import Service
    from togheter_shared.run.engine import Engine

OK, FAILED, MISUSED, UNHEALTHY = 0, 1, 2, 3
"""Exit codes: done; failed, nothing half done; called wrongly; done, and something is wrong."""


def command_line(service: str, web: str, *, extra: tuple[str, ...] = ()) -> click.Group:
    """The command of one service; each argument is `module:attribute`, imported when needed.

    Nothing is imported before the process is prepared for its role: a web process must be made
    cooperative before psycopg's first import.
    """

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    @click.pass_context
    def main(context: click.Context) -> None:
        """A service of the TOGHETER network. Settings come from the environment (TOGHETER_…)."""
        context.obj = Program(service, web)

    for command in (_serve, _web, _engine, _worker, _relay, _migrate, _resend, _doctor, _tokens):
        main.add_command(command)
    for module, name in _OF_THE_NETWORK:
        main.add_command(_Lazy(f"{module}:{name}"), name)
    for path in extra:
        main.add_command(_Lazy(path))
    return main


_OF_THE_NETWORK = (
    ("togheter_shared.run.cli_network", "quarantine"),
    ("togheter_shared.run.cli_network", "epoch"),
    ("togheter_shared.run.cli_network", "keys"),
    ("togheter_shared.run.cli_accounts", "accounts"),
    ("togheter_shared.run.cli_privacy", "privacy"),
)


class _Lazy(click.Command):
    """A command of the service itself, imported when it is called or asked for its help."""

    def __init__(self, path: str) -> None:
        super().__init__(path.rpartition(":")[2].replace("_", "-"))
        self._path = path

    def _loaded(self) -> click.Command:
        command: click.Command = _resolve(self._path)
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        return self._loaded().make_context(info_name, args, parent=parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return ctx.command.invoke(ctx)

    def get_short_help_str(self, limit: int = 45) -> str:
        return self._loaded().get_short_help_str(limit)


class Program:
    """What a command works with: the service, its settings and its databases."""

    def __init__(self, service: str, web: str) -> None:
        self._service = service
        self._web = web

    @property
    def service(self) -> "Service":
        found: Service = _resolve(self._service)
        return found

    @property
    def web(self) -> type:
        found: type = _resolve(self._web)
        return found

    @property
    def name(self) -> str:
        return self._service.split(".")[0].removeprefix("togheter_")

    @property
    def settings(self) -> Settings:
        try:
            return read(service=self.name)
        except SettingsError as error:
            stop(str(error), MISUSED)

    def configure_logs(self) -> Settings:
        from togheter_shared.run import logs

        settings = self.settings
        logs.configure(
            service=self.name, organisation=settings.organisation, level=settings.log_level
        )
        return settings

    def database(self, *, owner: bool = False) -> "Connection":
        """A connection as the runtime role or as the owner; a clear message when there is none."""
        import psycopg

        settings = self.settings
        url = settings.owner_database_url if owner else settings.database_url
        if owner and url is None:
            url = settings.database_url
        assert url is not None
        try:
            return psycopg.connect(url, autocommit=True, connect_timeout=5)
        except psycopg.OperationalError as error:
            stop(
                f"the database does not answer ({type(error).__name__}); check DATABASE_URL, and on"
                " the demonstration network: make status"
            )

    def engine(self, roles: frozenset[str]) -> "Engine":
        from togheter_shared.log.head import LiveSigner
        from togheter_shared.log.network import LiveNetwork
        from togheter_shared.privacy.keys import load_keys
        from togheter_shared.run.engine import Engine, Place

        settings = self.configure_logs()
        keys = load_keys(settings.keys)
        return Engine(
            service=self.service,
            place=Place(
                organisation=settings.organisation,
                database_url=settings.database_url,
                amqp_url=settings.amqp_url,
                network=LiveNetwork(settings.network),
                seal_private_key=keys.seal_private,
                signer=LiveSigner(settings.keys),
            ),
            roles=roles,
        )


def stop(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong and the way out, and end with that exit code."""
    click.echo(message, err=True)
    raise SystemExit(code)


def _resolve(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


SEQUENCE_AND_RELAY = frozenset({"sequencer", "relay"})
RECEIVE_AND_FOLLOW = frozenset({"receiver", "follower"})


@click.command("serve")
@click.pass_obj
def _serve(program: Program) -> None:
    """Run the whole service: the web, and its engine as a child that ends with it."""
    from togheter_shared.run.green import prepare_green

    prepare_green()
    from togheter_shared.run.supervise import supervised

    program.configure_logs()
    with supervised([sys.executable, "-m", f"togheter_{program.name}.cli", "engine"]):
        _run_web(program)


@click.command("web")
@click.pass_obj
def _web(program: Program) -> None:
    """Run the web alone."""
    from togheter_shared.run.green import prepare_green

    prepare_green()
    program.configure_logs()
    _run_web(program)


def _run_web(program: Program) -> None:
    from togheter_shared.run.http import run_web

    run_web(program.web, program.settings)


def _run_engine(program: Program, roles: frozenset[str]) -> None:
    import signal

    engine = program.engine(roles)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: engine.stop.set())
    _end_with_parent(engine.stop)
    engine.run()


def _end_with_parent(stop_event: threading.Event) -> None:
    """End when the process that started us does: its end of our standard input closes."""
    if os.environ.get("TOGHETER_SUPERVISED") != "1":
        return

    def wait() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock would be held when the process ends
            pass
        stop_event.set()
        threading.Timer(5.0, os._exit, args=[0]).start()

    threading.Thread(target=wait, daemon=True).start()


@click.command("engine", hidden=True)
@click.pass_obj
def _engine(program: Program) -> None:
    """Run sequencer, relay, receiver and follower."""
    _run_engine(program, SEQUENCE_AND_RELAY | RECEIVE_AND_FOLLOW)


@click.command("worker")
@click.pass_obj
def _worker(program: Program) -> None:
    """Run the receiver and the follower alone."""
    _run_engine(program, RECEIVE_AND_FOLLOW)


@click.command("relay")
@click.pass_obj
def _relay(program: Program) -> None:
    """Run the sequencer and the relay alone."""
    _run_engine(program, SEQUENCE_AND_RELAY)


@click.command("migrate")
@click.option("--json", "as_json", is_flag=True, help="Print the applied migrations as JSON.")
@click.pass_obj
def _migrate(program: Program, as_json: bool) -> None:
    """Bring the database up to date, as its owner; safe to run again."""
    from psycopg.conninfo import conninfo_to_dict

    from togheter_shared.run.migrate import MigrationChanged, migrate

    settings = program.settings
    role = str(conninfo_to_dict(settings.database_url).get("user", ""))
    with program.database(owner=True) as conn:
        own = conn.info.user == role
        try:
            applied = migrate(conn, list(program.service.packages), None if own else role)
        except MigrationChanged as error:
            stop(str(error))
    if own:
        click.echo(
            "the service runs as the owner of its tables, so the database cannot promise that the"
            " log is append-only; set TOGHETER_OWNER_DATABASE_URL to another role",
            err=True,
        )
    if as_json:
        click.echo(json.dumps({"applied": applied}))
    else:
        click.echo("\n".join(applied) or "nothing to do")


@click.command("resend")
@click.argument("channel")
@click.option("--from", "first", default=1, show_default=True, help="The first number to send.")
@click.pass_obj
def _resend(program: Program, channel: str, first: int) -> None:
    """Publish a channel of the feed again; receivers drop what they have."""
    from togheter_shared.log import outbox

    with program.database() as conn:
        rows = conn.execute("select channel, epoch from feed_channel").fetchall()
        known = {row[0]: row[1] for row in rows}
        if channel not in known:
            stop(f"there is no channel {channel} here; there is {', '.join(known) or 'none'}")
        outbox.note_request(conn, "operator", channel, first, known[channel])
    click.echo("noted; the relay sends it now")


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def _doctor(program: Program, as_json: bool) -> None:
    """Say how the service is; ends with 3 when something is wrong."""
    from togheter_shared.run.state import state

    with program.database() as conn:
        found = state(conn)
    found |= _papers(program.settings)
    found["healthy"] = found["healthy"] and found["registry"] == found["keys"] == "ok"
    if as_json:
        click.echo(json.dumps(found, default=str))
    else:
        for name, value in found.items():
            click.echo(f"{name}: {value}")
    raise SystemExit(OK if found["healthy"] else UNHEALTHY)


def _papers(settings: Settings) -> dict[str, str]:
    """Whether the registry and the organisation's keys can be read; else what to do."""
    from togheter_shared.log.network import RegistryUnreadable, load_network
    from togheter_shared.privacy.keys import KeysUnreadable, load_keys

    found = {"registry": "ok", "keys": "ok"}
    try:
        load_network(settings.network)
    except RegistryUnreadable as error:
        found["registry"] = str(error)
    try:
        load_keys(settings.keys)
    except KeysUnreadable as error:
        found["keys"] = str(error)
    return found


@click.group("tokens")
def _tokens() -> None:
    """Accounts of machines."""


@_tokens.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; or: all.")
@click.option("--days", default=365, show_default=True, help="For how long.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the token from standard input.")
@click.pass_obj
def _tokens_add(
    program: Program, name: str, scopes: tuple[str, ...], days: int, from_stdin: bool
) -> None:
    """Make a token, and print it once; only its hash is kept."""
    from togheter_shared.access import tokens

    token = sys.stdin.readline().strip() if from_stdin else tokens.mint()
    if not token:
        stop("no token came on standard input", MISUSED)
    with program.database() as conn:
        tokens.add(conn, name, token, list(scopes), days)
    if not from_stdin:
        click.echo(token)


@_tokens.command("revoke")
@click.argument("name")
@click.pass_obj
def _tokens_revoke(program: Program, name: str) -> None:
    """End every token of that name, at once."""
    from togheter_shared.access import tokens

    with program.database() as conn:
        ended = tokens.revoke(conn, name)
    if not ended:
        stop(f"there is no live token named {name}")
