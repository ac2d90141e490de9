"""Settings are checked whole, and say what is missing without a value."""

from pathlib import Path

import pytest

from togheter_shared.run.settings import SettingsError, read
from togheter_shared.testing.privacy import PRIVACY

SECRET = "hunter2-secret"


def environment(tmp_path: Path, **changes: str | None) -> dict[str, str]:
    whole: dict[str, str | None] = {
        "TOGHETER_ORG": "comune",
        "DATABASE_URL": f"postgresql://u:{SECRET}@127.0.0.1:5432/db",
        "AMQP_URL": f"amqp://u:{SECRET}@127.0.0.1:5672/",
        "TOGHETER_NETWORK": str(tmp_path),
        "TOGHETER_KEYS": str(tmp_path),
        **PRIVACY,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def test_a_whole_environment_is_read_with_the_defaults(tmp_path: Path) -> None:
    found = read(environment(tmp_path), service="intake")
    assert (found.organisation, found.service) == ("comune", "intake")
    assert (found.http_host, found.http_port, found.log_level) == ("127.0.0.1", 8000, "INFO")
    assert found.owner_database_url is None


def test_everything_that_is_missing_is_named_in_one_message() -> None:
    with pytest.raises(SettingsError) as refused:
        read({})
    lines = str(refused.value).splitlines()
    assert "TOGHETER_ORG is not set; see deploy/partner/env.example" in lines
    assert {line.split()[0] for line in lines} == {
        "TOGHETER_ORG",
        "DATABASE_URL",
        "AMQP_URL",
        "TOGHETER_NETWORK",
        "TOGHETER_KEYS",
        "TOGHETER_PRIVACY_KEY",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOGHETER_ORG", "Comune di X"),
        ("TOGHETER_ORG", "a.b"),
        ("DATABASE_URL", f"mysql://{SECRET}"),
        ("DATABASE_URL", f"postgresql://u:{SECRET}@h:99999/x"),
        ("AMQP_URL", SECRET),
        ("TOGHETER_OWNER_DATABASE_URL", SECRET),
        ("TOGHETER_NETWORK", "/nowhere/at/all"),
        ("TOGHETER_KEYS", "/nowhere/at/all"),
        ("TOGHETER_PRIVACY_KEY", "file:/nowhere/at/all"),
        ("TOGHETER_PRIVACY_KEY", f"command:echo {SECRET}"),
        ("TOGHETER_PRIVACY_KEY", SECRET),
        ("TOGHETER_HTTP", "8000"),
        ("TOGHETER_HTTP", "127.0.0.1:99999"),
        ("TOGHETER_LOG_LEVEL", "LOUD"),
        ("TOGHETER_SERVICE", "courses"),
    ],
)
def test_what_is_wrong_is_named_and_its_value_is_not_shown(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        read(environment(tmp_path, **{name: value}), service="intake")
    assert str(refused.value).startswith(f"{name} ")
    assert len(str(refused.value).splitlines()) == 1
    assert SECRET not in str(refused.value)


def test_an_address_may_be_of_the_sixth_version(tmp_path: Path) -> None:
    found = read(environment(tmp_path, TOGHETER_HTTP="[::1]:8080"))
    assert (found.http_host, found.http_port) == ("::1", 8080)


def test_passwords_are_not_in_the_printed_settings(tmp_path: Path) -> None:
    assert SECRET not in repr(read(environment(tmp_path)))
