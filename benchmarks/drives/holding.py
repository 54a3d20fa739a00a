"""Many sessions held open and idle, and steps on a hundred of them before and beside the others.

Argument: the number of sessions.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.drives.crowd import Connection
from benchmarks.drives.exchange import (
    Sample,
    Target,
    Window,
    obey,
    percentiles,
    reset_message,
)

__all__ = ["Holding"]

PLAYING, AT_ONCE, WARM_UP_SECONDS = 100, 64, 0.3
PAGE, SOCKETS_EACH = os.sysconf("SC_PAGE_SIZE"), 2


class Holding(NamedTuple):
    """What the idle sessions took: their opening, bytes each of the process and the kernel.

    `alone` and `beside` are the percentiles of a step's seconds, without and with idle sessions.
    """

    opening: Sample
    process_bytes: float
    kernel_bytes: float
    alone: tuple[float, ...]
    beside: tuple[float, ...]


class Idle(WSListener):
    """A session whose episode has begun, and no more."""

    def __init__(self) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, reset_message())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT or self.begun.done():
            return
        reply = frame.get_payload_as_bytes()
        if b'"observation"' in reply:
            self.begun.set_result(None)
        else:
            self.begun.set_exception(ValueError(f"No episode was begun: {reply!r}"))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self.begun.done():
            self.begun.set_exception(ConnectionError("The server closed the connection"))


class Playing(Connection):
    """A closed loop that can rest, and that takes the time of its steps."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.times: list[float] = []
        self._is_resting = False
        self._sent_at = 0.0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.times.append(time.perf_counter() - self._sent_at)
        super().on_ws_frame(transport, frame)

    def _ask(self, transport: WSTransport) -> None:
        self._transport = transport
        if not self._is_resting:
            self._sent_at = time.perf_counter()
            super()._ask(transport)

    def rest(self) -> None:
        """Send nothing more after the step that is under way."""
        self._is_resting = True

    def go_on(self) -> None:
        self.times.clear()
        self._is_resting = False
        self._ask(self._transport)


async def hold(target: Target, size: int) -> Holding:
    url = f"ws://{target.address}/ws"
    numbers = iter(range(PLAYING))
    joined = [await ws_connect(lambda: Playing(next(numbers)), url) for _ in range(PLAYING)]
    playing = [each for _, each in joined if isinstance(each, Playing)]
    alone = await play(playing, target.seconds)
    memory, kernel = process_bytes(target.server), kernel_bytes()
    window = Window(target.server)
    held = await open_all(url, size - PLAYING)
    opening = window.sample(len(held))
    memory, kernel = process_bytes(target.server) - memory, kernel_bytes() - kernel
    beside = await play(playing, target.seconds)
    for transport, _ in [*joined, *held]:
        transport.disconnect()
    each = len(held)
    return Holding(opening, memory / each, kernel / each / SOCKETS_EACH, alone, beside)


async def play(playing: list[Playing], seconds: float) -> tuple[float, ...]:
    """Percentiles of the steps of all of them, after a warm-up; then they rest."""
    await asyncio.sleep(WARM_UP_SECONDS)
    for each in playing:
        each.rest()
    await asyncio.sleep(WARM_UP_SECONDS)
    for each in playing:
        each.go_on()
    await asyncio.sleep(seconds)
    times = [taken for each in playing for taken in each.times]
    for each in playing:
        each.rest()
    await asyncio.sleep(WARM_UP_SECONDS)
    if faults := [each.fault for each in playing if each.fault]:
        raise ValueError(f"{len(faults)} connections failed, the first: {faults[0]}")
    return percentiles(times)


async def open_all(url: str, size: int) -> list[tuple[WSTransport, WSListener]]:
    """Sessions with an episode begun, opened so many at once."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def open_one() -> tuple[WSTransport, WSListener]:
        async with turns:
            transport, idle = await ws_connect(Idle, url)
            assert isinstance(idle, Idle)
            await idle.begun
            return transport, idle

    return await asyncio.gather(*(open_one() for _ in range(size)))


def process_bytes(process: int) -> int:
    """What a process has in memory."""
    return PAGE * int(Path(f"/proc/{process}/statm").read_text().split()[1])


def kernel_bytes() -> int:
    """What the kernel has for its own objects and for the buffers of TCP, on the whole machine."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    slab = next(1024 * int(line.split()[1]) for line in lines if line.startswith("Slab:"))
    sockets = Path("/proc/net/sockstat").read_text().splitlines()
    tcp = next(line.split() for line in sockets if line.startswith("TCP:"))
    return slab + PAGE * int(tcp[tcp.index("mem") + 1])


if __name__ == "__main__":
    obey(lambda target: uvloop.run(hold(target, int(sys.argv[1]))))
