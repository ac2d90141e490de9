"""The event that the benchmarks write: a note with about 350 bytes of data, as a service has it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from togheter_shared.contracts.contract import Audience, Contract, registry
from togheter_shared.contracts.fields import Code, LongText


@dataclass(frozen=True, kw_only=True)
class NeedNoted:
    """Eight fields of the kinds that real contracts have."""

    case_id: UUID
    door_id: UUID
    area: Code
    level: int
    urgent: bool
    language: Code
    outcome: Code
    text: Annotated[LongText, "what was said"]


CONTRACTS = (Contract(event=NeedNoted, type="bench.need_noted", audience=(Audience.REPORTING,)),)
WRITES = registry(CONTRACTS)
TEXT = (
    "Chiede un corso di italiano la sera, perché di giorno lavora; ha già frequentato tre mesi"
    " presso un'altra scuola e porta l'attestato rilasciato a giugno."
)


def need(case_id: UUID, door_id: UUID, level: int) -> NeedNoted:
    """One event; its canonical JSON is about 350 bytes long."""
    return NeedNoted(
        case_id=case_id,
        door_id=door_id,
        area="language",
        level=level,
        urgent=False,
        language="it",
        outcome="referred",
        text=TEXT,
    )
