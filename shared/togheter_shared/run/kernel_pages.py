"""The pages that every service has: the choice of a language, and the accessibility declaration."""

from __future__ import annotations

from togheter_shared.run.operation import HTML, Answer, Operation, Refusal, Request, see_other
from togheter_shared.web.language import COOKIE, LANGUAGES
from togheter_shared.web.render import Pages

A_YEAR = 365 * 24 * 3600

LANGUAGE = Operation(
    kind="page",
    method="POST",
    url="/language",
    scope=None,
    summary="Choose the language of pages",
    media=HTML,
    max_body=4096,
)
ACCESSIBILITY = Operation(
    kind="page",
    method="GET",
    url="/accessibility",
    scope=None,
    summary="The accessibility declaration",
    media=HTML,
)


def change_language(request: Request) -> Answer:
    """Remember the language in this browser, and go back to the page."""
    language = request.form.get("language", "")
    if language not in LANGUAGES:
        raise Refusal(400, "bad_request")
    try:
        answer = see_other(request.form.get("next") or "/")
    except ValueError:
        answer = see_other("/")
    cookie = f"{COOKIE}={language}; Path=/; Max-Age={A_YEAR}; Secure; HttpOnly; SameSite=Lax"
    return Answer(answer.status, answer.body, {**answer.headers, "Set-Cookie": cookie})


def accessibility(pages: Pages, request: Request) -> str:
    """The declaration that the footer of every page leads to."""
    return pages("accessibility.html", request)
