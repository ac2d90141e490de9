"""Who asks: a person with roles, a machine with scopes, or nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from uuid import UUID

ALL = "all"
"""The scope of a machine that grants every other."""


class Role(StrEnum):
    """What somebody does in the programme; an account has one or more."""

    FRONT_DESK = "front_desk"
    CASEWORKER = "caseworker"
    REFERRAL_DESK = "referral_desk"
    COURSE_MANAGER = "course_manager"
    TEACHER = "teacher"
    ADMINISTRATOR = "administrator"
    """Of a partner: its accounts, keys and delivery; nobody's data."""
    OPERATIONS = "operations"
    """The city's team that runs the network: sizes and counts; nobody's data in plain."""
    READER = "reader"
    """Of published figures."""
    PROTECTION_OFFICER = "protection_officer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, as the database says at this request. `name` is written beside what they do.

    `doors` are the Porte Sociali (their ids) where a person works. `csrf` is what a form of theirs
    has to bring back, `language` the one that they chose.
    """

    name: str
    kind: Literal["nobody", "machine", "person"]
    account_id: UUID | None = None
    roles: frozenset[Role] = frozenset()
    scopes: frozenset[str] = frozenset()
    doors: frozenset[UUID] = frozenset()
    second_factor: bool = False
    language: str | None = None
    csrf: str = field(default="", repr=False)

    def may(self, scope: str) -> bool:
        """Whether a machine's scopes grant this one."""
        return scope in self.scopes or ALL in self.scopes


NOBODY = Viewer(name="", kind="nobody")
