"""Mapping files: the default, another partner's, and the errors of a wrong one."""

from datetime import date
from pathlib import Path

import pytest

from togheter_intake.mapping import MappingError, load_mapping, with_columns
from togheter_intake.register import read_register
from togheter_intake.register_rows import RegisterRow, parse_row
from togheter_shared.contracts.intake import (
    AccessKind,
    Area,
    Birth,
    BirthPrecision,
    ContactChannel,
    PersonName,
    ResidenceTitle,
    SafeContact,
    Sex,
)

ENGLISH = """
[register]
name = "Another partner's register"
delimiter = ","
encodings = ["utf-8"]
date_order = "mdy"
optional = ["note"]

[columns]
on = "Visit date"
door = ["Desk", "Office"]
kind = "Visit type"
full_name = "Name"
sex = "Gender"
birth = "Born"
citizenships = "Nationality"
languages = "Languages"
title = "Permit"
needs = "Needs"
mediator = "Interpreter"
safe_contact = "Contact"
note = "Remarks"

[empty]
anywhere = ["none", "unknown"]

[sex]
female = ["woman"]
male = ["man"]

[kinds]
information = ["info"]
request = ["asks for something"]

[areas]
housing = ["home"]
work = ["job"]

[titles]
refugee = ["refugee"]

[answers]
yes = ["yes"]
no = ["no"]

[[safe_contact]]
channel = "sms"
hours = "evening"
spellings = ["text in the evening"]

[countries]
"The Moon" = "XXA"

[languages]
"tongue of the hills" = "tzm"
"""


@pytest.fixture
def english(tmp_path: Path) -> Path:
    path = tmp_path / "english.toml"
    path.write_text(ENGLISH, "utf-8")
    return path


def test_another_partner_s_register_needs_only_a_mapping(english: Path) -> None:
    mapping = load_mapping(english)
    data = (
        b"Name,Office,Visit date,Visit type,Gender,Born,Nationality,Languages,Permit,Needs,"
        b"Interpreter,Contact\n"
        b'"Kone, Awa",North,12/25/2021,INFO,Woman,3/25/1990,"Ivory Coast, The Moon",'
        b'"French; tongue of the hills",Refugee,"home; job",yes,text in the evening\n'
        b"none,North,12/25/2021,info,boh,unknown,,,,,,\n"
    )
    first, second = (
        parse_row(raw, mapping, date(2022, 1, 1)) for raw in read_register(data, mapping)
    )
    assert isinstance(first, RegisterRow)
    assert (first.on, first.door, first.kind) == (
        date(2021, 12, 25),
        "North",
        AccessKind.INFORMATION,
    )
    assert first.name == PersonName(given="Kone, Awa")
    assert first.sex is Sex.FEMALE
    assert first.birth == Birth(year=1990, month=3, day=25, precision=BirthPrecision.DAY)
    assert first.citizenships == ("CIV", "XXA")
    assert first.languages == ("fr", "tzm")
    assert first.title is ResidenceTitle.REFUGEE
    assert first.needs == (Area.HOUSING, Area.WORK)
    assert first.mediator is True
    assert first.safe_contact == SafeContact(channel=ContactChannel.SMS, hours="evening")
    assert isinstance(second, list)
    assert [problem.column for problem in second] == ["Gender"]


def test_a_header_can_be_given_beside_the_mapping() -> None:
    mapping = with_columns(load_mapping(), {"door": "sportello"})
    assert mapping.columns["door"] == ("sportello",)
    assert mapping.columns["on"] == ("data",)
    with pytest.raises(MappingError, match="sportelli: non è un campo"):
        with_columns(mapping, {"sportelli": "x"})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('delimiter = ","', 'delimiter = ", "', "register.delimiter"),
        ('date_order = "mdy"', 'date_order = "american"', "register.date_order"),
        ('encodings = ["utf-8"]', 'encodings = ["latin-1"]', "register.encodings"),
        ('optional = ["note"]', 'optional = ["on"]', "register.optional"),
        ('on = "Visit date"', "", "columns.on"),
        ('on = "Visit date"', 'when = "Visit date"', "columns.when"),
        ('on = "Visit date"', "on = 3", "columns.on"),
        ('on = "Visit date"', 'on = "name"', "columns.full_name"),
        ('on = "Visit date"', 'on = " "', "columns.on"),
        ('female = ["woman"]', 'woman = ["woman"]', "sex.woman"),
        ('female = ["woman"]', "female = [1]", "sex.female"),
        ('female = ["woman"]', 'female = ["MAN"]', "sex.male"),
        ('yes = ["yes"]', 'perhaps = ["yes"]', "answers.perhaps"),
        ('channel = "sms"', 'channel = "pigeon"', "safe_contact 1.channel"),
        ('hours = "evening"', "hours = 3", "safe_contact 1"),
        ('hours = "evening"', 'hour = "x"', "safe_contact 1"),
        ('anywhere = ["none", "unknown"]', 'nowhere = ["none"]', "empty.nowhere"),
        ('"The Moon" = "XXA"', '"The Moon" = 3', "countries.The Moon"),
        ("[kinds]", "[sorts]", "sorts"),
        ("[sex]", "[sex", "TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_with_file_and_key(
    english: Path, old: str, new: str, words: str
) -> None:
    english.write_text(ENGLISH.replace(old, new), "utf-8")
    with pytest.raises(MappingError) as error:
        load_mapping(english)
    assert "english.toml" in str(error.value)
    assert words in str(error.value)


def test_a_missing_mapping_is_said(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"niente\.toml"):
        load_mapping(tmp_path / "niente.toml")


def test_no_default_spelling_of_a_value_stands_for_nothing_too() -> None:
    mapping = load_mapping()
    for field, spellings in (
        ("sex", mapping.sexes),
        ("kind", mapping.kinds),
        ("needs", mapping.areas),
        ("title", mapping.titles),
        ("mediator", mapping.answers),
        ("safe_contact", mapping.contacts),
    ):
        assert not mapping.empty[field] & set(spellings)
