"""Telephones and minutes of a cell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from togheter_intake.minutes import parse_minutes
from togheter_intake.phones import parse_phones, read_phones
from togheter_intake.problems import Flaw


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("349 7785626", ["+393497785626"]),
        ("+39 3127322286", ["+393127322286"]),
        ("0039 349 7785626", ["+393497785626"]),
        ("393497785626", ["+393497785626"]),
        ("390 1588703", ["+393901588703"]),
        ("347/1234567", ["+393471234567"]),
        ("347-123.45.67", ["+393471234567"]),
        ("0971/123456", ["+390971123456"]),
        ("(0971) 123456", ["+390971123456"]),
        ("+221 77 123 45 67", ["+221771234567"]),
        ("tel. 347 1234567", ["+393471234567"]),
        ("347 1234567 (sorella)", ["+393471234567"]),
        ("'3471234567", ["+393471234567"]),
        ("٣٤٧ ١٢٣ ٤٥٦٧", ["+393471234567"]),
        ("347 1234567 / 320 7654321", ["+393471234567", "+393207654321"]),
        ("3471234567/3207654321", ["+393471234567", "+393207654321"]),
        ("347 1234567 - 320 7654321", ["+393471234567", "+393207654321"]),
        ("347 1234567; +221771234567", ["+393471234567", "+221771234567"]),
        ("347 1234567\n320 7654321", ["+393471234567", "+393207654321"]),
        ("347 1234567 o 347 1234567", ["+393471234567"]),
    ],
)
def test_numbers_become_e164(text: str, numbers: list[str]) -> None:
    assert parse_phones(text) == tuple(numbers)


@pytest.mark.parametrize(
    "text",
    ["abc", "12345", "347 123", "0000000000", "347123456789012", "3,47E+09", "800 FLOWERS", "+",
     "347 1234567 / boh", "347O123456", "call me", "+999 1234567", "3" * 1000],
)  # fmt: skip
def test_rubbish_is_no_number(text: str) -> None:
    assert parse_phones(text) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("333 1234571 marito", ["+393331234571"]),
        ("3331234570 chiamare dopo le 18", ["+393331234570"]),
        ("dopo le 18 3331234570", ["+393331234570"]),
        ("3331234570 dalle 9 alle 12.30", ["+393331234570"]),
        ("sempre occupato 3331234572", ["+393331234572"]),
        ("marito: 333 1234571, moglie: 320 7654321", ["+393331234571", "+393207654321"]),
        ("347 1234567 / boh", ["+393471234567"]),
    ],
)
def test_words_beside_a_number_are_a_remark(text: str, numbers: list[str]) -> None:
    assert parse_phones(text) is None
    assert read_phones(text) == (tuple(numbers), True)


@pytest.mark.parametrize(
    "text",
    ["abc", "12", "333 12", "333-ABCDEFG", "800 FLOWERS", "347O123456", "3,47E+09", "telefono",
     "marito 333 1234571, moglie 320 76", "chiamare dopo le 18", "0000000000 marito"],
)  # fmt: skip
def test_words_make_no_broken_number_good(text: str) -> None:
    assert read_phones(text) is None


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("30", 30), ("0", 0), ("30 min", 30), ("30 minuti", 30), ("30'", 30), ("30’", 30),
     ("45.0", 45),
     ("1h", 60), ("1 h 30", 90), ("1h30", 90), ("1 ora", 60), ("2 ore", 120), ("1:30", 90),
     ("circa 30", 30), ("30 circa", 30), ("ca. 30 min", 30), ("1440", 1440), ("٣٠", 30)],
)  # fmt: skip
def test_minutes_are_read(text: str, minutes: int) -> None:
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize(
    "text", ["-30", "−30", "mezz'ora", "un'ora", "1441", "30-45", "12.5", "25h", "1e3", "circa"]
)
def test_what_is_no_number_of_minutes_is_refused(text: str) -> None:
    assert isinstance(parse_minutes(text), Flaw)


@given(st.text())
def test_no_text_makes_them_fail(text: str) -> None:
    parse_phones(text)
    read_phones(text)
    parse_minutes(text)
