"""Who imports whom is as the import rules say, rules are pure, and to import does nothing."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "referrals", "courses", "reporting")
FOLDERS = {
    "togheter_shared": ROOT / "shared" / "togheter_shared",
    **{f"togheter_{n}": ROOT / "services" / n / f"togheter_{n}" for n in SERVICES},
}
BOTTOM = ("togheter_shared.contracts", "togheter_shared.decider")
PURE_LIBRARIES = {"babel", "phonenumbers", "pycountry", "rapidfuzz", "stdnum", "unidecode"}
"""What modules beside the rules may use: they look things up and compare, and do nothing else."""
WORLD = {"os", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib"}
"""Rooms of the standard library that rules have no business in."""
CLOCK_AND_DICE = {"now", "today", "utcnow", "uuid1", "uuid4"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the import rules over the packages under `folder`."""
    places = [folder / "shared", *(folder / "services" / name for name in SERVICES)]
    return subprocess.run(
        [
            *(sys.executable, "-c", "from importlinter.cli import lint_imports_command as f; f()"),
            *("--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def module_names(package: str, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join((package, *(p for p in parts if p != "__init__"))), path


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that a module imports, wherever it does; `from a import b` may mean `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def has_decider(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "Decider"
        for node in tree.body
    )


def impurities(tree: ast.Module, package: str, libraries: set[str]) -> list[str]:
    """What a module of rules does that rules do not do: reach out, tell the time, throw dice."""
    found = []
    for name in imported(tree):
        top = name.partition(".")[0]
        if top == "togheter_shared":
            if not name.startswith(BOTTOM):
                found.append(name)
        elif top == package or top in libraries:
            continue
        elif top in WORLD or top not in sys.stdlib_module_names:
            found.append(name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in CLOCK_AND_DICE | {"open", "print", "input"}:
                found.append(f"{called}()")
    return found


def rules() -> dict[str, ast.Module]:
    """Every module with a decider."""
    return {
        name: tree
        for service in SERVICES
        for name, path in module_names(f"togheter_{service}", FOLDERS[f"togheter_{service}"])
        if has_decider(tree := ast.parse(path.read_text("utf-8")))
    }


def leaned_on(name: str) -> Iterator[tuple[str, ast.Module]]:
    """The modules of its own package that a module imports, and those that they import."""
    package = name.partition(".")[0]
    trees = {n: ast.parse(p.read_text("utf-8")) for n, p in module_names(package, FOLDERS[package])}
    seen, ahead = {name}, [name]
    while ahead:
        for target in imported(trees[ahead.pop()]):
            for module in (target, target.rpartition(".")[0]):
                if module in trees and module != package and module not in seen:
                    seen.add(module)
                    ahead.append(module)
                    yield module, trees[module]


# --- what they say of this repository ------------------------------------------------------------


def test_the_import_rules_are_kept() -> None:
    ran = lint(ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_modules_with_rules_are_pure() -> None:
    found = {
        name: impurities(tree, name.partition(".")[0], set()) for name, tree in rules().items()
    }
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert len(found) >= 3


def test_what_rules_lean_on_is_pure() -> None:
    found = {
        module: impurities(tree, module.partition(".")[0], PURE_LIBRARIES)
        for name in rules()
        for module, tree in leaned_on(name)
    }
    reading = {"open()"}  # tables of words that come with the package
    assert {name: faults for name, faults in found.items() if set(faults) - reading} == {}


def test_every_module_with_rules_is_in_the_import_rules() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = {item["id"]: item for item in document["tool"]["importlinter"]["contracts"]}
    assert set(rules()) - set(contracts["pure-domain"]["source_modules"]) == set()


WATCH = """
import sys, os, threading, importlib, warnings
warnings.simplefilter("ignore")
import {first}
watched = {{"socket.connect", "socket.bind", "socket.sendto", "subprocess.Popen", "os.system",
    "os.mkdir", "os.remove", "os.rename", "os.putenv", "os.unsetenv", "os.chdir", "shutil.rmtree",
    "os.fork", "signal.signal"}}
seen = []
def hook(event, args):
    writing = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if event in watched or writing:
        seen.append((event, str(args)[:200]))
before = dict(os.environ), os.getcwd(), threading.active_count(), os.umask(0o22)
sys.addaudithook(hook)
for name in sys.argv[1:]:
    importlib.import_module(name)
after = dict(os.environ), os.getcwd(), threading.active_count(), os.umask(0o22)
print("\\n".join(map(str, seen)))
if before != after: print("environment, folder, threads or umask are others than before")
if "eventlet" in sys.modules and sys.modules["eventlet"].patcher.is_monkey_patched("thread"):
    print("the process was patched")
"""
LIBRARIES = (
    "nameko.containers, nameko.web.server, nameko.runners, eventlet.wsgi, psycopg_pool, rich,"
    " click, kombu.compression, jinja2, structlog, marshmallow, apispec, cryptography, pytest,"
    " highspy, odfdo, xlsxwriter"
)


def effects_of_importing(modules: list[str], folder: Path | None = None) -> str:
    """What importing does beside importing; what libraries do to themselves is not counted."""
    ran = subprocess.run(
        [sys.executable, "-B", "-c", WATCH.format(first=LIBRARIES), *modules],
        cwd=folder or ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return (ran.stdout + (ran.stderr if ran.returncode else "")).strip()


@pytest.mark.parametrize("package", FOLDERS)
def test_to_import_a_module_does_nothing_else(package: str) -> None:
    modules = [name for name, _ in module_names(package, FOLDERS[package])]
    assert effects_of_importing(modules) == ""


# --- what they say of bad examples ---------------------------------------------------------------


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' modules, in a folder where they may be spoilt."""
    folder = tmp_path_factory.mktemp("copy")
    for place in FOLDERS.values():
        target = folder / place.relative_to(ROOT)
        shutil.copytree(place, target, ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    return folder


@pytest.mark.parametrize(
    ("module", "line", "rule"),
    [
        ("services/courses/togheter_courses/views.py", "import togheter_referrals.sent", "another"),
        ("shared/togheter_shared/run/state.py", "import togheter_intake", "knows no service"),
        (
            "shared/togheter_shared/contracts/fields.py",
            "import togheter_shared.log.entry",
            "layers",
        ),
        ("shared/togheter_shared/log/entry.py", "import togheter_shared.run.state", "layers"),
        ("shared/togheter_shared/attic/__init__.py", "", "layers"),
        ("services/courses/togheter_courses/roster.py", "import psycopg", "pure"),
        (
            "services/referrals/togheter_referrals/sent.py",
            "from togheter_referrals import views",
            "pure",
        ),
        ("shared/togheter_shared/log/entry.py", "import nameko", "no web server"),
        ("services/courses/togheter_courses/views.py", "import eventlet", "nameko stays"),
        ("services/reporting/togheter_reporting/naive.py", "import psycopg", "second count"),
        (
            "services/courses/togheter_courses/web.py",
            "import togheter_shared.testing.sample",
            "tests use",
        ),
    ],
)
def test_a_forbidden_import_is_found(copy: Path, module: str, line: str, rule: str) -> None:
    path = copy / module
    before = path.read_text("utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before or ''}\n{line}\n", "utf-8")
    try:
        ran = lint(copy)
    finally:
        if before is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(before, "utf-8")
    assert ran.returncode == 1
    broken = [said for said in ran.stdout.splitlines() if "BROKEN" in said]
    if rule == "layers":  # import-linter names a room without a place before it checks anything
        assert broken or "attic" in ran.stdout
    else:
        assert any(rule in said for said in broken), ran.stdout


@pytest.mark.parametrize(
    "text",
    [
        "import psycopg",
        "import random",
        "from togheter_shared.log.store import execute",
        "from datetime import date\nx = date.today()",
        "from uuid import uuid4\nx = uuid4()",
        "import requests",
        "def decide():\n    from togheter_shared.run import settings",
    ],
)
def test_rules_that_are_not_pure_are_found(text: str) -> None:
    assert impurities(ast.parse(text), "togheter_example", set())


def test_a_module_with_a_decider_is_recognised() -> None:
    assert has_decider(ast.parse("DOOR: X = Decider(kind='door')"))
    assert not has_decider(ast.parse("def f():\n    return Decider()"))


@pytest.mark.parametrize(
    "text",
    [
        "import os; os.environ['X'] = '1'",
        "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.close()",
        "open('written', 'w').close()",
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
    ],
)
def test_a_module_that_does_something_when_imported_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "spoilt.py").write_text(text)
    assert effects_of_importing(["spoilt"], tmp_path)
