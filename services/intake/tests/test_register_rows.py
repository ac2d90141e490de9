"""One row: good values, every problem with its column, warnings that refuse nobody."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from togheter_intake.identifiers import Identifier
from togheter_intake.mapping import load_mapping
from togheter_intake.problems import Problem, ProblemKind
from togheter_intake.register import Layout, RawRow
from togheter_intake.register_rows import RegisterRow, parse_row
from togheter_shared.contracts.intake import (
    AccessKind,
    Area,
    Birth,
    BirthPrecision,
    ContactChannel,
    IdentifierKind,
    PersonName,
    ResidenceTitle,
    SafeContact,
    Sex,
)

MAPPING = load_mapping()
TODAY = date(2026, 1, 31)
FIELDS = list(MAPPING.columns)
HEADER = tuple(names[0] for names in MAPPING.columns.values())
LAYOUT = Layout(HEADER, {field: place for place, field in enumerate(FIELDS)})
GOOD = {"on": "2021-05-01", "door": "Porta Sociale Centro", "kind": "informazione"}


def parse(**fields: str) -> RegisterRow | list[Problem]:
    values = {**GOOD, **fields}
    cells = tuple(values.get(field, "") for field in FIELDS)
    return parse_row(RawRow(1, 2, "k", cells, LAYOUT), MAPPING, TODAY)


def good(**fields: str) -> RegisterRow:
    row = parse(**fields)
    assert isinstance(row, RegisterRow), row
    return row


def refused(**fields: str) -> list[tuple[str, str]]:
    problems = parse(**fields)
    assert isinstance(problems, list)
    assert all(problem.value_problem and problem.way_out for problem in problems)
    assert all(problem.kind is ProblemKind.PROBLEM for problem in problems)
    return [(problem.column, problem.code) for problem in problems]


def test_a_whole_row() -> None:
    row = good(
        on="22/1/21", operator="op3", family="Habtemariam", given="Merhawi", sex="M",
        birth="22.12.1957", birth_country="Eritrea", citizenships="ERITREA",
        identifier="STP1701023848943", title="protezione sussidiaria", title_expires="2022-07-07",
        phones="396 5152086", languages="tigrino, arabo", mediator="SI",
        safe_contact="solo mattina", needs="salute; lingua italiana / protezione",
        kind="orientamento", minutes="30", note="riga uno\r\nriga due",
    )  # fmt: skip
    assert row == RegisterRow(
        number=1,
        line=2,
        key="k",
        on=date(2021, 1, 22),
        door="Porta Sociale Centro",
        operator="op3",
        name=PersonName(given="Merhawi", family="Habtemariam"),
        sex=Sex.MALE,
        birth=Birth(year=1957, month=12, day=22, precision=BirthPrecision.DAY),
        birth_country="ERI",
        citizenships=("ERI",),
        identifier=Identifier(IdentifierKind.STP, "STP1701023848943"),
        title=ResidenceTitle.SUBSIDIARY_PROTECTION,
        title_expires=date(2022, 7, 7),
        phones=("+393965152086",),
        languages=("ti", "ar"),
        mediator=True,
        safe_contact=SafeContact(channel=ContactChannel.PHONE, hours="mattina"),
        needs=(Area.HEALTH, Area.LANGUAGE, Area.PROTECTION),
        kind=AccessKind.ORIENTATION,
        minutes=30,
        note="riga uno\r\nriga due",
    )
    assert not row.anonymous


def test_an_access_without_name_and_identifier_is_anonymous() -> None:
    assert good().anonymous
    assert good(family="anonimo", given="-").anonymous
    assert good(sex="f", citizenships="Mali", phones="349 7785626").anonymous
    assert not good(given="Su").anonymous
    assert not good(identifier="49871081219").anonymous


NAMES = """
    Null|O|Na|None|Nd|True|NaN|N'Guessan|D’Àngelo-N'Diaye|dos Santos d'Ávila|Şahin Ğül|王|
    عبد الرحمن|კაპანაძე|ইসলাম|Наталія|Ñahui|'; DROP TABLE people;--|=1+1|<b>x</b>|{{7*7}}|Test|Void|
    X|Van der Berg-Ó Súilleabháin|007
"""


@pytest.mark.parametrize("name", [name.strip() for name in NAMES.split("|")])
def test_nobody_is_refused_for_a_name(name: str) -> None:
    assert good(family=name).name == PersonName(family=name)
    assert good(given=name).name == PersonName(given=name)


def test_names_are_composed_on_one_line_and_otherwise_kept() -> None:
    row = good(family="  Keïta ", given="Ana\n  Luiza")
    assert row.name == PersonName(family="Keïta", given="Ana Luiza")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"on": ""}, ("data", "missing")),
        ({"on": "03/05/2087"}, ("data", "date_in_future")),
        ({"on": "01/02/2026"}, ("data", "date_in_future")),
        ({"on": "31/11/2021"}, ("data", "date_impossible")),
        ({"on": "05/2021"}, ("data", "date_incomplete")),
        ({"on": "oggi"}, ("data", "date_unreadable")),
        ({"on": "01/01/1921"}, ("data", "date_too_old")),
        ({"door": ""}, ("porta", "missing")),
        ({"door": " - "}, ("porta", "missing")),
        ({"sex": "boh"}, ("sesso", "value_unknown")),
        ({"sex": "MF"}, ("sesso", "value_unknown")),
        ({"birth": "30/02/1990"}, ("data_nascita", "date_impossible")),
        ({"birth": "14/03/2091"}, ("data_nascita", "birth_in_future")),
        ({"birth": "02/05/2021"}, ("data_nascita", "birth_in_future")),
        ({"birth": "pippo"}, ("data_nascita", "date_unreadable")),
        ({"birth_country": "Atlantide"}, ("stato_nascita", "value_unknown")),
        ({"citizenships": "Atlantide"}, ("cittadinanza", "value_unknown")),
        ({"citizenships": "Mali / Atlantide"}, ("cittadinanza", "value_unknown")),
        ({"identifier": "DLLMMD94C12Z343W"}, ("codice_fiscale", "identifier_check")),
        ({"identifier": "boh"}, ("codice_fiscale", "identifier_length")),
        ({"title": "permesso magico"}, ("titolo_soggiorno", "value_unknown")),
        ({"title_expires": "31/02/2022"}, ("scadenza_titolo", "date_impossible")),
        ({"title_expires": "2022"}, ("scadenza_titolo", "date_incomplete")),
        ({"title_expires": "presto"}, ("scadenza_titolo", "date_unreadable")),
        ({"title_expires": "03/05/2087"}, ("scadenza_titolo", "date_unlikely")),
        ({"phones": "abc"}, ("telefono", "phone")),
        ({"languages": "klingon"}, ("lingue", "value_unknown")),
        ({"languages": "arabo, marziano"}, ("lingue", "value_unknown")),
        ({"mediator": "forse"}, ("mediatore", "value_unknown")),
        ({"safe_contact": "boh"}, ("contatto_sicuro", "value_unknown")),
        ({"needs": "casa; volare"}, ("bisogni", "value_unknown")),
        ({"kind": ""}, ("tipo_accesso", "missing")),
        ({"kind": "boh"}, ("tipo_accesso", "value_unknown")),
        ({"minutes": "-30"}, ("minuti", "minutes")),
        ({"minutes": "mezz'ora"}, ("minuti", "minutes")),
        ({"minutes": "2000"}, ("minuti", "minutes")),
        ({"note": "a\x00b"}, ("note", "control_character")),
        ({"family": "Al\x00Masri"}, ("cognome", "control_character")),
        ({"given": "a\udcefb"}, ("nome", "not_utf8")),
        ({"note": "a" * 10_001}, ("note", "too_long")),
        ({"given": "a" * 501}, ("nome", "too_long")),
        ({"phones": "3" * 2000}, ("telefono", "too_long")),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_column(
    fields: dict[str, str], expected: tuple[str, str]
) -> None:
    assert refused(**fields) == [expected]


def test_every_problem_of_a_row_is_told() -> None:
    columns = [
        column for column, _ in refused(on="?", sex="boh", birth="30/02/1990", minutes="-30")
    ]
    assert columns == ["data", "sesso", "data_nascita", "minuti"]


def test_a_problem_never_tells_the_value_of_another_column() -> None:
    problems = parse(family="Traoré", identifier="DLLMMD94C12Z343W", sex="boh", note="segreto")
    assert isinstance(problems, list)
    for problem in problems:
        assert "Traoré" not in problem.value_problem + problem.way_out
        assert "segreto" not in problem.value_problem + problem.way_out


def test_a_long_name_is_a_name() -> None:
    name = good(family="Wolfeschlegelsteinhausenbergerdorff " * 13).name
    assert name is not None
    assert len(name.family) == 467


@pytest.mark.parametrize(
    "note", ["a\x0bb\x0cc", "a\x85b", "\x1b[31mrosso\x1b[0m", "\x07", "a\x7fb"]
)
def test_a_note_keeps_what_was_pasted_into_it(note: str) -> None:
    assert good(note=note).note == note


def test_elsewhere_a_control_character_is_a_space() -> None:
    row = good(family="Al\x07Masri", birth="12/05/1990\x0b", languages="arabo\x7f", sex="\x1b")
    assert row.name == PersonName(family="Al Masri")
    assert row.birth == Birth(year=1990, month=5, day=12, precision=BirthPrecision.DAY)
    assert row.languages == ("ar",)
    assert row.sex is Sex.UNKNOWN


NO_DOCUMENT = """
    smarrito|smarrita|perso|rubato|scaduto|non ricorda|non lo ricorda|mai avuto|non ha|0|-|?|
    in corso di rilascio|in rilascio|richiesto|da richiedere|domani lo porta|da portare|attesa STP|
    in attesa
"""


@pytest.mark.parametrize("text", [text.strip() for text in NO_DOCUMENT.split("|")])
def test_no_document_is_said_in_many_words(text: str) -> None:
    assert good(identifier=text, given="Su").identifier is None


@pytest.mark.parametrize("text", ["non ha il telefono", "spento", "perso", "cambiato", "rubato"])
def test_no_telephone_is_said_in_many_words(text: str) -> None:
    assert good(phones=text).phones == ()


@pytest.mark.parametrize(
    ("text", "areas"),
    [
        ("casa", [Area.HOUSING]),
        ("Documenti e assistenza legale", [Area.LEGAL]),
        ("documenti e assistenza legale e casa", [Area.LEGAL, Area.HOUSING]),
        ("famiglia e minori, documenti e assistenza legale", [Area.FAMILY, Area.LEGAL]),
        ("salute / riconoscimento titoli di studio", [Area.HEALTH, Area.RECOGNITION]),
        ("casa e lavoro", [Area.HOUSING, Area.WORK]),
        ("casa\nlavoro;formazione", [Area.HOUSING, Area.WORK, Area.TRAINING]),
        ("casa; casa; CASA", [Area.HOUSING]),
        ("casa;;", [Area.HOUSING]),
        ("lingua italiana+lavoro", [Area.LANGUAGE, Area.WORK]),
        ("nessuno", []),
        ("", []),
    ],
)
def test_needs_are_listed_in_many_ways(text: str, areas: list[Area]) -> None:
    assert good(needs=text).needs == tuple(areas)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Senegal", ["SEN"]),
        ("Italia / Senegal", ["ITA", "SEN"]),
        ("Senegal; Italia", ["SEN", "ITA"]),
        ("marocchina e italiana", ["MAR", "ITA"]),
        ("Bosnia ed Erzegovina", ["BIH"]),
        ("Trinidad e Tobago, Italia", ["TTO", "ITA"]),
        ("Congo, Rep. Dem.", ["COD"]),
        ("Serbia e Montenegro", ["SCG"]),
        ("doppia: Brasile e Italia", ["BRA", "ITA"]),
        ("doppia cittadinanza brasiliana e italiana", ["BRA", "ITA"]),
        ("Brasile/Italia", ["BRA", "ITA"]),
        ("Brasile e Italia", ["BRA", "ITA"]),
        ("cittadina del Marocco", ["MAR"]),
        ("apolide", ["XXA"]),
        ("non nota", []),
        ("?", []),
    ],
)
def test_citizenships_are_listed_in_many_ways(text: str, codes: list[str]) -> None:
    assert good(citizenships=text).citizenships == tuple(codes)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("arabo, francese, tamazight", ["ar", "fr", "tzm"]),
        ("arabo e francese", ["ar", "fr"]),
        ("arabo-francese", ["ar", "fr"]),
        ("arabo/francese", ["ar", "fr"]),
        ("serbo-croato", ["sh"]),
        ("wolof, francese (poco), italiano A1", ["wo", "fr", "it"]),
        ("arabo, altro", ["ar"]),
        ("arabo (dialetto, poco)", ["ar"]),
        ("n.d.", []),
    ],
)
def test_languages_are_listed_in_many_ways(text: str, codes: list[str]) -> None:
    assert good(languages=text).languages == tuple(codes)


@pytest.mark.parametrize(
    ("text", "sex"),
    [("M", Sex.MALE), ("m", Sex.MALE), ("maschio", Sex.MALE), ("Uomo", Sex.MALE), ("F", Sex.FEMALE),
     ("donna", Sex.FEMALE), ("FEMMINA", Sex.FEMALE), ("altro", Sex.OTHER), ("X", Sex.OTHER),
     ("non dichiarato", Sex.UNKNOWN), ("", Sex.UNKNOWN), ("?", Sex.UNKNOWN), ("-", Sex.UNKNOWN)],
)  # fmt: skip
def test_sex_is_spelled_in_many_ways(text: str, sex: Sex) -> None:
    assert good(sex=text).sex is sex


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("", SafeContact()),
        ("?", SafeContact()),
        ("non chiamare", SafeContact()),
        ("telefono", SafeContact(channel=ContactChannel.PHONE)),
        ("solo mattina", SafeContact(channel=ContactChannel.PHONE, hours="mattina")),
        ("telefono, solo mattina", SafeContact(channel=ContactChannel.PHONE, hours="mattina")),
        ("whatsapp", SafeContact(channel=ContactChannel.WHATSAPP)),
        ("telefono; non chiamare", SafeContact()),
    ],
)
def test_nobody_is_contacted_who_did_not_say_how(text: str, contact: SafeContact) -> None:
    assert good(safe_contact=text).safe_contact == contact


@pytest.mark.parametrize(
    ("field", "text", "attribute", "value"),
    [
        ("mediator", "sì", "mediator", True),
        ("mediator", "SI", "mediator", True),
        ("mediator", "No", "mediator", False),
        ("mediator", "", "mediator", None),
        ("title", "nessuno", "title", ResidenceTitle.NONE),
        ("title", "", "title", None),
        ("title", "Minore  eta'", "title", ResidenceTitle.MINOR),
        ("title", "minore età", "title", ResidenceTitle.MINOR),
        ("title", "casi speciali art. 18", "title", ResidenceTitle.SPECIAL_CASES),
        ("title_expires", "illimitata", "title_expires", None),
        ("title_expires", "24/4/22", "title_expires", date(2022, 4, 24)),
        ("phones", "non ha", "phones", ()),
        ("phones", "-", "phones", ()),
        ("phones", "nessuno", "phones", ()),
        ("identifier", "non ha", "identifier", None),
        ("identifier", "n.d.", "identifier", None),
        ("minutes", "", "minutes", None),
        ("minutes", "-", "minutes", None),
        ("note", "", "note", None),
        ("note", "n.d.", "note", "n.d."),
        ("note", "?", "note", "?"),
        ("birth_country", "Dakar (Senegal)", "birth_country", "SEN"),
        ("birth_country", "Kinshasa, Rep. Dem. Congo", "birth_country", "COD"),
        ("birth", "non nota", "birth", Birth()),
        ("birth", "", "birth", Birth()),
    ],
)
def test_other_spellings(field: str, text: str, attribute: str, value: Any) -> None:
    assert getattr(good(**{field: text}), attribute) == value


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"identifier": "CSYMRM99H58ZP17O", "family": "Bah", "given": "Awa"},
         ("codice_fiscale", "identifier_name")),
        ({"identifier": "CSYMRM99H58ZP17O", "birth": "18/7/99"},
         ("codice_fiscale", "identifier_birth")),
        ({"identifier": "CSYMRM99H58ZP17O", "birth": "1998"},
         ("codice_fiscale", "identifier_birth")),
        ({"identifier": "CSYMRM99H58ZP17O", "sex": "M"}, ("codice_fiscale", "identifier_sex")),
        ({"identifier": "CSYMRM99H58ZP17O", "birth_country": "Italia"},
         ("codice_fiscale", "identifier_place")),
        ({"identifier": "ENI1701047366150", "citizenships": "Mali"},
         ("codice_fiscale", "eni_not_eu")),
        ({"identifier": "STP1701023848943", "citizenships": "Romania"},
         ("codice_fiscale", "stp_eu")),
        ({"title_expires": "30/04/2021"}, ("scadenza_titolo", "title_expired")),
        ({"birth": "anni 80"}, ("data_nascita", "birth_vague")),
        ({"birth": "estate 1985"}, ("data_nascita", "birth_remark")),
        ({"birth": "12/05/1990 (da passaporto)"}, ("data_nascita", "birth_remark")),
        ({"title_expires": "06/2025"}, ("scadenza_titolo", "expiry_month")),
        ({"phones": "333 1234571 marito"}, ("telefono", "phone_remark")),
        ({"birth_country": "Etiopia (ora Eritrea)"}, ("stato_nascita", "country_reading")),
        ({"citizenships": "Tibet"}, ("cittadinanza", "country_reading")),
        ({"identifier": "Z1234567"}, ("codice_fiscale", "identifier_other")),
    ],
)  # fmt: skip
def test_what_does_not_agree_warns_and_refuses_nobody(
    fields: dict[str, str], expected: tuple[str, str]
) -> None:
    warnings = good(**fields).warnings
    assert [(warning.column, warning.code) for warning in warnings] == [expected]
    assert all(warning.kind is ProblemKind.WARNING for warning in warnings)


def test_what_agrees_warns_of_nothing() -> None:
    row = good(identifier="CSYMRM99H58ZP17O", family="Ceesay", given="Mariama", sex="donna",
               birth="18/6/99", birth_country="Gambia", citizenships="Gambia",
               title_expires="01/05/2021")  # fmt: skip
    assert row.warnings == ()
    assert good(identifier="ENI1701047366150", citizenships="Romania").warnings == ()
    assert good(identifier="CSYMRM99H58ZP17O", family="ইসলাম", given="Nasrin").warnings == ()


def raw(cells: list[str]) -> RawRow:
    return RawRow(1, 2, "k", tuple(cells), LAYOUT)


def cells_of(**fields: str) -> list[str]:
    return [{**GOOD, **fields}.get(field, "") for field in FIELDS]


@pytest.mark.parametrize("field", ["citizenships", "languages", "needs", "note"])
def test_a_cell_split_by_its_separator_is_found(field: str) -> None:
    cells = cells_of(needs="casa", languages="arabo", citizenships="Mali", family="Bah",
                     identifier="49871081219", title="studio", birth="1990", sex="f", minutes="30",
                     title_expires="01/02/2022", birth_country="Mali")  # fmt: skip
    second = {"needs": "lavoro", "languages": "francese", "citizenships": "Italia"}
    cells.insert(FIELDS.index(field) + 1, second.get(field, "testo"))
    problems = parse_row(raw(cells), MAPPING, TODAY)
    assert isinstance(problems, list)
    assert [(p.column, p.code) for p in problems] == [
        (HEADER[FIELDS.index(field)], "cells_too_many")
    ]


def test_a_bad_row_with_empty_cells_too_many_has_its_own_problem() -> None:
    problems = parse_row(raw([*cells_of(sex="boh"), ""]), MAPPING, TODAY)
    assert isinstance(problems, list)
    assert [p.column for p in problems] == ["sesso"]


def test_empty_cells_too_many_are_nothing() -> None:
    assert isinstance(parse_row(raw([*cells_of(), "", " "]), MAPPING, TODAY), RegisterRow)


def test_a_row_cut_in_the_middle_is_refused_where_it_ends() -> None:
    problems = parse_row(raw(cells_of()[:10]), MAPPING, TODAY)
    assert isinstance(problems, list)
    assert [(p.column, p.code) for p in problems] == [("titolo_soggiorno", "cells_missing")]


def test_optional_cells_lacking_at_the_end_are_empty() -> None:
    assert isinstance(parse_row(raw(cells_of()[:-1]), MAPPING, TODAY), RegisterRow)


ANYTHING = st.text(st.characters(), max_size=60)
_PIECES = [
    "; ",
    ",",
    "/",
    " e ",
    "\n",
    "casa",
    "30/02",
    "1990",
    "circa",
    "(",
    "-",
    "'",
    "STP",
    "+39",
]
FRAGMENTS = st.lists(st.sampled_from([*_PIECES, "٣", "Congo", "\x00"]), max_size=12).map("".join)


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING | FRAGMENTS))
def test_no_text_in_any_cell_makes_the_parser_fail(fields: dict[str, str]) -> None:
    row = parse(**fields)
    if isinstance(row, list):
        assert row
        assert {problem.column for problem in row} <= set(HEADER)


@given(st.lists(ANYTHING, max_size=30))
def test_no_number_of_cells_makes_the_parser_fail(cells: list[str]) -> None:
    parse_row(raw(cells), MAPPING, TODAY)


LETTERS = st.characters(categories=["Lu", "Ll", "Lt", "Lm", "Lo"])


@given(st.text(LETTERS, min_size=1, max_size=60), st.text(LETTERS, max_size=60))
def test_a_name_in_any_script_gets_in(family: str, given_name: str) -> None:
    assert not good(family=f"d'{family}", given=given_name).anonymous
