import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from openenv_lite.server.connection import Connection, Disconnected, ReadAhead
from tests.leaks import on_loop
from tests.manual_clock import ManualClock


class Wire:
    """An ASGI server's side: frames to hand over, and what was sent."""

    def __init__(self, frames: Iterable[Any] = (), code: int | None = None) -> None:
        self.sent: list[Any] = []
        self.error: Exception | None = None
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        for frame in frames:
            self.receive(frame)
        if code is not None:
            self.end(code)

    def receive(self, frame: str | bytes) -> None:
        kind = "text" if isinstance(frame, str) else "bytes"
        self._queue.put_nowait({"type": "websocket.receive", kind: frame})

    def end(self, code: int) -> None:
        self._queue.put_nowait({"type": "websocket.disconnect", "code": code})

    async def send(self, message: Any) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(message)

    def connection(self) -> Connection:
        return Connection({"type": "websocket"}, self._queue.get, self.send)


@pytest.mark.parametrize(
    ("code", "lost"),
    [(1000, False), (1001, False), (1012, False), (1006, True), (1011, True), (4000, True)],
)
def test_the_code_tells_a_leave_from_a_loss(code: int, lost: bool) -> None:
    assert Disconnected({"type": "websocket.disconnect", "code": code}).lost is lost


def test_no_code_at_all_is_a_loss() -> None:
    assert Disconnected({"type": "websocket.disconnect"}).lost


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("after sending close")])
@on_loop
async def test_closing_what_is_closed_is_nothing(error: Exception) -> None:
    wire = Wire()
    wire.error = error
    await wire.connection().close()


@on_loop
async def test_the_handshake_names_the_session_where_there_is_one() -> None:
    for name, headers in (("a", [(b"x-openenv-session-id", b"a")]), (None, [])):
        wire = Wire([""])
        await wire.connection().accept(name)
        assert wire.sent == [{"type": "websocket.accept", "headers": headers}]


def nothing() -> None:
    """A loss that nobody needs to know of."""


async def serve(
    wire: Wire, clock: ManualClock, work: asyncio.Event, on_loss: Callable[[], None] = nothing
) -> str:
    """What a served connection comes to: one frame, and work on it."""
    connection = ReadAhead(wire.connection(), clock, 30, on_loss)
    try:
        await connection.receive()
        await work.wait()
        await connection.receive()
    except asyncio.CancelledError:
        return f"cancelled, lost {connection.end and connection.end.lost}"
    except Disconnected as end:
        return f"ended, lost {end.lost}"
    finally:
        connection.release()
    return "went on"


@on_loop
async def test_a_clean_leave_ends_the_work_at_once() -> None:
    wire, work = Wire(["a"]), asyncio.Event()
    serving = asyncio.create_task(serve(wire, ManualClock(), work))
    await asyncio.sleep(0.01)
    wire.end(1000)
    assert await serving == "cancelled, lost False"


@on_loop
async def test_a_loss_lets_the_work_finish_within_the_grace_time() -> None:
    wire, work, clock = Wire(["a"]), asyncio.Event(), ManualClock()
    losses: list[str] = []
    serving = asyncio.create_task(serve(wire, clock, work, lambda: losses.append("told")))
    await clock.advance(0)
    wire.end(1006)
    await clock.advance(29)
    assert not serving.done()
    assert losses == ["told"]
    work.set()
    assert await serving == "ended, lost True"


@on_loop
async def test_a_loss_ends_the_work_after_the_grace_time() -> None:
    wire, clock = Wire(["a"]), ManualClock()
    serving = asyncio.create_task(serve(wire, clock, asyncio.Event()))
    await clock.advance(0)
    wire.end(1006)
    await clock.advance(31)
    assert await serving == "cancelled, lost True"


@on_loop
async def test_a_peer_that_goes_while_nothing_is_under_way_ends_it_at_once() -> None:
    for code in (1000, 1006):
        wire = Wire()
        serving = asyncio.create_task(serve(wire, ManualClock(), asyncio.Event()))
        await asyncio.sleep(0)
        wire.end(code)
        assert "lost" in await serving
