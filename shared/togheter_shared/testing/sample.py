"""A tiny service for the kernel's own tests: notes that one organisation sends to another."""

from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

import psycopg
from psycopg import Connection

from togheter_shared.contracts import strictjson
from togheter_shared.contracts.contract import Audience, Contract, registry
from togheter_shared.contracts.fields import DISCLOSED, PERSONAL, Code, LongText
from togheter_shared.decider import Decider, Rejected
from togheter_shared.log.service import Reaction, Received, Recorded, Service
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase


@dataclass(frozen=True, kw_only=True)
class NoteWritten:
    note_id: UUID
    recipient: Code
    topic: Code
    number: int = 0
    author: Annotated[LongText, PERSONAL] = ""
    text: Annotated[LongText, DISCLOSED] = ""


@dataclass(frozen=True, kw_only=True)
class NoteKept:
    note_id: UUID
    topic: Code
    text: Annotated[LongText, PERSONAL] = ""


@dataclass(frozen=True, kw_only=True)
class NoteClosed:
    note_id: UUID


CONTRACTS = (
    Contract(
        event=NoteWritten,
        type="notes.note_written",
        audience=(Audience.RECIPIENT, Audience.REPORTING),
        recipient="recipient",
    ),
    Contract(event=NoteKept, type="notes.note_kept"),
    Contract(event=NoteClosed, type="notes.note_closed", audience=(Audience.REPORTING,)),
)


@dataclass(frozen=True, kw_only=True)
class WriteNote:
    note_id: UUID
    recipient: str = "ponte"
    topic: str = "t"
    number: int = 0
    author: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class KeepNote:
    note_id: UUID
    topic: str
    text: str


@dataclass(frozen=True, kw_only=True)
class CloseNote:
    note_id: UUID


@dataclass(frozen=True)
class Note:
    written: int = 0
    closed: bool = False


Command = WriteNote | KeepNote | CloseNote
Event = NoteWritten | NoteKept | NoteClosed


def decide(state: Note, command: Command) -> list[Event]:
    if state.closed:
        raise Rejected("La nota è chiusa: aprine un'altra.", "note_closed")
    match command:
        case WriteNote():
            return [
                NoteWritten(
                    note_id=command.note_id,
                    recipient=command.recipient,
                    topic=command.topic,
                    number=state.written + 1,
                    author=command.author,
                    text=command.text,
                )
            ]
        case KeepNote():
            return [NoteKept(note_id=command.note_id, topic=command.topic, text=command.text)]
        case CloseNote():
            return [NoteClosed(note_id=command.note_id)]


def evolve(state: Note, event: Event) -> Note:
    match event:
        case NoteWritten():
            return replace(state, written=state.written + 1)
        case NoteClosed():
            return replace(state, closed=True)
    return state


NOTE = Decider(kind="note", initial=Note(), decide=decide, evolve=evolve)


def keep(received: Received) -> list[Reaction]:
    note: NoteWritten = received.event
    command = KeepNote(note_id=note.note_id, topic=note.topic, text=note.text)
    return [Reaction(decider=NOTE, stream_id=note.note_id, command=command)]


TABLES = """
create table note (note_id uuid, number int, topic text, primary key (note_id, number));
create table heard (event_id uuid primary key, topic text not null);
"""


def note_view(conn: Connection, recorded: Recorded) -> None:
    conn.execute(
        "insert into note (note_id, number, topic) values (%s, %s, %s)",
        [recorded.event.note_id, recorded.event.number, recorded.event.topic],
    )


def heard_view(conn: Connection, received: Received) -> None:
    conn.execute(
        "insert into heard (event_id, topic) values (%s, %s)",
        [received.event_id, received.event.topic],
    )


NOTES = Service(
    name="notes",
    writes=registry(CONTRACTS),
    reads=registry(CONTRACTS),
    packages=("togheter_shared.log",),
    views={NoteWritten: note_view},
    subscriptions=("to",),
    inbox_views={NoteWritten: heard_view},
    reactions={NoteWritten: keep},
)


# --- what hands its messages over without keys ----------------------------------------------------


def seal(recipient: str, event_id: UUID, contract: Contract, part: dict[str, Any]) -> bytes:
    """A box that can be looked into."""
    return b"box:" + strictjson.canonical(part)


def open_box(event_id: UUID, type_: str, box: bytes) -> dict[str, object]:
    """What `seal` put in. Raises `ValueError`."""
    if not box.startswith(b"box:"):
        raise ValueError("broken")
    return dict(strictjson.loads(box[4:]))


def store_of(database: ServiceDatabase) -> Connection:
    """A connection to the store of this service, made in an empty database."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(TABLES)
        migrate(owner, ["togheter_shared.log"], database.name)
    return psycopg.connect(database.url, autocommit=True)
