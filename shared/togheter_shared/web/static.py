"""The kernel's static files, kept in memory with a version in their address."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
_PLAIN = ("text/", "application/javascript", "image/svg+xml")
_MEDIA = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that is served as it is; `packed` is the same by gzip, where that is smaller."""

    body: bytes
    packed: bytes | None
    media: str
    etag: str

    @property
    def version(self) -> str:
        """What its address carries, so that browsers may keep it for ever."""
        return self.etag[1:13]


@cache
def static_files() -> Mapping[str, StaticFile]:
    """The files by their name below `static/`."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if not path.is_file():
            continue
        body = path.read_bytes()
        guessed = mimetypes.guess_type(path.name)[0]
        media = _MEDIA.get(path.suffix) or guessed or "application/octet-stream"
        packed = gzip.compress(body, 6, mtime=0) if media.startswith(_PLAIN) else None
        if packed is not None and len(packed) >= len(body):
            packed = None
        if media.startswith("text/"):
            media += "; charset=utf-8"
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        found[path.relative_to(FOLDER).as_posix()] = StaticFile(body, packed, media, etag)
    return found


def static_url(name: str) -> str:
    """The address of a file, with its version."""
    return f"/static/{name}?v={static_files()[name].version}"
