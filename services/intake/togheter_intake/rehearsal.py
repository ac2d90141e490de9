"""What a dry run remembers: the people whom earlier rows of the file would have registered."""

import secrets
from uuid import UUID

from togheter_intake.identifiers import Identifier
from togheter_intake.matching import Identity
from togheter_intake.recognition import Candidate, Known, alike
from togheter_intake.search_index import question_hashes, record_hashes

REMEMBERED = 20_000
"""People who are compared with later rows; after so many, only identifiers are remembered."""

_SECRET = secrets.token_bytes(32)


class Rehearsal:
    """Memory grows with the file, some kilobytes for each person: a dry run writes nothing down."""

    def __init__(self) -> None:
        self._holders: dict[Identifier, Known | None] = {}
        self._keys: dict[int, list[Known]] = {}
        self._people = 0

    def holds(self, identifier: Identifier) -> bool:
        """Whether an earlier row would have registered somebody with it."""
        return identifier in self._holders

    def holder(self, identifier: Identifier) -> Known | None:
        """Who that is; None when it is not remembered any more."""
        return self._holders[identifier]

    def candidates(self, identity: Identity) -> list[Candidate]:
        """People of earlier rows who may be this one."""
        found = {
            known.person_id: known
            for key in question_hashes(identity, _SECRET)
            for known in self._keys.get(key, ())
        }
        return alike(identity, found.values())

    def remember(self, person_id: UUID, identity: Identity, identifier: Identifier | None) -> None:
        """Somebody would have been registered."""
        self._people += 1
        known = Known(person_id, identity) if self._people <= REMEMBERED else None
        if identifier is not None:
            self._holders[identifier] = known
        if known is not None:
            for key in record_hashes(identity, _SECRET):
                self._keys.setdefault(key, []).append(known)
