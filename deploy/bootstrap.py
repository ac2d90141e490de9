"""Make the environment of the workspace from its lock file, with nothing but python3 to begin with.

Finds uv, or installs it under `.local/tools`; then `uv sync`. Prints what it does; one message
with the ways out when it cannot go on.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".local" / "tools"
VENV = ROOT / ".venv"
UV_RANGE = "uv>=0.9,<1"
OLDEST_UV = (0, 9)
OLDEST_PYTHON = (3, 11)


class CannotGoOn(Exception):
    """What is missing, and the ways out."""


def main() -> int:
    """Make or update `.venv`; returns the exit code."""
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise CannotGoOn(
                f"Python {sys.version.split()[0]} runs this, and 3.11 or later is needed;"
                " name it with `make PYTHON=/path/to/python3.11 up`"
            )
        uv = find_uv() or install_uv()
        sync(uv)
    except CannotGoOn as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    (VENV / "togheter-uv").write_text(f"{uv}\n")
    return 0


def find_uv() -> "str | None":
    """An installed uv that is new enough and really runs (a shim of pyenv may not)."""
    candidates = [
        shutil.which("uv"),
        str(TOOLS / "bin" / "uv"),
        str(Path.home() / ".local" / "bin" / "uv"),
        str(Path.home() / ".cargo" / "bin" / "uv"),
    ]
    for path in candidates:
        if path and Path(path).exists() and uv_version(path) >= OLDEST_UV:
            return path
    return None


def uv_version(path: str) -> "tuple[int, ...]":
    """The version of a uv, (0,) when it does not run."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return (0,)
    found = re.match(r"uv (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if done.returncode == 0 and found else (0,)


def install_uv() -> str:
    """Install uv in a folder of the clone's own."""
    print(f"uv is not installed; installing it in {TOOLS.relative_to(ROOT)} …", flush=True)
    shutil.rmtree(TOOLS, ignore_errors=True)
    TOOLS.parent.mkdir(exist_ok=True)
    if not can_make_environments():
        if works([sys.executable, "-m", "pip", "--version"]):
            run([sys.executable, "-m", "pip", "install", "-q", "--target", TOOLS, UV_RANGE])
            return str(TOOLS / "bin" / "uv")
        install_venv()
    run([sys.executable, "-m", "venv", TOOLS])
    run([TOOLS / "bin" / "python", "-m", "pip", "install", "-q", UV_RANGE])
    return str(TOOLS / "bin" / "uv")


def can_make_environments() -> bool:
    """Whether `python3 -m venv` works; Debian leaves half of it to a package of its own."""
    return works([sys.executable, "-c", "import venv, ensurepip"])


def install_venv() -> None:
    """Have Debian install what its Python lacks, when it may."""
    ways = (
        "Python's venv is missing, and so is uv. Any one of these is a way out:\n"
        "  - apt-get install python3-venv   (as root this is tried by itself)\n"
        "  - install uv yourself: https://docs.astral.sh/uv/getting-started/installation/"
    )
    forbidden = os.environ.get("TOGHETER_NO_INSTALL", "") not in ("", "0")
    if os.geteuid() != 0 or not shutil.which("apt-get") or forbidden:
        raise CannotGoOn(ways)
    print("installing python3-venv …", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    refreshed = subprocess.run([*apt, "update"], env=env, capture_output=True, check=False)
    done = subprocess.run(
        [*apt, "install", "--no-install-recommends", "python3-venv"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not can_make_environments():
        told = refreshed.stderr.decode(errors="replace") + done.stderr
        raise CannotGoOn(f"{told.strip()}\n\n{ways}")


def sync(uv: str) -> None:
    """Bring `.venv` to what the lock file says, with this machine's Python."""
    command = [
        uv,
        "sync",
        "--frozen",
        "--all-groups",
        "--no-managed-python",
        "--no-python-downloads",
    ]
    if not works(
        [VENV / "bin" / "python", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    ):
        command += ["--python", sys.executable]
    print("making the environment from the lock file …", flush=True)
    run(command)


def works(command: "Sequence[str | Path]") -> bool:
    """Whether a program can be run and ends well."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def run(command: "Sequence[str | Path]") -> None:
    """Run a program whose failure ends everything; its own output says why."""
    words = [str(part) for part in command]
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    if subprocess.run(words, cwd=ROOT, env=env, check=False).returncode != 0:
        raise CannotGoOn(
            f"`{' '.join(words)}` failed; without a connection to the package index, set what pip"
            " and uv need for your mirror (PIP_INDEX_URL, UV_DEFAULT_INDEX) and try again"
        )


if __name__ == "__main__":
    sys.exit(main())
