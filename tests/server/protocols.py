"""uvicorn's protocols by themselves: bytes in by hand, and a transport that notes what it gets."""

import asyncio
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from tests.frame_streams import LIMIT

__all__ = ["Wire", "begun", "fed", "rest"]


class Wire(asyncio.Transport):
    """Where the protocol writes; `wrote` is all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.wrote = b""
        self.pauses = 0
        self._is_paused = self._is_closing = False

    def write(self, data: Any) -> None:
        self.wrote += data

    def close(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing

    def is_reading(self) -> bool:
        return not self._is_paused and not self._is_closing

    def pause_reading(self) -> None:
        self._is_paused = True
        self.pauses += 1

    def resume_reading(self) -> None:
        self._is_paused = False


def begun(kind: Any, app: Any, wire: Wire, **options: Any) -> asyncio.Protocol:
    """A protocol that is connected."""
    quiet = {"log_config": None, "access_log": False, "lifespan": "off"}
    config = Config(app, **{"ws_max_size": LIMIT, "ws_ping_interval": None, **quiet, **options})
    config.load()
    protocol: asyncio.Protocol = kind(config, ServerState(), {})
    protocol.connection_made(wire)
    return protocol


async def rest() -> None:
    """The app needs fewer turns for all messages of a piece."""
    for _ in range(40):
        await asyncio.sleep(0)


async def fed(protocol: Any, wire: Wire, chunks: list[bytes]) -> None:
    """Feed the chunks to a protocol, each once the app has done what it can, and leave."""
    for chunk in chunks:
        if wire.is_closing():
            break
        protocol.data_received(chunk)
        await rest()
    protocol.connection_lost(None)
    await rest()
