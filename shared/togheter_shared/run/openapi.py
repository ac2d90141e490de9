"""The OpenAPI 3.1 document of a service, from what its class declares."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from togheter_shared.contracts.schema import json_schema
from togheter_shared.run.operation import JSON, Operation
from togheter_shared.run.problems import MEDIA

OPERATIONS = "togheter_operations"
"""The attribute of a method that holds its operations."""

_RULE = re.compile(r"<(?:(?P<converter>[a-z]+)(?:\([^)]*\))?:)?(?P<name>[a-z_]+)>")
_CONVERTERS: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "minLength": 1},
    "default": {"type": "string", "minLength": 1},
    "path": {"type": "string", "minLength": 1},
    "uuid": {"type": "string", "format": "uuid"},
    "int": {"type": "integer", "minimum": 0},
}

HEALTH = Operation(
    kind="api", method="GET", url="/health", scope=None, summary="Whether the service works"
)
METRICS = Operation(
    kind="api",
    method="GET",
    url="/metrics",
    scope="metrics",
    summary="Figures for Prometheus",
    media="text/plain; version=0.0.4; charset=utf-8",
)
DOCUMENT = Operation(
    kind="api",
    method="GET",
    url="/api/v1/openapi.json",
    scope=None,
    summary="This document",
    media=JSON,
)


def operations(service_class: type) -> Iterator[tuple[str, Operation]]:
    """Name of the method and operation, for each that the class declares."""
    for name, method in inspect.getmembers(service_class, inspect.isfunction):
        for operation in getattr(method, OPERATIONS, ()):
            yield name, operation


def openapi(service_class: type, title: str, version: str) -> dict[str, Any]:
    """The document: the same class gives the same document. Pages are not part of it."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    own = [("health", HEALTH), ("metrics", METRICS), ("openapi", DOCUMENT)]
    for name, operation in sorted(
        [*operations(service_class), *own], key=lambda item: (item[1].url, item[1].method)
    ):
        if operation.kind != "api":
            continue
        path = _RULE.sub(lambda found: f"{{{found['name']}}}", operation.url)
        entry = paths.setdefault(path, {})
        if operation.method.lower() in entry:
            raise ValueError(f"two methods of {title} answer {operation.method} {path}")
        entry[operation.method.lower()] = _operation(name, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {
                "Problem": _PROBLEM,
                "Health": _HEALTH,
                **dict(sorted(schemas.all.items())),
            },
            "responses": {
                "Problem": {
                    "description": "What is wrong, and where (RFC 9457)",
                    "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
            "parameters": {"IdempotencyKey": _IDEMPOTENCY_KEY, "CorrelationId": _CORRELATION_ID},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """The schemas that were used, by the name of their class."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, Any]] = {}
        self._classes: dict[str, type] = {}

    def reference(self, cls: type, *, closed: bool) -> dict[str, str]:
        known = self._classes.setdefault(cls.__name__, cls)
        if known is not cls or cls.__name__ in ("Problem", "Health"):
            raise ValueError(f"two classes of the interface are called {cls.__name__}")
        document = json_schema(cls, closed=closed)
        if self.all.setdefault(cls.__name__, document) != document:
            # taken and given by the same class: what is taken is the stricter promise
            self.all[cls.__name__] = json_schema(cls, closed=True)
        return {"$ref": f"#/components/schemas/{cls.__name__}"}


def _operation(name: str, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": name,
        "summary": operation.summary,
        "tags": [_tag(operation.url)],
        "x-scope": operation.scope,
        "security": [] if operation.scope is None else [{"bearer": []}],
        "parameters": _parameters(operation),
        "responses": _responses(operation, schemas),
    }
    if isinstance(operation.body, str):
        found["requestBody"] = {
            "required": True,
            "content": {operation.body: {"schema": {"type": "string"}}},
        }
    elif operation.body is not None:
        reference = schemas.reference(operation.body, closed=True)
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": reference}}}
    return found


def _tag(url: str) -> str:
    parts = [part for part in url.split("/") if part]
    return parts[2].partition(".")[0] if parts[:2] == ["api", "v1"] and parts[2:] else "service"


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in _RULE.finditer(operation.url):
        schema = _CONVERTERS[part["converter"] or "default"]
        found.append({"name": part["name"], "in": "path", "required": True, "schema": schema})
    if operation.query is not None:
        document = json_schema(operation.query)
        required = document.get("required", [])
        for name, schema in sorted(document["properties"].items()):
            parameter = {"name": name, "in": "query", "schema": schema}
            if name in required:
                parameter["required"] = True
            found.append(parameter)
    if operation.changes:
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    found.append({"$ref": "#/components/parameters/CorrelationId"})
    return found


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    status = str(operation.status)
    found: dict[str, Any] = {status: {"description": "Done"}}
    if operation is HEALTH:
        content = {JSON: {"schema": {"$ref": "#/components/schemas/Health"}}}
        return {
            "200": {"description": "It works", "content": content},
            "503": {"description": "It does not, or not yet", "content": content},
        }
    if operation.answer is not None:
        schema: dict[str, Any] = schemas.reference(operation.answer, closed=False)
        if operation.many:
            schema = {"type": "array", "items": schema}
        found[status]["content"] = {JSON: {"schema": schema}}
    elif operation.media is not None:
        schema = {"type": "object"} if operation.media == JSON else {"type": "string"}
        found[status]["content"] = {operation.media: {"schema": schema}}
    codes = ["500", "503"]
    if operation.scope is not None:
        codes += ["401", "403"]
    if "<" in operation.url:
        codes.append("404")
    if operation.query is not None or operation.changes:
        codes += ["400", "422"]
    if operation.body is not None:
        codes += ["413", "415"]
    if operation.changes:
        codes.append("409")
    for code in sorted(codes):
        found[code] = {"$ref": "#/components/responses/Problem"}
    return found


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "instance", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "A sentence for people"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence on this case"},
        "instance": {"type": "string", "description": "Opaque; operators find it in the log"},
        "code": {"type": "string", "description": "Stable, for programs"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_HEALTH: dict[str, Any] = {
    "type": "object",
    "title": "Health",
    "required": ["status", "service", "organisation", "version", "checks"],
    "properties": {
        "status": {"enum": ["ok", "starting", "failing"]},
        "service": {"type": "string"},
        "organisation": {"type": "string"},
        "version": {"type": "string"},
        "checks": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and the same request give the first answer again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 100},
}
_CORRELATION_ID: dict[str, Any] = {
    "name": "X-Correlation-ID",
    "in": "header",
    "description": "Carried into what the request causes; else that of traceparent, or a new one",
    "schema": {"type": "string", "format": "uuid"},
}
