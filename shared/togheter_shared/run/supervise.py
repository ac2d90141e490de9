"""Keep a child process running for as long as this one lives, and no longer."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()


@contextmanager
def supervised(command: list[str]) -> Iterator[None]:
    """Run `command` and start it again when it ends; it is ended on leaving.

    The child holds the reading end of a pipe as its standard input: when this process dies, however
    it dies, the pipe closes and the child ends itself.
    """
    stopping = threading.Event()
    children: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, env={**os.environ, "TOGHETER_SUPERVISED": "1"}
        )
        children[:] = [child]
        return child

    def keep() -> None:
        pause = 0.5
        while not stopping.is_set():
            started = time.monotonic()
            code = start().wait()
            if stopping.is_set():
                return
            pause = 0.5 if time.monotonic() - started > 30 else min(pause * 2, 30)
            log.warning("engine ended", code=code, again_in=pause)
            stopping.wait(pause)

    threading.Thread(target=keep, daemon=True).start()
    try:
        yield
    finally:
        stopping.set()
        for child in children:
            child.terminate()
            try:
                child.wait(timeout=8)
            except subprocess.TimeoutExpired:
                child.kill()
