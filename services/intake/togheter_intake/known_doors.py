"""The doors that an import may name, read once and again when one is missing."""

from collections.abc import Iterable
from uuid import UUID

from psycopg import Connection
from rapidfuzz import fuzz, process

from togheter_intake.problems import Problem, shown
from togheter_intake.register import RawRow
from togheter_intake.views import name_key

SHOWN = 10
"""Doors that are named in the problem of a row."""


class KnownDoors:
    """Doors by name, compared by normalised spelling."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._read()

    def find(self, name: str) -> UUID | None:
        """The door of that name; one that was opened a moment ago is found too."""
        key = name_key(name)
        if key not in self._ids:
            self._read()
        return self._ids.get(key)

    def problems(self, raw: RawRow, found: Iterable[Problem]) -> list[Problem]:
        """A row that is refused anyway: is its door unknown too? Only if its cells are in place."""
        name = " ".join(raw.text("door").split())
        in_place = raw.damage is None and len(raw.cells) == len(raw.layout.header)
        said = raw.layout.column("door") in {problem.column for problem in found}
        if not name or said or not in_place or self.find(name) is not None:
            return []
        return [self.unknown(raw, name)]

    def unknown(self, raw: RawRow, name: str) -> Problem:
        """What to say of a name that no door has."""
        like = process.extractOne(name, self._names, scorer=fuzz.ratio, score_cutoff=80)
        meant = f"; intendevi {shown(like[0])}?" if like else ""
        return Problem(
            raw.layout.column("door"),
            "door_unknown",
            f"{shown(name)} non è una Porta Sociale aperta{meant}",
            "correggi il nome, o apri la porta con il comando `doors add` di intake; "
            + self._open(),
        )

    def _open(self) -> str:
        """The doors that a name may mean, the first ones by name."""
        names = sorted(self._names)
        if not names:
            return "nessuna porta è ancora aperta"
        more = f" e altre {len(names) - SHOWN}" if len(names) > SHOWN else ""
        return f"porte aperte: {', '.join(map(shown, names[:SHOWN]))}{more}"

    def _read(self) -> None:
        rows = self._conn.execute("select name_key, door_id, name from door").fetchall()
        self._ids: dict[str, UUID] = {row[0]: row[1] for row in rows}
        self._names = [row[2] for row in rows]
