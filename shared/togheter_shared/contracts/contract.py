"""A contract: one version of one published event, with its audience and the person it is about."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any

from togheter_shared.contracts.fields import FieldClass
from togheter_shared.contracts.schema import dump, field_classes, load_event


class Audience(StrEnum):
    """Who may read an event outside the service that recorded it."""

    DIRECTORY = "directory"
    """Every organisation."""
    REPORTING = "reporting"
    """The city's reporting."""
    RECIPIENT = "recipient"
    """The one organisation that the event names in the contract's `recipient` field."""
    OWN = "own"
    """The other services of the same organisation."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What `type`, `version` promise. An event without an audience stays private to its service.

    `recipient` is the field that holds the organisation of `Audience.RECIPIENT`; `subject` the
    field that holds the person whom the event is about.
    """

    event: type
    type: str
    version: int = 1
    audience: tuple[Audience, ...] = ()
    recipient: str | None = None
    subject: str | None = None
    restricted_to: tuple[Audience, ...] = ()
    """To whom restricted fields go, sealed: the city's reporting, the recipient, or nobody."""
    upcast: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """For a version that is no longer written: from its data to the data of the next version."""

    def __post_init__(self) -> None:
        if not {Audience.REPORTING, Audience.RECIPIENT}.issuperset(self.restricted_to) or not set(
            self.restricted_to
        ) <= set(self.audience):
            raise TypeError(
                f"{self.type}: restricted fields go to reporting or to the recipient, when the"
                " event itself does"
            )
        if not self.audience:
            return
        absent = {FieldClass.PERSONAL, FieldClass.RESTRICTED}
        for item in fields(self.event):
            required = item.default is MISSING and item.default_factory is MISSING
            if required and self.classes[item.name] in absent:
                raise TypeError(
                    f"{self.type}: {item.name} does not travel, so who receives the event has to"
                    " do without it: give it a default"
                )

    @property
    def classes(self) -> Mapping[str, FieldClass]:
        return field_classes(self.event)

    def sealed_fields(self, channel: str, organisation: str) -> frozenset[str]:
        """The fields that this channel of that organisation carries, sealed for its one reader.

        What was disclosed to an organisation reaches its other services in a box of its own.
        """
        kinds = set()
        if channel.startswith("to."):
            kinds = {FieldClass.DISCLOSED}
            if channel != f"to.{organisation}" and Audience.RECIPIENT in self.restricted_to:
                kinds.add(FieldClass.RESTRICTED)
        elif channel == Audience.REPORTING and Audience.REPORTING in self.restricted_to:
            kinds = {FieldClass.RESTRICTED}
        return frozenset(name for name, kind in self.classes.items() if kind in kinds)

    def channels(self, data: Mapping[str, Any], organisation: str) -> list[str]:
        """The channels of the feed that this event goes to, as the last part of a routing key."""
        found = []
        for audience in self.audience:
            match audience:
                case Audience.DIRECTORY | Audience.REPORTING:
                    found.append(audience.value)
                case Audience.OWN:
                    found.append(f"to.{organisation}")
                case Audience.RECIPIENT:
                    assert self.recipient is not None, f"{self.type} names no recipient field"
                    found.append(f"to.{data[self.recipient]}")
        return sorted(set(found))


@dataclass(frozen=True)
class Registry:
    """The contracts that a program knows, by event class and by (type, version)."""

    contracts: tuple[Contract, ...]

    def __post_init__(self) -> None:
        by_class = {contract.event: contract for contract in self.contracts}
        by_type = {(contract.type, contract.version): contract for contract in self.contracts}
        if len(by_class) != len(self.contracts) or len(by_type) != len(self.contracts):
            raise ValueError("two contracts share an event class, or a type and version")
        object.__setattr__(self, "_by_class", by_class)
        object.__setattr__(self, "_by_type", by_type)

    def of(self, event: object) -> Contract:
        """The contract of an event; a `KeyError` is a mistake of ours: it was never declared."""
        contract: Contract = self._by_class[type(event)]  # type: ignore[attr-defined]
        return contract

    def find(self, type_: str, version: int) -> Contract | None:
        """The contract of a type and version, or None when this program does not know it."""
        contract: Contract | None = self._by_type.get((type_, version))  # type: ignore[attr-defined]
        return contract

    def load(self, type_: str, version: int, data: dict[str, Any]) -> Any:
        """The event as an instance of its newest version.

        Raises `KeyError` for an unknown type or version, marshmallow's `ValidationError` for data
        that do not keep the contract.
        """
        contract = self._by_type[(type_, version)]  # type: ignore[attr-defined]
        while contract.upcast is not None:
            data = contract.upcast(data)
            contract = self._by_type[(type_, contract.version + 1)]  # type: ignore[attr-defined]
        return load_event(contract.event, data)


def split(event: object, contract: Contract) -> dict[FieldClass, dict[str, Any]]:
    """The data of an event by class of data; a class without a field is an empty dictionary."""
    parts: dict[FieldClass, dict[str, Any]] = {kind: {} for kind in FieldClass}
    for name, value in dump(event).items():
        parts[contract.classes[name]][name] = value
    return parts


def registry(*modules: Iterable[Contract]) -> Registry:
    """One registry of the `CONTRACTS` of several modules."""
    return Registry(tuple(contract for module in modules for contract in module))
