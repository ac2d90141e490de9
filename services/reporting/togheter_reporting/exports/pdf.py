"""A release as a document to print and to read aloud: PDF/UA by WeasyPrint."""

from pathlib import Path

from togheter_reporting.exports.document import Document
from togheter_shared.web.render import Pages

HERE = Path(__file__).parent


class MissingLibrary(Exception):
    """WeasyPrint does not find Pango; the message says what to install."""


def pdf_bytes(document: Document) -> bytes:
    """PDF/UA-1: tagged, titled, in Italian. Raises `MissingLibrary`."""
    try:
        from weasyprint import CSS, HTML
    except OSError as error:
        raise MissingLibrary(
            "a release cannot be printed without Pango;"
            " run: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        ) from error
    page = Pages(HERE.parent).document(
        "release_print.html", "it", document=document, tables=document.sheets
    )
    made: bytes = HTML(string=page, url_fetcher=_nothing).write_pdf(
        stylesheets=[CSS(string=(HERE / "print.css").read_text("utf-8"))],
        pdf_variant="pdf/ua-1",
    )
    return made


def _nothing(url: str) -> dict[str, str]:
    """What the page asks for from elsewhere is not fetched."""
    raise ValueError("a release has everything in itself")
