"""Doors: the Porte Sociali of this organisation."""

from dataclasses import dataclass, replace
from uuid import UUID

from togheter_shared.contracts.intake import DoorOpened
from togheter_shared.decider import Decider, Rejected

LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class OpenDoor:
    """`languages` are BCP 47. That no other door has the name is for the view to say."""

    door_id: UUID
    name: str
    address: str = ""
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Door:
    opened: bool = False


def decide(state: Door, command: OpenDoor) -> list[DoorOpened]:
    """What happens, or `Rejected`."""
    name, address = (" ".join(text.split()) for text in (command.name, command.address))
    if state.opened:
        raise Rejected("Questa Porta Sociale è già aperta.", "door_exists")
    if not any(character.isalnum() for character in name):
        raise Rejected("Manca il nome della Porta Sociale.", "door_without_name", "name")
    for field, text in (("name", name), ("address", address)):
        if len(text) > LONGEST:
            raise Rejected(f"Il testo ha più di {LONGEST} caratteri.", "too_long", field)
        if not text.isprintable():
            raise Rejected("Il testo contiene un carattere di controllo.", "not_text", field)
    return [
        DoorOpened(door_id=command.door_id, name=name, address=address, languages=command.languages)
    ]


def evolve(state: Door, event: DoorOpened) -> Door:
    match event:
        case DoorOpened():
            return replace(state, opened=True)
    return state


DOOR = Decider(kind="door", initial=Door(), decide=decide, evolve=evolve)
