import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from openenv_lite.errors import ConfigurationError
from openenv_lite.lane import SLOW_CALL_S, Lane, LoopLane, ThreadLane
from tests.leaks import on_loop, until

LANES = pytest.mark.parametrize("make", [LoopLane, ThreadLane])


class Panic(BaseException):
    """What a native library may raise."""


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def call() -> NoReturn:
        raise error

    return call


@LANES
@on_loop
async def test_a_call_gives_what_the_function_gives(make: Callable[[str], Lane]) -> None:
    lane = make("Chess")
    assert await lane.run(divmod, 7, 2) == (3, 1)
    assert await lane.run(dict, a=1, function=2, self=3) == {"a": 1, "function": 2, "self": 3}
    await lane.close()


@LANES
@pytest.mark.parametrize(
    "error", [ValueError("x"), StopIteration(1), StopAsyncIteration(), asyncio.CancelledError()]
)
@on_loop
async def test_what_a_call_raises_reaches_the_caller(
    make: Callable[[str], Lane], error: BaseException
) -> None:
    lane = make("Chess")
    with pytest.raises((type(error), RuntimeError)):
        await lane.run(raising(error))
    assert await lane.run(int) == 0
    await lane.close()


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Panic("deep")], ids=repr
)
@on_loop
async def test_no_exit_on_a_thread_ends_the_event_loop(error: BaseException) -> None:
    lane = ThreadLane("Chess")
    with pytest.raises(Exception, match=type(error).__name__):
        await lane.run(raising(error))
    assert await lane.run(int) == 0
    await lane.close()


@on_loop
async def test_a_thread_lane_is_one_thread_from_first_to_last_call() -> None:
    lane = ThreadLane("Chess")
    threads = {await lane.run(threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    await lane.close()


@on_loop
async def test_calls_of_one_thread_lane_keep_their_order_and_never_overlap() -> None:
    lane = ThreadLane("Chess")
    order: list[Any] = []

    def work(number: int) -> None:
        order.append(number)
        time.sleep(0.001)
        order.append(number)

    await asyncio.gather(*(lane.run(work, number) for number in range(10)))
    assert order == [number for number in range(10) for _ in range(2)]
    await lane.close()


@on_loop
async def test_a_cancelled_caller_leaves_the_call_running_and_close_waits_for_it() -> None:
    lane, gate, ends = ThreadLane("Chess"), threading.Event(), list[str]()

    def work() -> None:
        gate.wait(10)
        ends.append("work")

    calling = asyncio.create_task(lane.run(work))
    await asyncio.sleep(0)
    calling.cancel()
    closing = asyncio.create_task(lane.close())
    closing.add_done_callback(lambda _: ends.append("close"))
    await asyncio.sleep(0)
    assert ends == []
    gate.set()
    await until(lambda: len(ends) == 2)
    assert ends == ["work", "close"]


@on_loop
async def test_a_thread_can_wait_for_the_loop() -> None:
    lane = ThreadLane("Chess")

    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert await lane.run(lane.wait_for, answer) == 42
    await lane.close()


@LANES
@on_loop
async def test_the_loop_refuses_to_wait_for_itself(make: Callable[[str], Lane]) -> None:
    lane = make("Chess")

    async def answer() -> int:
        return 42

    with pytest.raises(ConfigurationError, match="Chess"):
        lane.wait_for(answer)
    await lane.close()


@on_loop
async def test_a_slow_inline_call_is_reported_once_with_class_and_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lane = LoopLane("Chess")

    def ponder() -> None:
        time.sleep(SLOW_CALL_S * 1.5)

    await lane.run(int)
    assert not caplog.records
    await lane.run(ponder)
    await lane.run(ponder)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Chess.ponder held the event loop" in record.message
    assert "BLOCKING = True" in record.message


def test_a_thread_outliving_its_loop_ends_by_itself() -> None:
    gate = threading.Event()

    async def story() -> None:
        lane = ThreadLane("Orphan")
        task = asyncio.create_task(lane.run(gate.wait, 10))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(story())
    gate.set()
    for thread in [t for t in threading.enumerate() if t.name == "openenv-Orphan"]:
        thread.join(5)
        assert not thread.is_alive()
