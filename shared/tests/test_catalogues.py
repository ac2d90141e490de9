"""Every sentence of pages is there in every language, with the same places for values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from togheter_shared.web.language import KERNEL, LANGUAGES, SOURCE

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "referrals", "courses", "reporting")
PACKAGES = {
    "shared": KERNEL.parents[1],
    **{name: ROOT / f"services/{name}/togheter_{name}" for name in SERVICES},
}
METHODS = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"**.html": {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true"}}
KEYWORDS = {"_": None, "gettext": None, "N_": None}
PLACE = re.compile(r"%\(\w+\)s|\{\d\}")


def sentences(package: Path) -> set[str]:
    """What the templates and the code of a package say."""
    found = extract_from_dir(package, METHODS, OPTIONS, keywords=KEYWORDS)
    return {str(message) for _, _, message, *_ in found}


def catalogue(folder: Path, language: str) -> dict[str, str]:
    with (folder / f"{language}.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file, locale=language) if m.id}


def faults(wanted: set[str], present: dict[str, str]) -> list[str]:
    return [
        *(f"missing: {sentence}" for sentence in sorted(wanted - present.keys())),
        *(f"said nowhere: {sentence}" for sentence in sorted(present.keys() - wanted)),
        *(f"untranslated: {sentence}" for sentence, said in present.items() if not said),
        *(
            f"other places for values: {sentence}"
            for sentence, said in present.items()
            if sorted(PLACE.findall(sentence)) != sorted(PLACE.findall(said))
        ),
    ]


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != SOURCE])
@pytest.mark.parametrize("name", PACKAGES)
def test_no_sentence_is_missing_or_untranslated(name: str, language: str) -> None:
    folder = KERNEL if name == "shared" else PACKAGES[name] / "locale"
    wanted = sentences(PACKAGES[name])
    assert wanted
    assert faults(wanted, catalogue(folder, language)) == []


@pytest.mark.parametrize(
    "present", [{}, {"%(a)s days": ""}, {"%(a)s days": "%(b)s giorni"}, {"%(a)s days": "giorni"}]
)
def test_a_fault_is_found(present: dict[str, str]) -> None:
    assert faults({"%(a)s days"}, present)


def test_what_is_vendored_is_what_its_list_says() -> None:
    from hashlib import sha256

    folder = KERNEL.parent / "static"
    listed = re.findall(
        r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (folder / "VENDORED.md").read_text(), re.M
    )
    assert len(listed) == 8
    for name, digest in listed:
        assert sha256((folder / "vendor" / name).read_bytes()).hexdigest() == digest
