"""The receiving half of `drain`: the engine's own receiver in a process of its own."""

import json
import sys
import threading
import time
from pathlib import Path

from togheter_shared.log.head import Signer
from togheter_shared.log.network import Network, Organisation, SigningKey
from togheter_shared.log.service import Service
from togheter_shared.privacy.keys import key_id
from togheter_shared.run.engine import Engine, Place

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.benchmarks.events import WRITES


def main(settings: str) -> None:
    """Receive until standard input closes; a line asks how much memory the process holds (KiB), and
    for how many milliseconds it has had the processor."""
    given = json.loads(settings)
    keys = given["keys"]
    network = Network(
        tuple(
            Organisation(
                id=name,
                name=name,
                services=("bench",),
                reporting=name == "ponte",
                seal_key=keys["seal_public"],
                sign_keys=(SigningKey(key=keys["sign_public"]),),
            )
            for name in ("comune", "ponte")
        )
    )
    engine = Engine(
        service=Service(name="bench", writes=WRITES, reads=WRITES, subscriptions=("reporting",)),
        place=Place(
            organisation="ponte",
            database_url=given["database_url"],
            amqp_url=given["amqp_url"],
            network=lambda: network,
            seal_private_key=keys["seal_private"],
            signer=lambda: Signer(
                key=key_id(keys["sign_public"]), private_key=keys["sign_private"]
            ),
        ),
        roles=frozenset({"receiver"}),
    )
    thread = threading.Thread(target=engine.run)
    thread.start()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(resident(), round(time.process_time() * 1000), flush=True)
    engine.stop.set()
    thread.join()


def resident() -> int:
    """KiB of this process in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main(sys.argv[1])
