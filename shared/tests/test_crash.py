"""A process dies at a named place when it is told to, and at no other time."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import togheter_shared
from togheter_shared.log.crash import POINTS

PACKAGE = Path(togheter_shared.__file__).parent
PROGRAM = """
from togheter_shared.log import crash
for turn in range(3):
    crash.point("mark.before")
    print("marked", turn, flush=True)
    crash.point("mark.after")
"""


def told(crash_at: str | None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "CRASH_AT"}
    if crash_at is not None:
        env["CRASH_AT"] = crash_at
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False
    )


def test_without_the_variable_nothing_happens() -> None:
    done = told(None)
    assert (done.returncode, done.stdout.count("marked")) == (0, 3)


@pytest.mark.parametrize(
    ("crash_at", "marked"), [("mark.before", 0), ("mark.after:1", 1), ("mark.before:3", 2)]
)
def test_a_process_dies_at_its_place_and_turn(crash_at: str, marked: int) -> None:
    done = told(crash_at)
    assert (done.returncode, done.stdout.count("marked")) == (-signal.SIGKILL, marked)


@pytest.mark.parametrize("crash_at", ["marc.before", "mark.before:x"])
def test_a_place_that_does_not_exist_is_a_mistake(crash_at: str) -> None:
    done = told(crash_at)
    assert done.returncode == 1
    assert "CRASH_AT is not <name>:<hit>" in done.stderr


def test_every_place_is_somewhere() -> None:
    text = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    assert set(re.findall(r'crash\.point\("([a-z.]+)"\)', text)) == set(POINTS)
