"""Pages from Jinja2 templates: the kernel's shell, and the templates of a service in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from togheter_shared.web.language import LANGUAGES, direction_of, translations
from togheter_shared.web.static import static_url

if TYPE_CHECKING:
    from collections.abc import Collection

HERE = Path(__file__).parent
ROME = ZoneInfo("Europe/Rome")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A line of the navigation: the operation it leads to, and its words marked with `N_`."""

    operation: str
    """Method and rule, such as `GET /releases`."""
    words: str

    @property
    def url(self) -> str:
        """Where it leads."""
        return self.operation.partition(" ")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shell:
    """What surrounds a page: whose service it is, where one is, and where one may go."""

    service: str = ""
    organisation: str = ""
    version: str = ""
    path: str = "/"
    may: Callable[[str], bool] = field(default=lambda operation: True)
    """Whether who asks may call an operation, named as in `Entry`."""


class _Viewer(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def roles(self) -> Collection[str]: ...
    @property
    def csrf(self) -> str: ...


class Asked(Protocol):
    """What a page needs of a request."""

    @property
    def viewer(self) -> _Viewer: ...
    @property
    def language(self) -> str: ...
    @property
    def shell(self) -> Shell: ...


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a service: its `folder` has `templates/` and `locale/`.

    Call it with a template and the request: `pages("doors.html", request, doors=found)`. Templates
    see what is given, and `language`, `direction`, `viewer`, `shell`, `navigation`, `site`; an
    `organisation` that is given stands in the place of the shell's. Every value is escaped; a name
    that a template uses and nobody gave is an error.
    """

    folder: Path = HERE
    title: str = ""
    navigation: Sequence[Entry] = ()

    def __call__(self, template: str, request: Asked, /, **context: Any) -> str:
        shell = request.shell
        open_to_viewer = [entry for entry in self.navigation if shell.may(entry.operation)]
        return self.document(
            template,
            request.language,
            **{
                "viewer": request.viewer,
                "shell": shell,
                "navigation": open_to_viewer,
                "site": self.title,
                "notice": None,
                **context,
            },
        )

    def document(self, template: str, language: str, /, **context: Any) -> str:
        """The HTML of a template without a request, such as what is printed."""
        made = environment(self.folder, language).get_template(template)
        return made.render({"language": language, "direction": direction_of(language), **context})

    def say(self, sentence: str, language: str) -> str:
        """A sentence of the service in a language."""
        found = translations(language, self.folder / "locale")
        return found.gettext(sentence) if sentence else ""


KERNEL = Pages()


@cache
def environment(folder: Path, language: str) -> Environment:
    """Jinja2 for the templates of `folder` and of the kernel, in one language."""
    made = Environment(
        loader=FileSystemLoader([folder / "templates", HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    found = translations(language, folder / "locale")
    made.install_gettext_callables(  # type: ignore[attr-defined]
        found.gettext, found.ngettext, newstyle=True
    )
    made.globals.update(static=static_url, languages=LANGUAGES)

    def on_day(value: date | None, form: str = "medium") -> str:
        return "" if value is None else format_date(value, form, locale=language)

    def at_time(value: datetime | None) -> str:
        return "" if value is None else format_datetime(value, "medium", ROME, locale=language)

    def counted(value: float) -> str:
        return format_decimal(value, locale=language)

    made.filters.update(date=on_day, datetime=at_time, number=counted)
    return made
