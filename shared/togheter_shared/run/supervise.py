"""Keep a child process running for as long as this one lives, and no longer."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

LOOK_SECONDS = 0.5


@contextmanager
def supervised(command: list[str]) -> Iterator[None]:
    """Run `command` and start it again when it ends; it is ended on leaving.

    The child holds the reading end of a pipe as its standard input: when this process dies, however
    it dies, the pipe closes and the child ends itself. Works in a cooperative process: it looks
    after its child twice a second and never blocks.
    """
    stopping = threading.Event()
    children: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "TOGHETER_SUPERVISED": "1"}
    environment.pop("PSYCOPG_WAIT_FUNC", None)  # that is for cooperative processes: ours

    def keep() -> None:
        pause = 0.5
        while not stopping.is_set():
            started = time.monotonic()
            child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
            children[:] = [child]
            while child.poll() is None:
                if stopping.wait(LOOK_SECONDS):
                    return
            pause = 0.5 if time.monotonic() - started > 30 else min(pause * 2, 30)
            log.warning("engine ended", code=child.returncode, again_in=pause)
            stopping.wait(pause)

    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join(timeout=2 * LOOK_SECONDS)
        for child in children:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    deadline = time.monotonic() + 8
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if child.poll() is None:
        child.kill()
    if child.stdin is not None:
        child.stdin.close()
