"""A TCP proxy that cuts, delays and goes deaf in one direction, between a service and its servers.

Every proxy of a run lives in one event loop, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

UP, DOWN = "up", "down"
"""From the service to its server, and back."""


class Wire:
    """One address that stands for a server; a fault holds until `heal`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._loop = loop
        self._target = port
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._deaf: str | None = None
        self._refusing = False
        self._delay = 0.0
        self._trap: bytes | None = None
        self._healed = asyncio.Event()
        self.port = 0
        self.sprung = 0
        """How often a connection was cut at the moment that `cut_after` waits for."""

    async def listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    # faults, from any thread

    def cut(self) -> None:
        """Reset every connection; new ones are let through."""
        self._do(self._cut)

    def refuse(self) -> None:
        """Reset every connection, and every new one, until healed."""

        def act() -> None:
            self._refusing = True
            self._cut()

        self._do(act)

    def slow(self, seconds: float) -> None:
        """Every piece of data waits that long, in both directions."""
        self._do(lambda: setattr(self, "_delay", seconds))

    def deafen(self, direction: str) -> None:
        """Nothing passes in that direction, and nobody is told; healed, the connections end."""
        self._do(lambda: setattr(self, "_deaf", direction))

    def cut_after(self, sent: bytes) -> None:
        """Let the next data that hold `sent` through to the server, then cut: no reply comes."""
        self._do(lambda: setattr(self, "_trap", sent))

    def heal(self) -> None:
        """As a good wire again."""

        def act() -> None:
            self._refusing, self._delay, self._deaf, self._trap = False, 0.0, None, None
            healed, self._healed = self._healed, asyncio.Event()
            healed.set()

        self._do(act)

    def _do(self, act: Any) -> None:
        self._loop.call_soon_threadsafe(act)

    def _cut(self) -> None:
        for pair in list(self._pairs):
            for writer in pair:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, far_writer)
        self._pairs.add(pair)
        try:
            pumps = [
                asyncio.create_task(self._pump(UP, reader, far_writer)),
                asyncio.create_task(self._pump(DOWN, far_reader, writer)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        finally:
            self._pairs.discard(pair)
            for end in pair:
                with suppress(OSError, RuntimeError):
                    end.close()

    async def _pump(
        self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self._deaf == direction:
                    await self._healed.wait()
                    return
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
                if direction == UP and self._trap is not None and self._trap in data:
                    self._trap = None
                    self.sprung += 1
                    await asyncio.sleep(0.05)  # long enough for the server to act on it
                    return


class Wires:
    """All proxies of a run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="wires").start()
        self._made: dict[str, Wire] = {}

    def make(self, name: str, port: int) -> Wire:
        """A proxy in front of 127.0.0.1:`port`."""
        wire = Wire(self._loop, port)
        asyncio.run_coroutine_threadsafe(wire.listen(), self._loop).result(10)
        self._made[name] = wire
        return wire

    def __getitem__(self, name: str) -> Wire:
        return self._made[name]

    def names(self) -> list[str]:
        return sorted(self._made)

    def heal(self) -> None:
        for wire in self._made.values():
            wire.heal()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
