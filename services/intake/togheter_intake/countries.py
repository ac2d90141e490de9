"""Names of countries as they are written in Italian registers, to ISO 3166 alpha-3 codes.

Codes are ISO 3166-1 alpha-3; XKX for Kosovo (the code that the Commission uses); XXA for stateless
(ISO/IEC 7501-1); ISO 3166-3 alpha-3 (YUG, SUN, CSK …) for states that ceased without one successor.
A state that only changed its name (Zaire, Birmania, Ceylon) has the code of today. "Congo" alone is
the Republic of the Congo, as in ISO, and "Corea" alone the Republic of Korea.
"""

import re
import tomllib
from functools import cache
from importlib import resources

import pycountry
from babel import Locale

from togheter_intake.spelling import fold

STATELESS = "XXA"
KOSOVO = "XKX"
_EU_STATES = """
    AUT BEL BGR CYP CZE DEU DNK ESP EST FIN FRA GRC HRV HUN IRL ITA LTU LUX LVA MLT NLD POL PRT ROU
    SVK SVN SWE
"""
EU = frozenset(_EU_STATES.split())
_ARTICLES = ("la ", "il ", "lo ", "l'", "le ", "i ", "gli ", "the ")
_BRACKETS = re.compile(r"([^()]+)\(([^()]+)\)")
_NOW = re.compile(r"^(?:ora|oggi|adesso|attuale|attualmente|odiern[oa])\s+", re.I)
_CITIZEN = re.compile(
    r"^(?:cittadin(?:[oaie]|o/a|a/o)|cittadinanza|nazionalita|origin[ei]|originari[oa])\s*:?\s+"
    r"(?:(?:del|dello|della|dei|degli|delle|di)\s+|dell')?"
)
_DOUBLE = re.compile(r"^\s*(?:doppia|duplice)(?:\s+cittadinanza)?\s*[:,]?\s+(?=\S)", re.I)
_READ = re.compile(r"\((?:ora|oggi|adesso|attual\w+|odiern\w)\s|\btibet", re.I)
_FORMER = re.compile(r"^\s*(?:ex|gia|già)\b", re.I)
_LANGUAGES = ("it", "en", "fr", "es")
_UNICODE_ONLY = "AC CP CQ DG EA EU EZ IC QO TA UN XA XB ZZ AQ BV HM"
_NOT_COUNTRIES = frozenset(_UNICODE_ONLY.split())


def country_code(text: str) -> str | None:
    """The code of the one country that the text names; None when it names none."""
    if len(text) > 200:
        return None
    return _direct(text) or _turned(text)


def without_double(text: str) -> str:
    """The countries of «doppia: Brasile e Italia»."""
    return _DOUBLE.sub("", text)


def is_reading(text: str) -> bool:
    """Whether the code says less, or other, than the text: «Etiopia (ora Eritrea)», «Tibet»."""
    return bool(_READ.search(text))


def _turned(text: str) -> str | None:
    """Corea, Repubblica di; Congo (Repubblica del); Eswatini (ex Swaziland)."""
    if brackets := _BRACKETS.fullmatch(text.strip()):
        name, more = brackets.groups()
        if _NOW.match(more) and country_code(name):
            return _direct(_NOW.sub("", more))
        code = country_code(name)
        same = code is not None and code == _direct(_FORMER.sub("", more))
        return _direct(f"{more} {name}") or (code if same else None)
    name, comma, more = text.partition(",")
    return _direct(f"{more} {name}") if comma else None


def _direct(text: str) -> str | None:
    spellings = _spellings()
    plain = _plain(text)
    if plain in spellings:
        return spellings[plain]
    for article in _ARTICLES:
        if plain.startswith(article) and plain[len(article) :] in spellings:
            return spellings[plain[len(article) :]]
    citizen = _CITIZEN.sub("", plain)
    return spellings.get(citizen) if citizen != plain else None


def country_name(code: str) -> str:
    """The Italian name of a code, or the code."""
    if code == KOSOVO:
        return "Kosovo"
    country = pycountry.countries.get(alpha_3=code)
    name = Locale("it").territories.get(country.alpha_2) if country else None
    return str(name) if name else code


def _plain(text: str) -> str:
    return " ".join(fold(text).replace(".", " ").split()).strip(" ,;:-*()") if text else ""


@cache
def _spellings() -> dict[str, str]:
    """Every known spelling; our own table wins over the Unicode names, Italian over the others."""
    codes: dict[str, str] = {}
    table = tomllib.loads(
        resources.files("togheter_intake").joinpath("words/countries.toml").read_text("utf-8")
    )
    for code, words in (item for part in table.values() for item in part.items()):
        for word in words.split("|"):
            codes.setdefault(_plain(word), code)
    ours = set(codes)
    for code, words in table["spellings"].items():
        for word in words.split("|"):
            for form in _endings(_plain(word)):
                if form not in ours:
                    codes.setdefault(form, code)
    for language in _LANGUAGES:
        for alpha_2, name in Locale(language).territories.items():
            if not alpha_2.isalpha() or alpha_2 in _NOT_COUNTRIES:
                continue
            country = pycountry.countries.get(alpha_2=alpha_2)
            alpha_3 = KOSOVO if alpha_2 == "XK" else country.alpha_3 if country else None
            if alpha_3:
                codes.setdefault(_plain(name), alpha_3)
                codes.setdefault(_plain(name.replace("-", " ")), alpha_3)
    for country in pycountry.countries:
        for name in (country.name, getattr(country, "official_name", ""), country.alpha_3):
            if name and country.alpha_2 not in _NOT_COUNTRIES:
                codes.setdefault(_plain(name), country.alpha_3)
    return codes


def _endings(word: str) -> tuple[str, ...]:
    """What agrees with a person: senegalese, senegalesi; marocchino, -a, -i, -e."""
    if " " in word or len(word) < 5:
        return ()
    stem, last = word[:-1], word[-1]
    if last == "o":
        hard = ("hi", "he") if stem[-1] in "cg" else ("i", "e")
        return tuple(stem + ending for ending in ("a", "i", "e", *hard))
    return (stem + "i",) if last == "e" else ()
