"""Programs that are spoilt on purpose, run under the faults that bring it to light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import Storm, die_at, forged, late, webs_killed


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """How `spoilt/sitecustomize.py` calls it, what is done to it, and one word that must say so."""

    name: str
    fault: Callable[[Storm], None]
    word: str


FOLDER = Path(__file__).parent / "spoilt"

PROGRAMS: dict[str, Spoilt] = {
    "signatures are not checked": Spoilt(name="signature", fault=forged, word="ghosts"),
    "the sequencer tails by position": Spoilt(name="tail", fault=late, word="lost"),
    "a message is acknowledged before it is stored": Spoilt(
        name="ack", fault=lambda storm: die_at(storm, "verify.before"), word="lost"
    ),
    "the checkpoint is written before the effect": Spoilt(
        name="checkpoint", fault=lambda storm: die_at(storm, "append.before"), word="lost"
    ),
    "idempotency keys are not kept": Spoilt(
        name="receipt", fault=webs_killed, word="duplicate_effects"
    ),
}
