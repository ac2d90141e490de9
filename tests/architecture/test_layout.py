"""Folders, names, sizes and first sentences are as CONTRIBUTING.md says, and each check bites."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"services", "shared", "deploy", "tests"}
SERVICES = ("intake", "referrals", "courses", "reporting")
PACKAGES = [
    ROOT / "shared" / "togheter_shared",
    *(ROOT / "services" / name / f"togheter_{name}" for name in SERVICES),
]
KERNEL = PACKAGES[0]

ROOM_LINES = {
    "access": 2_500,
    "contracts": 2_500,
    "log": 2_800,
    "privacy": 2_500,
    "run": 4_200,
    "testing": 2_500,
    "web": 1_500,
}
"""How long each room of the kernel may get; testing/ runs in no service."""
MODULE_LINES = 420
LONGER = {
    "deploy/demo/load.py": 520,
    "deploy/network.py": 520,
    "services/courses/togheter_courses/web.py": 440,
}
"""Modules that are longer than a module should be, and how long they may get."""

SAYS_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "base",
    "common",
    "manager",
    "managers",
    "misc",
}
ELSEWHERE = re.compile(
    r"/wor[k]/|(?<!\.\./)\.\./share[d]|\b(PLATFORM|RELIABILITY|ARCHITECTURE|DOMAIN|PARTS) [0-9]"
)
"""Paths and papers of those who wrote this: nobody else has them."""


def texts(*folders: Path, suffixes: tuple[str, ...] = (".py",)) -> dict[str, str]:
    """The files under `folders`, by their path from the root."""
    found = {}
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            parts = path.relative_to(ROOT).parts
            if any(part.startswith(".") or part in ("__pycache__", "dist") for part in parts):
                continue
            if path.is_file() and path.suffix in suffixes:
                found["/".join(parts)] = path.read_text("utf-8")
    return found


# --- the checks ----------------------------------------------------------------------------------


def strange_folders(names: Iterable[str]) -> list[str]:
    return sorted(set(names) - FOLDERS)


def names_that_say_nothing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if {Path(path).stem, Path(path).parent.name} & SAYS_NOTHING]


def without_first_sentence(modules: Mapping[str, str]) -> Iterator[str]:
    """Modules whose docstring does not open with one sentence; an empty `__init__.py` is fine."""
    for path, text in modules.items():
        if not text.strip() and path.endswith("__init__.py"):
            continue
        opening = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
        if not opening.endswith((".", "?")) or re.search(r"[.?!]\s+[A-Z]", opening):
            yield path


def too_long(modules: Mapping[str, str], allowed: Mapping[str, int] = LONGER) -> list[str]:
    return [
        f"{path}: {lines} lines"
        for path, text in modules.items()
        if (lines := len(text.splitlines())) > allowed.get(path, MODULE_LINES)
    ]


def lines_of(modules: Mapping[str, str]) -> int:
    return sum(len(text.splitlines()) for text in modules.values())


def foreign_words(files: Mapping[str, str]) -> list[str]:
    return [
        f"{path}: {found.group()}"
        for path, text in files.items()
        for found in ELSEWHERE.finditer(text)
    ]


# --- what they say of this repository ------------------------------------------------------------


def test_the_top_level_has_four_folders() -> None:
    present = [
        path.name
        for path in ROOT.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and path.name not in ("__pycache__", "dist")
    ]
    assert strange_folders(present) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert names_that_say_nothing(texts(*PACKAGES, ROOT / "deploy")) == []


def test_every_module_opens_with_one_sentence() -> None:
    everywhere = texts(ROOT / "shared", ROOT / "services", ROOT / "deploy", ROOT / "tests")
    assert list(without_first_sentence(everywhere)) == []


def test_no_module_is_too_long() -> None:
    assert too_long(texts(*PACKAGES, ROOT / "deploy")) == []


def test_every_longer_module_is_still_longer() -> None:
    modules = texts(*PACKAGES, ROOT / "deploy")
    assert [p for p in LONGER if lines_of({p: modules[p]}) <= MODULE_LINES] == []


def test_every_room_of_the_kernel_has_a_bound() -> None:
    rooms = {path.parent.name for path in KERNEL.glob("*/__init__.py")}
    assert rooms == set(ROOM_LINES)


@pytest.mark.parametrize(("room", "most"), ROOM_LINES.items())
def test_the_kernel_stays_small(room: str, most: int) -> None:
    assert 0 < lines_of(texts(KERNEL / room)) <= most


def test_nothing_points_outside_the_repository() -> None:
    suffixes = (".py", ".md", ".toml", ".yml", ".yaml", ".json", ".sql", ".sh", ".html", ".example")
    files = texts(
        ROOT / "shared", ROOT / "services", ROOT / "deploy", ROOT / "tests", suffixes=suffixes
    )
    for path in ROOT.iterdir():
        if path.is_file() and path.name not in ("uv.lock", ".git"):  # .git: of a linked worktree
            files[path.name] = path.read_text("utf-8", errors="replace")
    assert foreign_words(files) == []


def test_every_package_says_that_it_is_typed() -> None:
    assert [str(package) for package in PACKAGES if not (package / "py.typed").exists()] == []


# --- what they say of bad examples ---------------------------------------------------------------


def test_a_strange_folder_is_found() -> None:
    assert strange_folders(["services", "scripts", "deploy"]) == ["scripts"]


@pytest.mark.parametrize("path", ["a/utils.py", "a/common/x.py", "b/manager.py"])
def test_a_name_that_says_nothing_is_found(path: str) -> None:
    assert names_that_say_nothing([path]) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "import os\n",
        '"""no full stop"""\n',
        '"""Two sentences. Here they are."""\n',
        '"""Two sentences.\nOn two lines."""\n',
        "",
    ],
)
def test_a_module_without_its_sentence_is_found(text: str) -> None:
    assert list(without_first_sentence({"a.py": text})) == ["a.py"]


def test_a_module_that_is_too_long_is_found() -> None:
    long = "x = 1\n" * (MODULE_LINES + 1)
    assert too_long({"a.py": long}) == [f"a.py: {MODULE_LINES + 1} lines"]
    assert too_long({"a.py": long}, {"a.py": 1_000}) == []


@pytest.mark.parametrize("word", ["/wor" + "k/", "../share" + "d", "PLATFORM" + " 7"])
def test_a_path_of_somebody_s_machine_is_found(word: str) -> None:
    assert foreign_words({"a.md": f"see {word} there"}) == [f"a.md: {word}"]
