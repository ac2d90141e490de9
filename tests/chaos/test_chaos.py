"""A short run of the harness: what was accepted is kept while everything is killed; spoilt
databases are recognised as such."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos.faults import POINTS
from tests.chaos.run import SIDES, not_reached

ROOT = Path(__file__).resolve().parents[2]
SEED = "7"
PROMISED = {"lost": "0", "ghosts": "0", "duplicate_effects": "0", "order": "0", "leaks": "0"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_storm_breaks_no_promise_and_every_sabotage_is_caught(server_folder: Path) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--seed", SEED, "--size", "0.8"]
    command += ["--scenario", "kills,crash-points,postgres,wipe,forged", "--sabotage", "data"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"TOGHETER_CHAOS_FOLDER": str(server_folder / "chaos")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6_000:]}"
    line, caught = done.stdout.splitlines()
    found = dict(word.split("=") for word in line.split())
    assert found | PROMISED == found, line
    assert int(found["kills"]) >= 60, line
    assert int(found["ok"]) > 100, line
    for word in ("views_equal", "heads_equal"):
        equal, all_ = found[word].split("/")
        assert equal == all_, line
    assert re.fullmatch(r"sabotages=(\d+) caught=\1", caught)


def test_a_full_run_is_not_made_of_some_scenarios_only(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--full", "--scenario", "kills"],
        cwd=ROOT,
        env=os.environ | {"TOGHETER_CHAOS_FOLDER": str(tmp_path / "chaos")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "a full run does every scenario" in done.stderr


def test_a_full_run_goes_on_until_every_minimum_is_reached() -> None:
    points = {f"{s}.{side}" for steps in POINTS.values() for s in steps for side in SIDES}
    assert not_reached(1_000, 20_000, 10, 20, points) == []
    assert not_reached(999, 20_000, 10, 20, points) == ["kills 999/1000"]
    assert not_reached(1_000, 19_999, 10, 20, points) == ["commands 19999/20000"]
    assert not_reached(1_000, 20_000, 9, 20, points) == ["brokers 9/10"]
    assert not_reached(1_000, 20_000, 10, 19, points) == ["databases 19/20"]
    assert not_reached(1_000, 20_000, 10, 20, points - {"ack.after"}) == ["crash points 23/24"]
