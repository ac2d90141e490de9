"""The classes of data that decide where a field of an event may travel, and texts with limits."""

from enum import Enum
from typing import Annotated

from marshmallow import validate


class FieldClass(Enum):
    """Where a field may be stored and sent; what carries none of these is `OPEN`."""

    OPEN = "open"
    """Stored plain, and travels in every channel of its event."""
    RESTRICTED = "restricted"
    """Health, trafficking, violence, religion: stored apart; leaves sealed for named services."""
    PERSONAL = "personal"
    """Names, identifiers, contacts, free text: stored apart; never leaves its service."""
    DISCLOSED = "disclosed"
    """Personal, and leaves sealed for the one organisation that the event is for."""


RESTRICTED = FieldClass.RESTRICTED
PERSONAL = FieldClass.PERSONAL
DISCLOSED = FieldClass.DISCLOSED

Code = Annotated[str, validate.Length(min=1, max=100)]
"""A short technical text: an organisation, a language code, a reason code."""
ShortText = Annotated[str, validate.Length(max=200)]
MediumText = Annotated[str, validate.Length(max=500)]
LongText = Annotated[str, validate.Length(max=10_000)]
