"""Identifiers: what is accepted, what is refused and with which word."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from togheter_intake.identifiers import (
    Identifier,
    check_digit,
    check_letter,
    family_code,
    given_code,
    holder,
    parse_identifier,
)
from togheter_intake.problems import Flaw
from togheter_shared.contracts.intake import IdentifierKind, Sex


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("MNSKFO83L20Z318F", IdentifierKind.CODICE_FISCALE, "MNSKFO83L20Z318F"),
        ("TRRKDT 97D49 Z329 I", IdentifierKind.CODICE_FISCALE, "TRRKDT97D49Z329I"),
        (" SNNBRY02S30Z317R", IdentifierKind.CODICE_FISCALE, "SNNBRY02S30Z317R"),
        ("dssjct01h27z602x", IdentifierKind.CODICE_FISCALE, "DSSJCT01H27Z602X"),
        ("C.F. dssjct01h27z602x", IdentifierKind.CODICE_FISCALE, "DSSJCT01H27Z602X"),
        ("ＤＳＳＪＣＴ０１Ｈ２７Ｚ６０２Ｘ", IdentifierKind.CODICE_FISCALE, "DSSJCT01H27Z602X"),
        ("CSYMRM99H58ZP17O", IdentifierKind.CODICE_FISCALE, "CSYMRM99H58ZP17O"),
        ("KRAGPR05LL6Z222P", IdentifierKind.CODICE_FISCALE, "KRAGPR05LL6Z222P"),
        ("49871081219", IdentifierKind.PROVISIONAL, "49871081219"),
        ("498 710 812 19", IdentifierKind.PROVISIONAL, "49871081219"),
        ("STP1701013594013", IdentifierKind.STP, "STP1701013594013"),
        ("stp 170 101 3594013", IdentifierKind.STP, "STP1701013594013"),
        ("ENI1701047366150", IdentifierKind.ENI, "ENI1701047366150"),
        ("passaporto n. AA 1234567", IdentifierKind.PASSPORT, "AA1234567"),
        ("passaporto AA1234567 (scaduto)", IdentifierKind.PASSPORT, "AA1234567"),
        ("C.I. AX1234567", IdentifierKind.OTHER, "AX1234567"),
        ("carta identità CA00000AA", IdentifierKind.OTHER, "CA00000AA"),
        ("Carta d'identità n. CA 00000 AA", IdentifierKind.OTHER, "CA00000AA"),
        ("permesso I12345678", IdentifierKind.OTHER, "I12345678"),
        ("permesso di soggiorno n. I12345678", IdentifierKind.OTHER, "I12345678"),
        ("PdS I12345678", IdentifierKind.OTHER, "I12345678"),
        ("patente 12345678", IdentifierKind.OTHER, "12345678"),
        ("z1234567", IdentifierKind.OTHER, "Z1234567"),
    ],
)
def test_a_valid_identifier_is_normalised(text: str, kind: IdentifierKind, value: str) -> None:
    assert parse_identifier(text) == Identifier(kind, value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DLLMMD94C12Z343W", "identifier_check"),
        ("CSYMRM99H58ZP17A", "identifier_check"),
        ("MNSKFO83L20Z318", "identifier_length"),
        ("MNSKFO83L20Z318FF", "identifier_length"),
        ("MNSKFOO3L20Z318F", "identifier_shape"),
        ("MNSKF083L20Z318F", "identifier_shape"),
        ("MNSKFO83F20Z318F", "identifier_shape"),
        ("MNSKFO83L35Z318F", "identifier_day"),
        ("MNSKFO83L81Z318F", "identifier_day"),
        ("MNSKFO83B30Z318F", "identifier_day"),
        ("49871081218", "identifier_check"),
        ("00000000000", "identifier_zeros"),
        ("4987108121", "identifier_length"),
        ("STP170101359401", "identifier_shape"),
        ("ENI17010473661500", "identifier_shape"),
        ("da portare", "identifier_length"),
        ("рассвет", "identifier_unknown"),
        ("???", "identifier_unknown"),
        ("passaporto", "identifier_length"),
        ("MNSKFO83L2", "identifier_length"),
        ("RSSMRA80", "identifier_length"),
        ("ABCDEF", "identifier_length"),
        ("12345", "identifier_length"),
        ("ENI12", "identifier_shape"),
        ("STP170101", "identifier_shape"),
        ("49871A81219", "identifier_length"),
        ("CI XMRA80A01H501X", "identifier_check"),
        ("passaporto ?", "identifier_shape"),
    ],
)
def test_an_invalid_identifier_is_refused_with_a_reason(text: str, code: str) -> None:
    flaw = parse_identifier(text)
    assert isinstance(flaw, Flaw)
    assert flaw.code == code
    assert flaw.value_problem
    assert flaw.way_out


def test_a_wrong_check_letter_says_which_it_should_be() -> None:
    flaw = parse_identifier("DLLMMD94C12Z343W")
    assert isinstance(flaw, Flaw)
    assert "c'è W" in flaw.value_problem
    assert "dovrebbe essere E" in flaw.value_problem


def test_the_check_letter_is_computed_on_the_form_with_omocodia() -> None:
    base = "CSYMRM99H58Z317"
    assert check_letter(base) != check_letter("CSYMRM99H58ZP17")
    assert isinstance(parse_identifier("CSYMRM99H58ZP17" + check_letter(base)), Flaw)


def test_an_omocodic_form_is_another_identifier_than_its_base() -> None:
    base = parse_identifier("SNNBRY59C04Z317I")
    omocodic = parse_identifier("SNNBRY59C04Z31TF")
    assert isinstance(base, Identifier)
    assert isinstance(omocodic, Identifier)
    assert base.value != omocodic.value


def test_the_holder_of_a_woman_s_code_is_read() -> None:
    says = holder("CSYMRM99H58ZP17O")
    assert (says.family, says.given, says.sex, says.place) == ("CSY", "MRM", Sex.FEMALE, "Z317")
    assert says.born_on(date(2021, 1, 1)) == date(1999, 6, 18)


def test_an_omocodic_day_is_decoded_before_it_is_read() -> None:
    assert holder("KRAGPR05LL6Z222P").born_on(date(2021, 1, 1)) == date(2005, 7, 6)


def test_the_century_is_the_last_that_is_not_in_the_future() -> None:
    says = holder("MNSKFO83L20Z318F")
    assert says.born_on(date(2021, 1, 1)) == date(1983, 7, 20)
    assert says.born_on(date(1983, 7, 19)) == date(1883, 7, 20)


@pytest.mark.parametrize(
    ("family", "given", "codes"),
    [
        ("dos Santos d'Ávila", "João Victor", ("DSS", "JCT")),
        ("Fo", "Su", ("FOX", "SUX")),
        ("Traoré", "Kadiatou", ("TRR", "KDT")),
        ("N'Guessan", "Mariam", ("NGS", "MRM")),
        ("O", "Yi", ("OXX", "YIX")),
    ],
)
def test_the_letters_of_a_name(family: str, given: str, codes: tuple[str, str]) -> None:
    assert (family_code(family), given_code(given)) == codes


def test_a_provisional_code_has_no_rule_of_provinces() -> None:
    ten = "1234567999"
    identifier = parse_identifier(ten + check_digit(ten))
    assert isinstance(identifier, Identifier)
    assert identifier.kind is IdentifierKind.PROVISIONAL


@given(st.text())
def test_no_text_makes_the_parser_fail(text: str) -> None:
    assert isinstance(parse_identifier(text), Identifier | Flaw)


@given(
    st.from_regex(
        r"[A-Z]{6}[0-9]{2}[ABCDEHLMPRST](?:0[1-9]|1[0-9]|2[0-8])Z[0-9]{3}", fullmatch=True
    )
)
def test_every_well_made_code_is_accepted_and_every_other_letter_refused(fifteen: str) -> None:
    letter = check_letter(fifteen)
    assert isinstance(parse_identifier(fifteen + letter), Identifier)
    other = "A" if letter != "A" else "B"
    assert isinstance(parse_identifier(fifteen + other), Flaw)
