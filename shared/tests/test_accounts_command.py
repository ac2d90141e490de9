"""The command `accounts`, on a real database."""

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from togheter_shared.access import accounts
from togheter_shared.run.cli import command_line
from togheter_shared.testing.databases import ServiceDatabase


@pytest.fixture
def environment(
    database: ServiceDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ServiceDatabase:
    for name, value in {
        "TOGHETER_ORG": "ponte",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "AMQP_URL": "amqp://nobody@127.0.0.1:1/",
        "TOGHETER_NETWORK": str(tmp_path),
        "TOGHETER_KEYS": str(tmp_path),
        "TOGHETER_ACCOUNTS_URL": database.url,
        "TOGHETER_ACCOUNTS_OWNER_URL": database.owner_url,
    }.items():
        monkeypatch.setenv(name, value)
    return database


def run(*arguments: str) -> Result:
    main = command_line("togheter_sample.service:SERVICE", "togheter_sample.web:Web")
    return CliRunner().invoke(main, ["accounts", *arguments])


def states() -> dict[str, str]:
    return {item["name"]: item["state"] for item in json.loads(run("list", "--json").stdout)}


def test_an_account_is_made_disabled_enabled_and_reset(environment: ServiceDatabase) -> None:
    assert "run `accounts migrate` first" in run("list").output
    assert run("migrate").exit_code == 0
    assert run("migrate").output == "nothing to do\n"
    made = run("add", "anna", "--role", "caseworker")
    assert made.exit_code == 0 and states() == {"anna": "invited"}
    with psycopg.connect(environment.url, autocommit=True) as conn:
        assert accounts.set_up(conn, made.output.strip(), "a hash")
    assert states() == {"anna": "active"}
    assert run("disable", "anna").exit_code == 0 and states() == {"anna": "disabled"}
    assert run("reset", "anna").exit_code == 1, "a disabled account is enabled first"
    assert run("enable", "anna").exit_code == 0 and states() == {"anna": "active"}
    assert run("roles", "anna", "--role", "reader").exit_code == 0
    assert json.loads(run("list", "--json").stdout)[0]["roles"] == ["reader"]
    assert run("reset", "anna").exit_code == 0 and states() == {"anna": "invited"}


def test_what_cannot_be_done_is_said_with_the_way_out(
    environment: ServiceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("migrate")
    unknown = run("disable", "nobody")
    assert unknown.exit_code == 1 and "accounts list" in unknown.output
    assert run("add", "anna", "--role", "king").exit_code == 2
    run("add", "anna", "--role", "reader")
    assert "already" in run("add", "anna", "--role", "reader").output
    monkeypatch.delenv("TOGHETER_ACCOUNTS_URL")
    missing = run("list")
    assert missing.exit_code == 2 and "TOGHETER_ACCOUNTS_URL" in missing.output
