"""Named places where a process can be told to die at once, for the tests that kill it everywhere.

`CRASH_AT=mark.before:3` in the environment ends the process with SIGKILL when it comes to that
place for the third time. Without the variable a place costs one comparison.
"""

import os
import signal
from itertools import count

STEPS = (
    *("append", "commit", "number", "publish", "confirm", "mark"),
    *("receive", "verify", "store", "ack", "project", "checkpoint"),
)
POINTS = tuple(f"{step}.{side}" for step in STEPS for side in ("before", "after"))

_NAME, _, _HIT = os.environ.get("CRASH_AT", "").partition(":")
_hits = count(1)

if _NAME and (_NAME not in POINTS or not (_HIT or "1").isdecimal()):
    raise SystemExit(f"CRASH_AT is not <name>:<hit>; the names are {', '.join(POINTS)}")


def point(name: str) -> None:
    """The process is at `name`; it dies here when `CRASH_AT` says so."""
    if _NAME and name == _NAME and next(_hits) == int(_HIT or 1):
        os.kill(os.getpid(), signal.SIGKILL)
