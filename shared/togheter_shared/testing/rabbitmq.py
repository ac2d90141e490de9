"""Start and stop a RabbitMQ of our own in a folder, or use the one that AMQP_URL names."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from togheter_shared.testing.packages import (
    WAYS_TO_RABBITMQ,
    find_rabbitmq,
    install,
    may_install,
)
from togheter_shared.testing.processes import (
    ServerError,
    end,
    folder_id,
    free_port,
    is_ours,
    locked,
    read_state,
    run,
    spawn,
    tail,
    write_private,
    write_state,
)
from togheter_shared.testing.topology import VHOST, Definitions, administrator

ADMIN = "togheter-admin"
PATIENCE = 90.0
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
CONFIGURATION = """\
listeners.tcp.local = 127.0.0.1:{port}
load_definitions = {definitions}
log.console = true
log.console.level = info
log.file = false
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 67108864
"""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A running RabbitMQ. `folder` is None for somebody else's, which we never start or stop."""

    admin_url: str
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None

    @property
    def log(self) -> Path | None:
        """The file that the broker writes its log to."""
        return self.folder / "rabbitmq.log" if self.folder else None

    def amqp_url_for(self, user: str) -> str:
        """The URL with which a user of the definitions connects."""
        parts = urlsplit(self.admin_url)
        secret = quote(self.passwords[user], safe="")
        place = f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"
        return f"{parts.scheme}://{quote(user, safe='')}:{secret}@{place}{parts.path}"

    def provision(self, definitions: Definitions, passwords: Mapping[str, str]) -> Broker:
        """Bring users and permissions up to date; the broker as these users see it."""
        if self.folder is None:
            return _somebody_elses(self.admin_url, definitions, passwords)
        return start_broker(self.folder, definitions, passwords)

    def stop(self) -> None:
        """Stop the broker in good order, when it is ours."""
        if self.folder:
            stop_broker(self.folder)

    def kill(self) -> None:
        """End the broker as a power cut would, when it is ours.

        Quorum queues declared less than a second ago may be lost: see `remembers`.
        """
        if self.folder:
            stop_broker(self.folder, signal.SIGKILL)

    def remembers(self, queue: str, patience: float = 10) -> bool:
        """Wait until a quorum queue of ours would survive a kill.

        RabbitMQ 3.10 answers `queue.declare` up to a second before the queue's name is on
        disk. Killed in between, it forgets the name: the queue stays without a leader for ever,
        publishing to it is refused, and consuming from it times out, until somebody deletes it.
        """
        deadline = time.monotonic() + patience
        while self.folder and time.monotonic() < deadline:
            names = (self.folder / "mnesia").glob("*/quorum/*/names.dets")
            if any(queue.encode() in file.read_bytes() for file in names):
                return True
            time.sleep(0.05)
        return False

    def start(self) -> None:
        """Start the broker again at the same address, with what it was last given."""
        if self.folder is None:
            raise ServerError("the RabbitMQ of AMQP_URL is not ours to start")
        given = json.loads((self.folder / "definitions.json").read_text())
        _own(self.folder, given, self.passwords)

    def control(self, *words: str) -> None:
        """Have `rabbitmqctl` do something to a broker of ours."""
        if self.folder is None:
            raise ServerError("the RabbitMQ of AMQP_URL is not ours to control")
        state = read_state(self.folder)
        command = [str(Path(state["bin_dir"]) / "rabbitmqctl"), *words]
        run(command, env=_env(self.folder, state), timeout=60, what=f"rabbitmqctl {words[0]}")

    def restart(self) -> None:
        """Stop the broker in good order and start it again at the same address."""
        self.stop()
        self.start()


def start_broker(
    folder: Path, definitions: Definitions, passwords: Mapping[str, str] | None = None
) -> Broker:
    """Return a running broker with the definitions: AMQP_URL's, or one of our own in the folder.

    `passwords` (user → password) are those whose hashes the definitions carry. Returns at once
    when ours runs with the same definitions. Raises `ServerError`, with the end of the log.
    """
    if url := os.environ.get("AMQP_URL"):
        return _somebody_elses(url, definitions, passwords or {})
    folder.mkdir(parents=True, exist_ok=True)
    state = read_state(folder)
    if "password" not in state:
        state["password"] = secrets.token_urlsafe(24)
        write_state(folder, state)
    user, permission = administrator(ADMIN, state["password"])
    complete: Definitions = {
        **definitions,
        "users": [*definitions["users"], user],
        "permissions": [*definitions["permissions"], permission],
    }
    return _own(folder, complete, passwords or {})


def stop_broker(folder: Path, how: signal.Signals = signal.SIGTERM) -> None:
    """Stop the broker of the folder and its port mapper, if they run."""
    if not folder.exists():
        return
    with locked(folder):
        state = read_state(folder)
        end(state.get("pid"), _mark(folder), first=how)
        end(state.get("epmd_pid"), _epmd_mark(state), first=signal.SIGTERM)


def remove_broker(folder: Path) -> None:
    """End the broker of the folder and delete its data."""
    stop_broker(folder, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def broker_status(folder: Path) -> dict[str, Any]:
    """What is known of the broker of the folder: `running`, `pid`, `port`, `log`."""
    state = read_state(folder)
    running = is_ours(state.get("pid"), _mark(folder))
    return {
        "running": running,
        "pid": state.get("pid") if running else None,
        "port": state.get("port"),
        "log": str(folder / "rabbitmq.log"),
    }


# --- starting ----------------------------------------------------------------------------------


def _own(folder: Path, definitions: Definitions, passwords: Mapping[str, str]) -> Broker:
    with locked(folder):
        text = json.dumps(definitions, indent=2, sort_keys=True) + "\n"
        digest = hashlib.sha256(text.encode()).hexdigest()
        state = read_state(folder)
        write_private(folder / "definitions.json", text)
        if not is_ours(state.get("pid"), _mark(folder)):
            state = _start(folder, state)
            _wait(folder, state)
        else:
            _wait(folder, state)
            if state.get("definitions") != digest:
                _import(folder, state)
        state["definitions"] = digest
        write_state(folder, state)
        secret = quote(state["password"], safe="")
        return Broker(
            admin_url=f"amqp://{ADMIN}:{secret}@127.0.0.1:{state['port']}/{VHOST}",
            passwords=dict(passwords),
            folder=folder,
        )


def _programs() -> Path:
    if (found := find_rabbitmq()) is None and may_install():
        install("rabbitmq-server")
        found = find_rabbitmq()
    if found is None:
        raise ServerError(WAYS_TO_RABBITMQ)
    return found


def _start(folder: Path, state: dict[str, Any]) -> dict[str, Any]:
    bin_dir = _programs()
    mapper_runs = is_ours(state.get("epmd_pid"), _epmd_mark(state))
    epmd_port = int(state["epmd_port"]) if mapper_runs else free_port(state.get("epmd_port"))
    port = free_port(state.get("port"), avoid=[epmd_port])
    dist_port = free_port(state.get("dist_port"), avoid=[epmd_port, port])
    state |= {"bin_dir": str(bin_dir), "port": port, "dist_port": dist_port, "epmd_port": epmd_port}
    _write_configuration(folder, port)
    env = _env(folder, state)
    log = folder / "rabbitmq.log"
    if not mapper_runs:
        mapper = [_epmd(), "-port", str(epmd_port), "-address", "127.0.0.1"]
        state["epmd_pid"] = spawn(mapper, log=log, env=env, cwd=folder)
    write_state(folder, state)
    # Under this name the script becomes the server instead of waiting for it: one pid to remember.
    env["RUNNING_UNDER_SYSTEMD"] = "true"
    # Erlang ignores an option that it does not know: ours is there to recognise the process.
    command = [str(bin_dir / "rabbitmq-server"), "-togheter", _mark(folder)]
    state["pid"] = spawn(command, log=log, env=env, cwd=folder)
    write_state(folder, state)
    return state


def _write_configuration(folder: Path, port: int) -> None:
    for name in ("home", "mnesia", "log"):
        (folder / name).mkdir(exist_ok=True)
    cookie = folder / "home" / ".erlang.cookie"
    if not cookie.exists():
        write_private(cookie, secrets.token_hex(20))
        cookie.chmod(0o400)
    configuration = CONFIGURATION.format(port=port, definitions=folder / "definitions.json")
    (folder / "rabbitmq.conf").write_text(configuration)
    (folder / "enabled_plugins").write_text("[].\n")
    (folder / "rabbitmq-env.conf").write_text("")


def _env(folder: Path, state: Mapping[str, Any]) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder / "home"),
        "ERL_EPMD_PORT": str(state["epmd_port"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"{_mark(folder)}@localhost",
        "RABBITMQ_DIST_PORT": str(state["dist_port"]),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
        ),
    }


def _epmd() -> str:
    if found := shutil.which("epmd"):
        return found
    beside_erl = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    if beside_erl:
        return str(beside_erl[-1])
    raise ServerError("Erlang's epmd was not found beside erl; reinstall erlang-base")


def _wait(folder: Path, state: Mapping[str, Any]) -> None:
    """Wait until the broker opens an AMQP conversation (its definitions are loaded by then)."""
    deadline = time.monotonic() + PATIENCE
    log = folder / "rabbitmq.log"
    while not _answers("127.0.0.1", int(state["port"])):
        if not is_ours(state.get("pid"), _mark(folder)):
            raise ServerError(f"RabbitMQ ended while starting; {log}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServerError(
                f"RabbitMQ did not answer within {PATIENCE:.0f} s; {log}:\n{tail(log)}"
            )
        time.sleep(0.05)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(PROTOCOL_HEADER)
            return connection.recv(1) == b"\x01"  # a method frame: connection.start
    except OSError:
        return False


def _import(folder: Path, state: Mapping[str, Any]) -> None:
    run(
        [
            Path(str(state["bin_dir"])) / "rabbitmqctl",
            "--node",
            f"{_mark(folder)}@localhost",
            "import_definitions",
            folder / "definitions.json",
        ],
        env=_env(folder, state),
        cwd=folder,
        what="rabbitmqctl import_definitions",
    )


def _mark(folder: Path) -> str:
    return f"togheter-{folder_id(folder)}"


def _epmd_mark(state: Mapping[str, Any]) -> str:
    return f"epmd\x00-port\x00{state.get('epmd_port')}\x00"


# --- somebody else's ---------------------------------------------------------------------------


def _somebody_elses(url: str, definitions: Definitions, passwords: Mapping[str, str]) -> Broker:
    parts = urlsplit(url)
    port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
    if parts.scheme == "amqp" and not _answers(parts.hostname or "localhost", port):
        raise ServerError(f"the RabbitMQ of AMQP_URL does not answer at {parts.hostname}:{port}")
    management = os.environ.get("RABBITMQ_MANAGEMENT_URL")
    if not management:
        raise ServerError(
            "AMQP_URL is set, and RABBITMQ_MANAGEMENT_URL is not: users and permissions are created"
            " through it, for example http://administrator:password@host:15672"
        )
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    own = {"user": unquote(parts.username or "guest"), "vhost": VHOST, **everything}
    complete: Definitions = {**definitions, "permissions": [*definitions["permissions"], own]}
    _post_definitions(management, parts.username, parts.password, complete)
    place = parts.netloc.rpartition("@")
    address = f"{place[0]}{place[1]}{parts.hostname}:{port}"
    return Broker(admin_url=f"{parts.scheme}://{address}/{VHOST}", passwords=dict(passwords))


def _post_definitions(
    management: str, user: str | None, password: str | None, definitions: Definitions
) -> None:
    parts = urlsplit(management)
    name = unquote(parts.username or user or "")
    secret = unquote(parts.password or password or "")
    place = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(
        f"{parts.scheme}://{place}{parts.path.rstrip('/')}/api/definitions",
        data=json.dumps(definitions).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": "Basic " + b64encode(f"{name}:{secret}".encode()).decode(),
        },
        method="POST",
    )
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as error:
        told = error.read().decode(errors="replace")[:500]
        raise ServerError(
            f"{place} refused the users and permissions ({error.code} {told}): the user of"
            " RABBITMQ_MANAGEMENT_URL must be an administrator"
        ) from error
    except OSError as error:
        raise ServerError(f"RABBITMQ_MANAGEMENT_URL {place} does not answer: {error}") from error
