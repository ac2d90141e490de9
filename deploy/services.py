"""Write a service's settings, prepare its database, start its process, and tell how it is."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.plan import LOCAL, Memory, Place, fingerprint

from togheter_shared.access import tokens
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.processes import (
    ServerError,
    birth,
    free_port,
    group_members,
    has_ended,
    last_lines,
    spawn,
    tail,
    write_private,
)

PATIENCE = 60.0
LARGE_LOG = 10_000_000  # bytes
OURS = ("TOGHETER_", "PG", "RABBITMQ_", "DATABASE_URL", "AMQP_URL")


# --- settings ----------------------------------------------------------------------------------


def write_settings(place: Place, database: ServiceDatabase, amqp_url: str, memory: Memory) -> None:
    """Write the service's env file, with a free port of its own; only its owner may read it."""
    taken = [port for other, port in (memory.get("ports") or {}).items() if other != place.name]
    remembered = (memory.get("ports") or {}).get(place.name)
    port = remembered if process(place) else free_port(remembered, avoid=taken)
    memory.set("ports", {**(memory.get("ports") or {}), place.name: port})
    settings = {
        "TOGHETER_ORG": place.organisation.id,
        "TOGHETER_SERVICE": place.service,
        "DATABASE_URL": database.url,
        "TOGHETER_OWNER_DATABASE_URL": database.owner_url,
        "AMQP_URL": amqp_url,
        "TOGHETER_NETWORK": str(LOCAL / "network.json"),
        "TOGHETER_KEYS": str(place.organisation.folder / "keys.json"),
        "TOGHETER_PRIVACY_KEY": f"file:{place.organisation.folder / 'privacy.key'}",
        "TOGHETER_HTTP": f"127.0.0.1:{port}",
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items()]
    write_private(place.env_file, "".join(lines))
    if not place.token_file.exists():
        write_private(place.token_file, tokens.mint() + "\n")


def read_settings(place: Place) -> dict[str, str]:
    """What `write_settings` wrote; empty when the network was never started."""
    try:
        words = shlex.split(place.env_file.read_text())
    except FileNotFoundError:
        return {}
    return dict(word.split("=", 1) for word in words)


def read_token(place: Place) -> str | None:
    """The demonstration account's token."""
    return place.token_file.read_text().strip() if place.token_file.exists() else None


def url(place: Place) -> str:
    """Where the service answers."""
    return f"http://{read_settings(place).get('TOGHETER_HTTP', 'nowhere')}"


def _environment(place: Place, *, owner: bool) -> dict[str, str]:
    """The process's environment. Only `migrate` is told the owner's password."""
    own = read_settings(place)
    if not owner:
        del own["TOGHETER_OWNER_DATABASE_URL"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    if level := os.environ.get("TOGHETER_LOG_LEVEL"):
        kept["TOGHETER_LOG_LEVEL"] = level
    return kept | own


def _command(place: Place) -> str:
    path = Path(sys.executable).parent / f"togheter-{place.service}"
    if not path.exists():
        raise ServerError(f"{path} is missing; run `uv sync --all-groups` and try again")
    return str(path)


# --- the process -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """A service's running process, and what it was started from."""

    pid: int
    fingerprint: str


def process(place: Place) -> Process | None:
    """The running process of the service, or None; a pid that others have now is not it."""
    known = _known(place)
    if not known:
        return None
    pid = int(known["pid"])
    if birth(pid) != known["birth"] or has_ended(pid):
        return None
    return Process(pid, str(known["fingerprint"]))


def is_current(place: Place) -> bool:
    """Whether the service runs with today's settings and code, and is healthy."""
    running = process(place)
    if running is None or running.fingerprint != fingerprint(place.service, _text(place)):
        return False
    return health(place)[0] == 200


def prepare(place: Place) -> None:
    """Bring the service's database up to date, and let the demonstration account in."""
    _run(place, ["migrate"], owner=True)
    token = (read_token(place) or "") + "\n"
    _run(place, ["tokens", "add", place.account, "--scope", "all", "--stdin"], token)


def start(place: Place) -> None:
    """Start the service's process in a session of its own, which outlives us."""
    for path in (place.log, place.run_file):
        path.parent.mkdir(parents=True, exist_ok=True)
    _set_aside(place.log)
    log_from = place.log.stat().st_size if place.log.exists() else 0
    made_from = fingerprint(place.service, _text(place))
    pid = spawn([_command(place), "serve"], log=place.log, env=_environment(place, owner=False))
    try:
        group = os.getpgid(pid)
    except ProcessLookupError:  # ended already; that is found out by who waits for its health
        group = -1
    known = {
        "pid": pid,
        "birth": birth(pid),
        "group": group,
        "fingerprint": made_from,
        "log_from": log_from,
    }
    write_private(place.run_file, json.dumps(known) + "\n")


def _set_aside(log: Path) -> None:
    """Begin a new log when the old one is large, and keep that one."""
    if log.exists() and log.stat().st_size > LARGE_LOG:
        log.replace(log.with_suffix(".log.1"))


def wait_until_healthy(place: Place) -> None:
    """Wait until the service says that it is well; raise with the end of its log when it is not."""
    deadline = time.monotonic() + PATIENCE
    while True:
        code, reason = health(place)
        if code == 200 and process(place):
            return
        if process(place) is None:
            raise ServerError(_died(place))
        if time.monotonic() > deadline:
            raise ServerError(
                f"{place.name} was not healthy within {PATIENCE:.0f} s ({reason}); {place.log}:\n"
                f"{_said(place)}"
            )
        time.sleep(0.1)


def health(place: Place) -> tuple[int, str]:
    """The status of `GET /health` (0 without an answer), and its text."""
    try:
        with urllib.request.urlopen(f"{url(place)}/health", timeout=5) as answer:
            return answer.status, answer.read(10_000).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(10_000).decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, str(error)


def stop(place: Place) -> None:
    """End the service in good order, and kill what of it does not end."""
    running = process(place)
    if running:
        _signal(running.pid, signal.SIGTERM)
        _until(lambda: has_ended(running.pid), 15)
        _until(lambda: not _members(place), 8)
    for pid in _members(place):  # also those of a process that was killed
        _signal(pid, signal.SIGKILL)
    _until(lambda: not _members(place), 5)
    place.run_file.unlink(missing_ok=True)


def _members(place: Place) -> list[int]:
    """The processes that the service's process started, itself included.

    A number may have gone to strangers meanwhile: ours carry the service's settings.
    """
    own = {
        f"TOGHETER_{name}={value}".encode()
        for name, value in (("ORG", place.organisation.id), ("SERVICE", place.service))
    }
    members = group_members(_known(place).get("group", -1))
    return [pid for pid in members if own <= set(_environ(pid).split(b"\0"))]


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _known(place: Place) -> dict[str, Any]:
    try:
        known = json.loads(place.run_file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return known if isinstance(known, dict) else {}


def state(place: Place) -> dict[str, Any]:
    """What `status` shows: `state` is healthy, unhealthy, starting or stopped."""
    running = process(place)
    code, reason = health(place) if running else (0, "")
    words = {200: "healthy", 503: "unhealthy"}
    return {
        "name": place.name,
        "organisation": place.organisation.id,
        "service": place.service,
        "state": words.get(code, "starting") if running else "stopped",
        "reason": None if code == 200 or not running else reason.strip(),
        "pid": running.pid if running else None,
        "url": url(place),
        "log": str(place.log),
    }


def _text(place: Place) -> str:
    return place.env_file.read_text()


def _died(place: Place) -> str:
    return f"{place.name} ended while starting; {place.log}:\n{_said(place)}"


def _said(place: Place) -> str:
    """The end of what the process wrote since it was started."""
    return tail(place.log, start=int(_known(place).get("log_from", 0)))


def _run(place: Place, arguments: list[str], given: str = "", *, owner: bool = False) -> None:
    what = f"togheter-{place.service} {' '.join(arguments)} ({place.name})"
    try:
        done = subprocess.run(
            [_command(place), *arguments],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(place, owner=owner),
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{what}: no end after 300 s") from error
    if done.returncode != 0:
        raise ServerError(f"{what} failed:\n{last_lines(done.stdout)}")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _until(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
