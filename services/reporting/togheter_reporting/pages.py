"""The pages of reporting: where their templates lie, and the navigation."""

from pathlib import Path

from togheter_shared.web.language import N_
from togheter_shared.web.render import Entry, Pages

PAGES = Pages(
    Path(__file__).parent,
    N_("Reports"),
    (
        Entry(operation="GET /", words=N_("Reports")),
        Entry(operation="GET /releases", words=N_("Published data")),
        Entry(operation="GET /network", words=N_("State of the network")),
    ),
)
