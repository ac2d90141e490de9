"""What is promised to others: documents up to date and valid, and every sample still loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from marshmallow import ValidationError
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from togheter_shared.contracts.all import EVERY
from togheter_shared.contracts.contract import Contract
from togheter_shared.contracts.schema import dump

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "shared" / "contracts"
SAMPLES = sorted((PLACE / "samples").glob("*.json"))
TRAVELS = {
    f"{contract.type}.v{contract.version}" for contract in EVERY.contracts if contract.audience
}
DOCUMENTS = sorted((PLACE / "openapi").glob("*.json"))
IDS = {"ids": lambda path: path.stem}


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def split(path: Path) -> tuple[str, int]:
    """The type and version that a file is named after."""
    type_, _, version = path.stem.rpartition(".v")
    return type_, int(version)


def schema_for(path: Path) -> Draft202012Validator:
    schema = read(PLACE / "events" / path.name)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


# --- events --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SAMPLES, **IDS)
def test_a_sample_that_was_ever_published_loads_and_keeps_its_schema(path: Path) -> None:
    sample = read(path)
    event = EVERY.load(*split(path), sample)
    schema_for(path).validate(sample)
    if EVERY.of(event).version == split(path)[1]:
        assert dump(event) == sample


@pytest.mark.parametrize("path", [path for path in SAMPLES if path.stem in TRAVELS], **IDS)
def test_who_receives_an_event_can_do_without_what_stays_at_home(path: Path) -> None:
    schema = schema_for(path)
    kept = {
        name: value
        for name, value in read(path).items()
        if schema.schema["properties"][name].get("x-class", "open") in ("open", "disclosed")
    }
    schema.validate(kept)
    EVERY.load(*split(path), kept)


@pytest.mark.parametrize("path", SAMPLES, **IDS)
def test_schema_and_program_refuse_the_same_documents(path: Path) -> None:
    sample, schema = read(path), schema_for(path)
    for name in sample:
        for document in spoilt(sample, name):
            assert taken(path, document) == schema.is_valid(document), (name, document.get(name))


def taken(path: Path, document: dict[str, Any]) -> bool:
    try:
        EVERY.load(*split(path), document)
    except ValidationError:
        return False
    return True


def spoilt(sample: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    yield {key: value for key, value in sample.items() if key != name}
    for value in (None, 3.5, [[]], {"x": 1}, "no such code", "x" * 10_001, -(2**70)):
        yield {**sample, name: value}


def test_every_event_has_a_schema_and_a_sample() -> None:
    names = {f"{contract.type}.v{contract.version}.json" for contract in EVERY.contracts}
    assert names == {path.name for path in (PLACE / "events").glob("*.json")}
    assert names <= {path.name for path in SAMPLES}


def test_an_unknown_key_of_a_newer_producer_is_passed_over() -> None:
    path = SAMPLES[0]
    EVERY.load(*split(path), {**read(path), "a_field_of_next_year": 1})
    schema_for(path).validate({**read(path), "a_field_of_next_year": 1})


# --- generated documents -------------------------------------------------------------------------


def test_the_generated_documents_are_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, "deploy/contracts.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_service_describes_its_interface() -> None:
    assert {path.stem for path in DOCUMENTS} == {"intake", "referrals", "courses", "reporting"}


@pytest.mark.parametrize("path", DOCUMENTS, **IDS)
def test_an_interface_is_described_by_a_valid_openapi_document(path: Path) -> None:
    document = read(path)
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_an_openapi_document_that_is_not_valid_is_found() -> None:
    document = read(DOCUMENTS[0])
    next(iter(document["paths"].values())).setdefault("get", {})["responses"] = "none"
    with pytest.raises(OpenAPIValidationError):
        validate(document)


# --- AsyncAPI: no maintained validator is on the package index, so its structure is looked at -----


def asyncapi_faults(document: dict[str, Any], contracts: tuple[Contract, ...]) -> list[str]:
    """What is wrong with an AsyncAPI 3.0 document of these contracts."""
    faults = []
    if document.get("asyncapi") != "3.0.0" or not {"title", "version"} <= document["info"].keys():
        faults.append("no version or title")
    messages = document["components"]["messages"]
    for name, message in messages.items():
        if not (PLACE / message["payload"]["$ref"]).is_file():
            faults.append(f"{name}: its payload is not there")
    for name, channel in document["channels"].items():
        asked = set(channel.get("parameters", {}))
        if asked != {part[1:-1] for part in channel["address"].split(".") if part.startswith("{")}:
            faults.append(f"{name}: parameters are not those of the address")
        for key, message in channel["messages"].items():
            if message["$ref"] != f"#/components/messages/{key}" or key not in messages:
                faults.append(f"{name}: {key} is not there")
    for name, operation in document["operations"].items():
        target = operation["channel"]["$ref"].removeprefix("#/channels/")
        if operation["action"] not in ("send", "receive") or target not in document["channels"]:
            faults.append(f"{name}: no such action or channel")
    for contract in contracts:
        key = f"{contract.type}.v{contract.version}"
        listed = {name for name, item in document["channels"].items() if key in item["messages"]}
        if listed != {audience.value for audience in contract.audience}:
            faults.append(f"{key}: not in the channels of its audience")
    return faults


def test_the_asyncapi_document_is_well_formed() -> None:
    assert asyncapi_faults(read(PLACE / "asyncapi.json"), EVERY.contracts) == []


def test_faults_of_an_asyncapi_document_are_found() -> None:
    def faults(**changes: Any) -> list[str]:
        return asyncapi_faults({**read(PLACE / "asyncapi.json"), **changes}, EVERY.contracts)

    good = read(PLACE / "asyncapi.json")
    assert faults(asyncapi="2.6.0")
    assert faults(info={"title": "x"})
    assert faults(components={"messages": {}})
    assert faults(operations={"x": {"action": "look", "channel": {"$ref": "#/channels/reporting"}}})
    without = {**good["channels"], "reporting": {**good["channels"]["reporting"], "messages": {}}}
    assert faults(channels=without)
    address = {**good["channels"]["directory"], "address": "{organisation}.{service}.{else}"}
    assert faults(channels={**good["channels"], "directory": address})
