"""`make bench`: measurements beside a peer in the same run, one JSON line each."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator

from tests.benchmarks import (
    append,
    disclosure,
    drain,
    duplicates,
    growth,
    imports,
    latency,
    publish,
    read,
    reports,
    torture,
)
from tests.benchmarks.measure import Result, alone, say


def main() -> int:
    """Run what was asked for; 0 unless a benchmark could not run (or, strict, missed its aim)."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--strict", action="store_true", help="a target that is missed: exit 1")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(
            f"no benchmark is called {', '.join(sorted(unknown))}: {', '.join(BENCHMARKS)}"
        )
    failed = missed = False
    with alone():
        for name in arguments.names or BENCHMARKS:
            say(f"{name} …")
            began = time.monotonic()
            try:
                for result in BENCHMARKS[name]():
                    print(json.dumps(result.document(), ensure_ascii=False), flush=True)
                    missed = missed or result.met is False
            except Exception:
                traceback.print_exc()
                failed = True
            say(f"{name}: {time.monotonic() - began:.0f} s")
    return int(failed or (arguments.strict and missed))


BENCHMARKS: dict[str, Callable[[], Iterator[Result]]] = {
    "append": append.run,
    "append-batch": append.run_batches,
    "publish": publish.run,
    "import": imports.run,
    "torture": torture.run,
    "drain": drain.run,
    "read": read.run,
    "growth": growth.run,
    "latency": latency.run,
    "disclosure": disclosure.run,
    "duplicates": duplicates.run,
    "rebuild": reports.run_rebuild,
    "as-of": reports.run_as_of,
}

if __name__ == "__main__":
    sys.exit(main())
