"""Which error becomes which problem, where no request is needed to tell."""

import psycopg
import psycopg_pool
import pytest
from marshmallow import ValidationError

from togheter_shared.access.viewer import NOBODY
from togheter_shared.log.store import Conflict, KeyReused
from togheter_shared.run.operation import NotFound, Request, see_other
from togheter_shared.run.problems import problem_of
from togheter_shared.web.language import language_of

CANARY = "Mario-Canary-Rossi"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (KeyReused(), 422, "idempotency_key_reused"),
        (Conflict(), 409, "conflict"),
        (NotFound("no_person"), 404, "no_person"),
        (psycopg.OperationalError(CANARY), 503, "unavailable"),
        (psycopg.errors.QueryCanceled(CANARY), 503, "unavailable"),
        (psycopg.errors.DeadlockDetected(CANARY), 503, "unavailable"),
        (psycopg.InterfaceError(CANARY), 503, "unavailable"),
        (psycopg_pool.PoolTimeout(CANARY), 503, "unavailable"),
        (psycopg_pool.TooManyRequests(CANARY), 503, "unavailable"),
        (psycopg.errors.UniqueViolation(CANARY), 500, "internal"),
        (psycopg.DataError(CANARY), 500, "internal"),
        (KeyError(CANARY), 500, "internal"),
        (UnicodeDecodeError("utf-8", b"", 0, 1, CANARY), 500, "internal"),
    ],
)
@pytest.mark.parametrize("language", ["it", "en"])
def test_an_error_has_its_status_and_code_and_no_text_of_its_own(
    error: Exception, status: int, code: str, language: str
) -> None:
    problem = problem_of(error, language)
    assert (problem.status, problem.code) == (status, code)
    assert CANARY not in str(problem.document())
    assert status != 503 or "Retry-After" in problem.headers


def test_a_validation_with_thousands_of_faults_is_answered_with_the_first_hundred() -> None:
    error = ValidationError({f"field{number}": ["Unknown field."] for number in range(5_000)})
    assert len(problem_of(error).errors) == 100


def test_the_name_of_a_field_that_came_from_outside_is_cut() -> None:
    error = ValidationError({"x" * 10_000: ["Unknown field."]})
    assert len(problem_of(error).errors[0][0]) == 100


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "it"),
        ("en", "en"),
        ("it,en;q=0.9", "it"),
        ("fr,en;q=0.9,it;q=0.1", "fr"),
        ("de,en;q=0.9,it;q=0.1", "en"),
        ("arn", "it"),
        ("en-GB, it-IT;q=0.8", "en"),
        ("ar", "ar"),
        ("en;q=zzz;;,", "en"),
        ("\x00" * 10_000, "it"),
    ],
)
def test_the_language_is_the_preferred_one_of_ours_and_italian_when_there_is_none(
    header: str, language: str
) -> None:
    assert language_of(header) == language


def test_a_fingerprint_tells_one_request_from_another() -> None:
    from uuid import uuid4

    def request(**changes: object) -> bytes:
        given: dict[str, object] = {"route": "POST /a/<x>", "path": {"x": 1}, "raw": b"{}"}
        return Request(viewer=NOBODY, correlation_id=uuid4(), **{**given, **changes}).fingerprint  # type: ignore[arg-type]

    assert request() == request()
    assert len({request(), request(path={"x": 2}), request(raw=b"{ }"), request(route="b")}) == 4


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
def test_a_redirect_never_leads_elsewhere(url: str) -> None:
    with pytest.raises(ValueError, match="path"):
        see_other(url)
