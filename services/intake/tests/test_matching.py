"""Suspected duplicates: who is suspected, why, and who is not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from togheter_intake.birthdates import parse_birth
from togheter_intake.matching import (
    Identity,
    blocking_keys,
    compare,
    compare_births,
    search_keys,
)
from togheter_intake.matching import Suspicion as Suspected
from togheter_shared.contracts.intake import Birth, Sex


def born(text: str) -> Birth:
    birth = parse_birth(text, date(2021, 12, 31))
    assert isinstance(birth, Birth)
    return birth


def person(name: str, birth: str = "", *phones: str, country: str | None = None) -> Identity:
    given_name, _, family = name.partition("|")
    return Identity(
        given=given_name, family=family, birth=born(birth), phones=phones, birth_country=country
    )


def suspicion(a: Identity, b: Identity) -> Suspected | None:
    """What `compare` says, both ways, with the promise that the two can be found."""
    found = compare(a, b)
    assert found == compare(b, a)
    if found:
        assert blocking_keys(a) & search_keys(b) and search_keys(a) & blocking_keys(b)
    return found


@pytest.mark.parametrize(
    ("a", "b", "reason", "least"),
    [
        (("Merhawi|Habtemariam", "22.12.1957"), ("Merhawi|Habtemaryam", "22/12/1957"),
         "same_name_same_birth", 95),
        (("Osas|Okafor", "7/6/45"), ("Osas|Okefor", "07-06-1945"), "similar_name_same_birth", 85),
        (("Cheikh|Ndiaye", "4/10/1993"), ("Cheikh|Ndieye", "04.10.1993"),
         "similar_name_same_birth", 85),
        (("Patrice|Kabongo", "16/5/2006"), ("Patrice|Kabongo K", "2006-05-16"),
         "same_name_same_birth", 90),
        (("Kadiatou|Traoré", "9/4/97"), ("Traore|KADIATOU", "9/4/97"), "same_name_same_birth", 95),
        (("Merhawi|Habtemariam", "7/1/1975"), ("Merhawi|Habtemaryam", "1/7/1975"),
         "same_name_swapped_day_month", 80),
        (("Sana|Chaudhry", "1999"), ("Sana|Chaudhry", "8/4/1999"),
         "same_name_compatible_birth", 70),
        (("Sana|Chaudhry", "circa 1998"), ("Sana|Chaudhry", "1999"),
         "same_name_compatible_birth", 70),
        (("Ahmed|Hassan", "3/5/1999"), ("أحمد|حسن", "3/5/1999"), "similar_name_same_birth", 80),
        (("Ahmed|Abdelrahman", "25/11/99"), ("أحمد|عبد الرحمن", "25/11/99"),
         "similar_name_same_birth", 75),
        (("Mohamed|Ali", "3/5/1999"), ("Muhammad|Aly", "3/5/1999"), "similar_name_same_birth", 75),
        (("Natalia|Kovalenko", "1/2/1990"), ("Наталія|Коваленко", "1/2/1990"),
         "same_name_same_birth", 85),
        (("Nino|Kapanadze", "26/12/1942"), ("Nino|კაპანაძე", "26/12/1942"),
         "similar_name_same_birth", 80),
        (("Hamza|Aït Lahcen", "24/4/2006"), ("Hamza|Ait Lahsen", "24/4/2006"),
         "similar_name_same_birth", 80),
        (("Amadou|Keita", "17/6/1975"), ("Amadou|Keïta", "17/6/1974"), "same_name_close_birth", 60),
        (("Olfa|Ben Ali", ""), ("Olfa|Ben Ali", "16/9/1988"), "same_name_unknown_birth", 50),
        (("Mariama|", "1/3/1990"), ("Mariama|Jallow", "1/3/1990"), "similar_name_same_birth", 80),
    ],
)  # fmt: skip
def test_the_same_person_written_differently_is_suspected(
    a: tuple[str, str], b: tuple[str, str], reason: str, least: int
) -> None:
    found = suspicion(person(*a), person(*b))
    assert found is not None
    assert found.reasons[0] in {reason, reason.replace("similar", "same")}
    assert found.score >= least


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("Mamadou|Fall", "15/6/1984"), ("Mamadou|Fall", "3/2/1999")),
        (("Mamadou|Fall", "1984"), ("Mamadou|Fall", "1999")),
        (("Mamadou|Fall", "03/2005"), ("Mamadou|Fall", "04/2005")),
        (("Mamadou|Fall", "circa 1984"), ("Mamadou|Fall", "1990")),
        (("Mamadou|Fall", "15/6/1984"), ("Aminata|Fall", "15/6/1984")),
        (("Su|O", "8/5/1948"), ("Su|O", "29/1/1965")),
        (("Mariama|Jallow", ""), ("Lamin|Jallow", "")),
        (("Mariama|", ""), ("Mariama|Jallow", "1990")),
        (("Li|Wei", "1/2/1990"), ("Wang|Fang", "1/2/1990")),
        (("", "1/2/1990"), ("", "1/2/1990")),
        (("", ""), ("Awa|Diop", "")),
    ],
)
def test_other_people_are_not_suspected(a: tuple[str, str], b: tuple[str, str]) -> None:
    assert suspicion(person(*a), person(*b)) is None


def test_a_telephone_and_a_similar_name_are_suspected_whatever_the_birth() -> None:
    a = person("Awa|Diop", "1/2/1990", "+393331234567")
    b = person("Awa|Diopp", "3/4/1992", "+393331234567", "+393200000001")
    found = suspicion(a, b)
    assert found is not None
    assert found.reasons == ("same_phone_similar_name",)


def test_a_family_that_shares_a_telephone_is_not_suspected() -> None:
    phone = "+393331234567"
    assert suspicion(person("Awa|Diop", "1/2/1990", phone), person("Modou|Sarr", "", phone)) is None


def test_a_telephone_raises_the_score() -> None:
    bare = suspicion(person("Sana|Butt", "1999"), person("Sana|Butt", "8/4/1999"))
    shared = suspicion(
        person("Sana|Butt", "1999", "+39333"), person("Sana|Butt", "8/4/1999", "+39333")
    )
    assert bare is not None
    assert shared is not None
    assert shared.score > bare.score
    assert shared.reasons[1:] == ("same_phone",)


def test_another_country_of_birth_and_another_sex_lower_the_score() -> None:
    a = person("Sana|Butt", "8/4/1999", country="PAK")
    b = person("Sana|Butt", "8/4/1999", country="IND")
    found = suspicion(a, b)
    assert found is not None
    assert found.score < 95
    assert "other_birth_country" in found.reasons
    one = Identity(given="Sana", family="Butt", birth=born("8/4/1999"), sex=Sex.MALE)
    two = Identity(given="Sana", family="Butt", birth=born("8/4/1999"), sex=Sex.FEMALE)
    found = suspicion(one, two)
    assert found is not None
    assert "other_sex" in found.reasons


def test_the_first_of_january_proves_little() -> None:
    assert compare_births(born("01/01/1990"), born("01/01/1990")) == "compatible"


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        ("5/3/1990", "5/3/1990", "same"),
        ("5/3/1990", "3/5/1990", "swapped"),
        ("5/3/1990", "5/3/1991", "close"),
        ("5/3/1990", "6/3/1990", "close"),
        ("5/3/1990", "6/4/1990", "other"),
        ("5/3/1990", "5/3/1980", "close"),
        ("5/3/1956", "5/3/2001", "other"),
        ("5/3/1990", "03/1990", "compatible"),
        ("5/3/1990", "04/1990", "other"),
        ("5/3/1990", "1990", "compatible"),
        ("circa 1992", "1990", "compatible"),
        ("circa 1993", "1990", "other"),
        ("circa 1993", "circa 1990", "compatible"),
        ("", "1990", "unknown"),
    ],
)
def test_births_are_compared_as_far_as_they_are_known(a: str, b: str, how: str) -> None:
    assert compare_births(born(a), born(b)) == how
    assert compare_births(born(b), born(a)) == how


def test_a_record_has_few_keys() -> None:
    identity = person("Anna María José Luis|dos Santos d'Ávila y Pérez Rodríguez", "circa 1990")
    assert len(blocking_keys(identity)) < 80
    assert blocking_keys(Identity()) == frozenset()


NAMES = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Zs", "Mn"]), max_size=30)
BIRTHS = st.sampled_from(["", "1990", "03/1990", "5/3/1990", "circa 1991", "1/1/1990"]).map(born)
IDENTITIES = st.builds(Identity, given=NAMES, family=NAMES, birth=BIRTHS)


@given(IDENTITIES, IDENTITIES)
def test_comparing_never_fails_and_is_symmetric(a: Identity, b: Identity) -> None:
    found = compare(a, b)
    assert found == compare(b, a)
    assert found is None or 50 <= found.score <= 100


@given(IDENTITIES)
def test_whoever_has_a_name_is_found_again(a: Identity) -> None:
    if compare(a, a):
        assert blocking_keys(a)
