"""Names of countries and languages as people write them."""

import pycountry
import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from togheter_intake.countries import STATELESS, country_code, country_name
from togheter_intake.languages import language_code, language_name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Senegal", "SEN"), ("SENEGAL", "SEN"), ("senegal ", "SEN"), ("senegalese", "SEN"),
        ("PERÙ", "PER"), ("Peru", "PER"), ("PERU'", "PER"), ("Costa d'Avorio", "CIV"),
        ("Costa d’Avorio", "CIV"), ("COSTA D`AVORIO", "CIV"), ("Costa D´Avorio", "CIV"),
        ("Côte d'Ivoire", "CIV"), ("Repubblica Democratica del Congo", "COD"),
        ("Rep. Dem. Congo", "COD"), ("Rep.Dem.Congo", "COD"), ("RDC", "COD"), ("R.D. Congo", "COD"),
        ("Congo, Repubblica democratica del", "COD"), ("Zaire", "COD"), ("Congo", "COG"),
        ("la Gambia", "GMB"), ("Il Gambia", "GMB"), ("Guinea", "GIN"), ("Guinea Conakry", "GIN"),
        ("Guinea-Bissau", "GNB"), ("Guinea Bissau", "GNB"), ("Guinea Equatoriale", "GNQ"),
        ("Niger", "NER"), ("Nigeria", "NGA"), ("nigerina", "NER"), ("nigeriana", "NGA"),
        ("Sudan", "SDN"), ("Sud Sudan", "SSD"), ("Georgia", "GEO"), ("Turchia", "TUR"),
        ("Birmania", "MMR"), ("Myanmar", "MMR"), ("Ceylon", "LKA"), ("Sri Lanka", "LKA"),
        ("Kosovo", "XKX"), ("Palestina", "PSE"), ("Taiwan", "TWN"), ("Hong Kong", "HKG"),
        ("Corea del Sud", "KOR"), ("Corea del Nord", "PRK"), ("Bosnia-Erzegovina", "BIH"),
        ("Bosnia ed Erzegovina", "BIH"), ("Macedonia", "MKD"), ("Moldova", "MDA"),
        ("Russia", "RUS"), ("Federazione Russa", "RUS"), ("Bielorussia", "BLR"),
        ("Stati Uniti d'America", "USA"), ("USA", "USA"), ("Inghilterra", "GBR"),
        ("Olanda", "NLD"), ("Repubblica Ceca", "CZE"), ("Capo Verde", "CPV"),
        ("São Tomé e Príncipe", "STP"), ("Sao Tome e Principe", "STP"), ("Eswatini", "SWZ"),
        ("Swaziland", "SWZ"), ("Timor Est", "TLS"), ("Türkiye", "TUR"), ("Emirati Arabi", "ARE"),
        ("Sahara Occidentale", "ESH"), ("Santo Domingo", "DOM"), ("El Salvador", "SLV"),
        ("apolide", STATELESS), ("Apolidi", STATELESS), ("Jugoslavia", "YUG"), ("ex URSS", "SUN"),
        ("URSS", "SUN"), ("U.R.S.S.", "SUN"), ("Cecoslovacchia", "CSK"), ("DDR", "DDR"),
        ("Serbia e Montenegro", "SCG"), ("marocchina", "MAR"), ("marocchini", "MAR"),
        ("marocchine", "MAR"), ("polacche", "POL"), ("ITA", "ITA"), ("italiana", "ITA"),
        ("Congo (Repubblica del)", "COG"), ("Bangladesch", "BGD"), ("Tibet", "CHN"),
        ("cittadina del Marocco", "MAR"), ("cittadino della Nigeria", "NGA"),
        ("cittadina/o dell'Ecuador", "ECU"), ("cittadino degli Stati Uniti", "USA"),
        ("cittadina marocchina", "MAR"), ("Etiopia (ora Eritrea)", "ERI"),
        ("Corea, Repubblica di", "KOR"), ("Eswatini (ex Swaziland)", "SWZ"),
        ("Corea, Repubblica di (Corea del Sud)", "KOR"), ("Iran, Repubblica Islamica del", "IRN"),
    ],
)  # fmt: skip
def test_a_country_is_recognised(text: str, code: str) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "Mali (Atlantide)",
        "Mali, Niger",
        "Mali (ora Atlantide)",
        "Atlantide (ora Mali)",
        "cittadino",
        "Atlantide",
        "boh",
        "Africa",
        "Europa",
        "Wakanda",
        "",
        "?",
        "Narnia",
    ],
)
def test_what_is_no_country_is_not_recognised(text: str) -> None:
    assert country_code(text) is None


def test_every_country_of_iso_is_recognised_in_italian_in_every_case() -> None:
    names = Locale("it").territories
    for country in pycountry.countries:
        if country.alpha_2 in {"AQ", "BV", "HM"}:  # nobody comes from there
            continue
        name = names[country.alpha_2]
        assert country_code(name) == country.alpha_3
        assert country_code(name.upper()) == country.alpha_3
        assert country_code(country_name(country.alpha_3).lower()) == country.alpha_3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("arabo", "ar"), ("Arabo", "ar"), ("wolof", "wo"), ("bambara", "bm"), ("mandinka", "mnk"),
        ("malinké", "mlq"), ("soninke", "snk"), ("pular", "ff"), ("fula", "ff"), ("peul", "ff"),
        ("dioula", "dyu"), ("twi", "tw"), ("edo", "bin"), ("bini", "bin"), ("igbo", "ig"),
        ("yoruba", "yo"), ("hausa", "ha"), ("pidgin", "pcm"), ("inglese pidgin", "pcm"),
        ("bengalese", "bn"), ("bangla", "bn"), ("urdu", "ur"), ("punjabi", "pa"), ("hindi", "hi"),
        ("tamil", "ta"), ("singalese", "si"), ("dari", "prs"), ("farsi", "fa"), ("pashto", "ps"),
        ("curdo", "ku"), ("sorani", "ckb"), ("tigrino", "ti"), ("amarico", "am"), ("somalo", "so"),
        ("oromo", "om"), ("lingala", "ln"), ("swahili", "sw"), ("tamazight", "tzm"),
        ("berbero", "tzm"), ("cinese", "zh"), ("mandarino", "zh"), ("cantonese", "yue"),
        ("tagalog", "tl"), ("georgiano", "ka"), ("russo", "ru"), ("ucraino", "uk"),
        ("moldavo", "ro"), ("rumeno", "ro"), ("serbo-croato", "sh"), ("albanese", "sq"),
        ("romanès", "rom"), ("portoghese", "pt"), ("brasiliano", "pt"), ("spagnolo", "es"),
        ("français", "fr"), ("العربية", "ar"), ("inglese (poco)", "en"), ("italiano A2", "it"),
        ("un po' di italiano", "it"), ("Ewe", "ee"), ("fon", "fon"),
        ("inglese (parla bene, non scrive)", "en"), ("francese bene", "fr"),
    ],
)  # fmt: skip
def test_a_language_is_recognised(text: str, code: str) -> None:
    assert language_code(text) == code


@pytest.mark.parametrize("text", ["klingon", "elfico", "marziano", "boh", "no", "si", "", "xxx"])
def test_what_is_no_language_is_not_recognised(text: str) -> None:
    assert language_code(text) is None


def test_codes_have_names() -> None:
    assert language_name("prs") == "dari"
    assert country_name("XKX") == "Kosovo"
    assert country_name("YUG") == "YUG"


@given(st.text())
def test_no_text_makes_them_fail(text: str) -> None:
    country_code(text)
    language_code(text)
