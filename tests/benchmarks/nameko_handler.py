"""The peer of `latency`, its receiving half: a nameko service that inserts a row for each event."""

import os

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"  # or the driver holds up every green thread

import eventlet

eventlet.monkey_patch()

# ruff: noqa: E402
import sys
from typing import Any

import psycopg
from nameko.containers import ServiceContainer
from nameko.events import event_handler
from nameko.extensions import DependencyProvider


class Rows(DependencyProvider):  # type: ignore[misc]
    """One connection in autocommit."""

    def setup(self) -> None:
        self.conn = psycopg.connect(self.container.config["DATABASE_URL"], autocommit=True)

    def get_dependency(self, worker_ctx: Any) -> psycopg.Connection:
        return self.conn


class Listener:
    """Handles one event after the other; it promises nothing."""

    name = "listener"
    rows = Rows()

    @event_handler("bench", "need_noted")  # type: ignore[untyped-decorator]
    def handle(self, document: dict[str, Any]) -> None:
        self.rows.execute("insert into handled (id) values (%s)", [document["id"]], prepare=True)


def main(amqp_url: str, database_url: str) -> None:
    """Run until killed."""
    config = {"AMQP_URI": amqp_url, "DATABASE_URL": database_url, "max_workers": 4}
    container = ServiceContainer(Listener, config)
    container.start()
    print("ready", flush=True)
    container.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
