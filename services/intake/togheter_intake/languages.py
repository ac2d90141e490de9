"""Names of languages as they are written in Italian registers, to BCP 47 codes.

The code is the shortest that names the language: ISO 639-1 where there is one, else ISO 639-3 (or
the ISO 639-2 collective code where the name is that vague: `din`, `bnt`). Dari is `prs`, Mandinka
`mnk`; a dialect of Arabic has its own code only where people name it. Languages that nobody speaks
natively, but for Esperanto, Latin and Sanskrit, are not accepted.
"""

import re
import tomllib
from functools import cache
from importlib import resources

import pycountry
from babel import Locale

from togheter_intake.spelling import fold

_QUALIFIER = re.compile(
    r"\((?:[^()]*)\)|\b(?:pre-)?[abc][12]\b|\b(?:un po di|un po|poco|poca|base|scolastico|"
    r"elementare|discreto|buono|ottimo|fluente|madrelingua|lingua madre|livello|lingua|parlato|"
    r"scritto|parlata|scritta|orale|bene|male|abbastanza|capisce|comprende|parla|legge|scrive|"
    r"anche|soprattutto|principalmente|intermedio|avanzato|nativ[oa]|materna|molto|sufficiente|"
    r"prima lingua|seconda lingua|pochissimo|qualche parola)\b"
)
_ALWAYS = frozenset({"eo", "la", "sa", "sh", "hbs"})
_NAME_LANGUAGES = ("it", "en", "fr", "es", "pt", "sq", "ar", "uk", "ru")


def language_code(text: str) -> str | None:
    """The code of the one language that the text names; None when it names none."""
    spellings = _spellings()
    plain = _plain(text)
    code = spellings.get(plain)
    if code is None and len(plain) < 100:
        code = spellings.get(_plain(_QUALIFIER.sub(" ", fold(text))))
    return code


def language_name(code: str) -> str:
    """The Italian name of a code, or the code."""
    name = Locale("it").languages.get({"prs": "fa_AF"}.get(code, code))
    return str(name) if name else code


def _plain(text: str) -> str:
    return " ".join(fold(text).split()).strip(" .,;:-*()")


@cache
def _spellings() -> dict[str, str]:
    """Every known spelling: our own table first, then Unicode's names, then ISO 639-3's."""
    table = tomllib.loads(
        resources.files("togheter_intake").joinpath("words/languages.toml").read_text("utf-8")
    )
    codes: dict[str, str] = {}
    for code, words in table["spellings"].items():
        for word in words.split("|"):
            codes.setdefault(_plain(word), code)
    for locale in _NAME_LANGUAGES:
        for code, name in Locale(locale).languages.items():
            base = code.split("_")[0]
            if _is_spoken(base):
                codes.setdefault(_plain(name), base)
    for language in pycountry.languages:
        if language.type == "L" and len(language.name) > 2:
            codes.setdefault(_plain(language.name), getattr(language, "alpha_2", language.alpha_3))
    for code in (
        "ar",
        "es",
        "fr",
        "en",
        "pt",
        "ru",
        "uk",
        "zh",
        "ka",
        "bn",
        "hi",
        "ur",
        "fa",
        "sq",
    ):
        name = Locale(code).languages.get(code)
        if name:
            codes.setdefault(_plain(name), code)
    return codes


def _is_spoken(code: str) -> bool:
    if code in _ALWAYS:
        return True
    if len(code) == 2:
        language = pycountry.languages.get(alpha_2=code)
    else:
        language = pycountry.languages.get(alpha_3=code)
    return language is not None and language.type == "L"
