"""All files of a release, made once when it is published."""

from collections.abc import Iterator

from togheter_reporting.catalogue import Report
from togheter_reporting.disclosure.cells import Plan
from togheter_reporting.disclosure.ledger import File, Published
from togheter_reporting.exports import data, sheets
from togheter_reporting.exports.document import document_of
from togheter_reporting.exports.pdf import pdf_bytes

CSV = "text/csv; charset=utf-8"
JSON = "application/json"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
PARQUET = "application/vnd.apache.parquet"
PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def files_of(report: Report, plan: Plan, found: Published) -> Iterator[File]:
    """CSV, JSON, ODS, PDF, XLSX, and Parquet when its extra is installed."""
    document = document_of(report, plan, found)
    stem = document.stem
    yield File(name=f"{stem}.csv", media=CSV, body=data.csv_bytes(document))
    yield File(name=f"{stem}.json", media=JSON, body=data.json_bytes(document))
    yield File(name=f"{stem}.ods", media=ODS, body=sheets.ods_bytes(document))
    yield File(name=f"{stem}.pdf", media=PDF, body=pdf_bytes(document))
    yield File(name=f"{stem}.xlsx", media=XLSX, body=sheets.xlsx_bytes(document))
    parquet = data.parquet_bytes(document)
    if parquet is not None:
        yield File(name=f"{stem}.parquet", media=PARQUET, body=parquet)
