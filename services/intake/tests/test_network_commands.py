"""The commands that every service has for the network: quarantine, epochs, keys."""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from togheter_shared.log.head import Head, LiveSigner
from togheter_shared.log.network import LiveNetwork
from togheter_shared.privacy.keys import generate_keys, is_signed, key_id, load_keys
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY


class Commands:
    """`togheter-intake` with the settings of one organisation."""

    def __init__(self, intake: ServiceDatabase, folder: Path) -> None:
        self.keys, self.network = folder / "keys.json", folder / "network.json"
        self.keys.write_text(json.dumps(generate_keys()))
        self.register([{"key": load_keys(self.keys).sign_public}])
        self._env = {
            "PATH": os.environ["PATH"],
            "TOGHETER_ORG": "ponte",
            "DATABASE_URL": intake.url,
            "TOGHETER_OWNER_DATABASE_URL": intake.owner_url,
            "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",
            "TOGHETER_NETWORK": str(self.network),
            "TOGHETER_KEYS": str(self.keys),
            **PRIVACY,
            "USER": "anna",
            "LOGNAME": "anna",
        }

    def register(self, sign_keys: list[dict[str, str]]) -> None:
        """The municipality sends a new registry."""
        ponte = {
            "id": "ponte",
            "name": "Il Ponte",
            "services": ["intake"],
            "seal_key": load_keys(self.keys).seal_public,
            "sign_keys": sign_keys,
        }
        self.network.write_text(json.dumps({"organisations": [ponte]}))

    def run(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "togheter_intake.cli", *words],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code))


@pytest.fixture
def commands(intake: ServiceDatabase, tmp_path: Path) -> Commands:
    return Commands(intake, tmp_path)


def test_what_is_in_quarantine_is_shown_without_a_value_and_given_up_with_a_reason(
    commands: Commands, conn: psycopg.Connection
) -> None:
    assert commands.json("quarantine", "list") == []
    conn.execute(
        "insert into quarantine (origin, channel, number, reason, body, body_hash) values"
        " ('scuola.courses', 'to.ponte', 4, 'not an object', 'Canarino', sha256('Canarino'))"
    )
    [item] = commands.json("quarantine", "list")
    id_ = str(item["id"])
    shown = commands.run("quarantine", "show", id_)
    assert "bytes: 8" in shown and "not an object" in shown and "Canarino" not in shown
    assert "Canarino" not in json.dumps(commands.json("quarantine", "show", id_))
    assert "see `quarantine list`" in commands.run("quarantine", "show", "999", code=1)
    commands.run("quarantine", "discard", id_, code=2)
    assert "reason" in commands.run("quarantine", "discard", id_, "--reason", " ", code=2)
    commands.run("quarantine", "discard", id_, "--reason", "rumore")
    assert commands.json("quarantine", "list") == []
    [decided] = commands.json("quarantine", "list", "--resolved")
    assert decided["resolution"] == "discarded: rumore (anna)"
    commands.run("quarantine", "discard", id_, "--reason", "rumore", code=1)


def test_a_dispute_is_shown_and_a_new_epoch_ends_it(
    commands: Commands, conn: psycopg.Connection
) -> None:
    assert commands.json("epoch", "status") == []
    conn.execute("insert into feed_channel (channel) values ('directory')")
    conn.execute(
        "insert into feed_epoch (channel, ordinal, epoch)"
        " select channel, 1, epoch from feed_channel"
    )
    conn.execute(
        "insert into feed_dispute (channel, requester, epoch, number, common_number)"
        " select channel, 'scuola.referrals', epoch, 7, 0 from feed_channel"
    )
    [dispute] = commands.json("epoch", "status", code=3)
    assert (dispute["requester"], dispute["number"]) == ("scuola.referrals", 7)
    assert "scuola.referrals holds up to number 7" in commands.run("epoch", "status", code=3)
    assert json.loads(commands.run("doctor", "--json", code=3))["channels_disputed"] == 1
    commands.run("epoch", "start", "--yes", code=2)
    assert commands.run("epoch", "start", "--reason", "prova", code=1)  # nobody said yes
    [begun] = commands.json("epoch", "start", "--reason", "backup di ieri", "--yes")
    assert (begun["channel"], begun["orphaned"]) == ("directory", 7)
    assert commands.json("epoch", "status") == []
    row = conn.execute("select actor, reason from feed_epoch where ordinal = 2").fetchone()
    assert row == ("anna", "backup di ieri")


def test_a_key_is_replaced_while_the_service_runs(commands: Commands) -> None:
    signer, network = LiveSigner(commands.keys), LiveNetwork(commands.network)
    old = load_keys(commands.keys).sign_public
    assert "see `keys prepare`" in commands.run("keys", "activate", code=1)
    new = commands.run("keys", "prepare").strip()
    assert commands.run("keys", "prepare").strip() == new
    assert signer().key == key_id(old), "nothing is signed with it yet"
    told = commands.run("keys", "activate", code=1)
    assert "give its public half to the municipality" in told
    commands.register([{"key": old}, {"key": new}])
    assert {row["key"]: row["here"] for row in commands.json("keys", "list")} == {
        key_id(old): "signs",
        key_id(new): "prepared",
    }
    assert commands.run("keys", "activate").strip() == key_id(new)
    assert signer().key == key_id(new)
    assert _is_believed(network, signer)
    revoked = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    commands.register([{"key": old, "until": revoked}, {"key": new, "until": revoked}])
    assert not _is_believed(network, signer), "revoked: not believed from the next message on"
    assert [row["registry"] for row in commands.json("keys", "list")] == ["not believed now"] * 2
    assert commands.keys.stat().st_mode & 0o077 == 0


def test_a_registry_that_cannot_be_read_changes_nothing_and_is_spoken_of(
    commands: Commands,
) -> None:
    signer, network = LiveSigner(commands.keys), LiveNetwork(commands.network)
    commands.network.write_text("{")
    assert _is_believed(network, signer)
    assert network.problem is not None and "network.json" in network.problem
    told = commands.json("doctor", code=3)
    assert "ask the municipality for a new copy" in told["registry"] and told["keys"] == "ok"
    commands.keys.write_text("{")
    assert signer().key == key_id_before(network)
    commands.network.unlink()
    assert _is_believed(network, signer)


def key_id_before(network: LiveNetwork) -> str:
    found = network().organisation("ponte")
    assert found is not None
    return key_id(found.sign_keys[0].key)


def _is_believed(network: LiveNetwork, signer: LiveSigner) -> bool:
    head = Head(
        origin="ponte.intake",
        channel="directory",
        epoch=uuid4(),
        number=1,
        hash=b"x",
        at=datetime.now(UTC),
    )
    document = json.loads(signer().sign(head))
    signature = base64.b64decode(document["signature"])
    found = network().organisation("ponte")
    assert found is not None
    assert any(is_signed(k.key, signature, head.statement()) for k in found.sign_keys)
    return network().is_signed("ponte", document["key"], signature, head.statement())
