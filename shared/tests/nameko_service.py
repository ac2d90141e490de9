"""A nameko service as its documentation shows one, to see what it does by itself: not ours."""

# ruff: noqa: E402
import signal
import sys

import eventlet

eventlet.monkey_patch()

from nameko.containers import ServiceContainer
from nameko.events import EventDispatcher, event_handler


class Publishing:
    name = "publishing"
    dispatch = EventDispatcher()


class Handling:
    name = "handling"

    @event_handler("origin", "told")
    def on_told(self, payload: object) -> None:
        print("handled", flush=True)
        raise RuntimeError("the store is away")


def main() -> None:
    kind, url = sys.argv[1:]
    service = {"publishing": Publishing, "handling": Handling}[kind]
    container = ServiceContainer(service, config={"AMQP_URI": url})
    signal.signal(signal.SIGTERM, lambda *_: eventlet.spawn(container.stop))
    container.start()
    print("started", flush=True)
    container.wait()


if __name__ == "__main__":
    main()
