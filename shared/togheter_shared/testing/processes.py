"""Start, recognise and stop the server processes that belong to one folder of ours."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIRST_PORT, LAST_PORT = 15000, 32000  # below the range from which Linux serves outgoing connections


class ServerError(Exception):
    """A server cannot be had, or did not start; the text names it and the way out."""


def folder_id(folder: Path) -> str:
    """A short name for a folder that is the same at every run."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]


# --- what is remembered ------------------------------------------------------------------------


def read_state(folder: Path) -> dict[str, Any]:
    """What `write_state` wrote into the folder, or an empty dictionary."""
    try:
        state = json.loads((folder / "server.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Replace the folder's `server.json`; only its owner may read it (it holds a password)."""
    write_private(folder / "server.json", json.dumps(state, indent=2, sort_keys=True) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time start or stop what lives in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- ports -------------------------------------------------------------------------------------


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 and the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(remembered: object = None, avoid: Sequence[int] = ()) -> int:
    """The remembered port while nobody else has it, else another free one."""
    if isinstance(remembered, int) and remembered not in avoid and port_is_free(remembered):
        return remembered
    for _ in range(1000):
        port = random.randrange(FIRST_PORT, LAST_PORT)
        if port not in avoid and port_is_free(port):
            return port
    raise ServerError(
        f"no free port between {FIRST_PORT} and {LAST_PORT} on 127.0.0.1; see `ss -ltn`"
    )


# --- processes ---------------------------------------------------------------------------------


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    user: str | None = None,
) -> int:
    """Start a process that outlives us, in a session of its own; its output is added to the log.

    A shell starts it in the background and ends, so init adopts it: we never leave a zombie.
    Returns its pid.
    """
    with log.open("ab") as output:
        started = subprocess.run(
            ["/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            check=True,
            **identity(user),
        )
    return int(started.stdout)


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    user: str | None = None,
    timeout: float = 120,
    what: str,
) -> str:
    """Run a program to its end and return its output; raise `ServerError` with it if it failed."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=dict(env),
            cwd=cwd,
            timeout=timeout,
            check=False,
            **identity(user),
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{what}: no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        raise ServerError(f"{what} failed:\n{last_lines(done.stdout)}")
    return str(done.stdout)


def identity(user: str | None) -> dict[str, Any]:
    """The arguments of `subprocess` that make a child run as the user, with no other groups."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def is_ours(pid: object, mark: str) -> bool:
    """Whether the process lives and its command line carries our mark (a folder or its id).

    A process that is just becoming another program has no command line for a moment, and neither
    has one that has ended: of the first we wait for what it becomes.
    """
    if not isinstance(pid, int) or pid <= 1:
        return False
    deadline = time.monotonic() + 2
    while True:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        if line or has_ended(pid) or time.monotonic() > deadline:
            return mark.encode() in line
        time.sleep(0.01)


def end(pid: object, mark: str, *, first: signal.Signals, patience: float = 30) -> None:
    """Ask our process to end, wait until it has, and kill it when it does not."""
    if not isinstance(pid, int) or not is_ours(pid, mark):
        return
    for sent, seconds in ((first, patience), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if has_ended(pid):
                return
            time.sleep(0.02)
    raise ServerError(f"process {pid} does not end, not even when killed")


def has_ended(pid: int) -> bool:
    """Whether nothing of the process is left but perhaps an entry that its parent has not read.

    An ending process loses its command line first and its sockets later: `is_ours` is not enough.
    """
    stat = _stat(pid)
    return stat is None or (stat[0] in "ZX" and int(stat[17]) <= 1)


def birth(pid: int) -> str | None:
    """When the process was started, in ticks of this boot: with its pid, its identity."""
    stat = _stat(pid)
    return stat[19] if stat else None


def group_members(group: int) -> list[int]:
    """The living processes of a process group."""
    members = []
    for entry in Path("/proc").iterdir():
        stat = _stat(int(entry.name)) if entry.name.isdigit() else None
        if stat and int(stat[2]) == group and stat[0] not in "ZX":
            members.append(int(entry.name))
    return members


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third, the state, on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def tail(log: Path, lines: int = 25, *, start: int = 0) -> str:
    """The last lines of a log, for an error message; only what stands behind byte `start`."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 20_000))
            return last_lines(file.read().decode(errors="replace"), lines)
    except OSError:
        return f"({log} cannot be read)"


def last_lines(text: str, lines: int = 25) -> str:
    """The last lines of a text."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


# --- the folder of a server that refuses root --------------------------------------------------


def ordinary_user() -> str | None:
    """Who runs a server that refuses root: None when we are not root (then we do ourselves)."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServerError("running as root, and there is neither a user postgres nor nobody to run as")


def reachable(path: Path, user: str | None) -> bool:
    """Whether the user can enter the folder, or run the file (a clone in /root: others cannot)."""
    test = 'if [ -d "$1" ]; then cd "$1"; else [ -x "$1" ]; fi'
    done = subprocess.run(
        ["/bin/sh", "-c", test, "sh", str(path)],
        stderr=subprocess.DEVNULL,
        cwd="/",
        check=False,
        **identity(user),
    )
    return done.returncode == 0


def place(folder: Path, user: str | None, remembered: object = None) -> Path:
    """A folder that the user owns and reaches: inside ours, or else under /var/tmp or /tmp."""
    if user is None:
        return folder
    entry = pwd.getpwnam(user)
    if isinstance(remembered, str) and Path(remembered).is_dir():
        return Path(remembered)
    inside = folder / "own"
    inside.mkdir(mode=0o700, exist_ok=True)
    os.chown(inside, entry.pw_uid, entry.pw_gid)
    if reachable(inside, user):
        return inside
    inside.rmdir()
    for parent in ("/var/tmp", "/tmp"):
        if not os.access(parent, os.W_OK):
            continue
        outside = Path(tempfile.mkdtemp(prefix=f"togheter-{folder_id(folder)}-", dir=parent))
        os.chown(outside, entry.pw_uid, entry.pw_gid)
        if reachable(outside, user):
            return outside
        shutil.rmtree(outside)
    raise ServerError(f"user {user} reaches neither {folder} nor /var/tmp nor /tmp")
