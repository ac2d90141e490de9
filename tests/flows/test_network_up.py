"""`make up` starts the whole network, repairs what broke, and leaves nothing half started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from togheter_shared.testing.processes import has_ended

ROOT = Path(__file__).resolve().parents[2]


if TYPE_CHECKING:
    from tests.flows.conftest import Network


def server_pids(network: Network) -> list[int]:
    found = network.status()
    return [found[name]["pid"] for name in ("postgres", "broker") if found[name]["pid"]]


def service_pids(document: dict[str, Any]) -> dict[str, int]:
    return {item["name"]: item["pid"] for item in document["services"]}


def wait_for(files: Sequence[Path], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_infrastructure_starts_twice_to_the_same_state(network: Network) -> None:
    network.up("--only", "infrastructure")
    first = network.info()
    network.up("--only", "infrastructure")
    assert network.info() == first
    assert {item["id"] for item in first["organisations"]} == {"comune", "ponte", "scuola"}


def test_only_their_owner_reads_the_files_with_secrets(network: Network) -> None:
    network.up("--only", "infrastructure")
    secret = [*network.folder.glob("organisations/*/*"), network.folder / "network-secrets.json"]
    assert len(secret) > 10
    assert {file.stat().st_mode & 0o777 for file in secret} == {0o600}


def test_private_keys_are_not_in_the_registry(network: Network) -> None:
    network.up("--only", "infrastructure")
    registry = (network.folder / "network.json").read_text()
    for organisation in json.loads(registry)["organisations"]:
        path = network.folder / "organisations" / organisation["id"] / "keys.json"
        keys = json.loads(path.read_text())
        assert organisation["seal_key"] == keys["seal_public"]
        assert keys["seal_private"] not in registry
        assert keys["sign_private"] not in registry


def test_a_network_does_not_silently_move_to_another_server(network: Network) -> None:
    network.up("--only", "infrastructure")
    network.env["DATABASE_URL"] = network.info()["postgres"]["admin_url"]
    done = network.run("up", "--only", "infrastructure")
    del network.env["DATABASE_URL"]
    assert done.returncode == 1
    assert "started without DATABASE_URL" in done.stderr
    assert len(server_pids(network)) == 2, "what ran before runs on"


def test_an_interrupted_start_leaves_no_server_behind(network: Network) -> None:
    starting = subprocess.Popen(
        network.command("up", "--only", "infrastructure"),
        cwd=ROOT,
        env=network.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    state = network.folder / "rabbitmq" / "server.json"
    wait_for([state, network.folder / "rabbitmq" / "rabbitmq.log"])
    starting.send_signal(signal.SIGTERM)
    _, said = starting.communicate(timeout=120)
    assert starting.returncode == 130, said
    assert b"interrupted" in said
    pids = [json.loads(state.read_text()).get(name) for name in ("pid", "epmd_pid")]
    assert all(has_ended(pid) for pid in pids if pid)
    assert server_pids(network) == []


def test_before_the_first_start_info_says_what_to_do(network: Network) -> None:
    done = network.run("info")
    assert done.returncode == 1
    assert "make up" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_the_whole_network_starts_is_repaired_and_stops(network: Network) -> None:
    began = time.monotonic()
    network.up()
    assert time.monotonic() - began < 120  # a first start, with the demonstration
    status = network.status()
    assert status["healthy"], status
    before = service_pids(status)
    assert len(before) == 7

    network.up()
    assert service_pids(network.status()) == before, "what is well is left alone"

    os.kill(before["ponte.intake"], signal.SIGKILL)
    os.kill(status["broker"]["pid"], signal.SIGKILL)
    assert not network.status()["healthy"]
    network.up()
    after = network.status()
    assert after["healthy"], after
    assert service_pids(after)["ponte.intake"] != before["ponte.intake"]

    pids = [*service_pids(after).values(), *server_pids(network)]
    assert network.run("down").returncode == 0
    assert all(has_ended(pid) for pid in pids)
    assert {item["state"] for item in network.status()["services"]} == {"stopped"}

    began = time.monotonic()
    network.up()
    assert time.monotonic() - began < 60  # 30 s on a machine that does nothing else
    assert network.run("down").returncode == 0
