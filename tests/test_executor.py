import asyncio
import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError
from openenv_lite.executor import (
    QUICK_CALL_S,
    SLOW_CALL_S,
    STACK_BYTES,
    Executor,
    LoopExecutor,
    ThreadExecutor,
)
from tests.leaks import on_loop, until

EXECUTORS = pytest.mark.parametrize("make", [LoopExecutor, ThreadExecutor])


class Panic(BaseException):
    """What a native library may raise."""


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def call() -> NoReturn:
        raise error

    return call


@EXECUTORS
@on_loop
async def test_a_call_gives_what_the_function_gives(make: Callable[[str], Executor]) -> None:
    executor = make("Chess")
    assert await executor.run(divmod, 7, 2) == (3, 1)
    assert await executor.run(dict, a=1, function=2, self=3) == {"a": 1, "function": 2, "self": 3}
    await executor.close()


@EXECUTORS
@pytest.mark.parametrize(
    "error", [ValueError("x"), StopIteration(1), StopAsyncIteration(), asyncio.CancelledError()]
)
@on_loop
async def test_what_a_call_raises_reaches_the_caller(
    make: Callable[[str], Executor], error: BaseException
) -> None:
    executor = make("Chess")
    with pytest.raises((type(error), RuntimeError)):
        await executor.run(raising(error))
    assert await executor.run(int) == 0
    await executor.close()


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Panic("deep")], ids=repr
)
@on_loop
async def test_no_exit_on_a_thread_ends_the_event_loop(error: BaseException) -> None:
    executor = ThreadExecutor("Chess")
    with pytest.raises(Exception, match=type(error).__name__):
        await executor.run(raising(error))
    assert await executor.run(int) == 0
    await executor.close()


@on_loop
async def test_a_thread_executor_is_one_thread_from_first_to_last_call() -> None:
    executor = ThreadExecutor("Chess")
    threads = {await executor.run(threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    await executor.close()


@on_loop
async def test_calls_of_one_thread_executor_keep_their_order_and_never_overlap() -> None:
    executor = ThreadExecutor("Chess")
    order: list[Any] = []

    def work(number: int) -> None:
        order.append(number)
        time.sleep(0.001)
        order.append(number)

    await asyncio.gather(*(executor.run(work, number) for number in range(10)))
    assert order == [number for number in range(10) for _ in range(2)]
    await executor.close()


ENDS = {"give": int, "fail": LookupError, "forsake": asyncio.CancelledError}
CALLS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(sorted(ENDS))))
"""Each on which of several threads, and how it ends."""


@given(CALLS)
def test_every_outcome_reaches_its_own_caller_and_every_thread_keeps_its_order(
    calls: list[tuple[int, str]],
) -> None:
    done: dict[int, list[int]] = {each: [] for each in range(5)}
    told: dict[int, list[int]] = {each: [] for each in range(5)}

    def work(place: int, number: int, end: str) -> int:
        done[place].append(number)
        if end == "fail":
            raise LookupError(number)
        return number

    async def ask(thread: ThreadExecutor, place: int, number: int, end: str) -> Any:
        try:
            return await thread.run(work, place, number, end)
        finally:
            told[place].append(number if end != "forsake" else -1)

    async def story() -> None:
        threads = [ThreadExecutor("Crowd") for _ in done]
        tasks = [
            asyncio.create_task(ask(threads[place], place, number, end))
            for number, (place, end) in enumerate(calls)
        ]
        await asyncio.sleep(0)
        for task, (_, end) in zip(tasks, calls, strict=True):
            if end == "forsake":
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(each.close() for each in threads))
        for number, (outcome, (_, end)) in enumerate(zip(outcomes, calls, strict=True)):
            assert type(outcome) is ENDS[end]
            assert str(outcome) == ("" if end == "forsake" else str(number))

    asyncio.run(story())
    for place, numbers in done.items():
        assert numbers == [n for n, (at, _) in enumerate(calls) if at == place]
        patient = [n for n in numbers if calls[n][1] != "forsake"]
        assert [n for n in told[place] if n >= 0] == patient


def refused() -> NoReturn:
    """In the place of what makes a descriptor."""
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("has_bell", [True, False])
@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 20))
def test_calls_long_and_short_all_run_and_keep_their_order(
    has_bell: bool, are_long: list[bool], at_once: int
) -> None:
    ran = list[int]()

    def work(number: int, is_long: bool) -> None:
        end = time.thread_time() + 2 * QUICK_CALL_S * is_long
        while time.thread_time() < end:
            pass
        ran.append(number)

    async def story() -> None:
        with pytest.MonkeyPatch.context() as patch:
            if not has_bell:
                patch.setattr(os, "eventfd", lambda _: refused(), raising=False)
            executor = ThreadExecutor("Chess")
        calls = [executor.run(work, *each) for each in enumerate(are_long)]
        for start in range(0, len(calls), at_once):
            await asyncio.gather(*calls[start : start + at_once])
        await executor.close()

    asyncio.run(asyncio.wait_for(story(), 10))
    assert ran == [*range(len(are_long))]


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in Linux's /proc")
@on_loop
async def test_a_thread_that_ended_leaves_no_descriptor() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    executors = [ThreadExecutor("Chess") for _ in range(10)]
    await asyncio.gather(*(each.run(int) for each in executors))
    assert descriptors() == before + 10
    await asyncio.gather(*(each.close() for each in executors))
    await until(lambda: descriptors() == before)
    executors[0].abandon()
    assert descriptors() == before


@on_loop
async def test_threads_that_end_calls_while_the_loop_is_busy_wake_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, wakes = asyncio.get_running_loop(), list[Callable[..., Any]]()
    threads = [ThreadExecutor("Crowd") for _ in range(8)]
    landed, gate = threading.Semaphore(0), threading.Event()
    wake = loop.call_soon_threadsafe

    def counted(function: Callable[..., Any], *args: Any) -> asyncio.Handle:
        wakes.append(function)
        return wake(function, *args)

    def next_call() -> None:
        landed.release()
        gate.wait(10)

    first = [asyncio.create_task(each.run(lambda each=each: each)) for each in threads]
    second = [asyncio.create_task(each.run(next_call)) for each in threads]
    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    await asyncio.sleep(0)
    for _ in threads:  # the loop stands still until every thread has begun its second call
        assert landed.acquire(timeout=10)
    assert len(wakes) == 1
    assert await asyncio.gather(*first) == threads
    gate.set()
    await asyncio.gather(*second)
    await asyncio.gather(*(each.close() for each in threads))


@on_loop
async def test_a_thread_that_cannot_wake_the_loop_silences_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    unlucky, lucky = ThreadExecutor("Crowd"), ThreadExecutor("Crowd")

    before = threading.active_count()

    def refuse(*_: Any) -> NoReturn:
        raise RuntimeError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", refuse)
        asking = asyncio.create_task(unlucky.run(int))
        await until(lambda: threading.active_count() == before - 1)
    assert await asyncio.wait_for(lucky.run(lambda: 42), 5) == 42
    assert await asking == 0
    await lucky.close()


@on_loop
async def test_a_cancelled_caller_leaves_the_call_running_and_close_waits_for_it() -> None:
    executor, gate, ends = ThreadExecutor("Chess"), threading.Event(), list[str]()

    def work() -> None:
        gate.wait(10)
        ends.append("work")

    calling = asyncio.create_task(executor.run(work))
    await asyncio.sleep(0)
    calling.cancel()
    closing = asyncio.create_task(executor.close())
    closing.add_done_callback(lambda _: ends.append("close"))
    await asyncio.sleep(0)
    assert ends == []
    gate.set()
    await until(lambda: len(ends) == 2)
    assert ends == ["work", "close"]


@on_loop
async def test_a_thread_can_wait_for_the_loop() -> None:
    executor = ThreadExecutor("Chess")

    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert await executor.run(executor.wait_for, answer) == 42
    await executor.close()


@on_loop
async def test_a_call_whose_caller_has_gone_waits_for_nothing_more() -> None:
    executor, entered, gate = ThreadExecutor("Chess"), threading.Event(), threading.Event()

    begun: list[str] = []

    async def never() -> None:
        begun.append("never")
        await asyncio.Event().wait()

    def work() -> None:
        entered.set()
        gate.wait(10)
        executor.wait_for(never)

    calling = asyncio.create_task(executor.run(work))
    await until(entered.is_set)
    calling.cancel()
    await asyncio.wait([calling])
    gate.set()
    assert await asyncio.wait_for(executor.run(lambda: 42), 5) == 42
    assert begun == []
    await executor.close()


@on_loop
async def test_a_caller_that_goes_ends_what_its_call_waits_for() -> None:
    executor, entered, ended = ThreadExecutor("Chess"), asyncio.Event(), asyncio.Event()

    async def never() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    calling = asyncio.create_task(executor.run(executor.wait_for, never))
    await asyncio.wait_for(entered.wait(), 5)
    calling.cancel()
    await asyncio.wait_for(ended.wait(), 5)
    assert await asyncio.wait_for(executor.run(lambda: 42), 5) == 42
    await executor.close()


@EXECUTORS
@on_loop
async def test_the_loop_refuses_to_wait_for_itself(make: Callable[[str], Executor]) -> None:
    executor = make("Chess")

    async def answer() -> int:
        return 42

    with pytest.raises(ConfigurationError, match="Chess"):
        executor.wait_for(answer)
    await executor.close()


@on_loop
async def test_a_slow_inline_call_is_reported_once_with_class_and_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    executor = LoopExecutor("Chess")

    def ponder() -> None:
        time.sleep(SLOW_CALL_S * 1.5)

    await executor.run(int)
    assert not caplog.records
    await executor.run(ponder)
    await executor.run(ponder)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Chess.ponder held the event loop" in record.message
    assert "BLOCKING = True" in record.message


def test_a_thread_outliving_its_loop_ends_by_itself() -> None:
    gate = threading.Event()

    async def story() -> None:
        executor = ThreadExecutor("Orphan")
        task = asyncio.create_task(executor.run(gate.wait, 10))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(story())
    gate.set()
    for thread in [t for t in threading.enumerate() if t.name == "openenv-Orphan"]:
        thread.join(5)
        assert not thread.is_alive()


def test_a_thread_notices_that_the_loop_is_gone_though_another_has_called_it() -> None:
    landed, gates = threading.Event(), [threading.Event() for _ in range(3)]
    loop = asyncio.new_event_loop()

    def second_call() -> None:
        landed.set()
        gates[1].wait(10)

    lives: list[list[Callable[..., Any]]] = [[gates[0].wait, second_call], [gates[2].wait]]

    async def story() -> None:
        for calls in lives:
            executor = ThreadExecutor("Orphan")
            tasks = [asyncio.create_task(executor.run(call)) for call in calls]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    loop.run_until_complete(story())
    orphans = [each for each in threading.enumerate() if each.name == "openenv-Orphan"]
    gates[0].set()
    assert landed.wait(10)
    loop.close()
    for gate in reversed(gates):
        gate.set()
    for thread in orphans:
        thread.join(5)
        assert not thread.is_alive()


@on_loop
async def test_endless_recursion_on_a_thread_is_an_error_like_any_other() -> None:
    def sort(_: Any = None) -> Any:
        return sorted([1, 2], key=sort)

    executor = ThreadExecutor("Chess")
    with pytest.raises(RecursionError):
        await executor.run(sort)
    await executor.close()


@pytest.mark.parametrize("chosen", [0, 16 * 1024 * 1024])
@on_loop
async def test_a_stack_is_as_large_as_the_author_chose_and_other_threads_keep_theirs(
    chosen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, start = list[int](), threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        sizes.append(threading.stack_size())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    before = threading.stack_size(chosen)
    try:
        await ThreadExecutor("Chess").close()
        assert threading.stack_size() == chosen
        assert sizes == [chosen or STACK_BYTES]
    finally:
        threading.stack_size(before)
