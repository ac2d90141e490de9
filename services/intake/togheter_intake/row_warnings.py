"""What does not agree in an accepted row: somebody should look, nobody is refused for it."""

from typing import TYPE_CHECKING

from togheter_intake.countries import EU
from togheter_intake.identifiers import family_code, given_code, holder, is_latin
from togheter_intake.problems import Problem, ProblemKind
from togheter_intake.register import Layout
from togheter_shared.contracts.intake import BirthPrecision, IdentifierKind, Sex

if TYPE_CHECKING:
    from togheter_intake.register_rows import RegisterRow

_STATED = (BirthPrecision.DAY, BirthPrecision.MONTH, BirthPrecision.YEAR)


def warnings_of(row: "RegisterRow", layout: Layout, birth_text: str = "") -> tuple[Problem, ...]:
    """The warnings of a row; `birth_text` is what its cell of the date of birth says."""
    found: list[Problem] = []

    def warn(field: str, code: str, what: str, way_out: str) -> None:
        found.append(Problem(layout.column(field), code, what, way_out, ProblemKind.WARNING))

    identifier = row.identifier
    if identifier is not None and identifier.kind is IdentifierKind.CODICE_FISCALE:
        for code, what in _codice_fiscale(row, identifier.value):
            warn("identifier", code, what, "confronta il documento con quanto dichiarato")
    if identifier is not None and identifier.kind is IdentifierKind.OTHER:
        warn(
            "identifier",
            "identifier_other",
            "non è un codice: è stato preso come il numero di un altro documento",
            "se è un codice fiscale, STP o ENI, ricopialo intero",
        )
    european = bool(EU.intersection(row.citizenships))
    if identifier is not None and identifier.kind is IdentifierKind.ENI and not european:
        if row.citizenships:
            warn(
                "identifier",
                "eni_not_eu",
                "un codice ENI è di chi ha la cittadinanza di un paese dell'Unione europea",
                "controlla il codice e la cittadinanza",
            )
    elif identifier is not None and identifier.kind is IdentifierKind.STP and european:
        warn(
            "identifier",
            "stp_eu",
            "un codice STP è di chi non ha la cittadinanza di un paese dell'Unione europea",
            "controlla il codice e la cittadinanza",
        )
    if row.title_expires is not None and row.title_expires < row.on:
        warn(
            "title_expires",
            "title_expired",
            "il titolo di soggiorno era già scaduto il giorno dell'accesso",
            "verifica se è in rinnovo",
        )
    if row.birth.precision is BirthPrecision.UNKNOWN and any(c.isdigit() for c in birth_text):
        warn(
            "birth",
            "birth_vague",
            "della data di nascita non si conosce nemmeno l'anno: resta sconosciuta",
            "se si sa, scrivi «circa» e l'anno",
        )
    return tuple(found)


def _codice_fiscale(row: "RegisterRow", value: str) -> list[tuple[str, str]]:
    says = holder(value)
    found = []
    family, given = (row.name.family, row.name.given) if row.name else ("", "")
    if family and given and is_latin(family + given):
        codes = (family_code(family), given_code(given))
        if codes != (says.family, says.given):
            found.append(
                ("identifier_name", "il codice fiscale non corrisponde al nome dichiarato")
            )
    birth = row.birth
    if birth.precision in _STATED and birth.year is not None:
        agree = (
            birth.year % 100 == says.year
            and birth.month in (None, says.month)
            and birth.day in (None, says.day)
        )
        if not agree:
            found.append(("identifier_birth", "il codice fiscale ha un'altra data di nascita"))
    if row.sex in (Sex.FEMALE, Sex.MALE) and row.sex is not says.sex:
        found.append(("identifier_sex", "il codice fiscale è di una persona dell'altro sesso"))
    abroad = says.place.startswith("Z")
    if row.birth_country is not None and abroad == (row.birth_country == "ITA"):
        where = "all'estero" if abroad else "in Italia"
        found.append(("identifier_place", f"secondo il codice fiscale la persona è nata {where}"))
    return found
