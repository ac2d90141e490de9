"""What nameko does by itself, and so why no web process of ours publishes or handles events.

Where one of these fails, nameko has changed: the decision on engine and web can be looked at anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kombu

from togheter_shared.testing.servers import Broker

SCRIPT = Path(__file__).with_name("nameko_service.py")
NOBODY = "amqp://nobody:nothing@127.0.0.1:1/"


@contextmanager
def nameko(kind: str, url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SCRIPT), kind, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_service_that_may_publish_does_not_start_without_a_broker() -> None:
    with nameko("publishing", NOBODY) as process:
        assert process.wait(timeout=60) != 0
        assert process.stdout is not None
        assert "started" not in process.stdout.read()


def test_a_handler_that_fails_loses_its_event(broker: Broker) -> None:
    with nameko("handling", broker.admin_url) as process, kombu.Connection(broker.admin_url) as own:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        channel = own.channel()
        name = "evt-origin-told--handling.on_told"
        producer = kombu.Producer(channel)
        producer.publish(
            json.dumps("x"),
            exchange="origin.events",
            routing_key="told",
            content_type="application/json",
            content_encoding="utf-8",
        )
        assert process.stdout.readline() == "handled\n"
        process.terminate()  # it ends in good order: what it has in hand is settled first
        assert process.wait(timeout=60) == 0
        deadline = time.monotonic() + 30
        while channel.queue_declare(name, passive=True).consumer_count:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert channel.queue_declare(name, passive=True).message_count == 0, "it comes again"
        channel.queue_delete(name)
        channel.exchange_delete("origin.events")
