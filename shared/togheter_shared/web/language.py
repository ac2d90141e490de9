"""Languages of pages: which one a request gets, and its catalogue of gettext."""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"it": "Italiano", "en": "English", "fr": "Français", "ar": "العربية"}
"""The languages of pages, each by its own name; the first is for who asks for none of them."""
SOURCE = "en"
"""The language of the sentences in templates and code."""
RIGHT_TO_LEFT = frozenset({"ar"})
COOKIE = "__Host-togheter-lang"
KERNEL = Path(__file__).parent / "locale"


def N_(sentence: str) -> str:
    """Mark a sentence that is translated later, where the language is known."""
    return sentence


def direction_of(language: str) -> str:
    """`rtl` or `ltr`, as HTML wants it."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"


@cache
def translations(language: str, *folders: Path) -> gettext.NullTranslations:
    """The catalogues of a language: those in `folders`, in their order, then the kernel's.

    A sentence that none has stays as it is written in the source; a test finds such ones.
    """
    found = gettext.NullTranslations()
    for folder in reversed((*folders, KERNEL)):
        path = folder / f"{language}.po"
        if path.exists():
            compiled = io.BytesIO()
            with path.open("rb") as file:
                write_mo(compiled, read_po(file, locale=language))
            compiled.seek(0)
            catalogue = gettext.GNUTranslations(compiled)
            catalogue.add_fallback(found)
            found = catalogue
    return found


def say(language: str, sentence: str, *folders: Path) -> str:
    """A sentence of the source in another language."""
    return translations(language, *folders).gettext(sentence)


def chosen(candidates: Iterable[str | None], accepted: str) -> str:
    """The first candidate that is a language of ours, else what Accept-Language prefers."""
    for candidate in candidates:
        if candidate in LANGUAGES:
            return candidate
    return language_of(accepted)


@lru_cache(maxsize=256)
def language_of(accepted: str) -> str:
    """The language that an Accept-Language header prefers among ours; Italian when none."""
    weights = dict.fromkeys(LANGUAGES, 0.0)
    for part in accepted[:200].split(","):
        tag, _, weight = part.strip().partition(";q=")
        language = tag[:2].lower()
        if language in weights and tag[2:3] in ("", "-"):
            with_weight = re.fullmatch(r"[01](\.\d{0,3})?", weight)
            weights[language] = max(weights[language], float(weight) if with_weight else 1.0)
    return max(weights, key=lambda language: weights[language])
