"""The peer of `publish`, in its own process: a nameko service that dispatches events on request."""

import eventlet

eventlet.monkey_patch()

# ruff: noqa: E402
import json
import sys
import time
from typing import Any

from nameko.containers import ServiceContainer
from nameko.events import EventDispatcher
from nameko.testing.services import dummy, entrypoint_hook


class Bench:
    """Dispatches one event after the other, as a service of nameko does: persistent, confirmed."""

    name = "bench"
    dispatch = EventDispatcher()

    @dummy  # type: ignore[untyped-decorator]
    def emit(self, count: int, document: dict[str, Any]) -> float:
        """Seconds that `count` events took."""
        began = time.monotonic()
        for number in range(count):
            self.dispatch("need_noted", {**document, "number": number})
        return time.monotonic() - began


def main(url: str) -> None:
    """The document is the first line; then a line each: a number of events, or the id of one;
    answered with seconds."""
    container = ServiceContainer(Bench, {"AMQP_URI": url})
    container.start()
    document = json.loads(sys.stdin.readline())
    print("ready", flush=True)
    with entrypoint_hook(container, "emit") as emit:
        for line in sys.stdin:
            word = line.strip()
            if word.isdecimal():
                print(emit(int(word), document), flush=True)
            else:
                print(emit(1, {**document, "id": word}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
