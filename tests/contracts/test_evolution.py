"""Within a version of an event only optional fields are added: compared with the last release."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "shared/contracts"
WORDS = {"title", "description", "$id", "$schema", "x-audience"}
"""What explains a schema and refuses nothing."""


def compatible(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Why programs that know `old` and those that know `new` do not understand each other's events.

    Both ways count: what was stored under `old` is read for ever by `new`, and a partner who has
    not upgraded reads what `new` writes. So a field that both have must be the same in all that it
    takes. A nested part may grow as the whole may: readers pass over keys that they do not know.
    """
    faults: list[str] = []
    was, now = old.get("properties", {}), new.get("properties", {})
    for name in was:
        if name not in now:
            faults.append(f"{name} was removed")
        elif "properties" in was[name] and "properties" in now[name]:
            faults += [f"{name}.{fault}" for fault in compatible(was[name], now[name])]
        elif bare(was[name]) != bare(now[name]):
            faults.append(f"{name} takes something else than before")
    required, before = set(new.get("required", ())), set(old.get("required", ()))
    faults += [f"{name} is required now" for name in sorted(required - before)]
    faults += [f"{name} may be left out now" for name in sorted((before - required) & now.keys())]
    lost = set(old.get("x-audience", ())) - set(new.get("x-audience", ()))
    faults += [f"{audience} does not get it any more" for audience in sorted(lost)]
    return faults


def bare(schema: Any) -> Any:
    """A schema without its explanations, lists whose order means nothing sorted."""
    if isinstance(schema, dict):
        return {
            key: {name: bare(inner) for name, inner in value.items()}
            if key == "properties"
            else sorted(value, key=str)
            if key in ("required", "type", "enum") and isinstance(value, list)
            else bare(value)
            for key, value in schema.items()
            if key not in WORDS
        }
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


def git(*words: str) -> str | None:
    try:
        ran = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return ran.stdout if ran.returncode == 0 else None


@pytest.fixture(scope="module")
def release() -> str:
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    if not tag:
        pytest.skip("no release tag (v…) is reachable: nobody relies on a version yet")
    return tag.strip()


def files_of(release: str, folder: str) -> dict[str, str]:
    listed = (git("ls-tree", "--name-only", release, f"{FOLDER}/{folder}/") or "").split()
    return {Path(path).name: git("show", f"{release}:{path}") or "" for path in listed}


def test_events_are_compatible_with_the_last_release(release: str) -> None:
    faults = {}
    for name, text in files_of(release, "events").items():
        path = ROOT / FOLDER / "events" / name
        if not path.exists():
            faults[name] = ["the version was removed"]
        elif found := compatible(json.loads(text), json.loads(path.read_text("utf-8"))):
            faults[name] = found
    assert faults == {}, "make it a new version, with an upcast from the old one"


def test_no_sample_of_the_last_release_was_changed(release: str) -> None:
    changed = [
        name
        for name, text in files_of(release, "samples").items()
        if not (path := ROOT / FOLDER / "samples" / name).exists()
        or path.read_text("utf-8") != text
    ]
    assert changed == []


# --- the check itself ----------------------------------------------------------------------------

OLD: dict[str, Any] = {
    "title": "Told",
    "type": "object",
    "x-audience": ["reporting"],
    "required": ["on", "kind"],
    "properties": {
        "on": {"type": "string", "format": "date"},
        "kind": {"enum": ["a", "b"]},
        "note": {"type": ["string", "null"], "maxLength": 200, "x-class": "personal"},
        "entry": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    },
}


def changed(name: str, **schema: Any) -> dict[str, Any]:
    properties = {**OLD["properties"], name: {**OLD["properties"].get(name, {}), **schema}}
    return {**OLD, "properties": properties}


def without(name: str) -> dict[str, Any]:
    return {**OLD, "properties": {k: v for k, v in OLD["properties"].items() if k != name}}


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        changed("place", type="string"),
        changed("on", description="the day"),
        {**OLD, "title": "Told again", "x-audience": ["reporting", "directory"]},
        {**OLD, "required": ["kind", "on"]},
        changed("note", type=["null", "string"]),
        changed("kind", enum=["b", "a"]),
        changed("entry", properties={"x": {"type": "integer"}, "y": {"type": "string"}}),
    ],
)
def test_what_both_sides_understand_is_allowed(new: dict[str, Any]) -> None:
    assert compatible(OLD, new) == []


@pytest.mark.parametrize(
    ("new", "fault"),
    [
        (without("note"), "note was removed"),
        ({**changed("place", type="string"), "required": ["on", "kind", "place"]}, "place is req"),
        ({**OLD, "required": ["on"]}, "kind may be left out"),
        (changed("on", format="date-time"), "on takes"),
        (changed("kind", enum=["a", "b", "c"]), "kind takes"),
        (changed("kind", enum=["a"]), "kind takes"),
        (changed("note", maxLength=100), "note takes"),
        (changed("note", maxLength=300), "note takes"),
        (changed("note", type="string"), "note takes"),
        (changed("note", **{"x-class": "open"}), "note takes"),
        (changed("entry", properties={"y": {}}, required=[]), "entry.x was removed"),
        (changed("entry", properties={"x": {"type": "string"}}), "entry.x takes"),
        (changed("entry", required=[]), "entry.x may be left out"),
        ({**OLD, "x-audience": []}, "reporting does not get it"),
    ],
)
def test_what_one_side_would_not_understand_is_found(new: dict[str, Any], fault: str) -> None:
    found = compatible(OLD, new)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_field_that_is_called_like_an_explanation_is_still_a_field() -> None:
    old = {"properties": {"entry": {"type": "object", "properties": {"title": {"type": "string"}}}}}
    new = {"properties": {"entry": {"type": "object", "properties": {}}}}
    assert compatible(old, new)
