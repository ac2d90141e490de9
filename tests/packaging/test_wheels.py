"""Each service installs alone, from two wheels, in an environment that has nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "referrals", "courses", "reporting")
FOLDERS = {
    "shared": ROOT / "shared",
    **{name: ROOT / "services" / name for name in SERVICES},
}


@dataclass(frozen=True)
class Installed:
    """A service in an environment of its own; `check` is what the installer says of it."""

    service: str
    bin: Path
    check: subprocess.CompletedProcess[str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in an empty folder, without any setting of ours."""
        program = self.bin / words[0]
        env = {"PATH": f"{self.bin}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        return ran([str(program), *words[1:]], cwd=self.bin.parent, env=env)


def ran(
    command: list[str], cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=240
    )


def done(command: list[str]) -> str:
    """Run a command that has to succeed."""
    result = ran(command)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def uv() -> str:
    noted = ROOT / ".venv" / "togheter-uv"
    found = noted.read_text().strip() if noted.exists() else shutil.which("uv")
    if not found or not Path(found).exists():
        pytest.skip("there is no uv here; `make environment` finds or installs one")
    return found


@pytest.fixture(scope="module")
def wheels(uv: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    done([uv, "build", "--quiet", "--wheel", "--all-packages", "--out-dir", str(folder)])
    found = {
        path.name.split("-")[0].removeprefix("togheter_"): path for path in folder.glob("*.whl")
    }
    assert found.keys() == FOLDERS.keys()
    return found


@pytest.fixture(scope="module")
def installed(
    uv: str, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[Installed]]:
    folder = tmp_path_factory.mktemp("environments")

    def install(service: str) -> Installed:
        place = folder / service
        done([uv, "venv", "--quiet", "--python", sys.executable, str(place)])
        pins = place / "pins.txt"
        export = [uv, "export", "--quiet", "--frozen", "--package", f"togheter-{service}"]
        export += ["--no-dev", "--no-hashes", "--no-emit-workspace", "--no-annotate"]
        pins.write_text(done(export))
        command = [uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python")]
        command += ["--constraint", str(pins), str(wheels["shared"]), str(wheels[service])]
        if ran([*command, "--offline"]).returncode != 0:  # not all of it is in uv's cache
            done(command)
        check = ran([uv, "pip", "check", "--python", str(place / "bin" / "python")])
        return Installed(service, place / "bin", check)

    with ThreadPoolExecutor(2) as pool:
        return {service: pool.submit(install, service) for service in SERVICES}


# --- the wheels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_has_every_file_of_its_package_and_no_test(
    wheels: dict[str, Path], name: str
) -> None:
    package = FOLDERS[name] / f"togheter_{name}"
    wanted = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheels[name]) as archive:
        present = {entry for entry in archive.namelist() if ".dist-info/" not in entry}
    assert present == wanted


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("shared", "log/migrations/0001_kernel.sql"),
        ("shared", "web/static/togheter.css"),
        ("intake", "registers/porte-sociali.toml"),
        ("intake", "words/languages.toml"),
        ("courses", "migrations/0001_courses.sql"),
        ("referrals", "migrations/0001_referrals.sql"),
        ("reporting", "reports/persons/fold.sql"),
        ("shared", "py.typed"),
    ],
)
def test_a_wheel_has_what_is_not_python(wheels: dict[str, Path], name: str, kind: str) -> None:
    with zipfile.ZipFile(wheels[name]) as archive:
        assert f"togheter_{name}/{kind}" in archive.namelist()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_carries_its_licence_and_is_not_for_an_index(
    wheels: dict[str, Path], name: str
) -> None:
    with zipfile.ZipFile(wheels[name]) as archive:
        entries = {Path(entry).name: entry for entry in archive.namelist() if "dist-info" in entry}
        metadata = Parser().parsestr(archive.read(entries["METADATA"]).decode())
        licence = archive.read(entries["LICENSE"]).decode()
    assert metadata["License-Expression"] == "EUPL-1.2"
    assert "Private :: Do Not Upload" in metadata.get_all("Classifier", [])
    assert licence == (ROOT / "LICENSE").read_text("utf-8")


def test_a_service_asks_for_no_other_service(wheels: dict[str, Path]) -> None:
    for service in SERVICES:
        with zipfile.ZipFile(wheels[service]) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("/METADATA"))
            metadata = Parser().parsestr(archive.read(entry).decode())
        asked = [item for item in metadata.get_all("Requires-Dist", []) if "togheter" in item]
        assert [item.split(">")[0].split("<")[0] for item in asked] == ["togheter-shared"]


# --- the environments ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installed_alone_has_its_command(
    installed: dict[str, Future[Installed]], service: str
) -> None:
    place = installed[service].result()
    assert place.check.returncode == 0, place.check.stderr
    helped = place.run(f"togheter-{service}", "--help")
    assert helped.returncode == 0, helped.stderr
    for command in ("serve", "migrate", "doctor", "tokens"):
        assert command in helped.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installed_alone_without_settings_names_all_that_is_missing(
    installed: dict[str, Future[Installed]], service: str
) -> None:
    asked = installed[service].result().run(f"togheter-{service}", "doctor")
    assert asked.returncode == 2
    needed = ("ORG", "NETWORK", "KEYS", "PRIVACY_KEY")
    for name in ("DATABASE_URL", "AMQP_URL", *(f"TOGHETER_{word}" for word in needed)):
        assert name in asked.stderr
    assert "Traceback" not in asked.stderr


IMPORT_ALL = """
import importlib, importlib.util, pkgutil, sys, warnings
warnings.simplefilter("ignore")
own, others = sys.argv[1], sys.argv[2:]
for name in (own, "togheter_shared"):
    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        if not found.name.startswith("togheter_shared.testing"):
            importlib.import_module(found.name)
present = [name for name in others if importlib.util.find_spec(name)]
print(*present, *(name for name in ("pytest", "mypy", "hypothesis") if name in sys.modules))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installed_alone_imports_whole_and_finds_no_other(
    installed: dict[str, Future[Installed]], service: str
) -> None:
    others = [f"togheter_{name}" for name in SERVICES if name != service]
    imported = (
        installed[service]
        .result()
        .run("python", "-I", "-c", IMPORT_ALL, f"togheter_{service}", *others)
    )
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.strip() == ""


def test_the_tests_of_this_file_use_no_path_of_the_workspace(
    installed: dict[str, Future[Installed]],
) -> None:
    """A clean environment must not see the workspace through a setting of this process."""
    place = installed["courses"].result()
    seen = place.run("python", "-c", "import sys, togheter_courses as c; print(c.__file__)")
    assert os.path.commonpath([seen.stdout.strip(), str(place.bin.parent)]) == str(place.bin.parent)
