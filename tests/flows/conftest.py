"""Networks of their own for the tests of whole flows: real servers, real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.demo.load import Api

from togheter_shared.testing.processes import has_ended

ROOT = Path(__file__).resolve().parents[2]


class Network:
    """The command behind `make up` and the others, in a folder of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        given = ("DATABASE_URL", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL")
        self.env = {name: value for name, value in os.environ.items() if name not in given}
        self.env["TOGHETER_LOCAL"] = str(folder)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "deploy.network", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, *arguments: str) -> None:
        done = self.run("up", *arguments)
        assert done.returncode == 0, done.stderr

    def info(self) -> dict[str, Any]:
        document = json.loads(self.run("info").stdout)
        assert isinstance(document, dict)
        return document

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--json")
        document = json.loads(done.stdout)
        assert isinstance(document, dict)
        assert (done.returncode == 0) == document["healthy"]
        return document

    def service(self, name: str) -> dict[str, Any]:
        """What `make info` says of `organisation.service`."""
        organisation, _, kind = name.partition(".")
        return next(
            service
            for item in self.info()["organisations"]
            if item["id"] == organisation
            for service in item["services"]
            if service["name"] == kind
        )

    def api(self, name: str) -> Api:
        found = self.service(name)
        return Api(name, found["url"], found["accounts"][0]["token"])

    def program(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A service's own command, as the README says to call it."""
        return subprocess.run(
            [str(ROOT / "deploy" / "run"), name, *arguments],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def server_pids(network: Network) -> list[int]:
    found = network.status()
    return [found[name]["pid"] for name in ("postgres", "broker") if found[name]["pid"]]


@pytest.fixture
def network(server_folder: Path) -> Iterator[Network]:
    """A network of this test's own, not started."""
    yield from _network(server_folder / "network")


@pytest.fixture(scope="module")
def demonstration(server_folder: Path) -> Iterator[Network]:
    """The whole network with the demonstration in it, for the tests of one module."""
    for network in _network(server_folder / "demonstration"):
        network.up()
        yield network


def _network(folder: Path) -> Iterator[Network]:
    network = Network(folder)
    network.run("reset", "--yes")
    yield network
    pids = server_pids(network)
    assert network.run("reset", "--yes").returncode == 0
    assert all(has_ended(pid) for pid in pids)
