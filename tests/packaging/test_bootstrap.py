"""A fresh machine gets its environment, or one message with the ways out."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from togheter_shared.testing import packages

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "deploy" / "bootstrap.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("script", ["exit 127", "echo uv 0.4.30", "echo nonsense"])
def test_a_uv_that_does_not_run_or_is_too_old_is_not_used(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    program(tmp_path / "bin", "uv", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(bootstrap, "TOOLS", tmp_path / "tools")
    assert bootstrap.find_uv() is None


def test_a_uv_of_the_machine_is_used(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = program(tmp_path / "bin", "uv", "echo uv 0.13.9 somewhere")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert bootstrap.find_uv() == str(uv)


def test_without_venv_and_without_the_right_to_install_one_message_names_the_ways_out(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOGHETER_NO_INSTALL", "1")
    with pytest.raises(bootstrap.CannotGoOn, match=r"(?s)python3-venv.*install uv yourself"):
        bootstrap.install_venv()


def test_bootstrap_needs_nothing_but_the_standard_library() -> None:
    """`-I -S`: no installed packages at all."""
    code = "import runpy; runpy.run_path('deploy/bootstrap.py', run_name='imported')"
    subprocess.run(["/usr/bin/env", "python3", "-I", "-S", "-c", code], cwd=ROOT, check=True)


def test_make_up_needs_the_environment_first_and_make_lists_its_targets() -> None:
    env = {"PATH": os.environ["PATH"]}
    plan = subprocess.run(
        ["make", "-n", "-W", "uv.lock", "up"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    commands = plan.stdout.splitlines()
    assert commands == ["python3 deploy/bootstrap.py", ".venv/bin/python -m deploy.network up"]
    listed = subprocess.run(["make"], cwd=ROOT, env=env, capture_output=True, text=True).stdout
    for target in ("up", "down", "status", "info", "logs", "reset", "check", "test", "bench"):
        assert f"make {target} " in listed


def test_packages_are_installed_without_starting_a_server_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, cluster = tmp_path / "policy-rc.d", tmp_path / "createcluster.d" / "togheter.conf"
    seen: list[str] = []

    def run(command: list[str], **_: object) -> str:
        seen.append(command[5] if len(command) > 5 else "")
        assert "exit 101" in policy.read_text()
        assert os.access(policy, os.X_OK)
        assert "create_main_cluster = false" in cluster.read_text()
        return ""

    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setattr(packages, "CREATE_CLUSTER", cluster)
    monkeypatch.setattr(packages, "run", run)
    packages.install("postgresql")
    assert seen == ["update", "install"]
    assert not policy.exists()
    assert not cluster.exists()


def test_a_policy_of_the_machines_own_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setattr(packages, "CREATE_CLUSTER", tmp_path / "cluster" / "togheter.conf")
    monkeypatch.setattr(packages, "run", lambda *_, **__: "")
    packages.install("rabbitmq-server")
    assert policy.read_text() == "theirs"
