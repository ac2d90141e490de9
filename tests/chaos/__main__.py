"""`python -m tests.chaos`: one run of the harness, in a folder of its own."""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".local" / "chaos"
os.environ["TOGHETER_LOCAL"] = os.environ.get("TOGHETER_CHAOS_FOLDER") or str(FOLDER)
for name in ("DATABASE_URL", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL"):
    os.environ.pop(name, None)  # servers of its own: they are going to be killed

from tests.chaos.run import main  # noqa: E402  (the folder is read when it is imported)

sys.exit(main())
