"""Pages from Jinja2 templates: the kernel's shell, and the templates of a service in it."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
RIGHT_TO_LEFT = ("ar", "fa", "ur", "he", "ps")


class Render(Protocol):
    """`render(template, **context)` gives the HTML of a page."""

    def __call__(self, template: str, /, **context: Any) -> str: ...


@cache
def renderer(folder: Path | None = None) -> Render:
    """A function that renders templates of `folder` and of the kernel.

    Every value is escaped; a name that a template uses and nobody gave is an error. `language` is
    Italian unless the context says otherwise.
    """
    folders = [folder] if folder is not None else []
    environment = Environment(
        loader=FileSystemLoader([*folders, HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def render_(template: str, /, **context: Any) -> str:
        language = context.setdefault("language", "it")
        context["direction"] = "rtl" if language in RIGHT_TO_LEFT else "ltr"
        return environment.get_template(template).render(context)

    return render_


def render(template: str, /, **context: Any) -> str:
    """The HTML of one of the kernel's own templates."""
    return renderer()(template, **context)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that is served as it is, kept in memory."""

    body: bytes
    media: str
    etag: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """The kernel's static files by their name below `static/`."""
    found = {}
    folder = HERE / "static"
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        body = path.read_bytes()
        media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if media.startswith("text/"):
            media += "; charset=utf-8"
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        found[path.relative_to(folder).as_posix()] = StaticFile(body, media, etag)
    return found
