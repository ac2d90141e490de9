"""The catalogue of public releases for open-data portals: DCAT-AP_IT as JSON-LD."""

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from togheter_reporting.catalogue import Report
from togheter_reporting.disclosure.ledger import Entry

JSON_LD = "application/ld+json"
_FORMATS = "http://publications.europa.eu/resource/authority/file-type/"
FORMATS = {"csv": "CSV", "json": "JSON", "xlsx": "XLSX", "ods": "ODS", "pdf": "PDF"}
FORMATS |= {"parquet": "PARQUET"}
_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatapit": "http://dati.gov.it/onto/dcatapit#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

File = tuple[str, str, str, int]
"""Name, media type, ETag and size in bytes."""


def catalogue_of(
    releases: Iterable[tuple[Report, Entry, Sequence[File]]], place: str = "/releases"
) -> dict[str, Any]:
    """The catalogue: a dataset for each release, a distribution for each of its files.

    Addresses are relative to where the document was read, as JSON-LD has it.
    """
    publisher = tomllib.loads((Path(__file__).parent / "publisher.toml").read_text("utf-8"))
    holder = {
        "@id": f"{place}#publisher",
        "@type": ["dcatapit:Agent", "foaf:Agent"],
        "foaf:name": publisher["name"],
        "dct:identifier": publisher["identifier"],
    }
    listed = list(releases)
    return {
        "@context": _CONTEXT,
        "@id": f"{place}#catalogue",
        "@type": ["dcatapit:Catalog", "dcat:Catalog"],
        "dct:title": _text(f"Dati aperti di TOGHETER, {publisher['name']}"),
        "dct:description": _text(
            "Le figure pubbliche del programma di inclusione, protette perché nessuno vi sia"
            " riconosciuto."
        ),
        "dct:publisher": holder,
        "dct:language": _reference("http://publications.europa.eu/resource/authority/language/ITA"),
        "dct:modified": [_date(max((entry for _, entry, _ in listed), key=_number))]
        if listed
        else [],
        "dcat:dataset": [
            _dataset(report, entry, files, publisher, holder["@id"], place)
            for report, entry, files in listed
        ],
    }


def _dataset(
    report: Report,
    entry: Entry,
    files: Sequence[File],
    publisher: dict[str, str],
    holder: object,
    place: str,
) -> dict[str, Any]:
    return {
        "@id": f"{place}/{entry.number}",
        "@type": ["dcatapit:Dataset", "dcat:Dataset"],
        "dct:identifier": f"{publisher['identifier']}:togheter:{entry.number}",
        "dct:title": _text(f"{report.title} ({entry.released_at:%d/%m/%Y})"),
        "dct:description": _text(report.description),
        "dct:issued": _date(entry),
        "dct:modified": _date(entry),
        "dct:accrualPeriodicity": _reference(publisher["frequency"]),
        "dcat:theme": _reference(publisher["theme"]),
        "dct:rightsHolder": _reference(holder),
        "dct:publisher": _reference(holder),
        "dct:language": _reference("http://publications.europa.eu/resource/authority/language/ITA"),
        "owl:versionInfo": str(entry.number),
        "dcat:distribution": [_distribution(file, entry, publisher, place) for file in files],
    }


def _distribution(
    file: File, entry: Entry, publisher: dict[str, str], place: str
) -> dict[str, Any]:
    name, media, _, size = file
    address = f"{place}/{entry.number}/files/{name}"
    return {
        "@id": address,
        "@type": ["dcatapit:Distribution", "dcat:Distribution"],
        "dct:title": _text(name),
        "dcat:accessURL": _reference(f"{place}/{entry.number}"),
        "dcat:downloadURL": _reference(address),
        "dct:format": _reference(_FORMATS + FORMATS[name.rpartition(".")[2]]),
        "dcat:mediaType": media,
        "dcat:byteSize": {"@value": str(size), "@type": "xsd:decimal"},
        "dct:modified": _date(entry),
        "dct:license": {
            "@id": publisher["licence"],
            "@type": ["dcatapit:LicenseDocument", "dct:LicenseDocument"],
            "foaf:name": _text(publisher["licence_name"]),
            "dct:type": _reference("http://purl.org/adms/licencetype/Attribution"),
        },
    }


def _number(entry: Entry) -> int:
    return entry.number


def _text(text: str) -> dict[str, str]:
    return {"@value": text, "@language": "it"}


def _reference(address: object) -> dict[str, object]:
    return {"@id": address}


def _date(entry: Entry) -> dict[str, str]:
    return {"@value": f"{entry.released_at:%Y-%m-%d}", "@type": "xsd:date"}
