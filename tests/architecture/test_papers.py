"""What the documents name is there: links, settings, permissions, CI, the catalogue's file."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from togheter_shared.run.settings import read
from togheter_shared.testing import topology
from togheter_shared.testing.privacy import PRIVACY

ROOT = Path(__file__).resolve().parents[2]
PARTNER = ROOT / "deploy" / "partner"
EXAMPLE = (PARTNER / "env.example").read_text("utf-8")
SETTING = re.compile(r"take\(\s*\"([A-Z_]+)\"")


def papers() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.rglob("*.md"))
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]


def dead_links(path: Path, text: str) -> list[str]:
    """Relative links of a document that lead nowhere; addresses of the network are not followed."""
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return [
        link
        for link in links
        if not re.match(r"[a-z]+:|#", link) and not (path.parent / link.partition("#")[0]).exists()
    ]


@pytest.mark.parametrize("path", papers(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_document_lead_somewhere(path: Path) -> None:
    assert dead_links(path, path.read_text("utf-8")) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    text = "[a](README.md) [b](https://example.org) [c](no/such.md#x) [d](#here)"
    assert dead_links(ROOT / "x.md", text) == ["no/such.md#x"]


def test_the_example_names_every_setting_and_no_other() -> None:
    source = (ROOT / "shared/togheter_shared/run/settings.py").read_text("utf-8")
    named = re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(named) == sorted(SETTING.findall(source))
    table = (PARTNER / "README.md").read_text("utf-8")
    assert [name for name in named if f"| `{name}` |" not in table] == []


def test_the_example_is_taken_as_it_stands(tmp_path: Path) -> None:
    lines = re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE)
    here = {"TOGHETER_NETWORK": str(tmp_path), "TOGHETER_KEYS": str(tmp_path)}
    environment = dict(lines) | here | PRIVACY
    assert read(environment, service="intake").organisation == "ponte"


def test_the_permissions_that_a_partner_is_told_are_those_it_gets() -> None:
    told = (PARTNER / "README.md").read_text("utf-8").replace("\\|", "|")
    permission = topology.permission("ponte")
    topic = topology.topic_permission("ponte", reporting=False)
    for pattern in (permission["configure"], permission["write"], topic["write"], topic["read"]):
        assert f"`{pattern}`" in told


def test_every_decision_is_in_their_list() -> None:
    folder = ROOT / "shared" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
    for name in listed:
        text = (folder / name).read_text("utf-8")
        for part in ("**Status:**", "**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{name} has no {part}"


def test_ci_runs_what_the_readme_says_and_keeps_its_exit_code(tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "make was asked for: $*"\nexit 3\n')
    make.chmod(0o755)
    ran = subprocess.run(
        [str(ROOT / ".ci" / "run")],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 3
    assert "make was asked for: test\n" in ran.stdout


def test_the_file_for_the_catalogue_says_what_the_standard_asks_for() -> None:
    document = yaml.safe_load((ROOT / "publiccode.yml").read_text("utf-8"))
    asked = {"publiccodeYmlVersion", "name", "url", "platforms", "categories", "developmentStatus"}
    asked |= {"softwareType", "description", "legal", "maintenance", "localisation"}
    assert asked <= document.keys()
    assert document["legal"]["license"] == "EUPL-1.2"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    for language in ("it", "en"):
        words = document["description"][language]
        assert len(words["shortDescription"]) <= 150
        assert 150 <= len(words["longDescription"]) <= 10_000
