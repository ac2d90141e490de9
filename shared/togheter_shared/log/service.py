"""What a service is to the kernel: its contracts, its views, what it reads and how it reacts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from togheter_shared.contracts.contract import Registry
from togheter_shared.decider import AnyDecider


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An event of this service, as it stands in its log."""

    event: Any
    event_id: UUID
    stream_id: UUID
    stream_version: int
    recorded_at: datetime
    position: int


@dataclass(frozen=True, kw_only=True)
class Received:
    """An event of another service, as it stands in the inbox; `organisation` is who told it.

    `own` is true when that is the organisation of the service that reads it.
    """

    event: Any
    event_id: UUID
    organisation: str
    service: str
    own: bool
    position: int
    occurred_at: datetime
    correlation_id: UUID


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """A command that an event calls for."""

    decider: AnyDecider
    stream_id: UUID
    command: Any


@dataclass(frozen=True, kw_only=True)
class Purged:
    """What else is sealed about a person whose tables were purged, and which organisations know."""

    subjects: tuple[UUID, ...] = ()
    told: tuple[str, ...] = ()


View = Callable[[Connection, Recorded], None]
React = Callable[[Received], list[Reaction]]
InboxView = Callable[[Connection, Received], None]
Project = Callable[[Connection, int, int], None]
Erase = Callable[[Connection, UUID], Purged]
Background = Callable[[Connection, Callable[[], bool]], bool]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What to say when a constraint of the database refuses a command."""

    sentence: str
    code: str
    field: str | None = None


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service, whole, as literal data.

    `writes` are its own contracts; `reads` those of others. `views` run in the command's
    transaction. `subscriptions` are the channels it takes: `directory`, `to` (its organisation's
    own), `reporting`. `inbox_views` and `reactions` handle what arrives, by event class; `project`
    handles it set-based, for positions after the first and up to the second number. `refusals`
    say what a violated constraint means, by its name. `background` does a piece of long work and
    says whether there was any; it looks at its second argument now and then, and stops when that
    says so: killed or stopped, it must be able to go on later. `erase` purges what the service's
    own tables say of a person.
    """

    name: str
    writes: Registry
    reads: Registry = Registry(())
    packages: tuple[str, ...] = ()
    views: Mapping[type, View] = field(default_factory=dict)
    subscriptions: tuple[str, ...] = ()
    inbox_views: Mapping[type, InboxView] = field(default_factory=dict)
    reactions: Mapping[type, React] = field(default_factory=dict)
    project: Project | None = None
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    background: Background | None = None
    erase: Erase | None = None
