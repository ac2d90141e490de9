"""The network's registry: the organisations, their services and public keys, pinned out of band."""

import json
from dataclasses import dataclass
from pathlib import Path


class RegistryUnreadable(Exception):
    """The network's registry cannot be read; the message names the file and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """A partner. Keys are base64; `reporting` is true for the one that hosts reporting."""

    id: str
    name: str
    services: tuple[str, ...]
    reporting: bool
    seal_key: str
    sign_key: str


@dataclass(frozen=True)
class Network:
    organisations: tuple[Organisation, ...]

    def organisation(self, id_: str) -> Organisation | None:
        """The organisation of that id, or None when it is not in the registry."""
        return next((found for found in self.organisations if found.id == id_), None)

    def channels_read_by(self, organisation: str) -> set[str]:
        """What that organisation may read of everybody."""
        found = self.organisation(organisation)
        if found is None:
            return set()
        return {"directory", f"to.{organisation}"} | ({"reporting"} if found.reporting else set())


def load_network(path: Path) -> Network:
    """The registry in the JSON file at `path`; see deploy/partner for its form."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return Network(
            tuple(
                Organisation(
                    id=item["id"],
                    name=item["name"],
                    services=tuple(item["services"]),
                    reporting=bool(item.get("reporting", False)),
                    seal_key=item["seal_key"],
                    sign_key=item["sign_key"],
                )
                for item in document["organisations"]
            )
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RegistryUnreadable(
            f"the network's registry {path} cannot be read ({type(error).__name__});"
            " ask the municipality for a new copy"
        ) from None
