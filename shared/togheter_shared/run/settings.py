"""The settings of a process, read from the environment and checked whole at start."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import Env, EnvError

from togheter_shared.privacy.organisation import PrivacyKeyUnreadable, read_keys

EXAMPLE = "deploy/partner/env.example"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(Exception):
    """The environment is not complete; the text names every variable at fault and the way out."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a process needs to know. URLs hold passwords, so they are never printed."""

    organisation: str
    service: str | None
    database_url: str = field(repr=False)
    owner_database_url: str | None = field(repr=False)
    amqp_url: str = field(repr=False)
    network: Path
    keys: Path
    http_host: str = "127.0.0.1"
    http_port: int = 8000
    log_level: str = "INFO"
    accounts_url: str | None = field(default=None, repr=False)
    owner_accounts_url: str | None = field(default=None, repr=False)
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str | None = None


def read(environment: Mapping[str, str] | None = None, *, service: str | None = None) -> Settings:
    """The settings in `environment` (or the process's own); `service` is the command's.

    Raises `SettingsError`, once, for everything that is missing or wrong. No value is shown.
    """
    found = _Reader(environment)
    organisation = found.take("TOGHETER_ORG", _name)
    named = found.take("TOGHETER_SERVICE", _name, default=None)
    database = found.take("DATABASE_URL", _url("postgresql", "postgres"))
    owner = found.take("TOGHETER_OWNER_DATABASE_URL", _url("postgresql", "postgres"), default=None)
    accounts = found.take("TOGHETER_ACCOUNTS_URL", _url("postgresql", "postgres"), default=None)
    owner_accounts = found.take(
        "TOGHETER_ACCOUNTS_OWNER_URL", _url("postgresql", "postgres"), default=None
    )
    amqp = found.take("AMQP_URL", _url("amqp", "amqps"))
    network = found.take("TOGHETER_NETWORK", _existing)
    keys = found.take("TOGHETER_KEYS", _existing)
    found.take("TOGHETER_PRIVACY_KEY", _privacy_key)
    address = found.take("TOGHETER_HTTP", _address, default=("127.0.0.1", 8000))
    smtp = found.take("TOGHETER_SMTP", _url("smtp", "smtps"), default=None)
    sender = found.take("TOGHETER_MAIL_FROM", _mail, default=None)
    level = found.take("TOGHETER_LOG_LEVEL", _level, default="INFO")
    if service and named and named != service:
        found.wrong("TOGHETER_SERVICE", f"names another service than the command ({service})")
    if found.faults:
        raise SettingsError("\n".join(found.faults))
    return Settings(
        organisation=organisation,
        service=service or named,
        database_url=database,
        owner_database_url=owner,
        amqp_url=amqp,
        network=network,
        keys=keys,
        http_host=address[0],
        http_port=address[1],
        log_level=level,
        accounts_url=accounts,
        owner_accounts_url=owner_accounts,
        smtp_url=smtp,
        mail_from=sender,
    )


class _Wrong(ValueError):
    pass


_REQUIRED = object()


class _Reader:
    def __init__(self, environment: Mapping[str, str] | None) -> None:
        self._env = Env()
        self._environment = environment
        self.faults: list[str] = []

    def take(self, name: str, check: Callable[[str], Any], default: Any = _REQUIRED) -> Any:
        value = self._value(name)
        if value is None or not value.strip():
            if default is _REQUIRED:
                self.faults.append(f"{name} is not set; see {EXAMPLE}")
            return default
        try:
            return check(value.strip())
        except _Wrong as fault:
            self.wrong(name, str(fault))
        return None

    def wrong(self, name: str, reason: str) -> None:
        self.faults.append(f"{name} {reason}; see {EXAMPLE}")

    def _value(self, name: str) -> str | None:
        if self._environment is not None:
            return self._environment.get(name)
        try:
            return self._env.str(name, default=None)
        except EnvError:
            return None


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,38}", value):
        raise _Wrong("must be lower-case letters, digits, - and _, at most 39, a letter first")
    return value


def _url(*schemes: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            port_is_good = parts.port is None or parts.port > 0
        except ValueError:
            port_is_good = False
        if not port_is_good or parts.scheme not in schemes:
            raise _Wrong(f"is not a URL that starts with {schemes[0]}://")
        return value

    return check


def _mail(value: str) -> str:
    if not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", value):
        raise _Wrong("is not a mail address")
    return value


def _existing(value: str) -> Path:
    path = Path(value)
    if not path.exists():
        raise _Wrong("names a path that does not exist")
    return path


def _privacy_key(value: str) -> str:
    try:
        read_keys(value)
    except PrivacyKeyUnreadable as error:
        raise _Wrong(f"does not lead to a key: {error}") from None
    return value


def _address(value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise _Wrong("must be an address and a port, such as 127.0.0.1:8000")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _level(value: str) -> str:
    if value.upper() not in LEVELS:
        raise _Wrong(f"must be one of {', '.join(LEVELS)}")
    return value.upper()
