"""What was asked of the network and what it answered: the evidence that a run is judged by."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class Asked:
    """One command. `outcome` is ok, refused or unknown; `events` the types that it must give.

    `canaries` are tokens in protected fields, `places` the services that may know them.
    """

    key: str
    correlation: str
    origin: str
    kind: str
    events: list[str]
    subject: str = ""
    canaries: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    outcome: str = "unknown"
    status: int = 0
    code: str = ""
    tries: int = 0
    was_unknown: bool = False
    answers: list[str] = field(default_factory=list)


class Journal:
    """Commands as they are asked, from many threads."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []
        self._lock = threading.Lock()

    def add(self, asked: Asked) -> None:
        with self._lock:
            self._asked.append(asked)

    def all(self) -> list[Asked]:
        with self._lock:
            return list(self._asked)

    def write(self, path: Path, **more: Any) -> None:
        document = {**more, "commands": [asdict(asked) for asked in self.all()]}
        path.write_text(json.dumps(document), "utf-8")
