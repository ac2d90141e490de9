"""Spoils a program as it starts: one module is changed after its import, as `CHAOS_SPOILT` says.

On the PYTHONPATH of a sabotaged run only; Python imports a module of this name by itself.
"""

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any


def believe_every_signature(module: ModuleType) -> None:
    module.Network.is_signed = lambda *_: True  # type: ignore[attr-defined]


def tail_by_position(module: ModuleType) -> None:
    """What has a position below the last one that was told counts as told."""
    number = module.number_pending

    def tail(conn: Any, *arguments: Any, **more: Any) -> Any:
        conn.execute("delete from pending where position < (select max(position) from feed)")
        return number(conn, *arguments, **more)

    module.number_pending = tail  # type: ignore[attr-defined]


def acknowledge_first(module: ModuleType) -> None:
    """And nobody asks for what is missing: that would mend it."""
    engine, delivered = module.Engine, module.Engine._delivered

    def first(self: Any, conn: Any, receiver: Any, publisher: Any, message: Any) -> None:
        message.ack()
        message.ack = lambda: None
        delivered(self, conn, receiver, publisher, message)

    engine._delivered, engine._ask = first, lambda *_: None


def checkpoint_first(module: ModuleType) -> None:
    received = module.received_event

    def first(row: Any, service: Any, *arguments: Any) -> Any:
        with service_connection() as conn:
            conn.execute("update follower set position = %s", [row.position])
        return received(row, service, *arguments)

    module.received_event = first  # type: ignore[attr-defined]


def service_connection() -> Any:
    import psycopg

    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def forget_receipts(module: ModuleType) -> None:
    module._once = lambda conn, key, request, work: work()  # type: ignore[attr-defined]


SPOILERS = {
    "signature": ("togheter_shared.log.network", believe_every_signature),
    "tail": ("togheter_shared.log.feed", tail_by_position),
    "ack": ("togheter_shared.run.engine", acknowledge_first),
    "checkpoint": ("togheter_shared.log.follow", checkpoint_first),
    "receipt": ("togheter_shared.log.store", forget_receipts),
}


class Spoiler:
    """Finds the module as Python does, and changes it when it has run."""

    def __init__(self, name: str) -> None:
        self._module, self._spoil = SPOILERS[name]

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if name != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.loader is not None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            self._spoil(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if os.environ.get("CHAOS_SPOILT"):
    sys.meta_path.insert(0, Spoiler(os.environ["CHAOS_SPOILT"]))  # type: ignore[arg-type]
