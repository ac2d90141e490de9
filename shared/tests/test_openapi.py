"""The OpenAPI document says what the service does."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openapi_spec_validator import validate

from togheter_shared.run.http import api
from togheter_shared.run.openapi import openapi


@pytest.fixture(scope="module")
def example() -> ModuleType:
    path = Path(__file__).parent / "web_service" / "example.py"
    spec = importlib.util.spec_from_file_location("example_service", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_service"] = module  # where type hints are resolved
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def document(example: ModuleType) -> dict[str, Any]:
    return openapi(example.Example, "Example", "1.0")


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_the_document_is_the_same_every_time(example: ModuleType, document: dict[str, Any]) -> None:
    again = openapi(example.Example, "Example", "1.0")
    assert json.dumps(document) == json.dumps(again)


def test_every_operation_is_there_with_its_scope_and_pages_are_not(
    document: dict[str, Any],
) -> None:
    scopes = {
        f"{method.upper()} {path}": operation["x-scope"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert scopes["POST /api/v1/notes"] == "notes.write"
    assert scopes["GET /api/v1/notes/{note_id}"] == "notes.read"
    assert scopes["GET /health"] is None
    assert scopes["GET /metrics"] == "metrics"
    assert "GET /" not in scopes and "POST /form" not in scopes


def test_an_operation_tells_its_parameters_bodies_and_answers(document: dict[str, Any]) -> None:
    write = document["paths"]["/api/v1/notes"]["post"]
    body = write["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/WriteNote"}
    assert document["components"]["schemas"]["WriteNote"]["additionalProperties"] is False
    assert write["responses"]["201"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Note"
    }
    assert {"409", "413", "415", "422", "401", "403", "503"} <= set(write["responses"])
    listing = document["paths"]["/api/v1/notes"]["get"]
    queries = {each["name"] for each in listing["parameters"] if each.get("in") == "query"}
    assert queries == {"limit", "open", "tag"}
    answer = listing["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"type": "array", "items": {"$ref": "#/components/schemas/Note"}}
    read = document["paths"]["/api/v1/notes/{note_id}"]["get"]
    assert read["parameters"][0]["schema"] == {"type": "string", "format": "uuid"}
    upload = document["paths"]["/api/v1/files"]["post"]
    assert list(upload["requestBody"]["content"]) == ["text/csv"]


def test_two_classes_of_one_name_are_refused(example: ModuleType) -> None:
    other = type("Note", (), dict(example.Note.__dict__))

    class Twice:
        @api("GET", "/a", scope=None, summary="", answer=example.Note)
        def one(self, request: object) -> object: ...

        @api("GET", "/b", scope=None, summary="", answer=other)
        def two(self, request: object) -> object: ...

    with pytest.raises(ValueError, match="called Note"):
        openapi(Twice, "Twice", "1")


def test_two_methods_for_one_address_are_refused() -> None:
    class Twice:
        @api("GET", "/a", scope=None, summary="")
        def one(self, request: object) -> object: ...

        @api("GET", "/a", scope=None, summary="")
        def two(self, request: object) -> object: ...

    with pytest.raises(ValueError, match="GET /a"):
        openapi(Twice, "Twice", "1")
