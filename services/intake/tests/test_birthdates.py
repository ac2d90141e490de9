"""Dates of birth: as precise as they are known, never more; and dates of accesses."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from togheter_intake.birthdates import age_on, parse_birth, read_birth
from togheter_intake.dates import month_end, parse_day
from togheter_intake.problems import Flaw
from togheter_shared.contracts.intake import Birth, BirthPrecision

SEEN = date(2021, 6, 1)

DAYS = {
    "5/3/1990": (1990, 3, 5), "05/03/90": (1990, 3, 5), "5.3.1990": (1990, 3, 5),
    "5-3-1990": (1990, 3, 5), "5 3 1990": (1990, 3, 5), "05\\03\\1990": (1990, 3, 5),
    "1990-03-05": (1990, 3, 5), "1990/03/05": (1990, 3, 5), "1990.03.05": (1990, 3, 5),
    "1990-03-05 00:00:00": (1990, 3, 5), "1990-03-05T00:00:00Z": (1990, 3, 5),
    "05/03/1990 00:00": (1990, 3, 5), " 5/3/1990 ": (1990, 3, 5), "5 / 3 / 1990": (1990, 3, 5),
    "5 marzo 1990": (1990, 3, 5), "5 MARZO 1990": (1990, 3, 5), "5 mar 90": (1990, 3, 5),
    "5-mar-90": (1990, 3, 5), "1° marzo 1990": (1990, 3, 1), "1º marzo 1990": (1990, 3, 1),
    "lunedì 5 marzo 1990": (1990, 3, 5), "March 5, 1990": (1990, 3, 5),
    "5 septembre 1990": (1990, 9, 5), "05031990": (1990, 3, 5), "19900305": (1990, 3, 5),
    "٠٥/٠٣/١٩٩٠": (1990, 3, 5), "५/३/१९९०": (1990, 3, 5), "５／３／１９９０": (1990, 3, 5),
    "\u200f5/3/1990\u200e": (1990, 3, 5), "05/03/1990.": (1990, 3, 5),
    "01/01/1990": (1990, 1, 1), "29/02/2000": (2000, 2, 29), "1/6/21": (2021, 6, 1),
    "22/1/21": (2021, 1, 22), "2/6/21": (1921, 6, 2), "1/1/00": (2000, 1, 1),
    "nato il 5/3/1990": (1990, 3, 5), "01/06/2021": (2021, 6, 1), "01/01/1900": (1900, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize(("text", "day"), DAYS.items())
def test_a_whole_date_keeps_its_day(text: str, day: tuple[int, int, int]) -> None:
    year, month, number = day
    assert parse_birth(text, SEEN) == Birth(
        year=year, month=month, day=number, precision=BirthPrecision.DAY
    )


@pytest.mark.parametrize(
    "text", ["03/1990", "3/1990", "03-1990", "1990-03", "marzo 1990", "mar 1990", "mar-90",
             "00/03/1990", "??/03/1990", "--/03/1990", "xx/03/1990", "1990-03-00", "3/90"]
)  # fmt: skip
def test_a_month_stays_a_month(text: str) -> None:
    assert parse_birth(text, SEEN) == Birth(year=1990, month=3, precision=BirthPrecision.MONTH)


@pytest.mark.parametrize(
    "text", ["1990", " 1990 ", "00/00/1990", "00/00/90", "--/--/1990", "xx/xx/1990", "1990-00-00",
             "nel 1990", "nata nel 1990", "classe 1990", "'90", "01/00/1990", "1990.", "١٩٩٠"]
)  # fmt: skip
def test_a_year_stays_a_year_and_gets_no_first_of_january(text: str) -> None:
    assert parse_birth(text, SEEN) == Birth(year=1990, precision=BirthPrecision.YEAR)


@pytest.mark.parametrize(
    "text", ["circa 1990", "ca. 1990", "ca 1990", "c. 1990", "1990 circa", "1990?", "1990 ?",
             "~1990", "1990 (stimato)", "presunto 1990", "forse 1990", "intorno al 1990",
             "CIRCA 1990", "circa nel 1990", "31 anni", "circa 31 anni", "1990-1992",
             "tra il 1990 e il 1992"]
)  # fmt: skip
def test_an_estimate_stays_an_estimate(text: str) -> None:
    assert parse_birth(text, SEEN) == Birth(year=1990, precision=BirthPrecision.ESTIMATED)


def test_an_estimated_day_keeps_what_is_stated() -> None:
    assert parse_birth("presunto 01/01/1998", SEEN) == Birth(
        year=1998, month=1, day=1, precision=BirthPrecision.ESTIMATED
    )


@pytest.mark.parametrize(
    "text", ["", "?", "??", "-", "00/00/0000", "--/--/----", "0", "??/??/????", "n.d.", "non nota",
             "anni 80", "anni '80", "fine anni 80", "199?", "19??", "199x"]
)  # fmt: skip
def test_what_is_not_known_is_unknown_and_no_mistake(text: str) -> None:
    assert parse_birth(text, SEEN, {"n.d.", "non nota"}) == Birth()


NOT_KNOWN = """
    non la sa|non lo sa|non sa|non si ricorda|non ricorda|non ricorda la data|non la conosce|
    non conosciuta|senza data|da chiedere|da verificare|da definire|mancante|assente|minorenne|
    maggiorenne|minore|adulto|boh|n.n.|xx/xx/xxxx|gg/mm/aaaa|analfabeta, non sa|mai registrata|
    in attesa di documenti|anni 30|anni ottanta
"""
ESTIMATES_IN_WORDS = """
    più o meno 1985|1985 più o meno|1985 o giù di lì|pressappoco 1985|1985 (dichiarata)|1985 n.d.|
    1985 (da verificare)|1985/86|1985-86|1985 o 1986|fine 1985|inizio 1985|metà 1985|estate 1985|
    circa metà 1985|dopo il 1985|prima del 1985|non certa, 1985|1985 (non certa)|pare 1985|
    indicativamente 1985|c.ca 1985|nata nel 1985 a Dakar|36 anni (1985)|36enne|età 36|
    età apparente 36 anni|36a|36 anni circa|circa 36 anni|36/37 anni
"""
YEARS_IN_WORDS = "solo 1985|solo anno: 1985|1985 (solo anno)|(1985)|gg/mm/1985|x/x/1985|classe 85"
DAYS_IN_WORDS = """
    12/05/1990 (da passaporto)|12/05/1990 dichiarata|12/V/1990|12-V-1990|12 mag. 90|[12/05/1990]|
    12.05.1990 r.|nata il 12/05/1990|nato a Dakar il 12 maggio 1990|1990-05-12 (passaporto)|
    sab 12/05/1990
"""
DOUBTFUL_DAYS = """
    12/05/1990 presunta|12/05/1990?|12/05/1990 non certa|12/05/1990 (da verificare)|
    prima del 12/05/1990
"""


def phrases(text: str) -> list[str]:
    return [phrase.strip() for phrase in text.split("|")]


@pytest.mark.parametrize("text", phrases(NOT_KNOWN))
def test_not_known_is_said_in_many_words(text: str) -> None:
    assert read_birth(text, SEEN) == (Birth(), False)


@pytest.mark.parametrize("text", phrases(ESTIMATES_IN_WORDS))
def test_one_year_or_age_among_words_is_an_estimate(text: str) -> None:
    assert parse_birth(text, SEEN) == Birth(year=1985, precision=BirthPrecision.ESTIMATED)


@pytest.mark.parametrize("text", phrases(YEARS_IN_WORDS))
def test_words_that_only_say_year_leave_it_a_year(text: str) -> None:
    assert parse_birth(text, SEEN) == Birth(year=1985, precision=BirthPrecision.YEAR)


@pytest.mark.parametrize("text", phrases(DAYS_IN_WORDS))
def test_a_remark_beside_a_whole_date_keeps_its_day(text: str) -> None:
    assert parse_birth(text, SEEN) == Birth(
        year=1990, month=5, day=12, precision=BirthPrecision.DAY
    )


@pytest.mark.parametrize("text", phrases(DOUBTFUL_DAYS))
def test_a_doubt_makes_a_whole_date_an_estimate(text: str) -> None:
    assert parse_birth(text, SEEN) == Birth(
        year=1990, month=5, day=12, precision=BirthPrecision.ESTIMATED
    )


def test_words_that_were_left_out_are_reported() -> None:
    assert read_birth("12/05/1990 (da passaporto)", SEEN)[1]
    assert read_birth("estate 1985", SEEN)[1]
    assert not read_birth("circa 1985", SEEN)[1]
    assert not read_birth("12/05/1990", SEEN)[1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("31/04/1990 (passaporto)", "date_impossible"),
        ("12/13/1990 dichiarata", "date_impossible"),
        ("dopo il 2030", "birth_in_future"),
        ("prima del 1850", "birth_too_old"),
        ("circa 90", "date_unreadable"),
        ("12/05/199 circa", "date_unreadable"),
        ("123/05/1990", "date_unreadable"),
        ("1/12/05/1990", "date_unreadable"),
        ("12/05/1990 o 13/05/1990", "date_unreadable"),
        ("in Italia da 12 anni", "date_unreadable"),
        ("AB1985CD", "date_unreadable"),
        ("32874", "date_serial"),
    ],
)
def test_words_make_no_mistake_good(text: str, code: str) -> None:
    flaw = parse_birth(text, SEEN)
    assert isinstance(flaw, Flaw)
    assert flaw.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("30/02/1990", "date_impossible"),
        ("31/04/1990", "date_impossible"),
        ("29/02/2001", "date_impossible"),
        ("30 febbraio 1990", "date_impossible"),
        ("1990-02-30", "date_impossible"),
        ("30/2/90", "date_impossible"),
        ("circa 30/02/1990", "date_impossible"),
        ("32/01/1990", "date_impossible"),
        ("00/13/1990", "date_impossible"),
        ("12/25/1990", "date_impossible"),
        ("13/1990", "date_impossible"),
        ("14/03/2091", "birth_in_future"),
        ("02/06/2021", "birth_in_future"),
        ("07/2021", "birth_in_future"),
        ("2022", "birth_in_future"),
        ("circa 2030", "birth_in_future"),
        ("31/12/1899", "birth_too_old"),
        ("1850", "birth_too_old"),
        ("12/05/1370", "birth_too_old"),
        ("200 anni", "birth_too_old"),
        ("ieri", "date_unreadable"),
        ("pippo", "date_unreadable"),
        ("ABCD", "date_unreadable"),
        ("5/3", "date_unreadable"),
        ("05/06", "date_unreadable"),
        ("90", "date_unreadable"),
        ("5/3/199", "date_unreadable"),
        ("5/3/19900", "date_unreadable"),
        ("5 marso 1990", "date_unreadable"),
        ("10000-01-01", "date_unreadable"),
        ("33000", "date_serial"),
        ("1e400", "date_unreadable"),
        ("9" * 5000, "date_unreadable"),
    ],
)
def test_a_mistake_is_refused_with_a_reason(text: str, code: str) -> None:
    flaw = parse_birth(text, SEEN)
    assert isinstance(flaw, Flaw)
    assert flaw.code == code
    assert len(flaw.value_problem) < 300


def test_nobody_older_than_125_years() -> None:
    assert isinstance(parse_birth("1901", date(2027, 1, 1)), Flaw)
    assert isinstance(parse_birth("1902", date(2027, 1, 1)), Birth)


def test_the_order_of_the_numbers_is_the_register_s() -> None:
    assert parse_birth("12/25/1990", SEEN, order="mdy") == Birth(
        year=1990, month=12, day=25, precision=BirthPrecision.DAY
    )
    assert parse_birth("90/12/25", SEEN, order="ymd") == Birth(
        year=1990, month=12, day=25, precision=BirthPrecision.DAY
    )


@given(
    st.dates(date(1900, 1, 1), SEEN),
    st.sampled_from(["{d}/{m}/{y}", "{y}-{m:02}-{d:02}", "{d}.{m}.{y}"]),
)
def test_every_day_is_read_back(day: date, form: str) -> None:
    birth = parse_birth(form.format(d=day.day, m=day.month, y=day.year), date(2021, 6, 1))
    assert isinstance(birth, Birth)
    assert (birth.year, birth.month, birth.day) == (day.year, day.month, day.day)


@given(st.text(), st.dates())
def test_no_text_makes_the_parser_fail(text: str, seen_on: date) -> None:
    assert isinstance(parse_birth(text, seen_on), Birth | Flaw)
    assert isinstance(parse_day(text, date(2099, 12, 31)), date | Flaw)


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        (Birth(year=1990, month=6, day=1), date(2021, 5, 31), 30),
        (Birth(year=1990, month=6, day=1), date(2021, 6, 1), 31),
        (Birth(year=2004, month=2, day=29), date(2021, 2, 28), 16),
        (Birth(year=1990, month=6), date(2021, 5, 31), 30),
        (Birth(year=1990, month=6), date(2021, 6, 1), 31),
        (Birth(year=1990), date(2021, 1, 1), 31),
        (Birth(year=2021), date(2021, 1, 1), 0),
        (Birth(year=2022), date(2021, 1, 1), None),
        (Birth(), date(2021, 1, 1), None),
    ],
)
def test_age_in_whole_years(birth: Birth, day: date, age: int | None) -> None:
    assert age_on(birth, day) == age


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2021-09-17", date(2021, 9, 17)),
        ("22/1/21", date(2021, 1, 22)),
        ("05/10/2021", date(2021, 10, 5)),
        ("2021-09-17 10:30", date(2021, 9, 17)),
        ("31/12/99", date(2099, 12, 31)),
        ("lun 06/03/2023", date(2023, 3, 6)),
        ("mar 07/03/2023", date(2023, 3, 7)),
        ("mer. 8/3/23", date(2023, 3, 8)),
        ("gio, 9 mar 2023", date(2023, 3, 9)),
        ("mar 5 1990", date(1990, 3, 5)),
    ],
)
def test_a_day_of_two_digit_years_is_of_this_century(text: str, day: date) -> None:
    assert parse_day(text, date(2099, 12, 31)) == day


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2021", "date_incomplete"),
        ("05/2021", "date_incomplete"),
        ("00/05/2021", "date_incomplete"),
        ("31/11/2021", "date_impossible"),
        ("domani", "date_unreadable"),
        ("44456", "date_serial"),
    ],
)
def test_a_day_must_be_whole(text: str, code: str) -> None:
    flaw = parse_day(text, date(2099, 12, 31))
    assert isinstance(flaw, Flaw)
    assert flaw.code == code


def test_only_of_a_birth_a_part_may_be_unknown() -> None:
    birth, day = parse_birth("31/04/1990", SEEN), parse_day("31/04/1990", date(2099, 12, 31))
    assert isinstance(birth, Flaw)
    assert isinstance(day, Flaw)
    assert "00" in birth.way_out
    assert "si scrive 00" not in day.way_out


@pytest.mark.parametrize(
    ("text", "day"),
    [("06/2025", date(2025, 6, 30)), ("febbraio 2024", date(2024, 2, 29)), ("2025", None),
     ("13/2025", None), ("05/06/2025", None), ("presto", None)],
)  # fmt: skip
def test_a_month_ends_on_its_last_day(text: str, day: date | None) -> None:
    assert month_end(text, date(2099, 12, 31)) == day
