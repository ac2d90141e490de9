"""What happens seldom: clocks years off, full disks, alarms, a twin, a long standstill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from deploy import network as deployed
from deploy import services
from deploy.plan import ROOT
from psycopg import sql
from tests.chaos.network import Network, Part

from togheter_shared.testing.packages import find_faketime
from togheter_shared.testing.processes import ServerError, read_state

if TYPE_CHECKING:
    from tests.chaos.faults import Storm

CHUNK = 65_536
YEARS = ("+3y", "-2y", "+0.5d")


def standstill(storm: Storm) -> None:
    """One process is frozen for a minute and a half; the others go on, and so does it at last."""
    part = storm.rng.choice(storm.parts("relay", "worker", "engine"))
    storm.network.freeze(part, 90 * storm.size, threading.Event())


def twins(storm: Storm) -> None:
    """A second relay of one service; one of the two stands still, and wakes as if nothing were."""
    network = storm.network
    part = storm.rng.choice(storm.parts("relay"))
    twin = Part(part.place, part.role)
    network.begin(twin)
    try:
        storm.work(30, 10)
        network.freeze(part, 30 * storm.size, threading.Event())
        storm.work(30, 10)
    finally:
        network.kill(twin)
        network.kills += 1


def blocked(storm: Storm) -> None:
    """The broker has an alarm of its memory: it takes nothing, and says nothing."""
    broker = storm.network.broker()
    broker.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        storm.work(60, 20)
    finally:
        broker.control("set_vm_memory_high_watermark", "0.4")


def clocks(storm: Storm) -> None:
    """Processes whose clock is years ahead or behind, and steps back when they start again."""
    library = find_faketime()
    if library is None:
        storm.said("clocks: libfaketime is not installed and may not be; left out")
        return
    parts = storm.parts("relay", "worker", "engine")
    wrong = storm.rng.sample(parts, min(4, len(parts)))
    network = storm.network
    usual = network.environment

    def environment(part: Part) -> dict[str, str]:
        if part not in wrong:
            return usual(part)
        return usual(part) | {
            "LD_PRELOAD": str(library),
            "FAKETIME": storm.rng.choice(YEARS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    network.environment = environment  # type: ignore[method-assign]
    try:
        for _ in storm.times(2):
            for part in wrong:
                network.kill(part)
            storm.work(60, 20)
    finally:
        network.environment = usual  # type: ignore[method-assign]
        for part in wrong:
            network.kill(part)


def rebuilds(storm: Storm) -> None:
    """All views are made anew while events arrive, killed on the way, and made to the end."""
    place = next(p for p in storm.network.plan.places() if p.service == "reporting")
    command = [str(Path(sys.executable).parent / "togheter-reporting"), "rebuild"]
    env = os.environ | services.read_settings(place)
    for _ in storm.times(3):
        with subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(storm.rng.uniform(0.5, 2.5))  # wherever it is then
            process.kill()
        storm.network.kills += 1
        storm.work(10)
    subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, timeout=300)


def disk_full(storm: Storm) -> None:
    """A service's tables lie on a disk that is full for a while; it says 503, and goes on after."""
    network = storm.network
    place = next(p for p in network.plan.places() if p.name == "ponte.intake")
    small = _mount()
    if small is None:
        storm.said("disk: a small file system cannot be mounted here; left out")
        return
    parts = [part for part in network.parts if part.place is place]
    admin = network.databases()[place.name].rpartition("/")[0] + "/postgres"
    _move(network, parts, admin, place.database, small)
    try:
        storm.work(30, 10)
        ballast = small / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(CHUNK))
                file.flush()
        storm.work(150, 25)
        ballast.unlink()
        storm.work(60, 20)
    finally:
        (small / "ballast").unlink(missing_ok=True)
        _move(network, parts, admin, place.database, None)
        with psycopg.connect(admin, autocommit=True) as conn:
            conn.execute("checkpoint")
            conn.execute("drop tablespace small")
        subprocess.run(["umount", str(small)], check=True)
        small.rmdir()


def _mount() -> Path | None:
    """A file system of 64 MiB in memory, beside PostgreSQL's data; None when we may not."""
    if os.geteuid() != 0:
        return None
    data = Path(read_state(deployed.POSTGRES)["data"])
    small = data.with_name(f"{data.name}-small")
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        small.rmdir()
        return None
    space = small / "space"
    space.mkdir()
    for folder in (small, space):
        os.chown(folder, data.stat().st_uid, data.stat().st_gid)
    return small


def _move(
    network: Network, parts: list[Part], admin: str, database: str, small: Path | None
) -> None:
    """The database's files go to another tablespace, with nobody connected meanwhile."""
    for part in parts:
        part.wanted = False
        network.kill(part)
    try:
        with psycopg.connect(admin, autocommit=True) as conn:
            if small is not None:
                conn.execute(
                    sql.SQL("create tablespace small location {}").format(str(small / "space"))
                )
            to = "pg_default" if small is None else "small"
            deadline = time.monotonic() + 60
            while True:
                conn.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    [database],
                )
                try:
                    conn.execute(
                        sql.SQL("alter database {} set tablespace {}").format(
                            sql.Identifier(database), sql.Identifier(to)
                        )
                    )
                    break
                except psycopg.errors.ObjectInUse:
                    if time.monotonic() > deadline:
                        raise ServerError(f"somebody stays connected to {database}") from None
    finally:
        for part in parts:
            part.wanted = True
