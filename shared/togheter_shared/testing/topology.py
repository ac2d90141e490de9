"""What the broker is told: who exists in the network, and what each may write and read."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

EXCHANGE = "togheter.events"
VHOST = "togheter"
REPORTING = "reporting"


class Definitions(TypedDict):
    """RabbitMQ's own format of definitions, as far as we use it."""

    vhosts: list[dict[str, Any]]
    users: list[dict[str, Any]]
    permissions: list[dict[str, Any]]
    topic_permissions: list[dict[str, Any]]
    exchanges: list[dict[str, Any]]


def definitions(organisations: Mapping[str, bool], passwords: Mapping[str, str]) -> Definitions:
    """The network's exchange, and a user with permissions for each organisation.

    `organisations` maps an organisation's id to whether it hosts the city's reporting.
    """
    return {
        "vhosts": [{"name": VHOST}],
        "users": [user(name, passwords[name]) for name in organisations],
        "permissions": [permission(name) for name in organisations],
        "topic_permissions": [
            topic_permission(name, reporting=reporting) for name, reporting in organisations.items()
        ],
        "exchanges": [exchange()],
    }


def exchange() -> dict[str, Any]:
    """The one exchange. Partners find it there, and may not declare it."""
    return {
        "name": EXCHANGE,
        "vhost": VHOST,
        "type": "topic",
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def user(name: str, password: str, tags: Iterable[str] = ()) -> dict[str, Any]:
    """A user with a hashed password."""
    return {
        "name": name,
        "password_hash": password_hash(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": list(tags),
    }


def password_hash(password: str) -> str:
    """RabbitMQ's salted SHA-256.

    The salt comes from the password, which is long and random: the same password gives the same
    definitions, so an unchanged network is recognised.
    """
    salt = hashlib.sha256(b"salt\x00" + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def permission(organisation: str) -> dict[str, Any]:
    """Own queues to declare; own queues and the exchange to write to and to read from."""
    own = re.escape(organisation)
    reach = rf"^({own}\..*|{re.escape(EXCHANGE)})$"
    return {
        "user": organisation,
        "vhost": VHOST,
        "configure": rf"^{own}\.",
        "write": reach,
        "read": reach,
    }


def topic_permission(organisation: str, *, reporting: bool) -> dict[str, Any]:
    """Own routing keys to publish with, and the channels that the organisation may bind.

    `<org>.<service>.<channel>`, where channel is `directory`, `reporting` or `to.<organisation>`;
    and `<org>.<service>.resend.<origin organisation>.<origin service>`.
    """
    own = re.escape(organisation)
    readable = ["directory", rf"to\.{own}", rf"resend\.{own}\.[^.]+"]
    if reporting:
        readable.append(REPORTING)
    return {
        "user": organisation,
        "vhost": VHOST,
        "exchange": EXCHANGE,
        "write": rf"^{own}\.[^.]+\.",
        "read": rf"^[^.]+\.[^.]+\.({'|'.join(readable)})$",
    }


def administrator(name: str, password: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The user of the people who run the broker, and its permission."""
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return user(name, password, ["administrator"]), {"user": name, "vhost": VHOST, **everything}
