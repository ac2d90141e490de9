"""Identifiers of people: shape, check character, and what a codice fiscale says of its holder.

Sources: D.M. 23 December 1976 (codice fiscale, check letter, omocodia, provisional code);
Circolare del Ministero della Salute 5/2000 and Accordo Stato-Regioni 20 December 2012 (STP, ENI).
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from unidecode import unidecode

from togheter_intake.problems import Flaw, shown
from togheter_intake.spelling import without_marks
from togheter_shared.contracts.intake import IdentifierKind, Sex

_ODD_DIGITS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_ODD_K_TO_Z = (2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (*_ODD_DIGITS, *_ODD_DIGITS, *_ODD_K_TO_Z),
        strict=True,
    )
)
EVEN = {c: i for i, c in enumerate("0123456789")} | {
    c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}
MONTHS = {letter: month for month, letter in enumerate("ABCDEHLMPRST", start=1)}
DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
OMOCODIA = str.maketrans("LMNPQRSTUV", "0123456789")
DIGIT_POSITIONS = (6, 7, 9, 10, 12, 13, 14)

LABEL = re.compile(r"^\s*(?:c\.?\s?f\.?|cod(?:ice|\.)?\s*fisc(?:ale|\.)?)\s*[:.]?\s+", re.I)
_NUMBERED = r"\s*(?:n[.°]|nr\.?|num(?:ero)?\.?)?\s*:?\s*"
PASSPORT = re.compile(rf"^(?:passaporto|passport|passeport|pass\.){_NUMBERED}(.+)$", re.I)
OTHER_DOCUMENT = re.compile(
    r"^(?:c\.?\s?i\.?|cie|cart[ae]\s+(?:d['’]\s?|di\s+)?(?:identit[aà]['’]?|soggiorno)|"
    r"permesso(?:\s+di\s+soggiorno|\s+sogg\.?)?|p\.?\s?d\.?\s?s\.?|patente|titolo\s+di\s+viaggio|"
    r"visto|doc(?:umento|\.)?|ricevuta|cedolino|tessera|id(?:entity)?(?:\s+card)?)"
    rf"(?:(?<=\.)|\s|:|(?=n°)){_NUMBERED}(.+)$",
    re.I,
)
_REMARK = re.compile(
    r"\([^()]*\)|[\s,;]+(?:scadut[oa]|in scadenza|in rinnovo|rilasciat[oa]|smarrit[oa]|rubat[oa]|"
    r"valid[oa])\b.*$",
    re.I,
)
BARE_DOCUMENT = re.compile(r"(?![A-Z]{6})(?=.*[A-Z])(?=.*[0-9])[A-Z0-9]{6,10}")
"""The number of a passport, card or permit. A mistyped codice fiscale is longer, or begins with six
letters."""
CODICE_FISCALE = re.compile(
    r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]"
)
HEALTH_CODE = re.compile(r"(STP|ENI)([0-9]{13})")


@dataclass(frozen=True)
class Identifier:
    """`value` is normalised: upper case, no spaces. An omocodic form stays as it is: it was issued
    because somebody else has the base form."""

    kind: IdentifierKind
    value: str


@dataclass(frozen=True)
class Holder:
    """What a codice fiscale says of its holder; the century is not in it."""

    family: str
    given: str
    year: int
    month: int
    day: int
    sex: Sex
    place: str
    """Belfiore code of the municipality, or of the foreign state (Z###)."""

    def born_on(self, reference: date) -> date | None:
        """The last possible date of birth that is not after `reference`; None for no such date."""
        for century in (reference.year // 100 * 100, reference.year // 100 * 100 - 100):
            try:
                born = date(century + self.year, self.month, self.day)
            except ValueError:
                continue
            if born <= reference:
                return born
        return None


def check_letter(fifteen: str) -> str:
    """The check letter of the first 15 characters, computed on the form as it is written."""
    total = sum((ODD if i % 2 == 0 else EVEN)[c] for i, c in enumerate(fifteen))
    return chr(ord("A") + total % 26)


def check_digit(ten: str) -> str:
    """The check digit of a numeric code of 11: digits in even places count double."""
    digits = [int(c) for c in ten]
    total = sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])
    return str(-total % 10)


def parse_identifier(text: str) -> Identifier | Flaw:
    """The identifier that a non-empty cell holds, or why it is none.

    A document that names itself (passaporto, C.I., permesso), or a bare number that no mistyped
    codice fiscale can be, is an identifier too: not everybody has a code.
    """
    if passport := PASSPORT.match(text.strip()):
        return _document(passport[1], text, IdentifierKind.PASSPORT)
    bare = LABEL.sub("", text)
    folded = unicodedata.normalize("NFKC", without_marks(bare)).upper()
    value = re.sub(r"[\s.\-_/']+", "", folded)
    other = OTHER_DOCUMENT.match(text.strip())
    if other and any(map(str.isdigit, other[1])) and not CODICE_FISCALE.fullmatch(value):
        return _document(other[1], text, IdentifierKind.OTHER)
    if not value.isascii() or not value.isalnum():
        return Flaw(
            "identifier_unknown",
            f"{shown(text)} non è un codice fiscale, un codice provvisorio, STP o ENI",
            "scrivi un solo codice, con lettere e cifre latine, o lascia vuoto",
        )
    if value.isdigit():
        return _provisional(value)
    if value.startswith(("STP", "ENI")) and value[3:4].isdigit():
        return _health_code(value)
    if BARE_DOCUMENT.fullmatch(value):
        return Identifier(IdentifierKind.OTHER, value)
    return _codice_fiscale(value)


def holder(value: str) -> Holder:
    """Reads a codice fiscale that `parse_identifier` accepted."""
    plain = _decoded(value)
    day = int(plain[9:11])
    return Holder(
        family=value[:3],
        given=value[3:6],
        year=int(plain[6:8]),
        month=MONTHS[value[8]],
        day=day - 40 if day > 40 else day,
        sex=Sex.FEMALE if day > 40 else Sex.MALE,
        place=plain[11:15],
    )


def family_code(name: str) -> str:
    """The three letters that a codice fiscale takes from a surname; "" without Latin letters."""
    consonants, vowels = _letters(name)
    return (consonants + vowels + "XXX")[:3] if consonants or vowels else ""


def given_code(name: str) -> str:
    """The three letters that a codice fiscale takes from the given names."""
    consonants, _ = _letters(name)
    if len(consonants) > 3:
        return consonants[0] + consonants[2] + consonants[3]
    return family_code(name)


def is_latin(text: str) -> bool:
    """Whether every letter of the text is a Latin one."""
    return all("LATIN" in unicodedata.name(c, "") for c in text if c.isalpha())


def _letters(name: str) -> tuple[str, str]:
    letters = [c for c in unidecode(name).upper() if "A" <= c <= "Z"]
    consonants = "".join(c for c in letters if c not in "AEIOU")
    return consonants, "".join(c for c in letters if c in "AEIOU")


def _decoded(value: str) -> str:
    characters = list(value)
    for position in DIGIT_POSITIONS:
        characters[position] = characters[position].translate(OMOCODIA)
    return "".join(characters)


def _codice_fiscale(value: str) -> Identifier | Flaw:
    if len(value) != 16:
        return Flaw(
            "identifier_length",
            f"{shown(value)} ha {len(value)} caratteri; un codice fiscale ne ha 16 (11 cifre se "
            "provvisorio), come STP ed ENI",
            "ricopia il codice dal documento, o lascia vuoto se non c'è",
        )
    if not CODICE_FISCALE.fullmatch(value):
        return Flaw(
            "identifier_shape",
            f"{shown(value)} non ha la forma di un codice fiscale: {_first_wrong_place(value)}",
            "ricopia il codice dal documento, o lascia vuoto se non c'è",
        )
    day = int(_decoded(value)[9:11])
    if not (1 <= day <= 31 or 41 <= day <= 71) or day % 40 > DAYS_IN_MONTH[MONTHS[value[8]] - 1]:
        return Flaw(
            "identifier_day",
            f"in {shown(value)} il giorno di nascita ({day}) non esiste",
            "ricopia il codice dal documento, o lascia vuoto se non c'è",
        )
    expected = check_letter(value[:15])
    if value[15] != expected:
        return Flaw(
            "identifier_check",
            f"in {shown(value)} la lettera di controllo è sbagliata: c'è {value[15]}, ma con gli "
            f"altri 15 caratteri dovrebbe essere {expected}",
            "uno dei 16 caratteri è sbagliato, non per forza l'ultimo: ricopia il codice dal "
            "documento, o lascia vuoto",
        )
    return Identifier(IdentifierKind.CODICE_FISCALE, value)


def _first_wrong_place(value: str) -> str:
    for position, character in enumerate(value):
        if position in DIGIT_POSITIONS and character not in "0123456789LMNPQRSTUV":
            return f"al posto {position + 1} c'è {character}, ci vuole una cifra"
        if position == 8 and character not in MONTHS:
            return f"al posto 9 c'è {character}, che non è la lettera di un mese"
        if position not in DIGIT_POSITIONS and not character.isalpha():
            return f"al posto {position + 1} c'è {character}, ci vuole una lettera"
    return "controlla ogni carattere"


def _provisional(value: str) -> Identifier | Flaw:
    if not value.strip("0"):
        return Flaw(
            "identifier_zeros",
            f"{shown(value)} è fatto di soli zeri: non è il codice di nessuno",
            "ricopia il codice dal documento, o lascia vuoto se non c'è",
        )
    if len(value) != 11:
        return Flaw(
            "identifier_length",
            f"{shown(value)} ha {len(value)} cifre; un codice fiscale provvisorio ne ha 11",
            "ricopia il codice dal documento, o lascia vuoto se non c'è",
        )
    expected = check_digit(value[:10])
    if value[10] != expected:
        return Flaw(
            "identifier_check",
            f"in {shown(value)} la cifra di controllo è sbagliata: c'è {value[10]}, ma con le "
            f"altre 10 dovrebbe essere {expected}",
            "una delle 11 cifre è sbagliata, non per forza l'ultima: ricopia il codice dal "
            "documento, o lascia vuoto",
        )
    return Identifier(IdentifierKind.PROVISIONAL, value)


def _health_code(value: str) -> Identifier | Flaw:
    match = HEALTH_CODE.fullmatch(value)
    if not match:
        return Flaw(
            "identifier_shape",
            f"{shown(value)} non è un codice {value[:3]}: dopo {value[:3]} vanno 13 cifre",
            "ricopia il codice dal tesserino, o lascia vuoto se non c'è",
        )
    kind = IdentifierKind.STP if match[1] == "STP" else IdentifierKind.ENI
    return Identifier(kind, value)


def _document(number: str, text: str, kind: IdentifierKind) -> Identifier | Flaw:
    plain = _REMARK.sub("", unicodedata.normalize("NFKC", without_marks(number)))
    value = re.sub(r"[\s.\-_/']+", "", plain).upper()
    if not re.fullmatch(r"[A-Z0-9]{5,15}", value) or not any(c.isdigit() for c in value):
        passport = kind is IdentifierKind.PASSPORT
        return Flaw(
            "identifier_shape",
            f"{shown(text)} non è il numero di un {'passaporto' if passport else 'documento'}",
            "scrivi il nome del documento e il numero, da 5 a 15 lettere e cifre latine",
        )
    return Identifier(kind, value)
