"""Telephone numbers of a cell, in E.164; possible is enough, nobody checks that they answer."""

import re

import phonenumbers

from togheter_intake.spelling import DASHES, ascii_digits, without_marks

_LABEL = re.compile(
    r"\([^()]*[^\W\d][^()]*\)|\b(?:tel|cell|cel|mob|fax|telefono|cellulare|mobile|whatsapp|wa|n|nr|num)\b[.:]*",
    re.I,
)
_HOUR = r"\d{1,2}(?:[:.]\d{2})?(?!\d)"
_HOURS = re.compile(
    rf"\b(?:dopo(?: le)?|prima delle|dalle|alle|ore|h|entro le|verso le|tra le|e le|interno|int\.?)"
    rf"\s*{_HOUR}(?:\s*[-/]\s*{_HOUR})?",
    re.I,
)
_AMONG_WORDS = re.compile(r"(?<![\w,.+])[(+\d][\d\s./()\-]*\d(?!\w|,\d)")
_SEPARATORS = (r"\s*[;\n|]\s*", r"\s+(?:e|o|oppure)\s+", r"\s*,\s*", r"\s+[/-]\s+", r"\s*/\s*")
_NUMBER = re.compile(r"[(+\d][\d\s./()\-]*")
_REGION = "IT"


def parse_phones(text: str) -> tuple[str, ...] | None:
    """The numbers that the cell lists, without repetitions; None when one of them is none.

    A number without prefix is Italian: 39 in front of it belongs to it (390 1588703 is a mobile),
    unless twelve digits are written.
    """
    clean = ascii_digits(without_marks(text)).translate(DASHES).replace("＋", "+")
    if len(clean) > 200:
        return None
    numbers = _numbers(_LABEL.sub(" ", clean).strip(), _SEPARATORS)
    return None if numbers is None else tuple(dict.fromkeys(numbers))


def read_phones(text: str) -> tuple[tuple[str, ...], bool] | None:
    """As `parse_phones`, but with a remark beside the numbers (marito, chiamare dopo le 18); the
    second value is whether there is one. None when there is no number, or a broken one."""
    numbers = parse_phones(text)
    if numbers is not None:
        return numbers, False
    clean = ascii_digits(without_marks(text)).translate(DASHES).replace("＋", "+")
    if len(clean) > 200:
        return None
    clean = _HOURS.sub(" ", clean)
    found = [_numbers(m[0].strip(" -/."), _SEPARATORS) for m in _AMONG_WORDS.finditer(clean)]
    rest = _AMONG_WORDS.sub(" ", clean)
    if not found or not all(found) or any(map(str.isdigit, rest)):
        return None
    return tuple(dict.fromkeys(number for some in found if some for number in some)), True


def _numbers(text: str, separators: tuple[str, ...]) -> list[str] | None:
    whole = _number(text)
    if whole is not None:
        return [whole]
    for position, separator in enumerate(separators):
        pieces = [piece for piece in re.split(separator, text) if piece.strip()]
        if len(pieces) < 2:
            continue
        found = [_numbers(piece, separators[position + 1 :]) for piece in pieces]
        numbers = [number for some in found if some for number in some]
        return numbers if all(found) else None
    return None


def _number(text: str) -> str | None:
    text = text.strip(" .,;:'")
    if not _NUMBER.fullmatch(text):
        return None
    digits = re.sub(r"\D", "", text)
    if len(set(digits)) < 2:
        return None
    if not text.startswith(("+", "00")):
        digits = digits if len(digits) == 12 and digits.startswith("39") else f"39{digits}"
        text = f"+{digits}"
    elif text.startswith("00"):
        text = f"+{digits[2:]}"
    try:
        number = phonenumbers.parse(text, _REGION)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != (
        phonenumbers.ValidationResult.IS_POSSIBLE
    ):
        return None
    national = phonenumbers.national_significant_number(number)
    if number.country_code == 39 and national.startswith("3") and not 9 <= len(national) <= 11:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
