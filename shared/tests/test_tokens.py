"""Tokens: only their hash is kept, and their end is immediate."""

from collections.abc import Iterator

import psycopg
import pytest

from togheter_shared.access import tokens
from togheter_shared.access.viewer import Viewer
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase


@pytest.fixture
def conn(database: ServiceDatabase) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        migrate(owner, ["togheter_shared.log"], database.name)
    with psycopg.connect(database.url, autocommit=True) as conn:
        yield conn


def test_minted_tokens_are_long_and_recognisable() -> None:
    token = tokens.mint()
    assert token.startswith("tgh_") and len(token) == 47
    assert token != tokens.mint()


def test_a_token_that_was_added_is_found_with_its_scopes(conn: psycopg.Connection) -> None:
    token = tokens.mint()
    tokens.add(conn, "door", token, ["notes.read", "notes.write"], 1)
    account = tokens.find(conn, token)
    assert account == Viewer(
        name="door", kind="machine", scopes=frozenset({"notes.read", "notes.write"})
    )
    assert account.may("notes.read") and not account.may("metrics")


def test_the_scope_all_grants_every_scope(conn: psycopg.Connection) -> None:
    token = tokens.mint()
    tokens.add(conn, "lead", token, ["all"], 1)
    account = tokens.find(conn, token)
    assert account is not None and account.may("anything")


def test_an_unknown_or_misshapen_token_is_nobody(conn: psycopg.Connection) -> None:
    for token in (tokens.mint(), "", "tgh_", "tgh_\x00", "x" * 10_000, "tgh_" + "é" * 43):
        assert tokens.find(conn, token) is None


def test_a_token_that_has_expired_is_nobody(conn: psycopg.Connection) -> None:
    token = tokens.mint()
    tokens.add(conn, "door", token, ["all"], 0)
    assert tokens.find(conn, token) is None


def test_revoking_a_name_ends_its_tokens_at_once(conn: psycopg.Connection) -> None:
    one, two, other = tokens.mint(), tokens.mint(), tokens.mint()
    for name, token in (("door", one), ("door", two), ("school", other)):
        tokens.add(conn, name, token, ["all"], 1)
    assert tokens.revoke(conn, "door") == 2
    assert tokens.find(conn, one) is None and tokens.find(conn, two) is None
    assert tokens.find(conn, other) is not None


def test_adding_a_token_again_renews_it_but_does_not_bring_it_back(
    conn: psycopg.Connection,
) -> None:
    token = tokens.mint()
    tokens.add(conn, "door", token, ["notes.read"], 0)
    tokens.add(conn, "door", token, ["notes.write"], 1)
    assert tokens.find(conn, token) == Viewer(
        name="door", kind="machine", scopes=frozenset({"notes.write"})
    )
    tokens.revoke(conn, "door")
    tokens.add(conn, "door", token, ["notes.write"], 1)
    assert tokens.find(conn, token) is None


def test_a_token_that_mint_did_not_make_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="mint"):
        tokens.add(conn, "door", "password", ["all"], 1)


def test_the_database_holds_no_token(conn: psycopg.Connection) -> None:
    token = tokens.mint()
    tokens.add(conn, "door", token, ["all"], 1)
    row = conn.execute("select access_token::text from access_token").fetchone()
    assert row is not None and token not in row[0] and token.removeprefix("tgh_") not in row[0]
