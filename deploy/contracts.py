"""Write what we promise into shared/contracts, or check that what is written is what we promise."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "shared" / "contracts"
WEBS = {
    "intake": "togheter_intake.web:IntakeWeb",
    "referrals": "togheter_referrals.web:ReferralsWeb",
    "courses": "togheter_courses.web:CoursesWeb",
    "reporting": "togheter_reporting.web:ReportingWeb",
}


def documents() -> dict[Path, str]:
    """Every generated document, by its path under `shared/contracts`."""
    from togheter_shared.contracts.all import EVERY
    from togheter_shared.contracts.register import markdown, register
    from togheter_shared.contracts.schema import json_schema

    found: dict[Path, Any] = {}
    for contract in EVERY.contracts:
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:togheter:event:{contract.type}:{contract.version}",
            "x-audience": [audience.value for audience in contract.audience],
            "x-restricted-to": [audience.value for audience in contract.restricted_to],
            **json_schema(contract.event, closed=False),
        }
        found[Path("events") / f"{contract.type}.v{contract.version}.json"] = schema
    found[Path("asyncapi.json")] = asyncapi()
    for name, path in WEBS.items():
        found[Path("openapi") / f"{name}.json"] = openapi_of(name, path)
    texts = {
        path: json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        for path, document in found.items()
    }
    texts[Path("register.md")] = markdown(register(EVERY.contracts))
    return texts


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: the channels of the bus and the events that travel in each."""
    from togheter_shared.contracts.all import EVERY
    from togheter_shared.contracts.contract import Audience

    addresses = {
        Audience.DIRECTORY: "{organisation}.{service}.directory",
        Audience.REPORTING: "{organisation}.{service}.reporting",
        Audience.RECIPIENT: "{organisation}.{service}.to.{recipient}",
        Audience.OWN: "{organisation}.{service}.to.{organisation}",
    }
    messages = {
        f"{contract.type}.v{contract.version}": {
            "contentType": "application/cloudevents+json",
            "summary": " ".join((contract.event.__doc__ or "").split()),
            "payload": {"$ref": f"./events/{contract.type}.v{contract.version}.json"},
        }
        for contract in EVERY.contracts
        if contract.audience
    }
    channels = {
        audience.value: {
            "address": address,
            "parameters": {
                name: {} for name in ("organisation", "service", "recipient") if name in address
            },
            "messages": {
                f"{contract.type}.v{contract.version}": {
                    "$ref": f"#/components/messages/{contract.type}.v{contract.version}"
                }
                for contract in EVERY.contracts
                if audience in contract.audience
            },
        }
        for audience, address in addresses.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "TOGHETER: the events of the network",
            "version": "1.0.0",
            "description": "A message on the topic exchange togheter.events holds one or more"
            " consecutive entries of one channel, one canonical JSON document a line. The payload"
            " given here is the entry's attribute `data`.",
        },
        "channels": channels,
        "operations": {
            f"receive-{name}": {"action": "receive", "channel": {"$ref": f"#/channels/{name}"}}
            for name in channels
        },
        "components": {"messages": messages},
    }


def openapi_of(name: str, path: str) -> dict[str, Any]:
    """OpenAPI 3.1 of one service's interface, from its routes."""
    from togheter_shared.run.openapi import openapi

    module, _, attribute = path.partition(":")
    document: dict[str, Any] = openapi(
        getattr(import_module(module), attribute), f"TOGHETER {name}", "1"
    )
    return document


def sample(cls: Any) -> Any:
    """An instance of a contract with every field filled in, the same at every call."""
    from togheter_shared.contracts.schema import load, schema_of

    document = {name: _value(field) for name, field in schema_of(cls)().fields.items()}
    return load(cls, document)


def _value(field: Any) -> Any:
    from marshmallow import fields as ma

    match field:
        case ma.Nested():
            return {name: _value(inner) for name, inner in field.schema.fields.items()}
        case ma.List():
            return [_value(field.inner)]
        case ma.Enum():
            member: Enum = next(iter(field.enum.__members__.values()))
            return member.value
        case ma.Boolean():
            return True
        case ma.Integer():
            return 7
        case ma.UUID():
            return "00000000-0000-4000-8000-000000000007"
        case ma.AwareDateTime():
            return "2021-09-17T10:00:00+00:00"
        case ma.Date():
            return "2021-09-17"
        case _:
            return "esempio"


def samples() -> dict[Path, str]:
    """One sample of every event version. Those that were committed once are never written again."""
    from togheter_shared.contracts.all import EVERY
    from togheter_shared.contracts.schema import dump

    return {
        Path("samples") / f"{contract.type}.v{contract.version}.json": json.dumps(
            dump(sample(contract.event)), ensure_ascii=False, indent=1, sort_keys=True
        )
        + "\n"
        for contract in EVERY.contracts
        if is_dataclass(contract.event) and fields(contract.event)
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when out of date")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
    wanted, first_samples = documents(), samples()
    present = {
        path.relative_to(PLACE)
        for folder in ("events", "openapi")
        for path in (PLACE / folder).glob("*.json")
    }
    stale = [
        path
        for path, text in wanted.items()
        if not (PLACE / path).exists() or (PLACE / path).read_text("utf-8") != text
    ]
    missing = [path for path in first_samples if not (PLACE / path).exists()]
    surplus = sorted(present - wanted.keys())
    if asked.check:
        for path in [*stale, *missing, *surplus]:
            print(f"shared/contracts/{path} is out of date; run: python deploy/contracts.py")
        return 1 if stale or missing or surplus else 0
    for path in [*stale, *missing]:
        (PLACE / path).parent.mkdir(parents=True, exist_ok=True)
        (PLACE / path).write_text(wanted.get(path) or first_samples[path], "utf-8")
        print(f"wrote shared/contracts/{path}")
    for path in surplus:
        (PLACE / path).unlink()
        print(f"removed shared/contracts/{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
