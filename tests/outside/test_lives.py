"""Starts, losses, new starts and ends; whatever happens, nothing is left."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError, ConnectionFailedError, ToolFailedError
from openenv_lite.outside import OutsideServer
from openenv_lite.outside.attempts import WINDOW_S, Attempts
from tests.leaks import on_loop, until
from tests.outside.mounting import (
    Desk,
    children,
    free_port,
    http_server,
    listening,
    loss_noticed,
    opened,
    stdio,
)

PROMPT_S = 5.0
"""Far less than a timeout: what fails must not wait for one."""


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    assert children() == set()
    _assert_all_end(set(threading.enumerate()) - threads)


def _assert_all_end(threads: set[threading.Thread]) -> None:
    """asyncio's own thread that waited for a program may need a moment after it."""
    for thread in threads:
        thread.join(PROMPT_S)
    assert not [thread for thread in threads if thread.is_alive()]


async def _pid(desk: Desk) -> int:
    return int((await desk.invoke_tool("out_pid", {})).content[0]["text"])


@pytest.mark.parametrize("death", ["die", "silent_death"])
@on_loop
async def test_a_death_fails_its_call_at_once_and_the_next_call_starts_anew(death: str) -> None:
    async with opened(stdio()) as desk:
        first = await _pid(desk)
        began = time.monotonic()
        with pytest.raises(ToolFailedError, match=r"outsider \(python.*was lost during") as caught:
            await desk.invoke_tool(f"out_{death}", {})
        assert time.monotonic() - began < PROMPT_S
        assert "next call starts or connects it anew" in caught.value.message
        assert await _pid(desk) != first


@on_loop
async def test_a_call_under_way_fails_at_once_when_its_server_is_killed() -> None:
    async with opened(stdio()) as desk:
        pid = await _pid(desk)
        calls = [asyncio.create_task(desk.invoke_tool("out_hang", {})) for _ in range(3)]
        await _pid(desk)
        os.kill(pid, signal.SIGKILL)
        outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), PROMPT_S)
        assert [type(outcome) for outcome in outcomes] == [ToolFailedError] * 3


@on_loop
async def test_a_server_that_died_between_calls_is_replaced_before_the_next() -> None:
    async with opened(stdio()) as desk:
        pid = await _pid(desk)
        os.kill(pid, signal.SIGKILL)
        await loss_noticed()
        several = await asyncio.gather(*(_pid(desk) for _ in range(3)))
        assert len(set(several)) == 1
        assert children() == set(several)


@on_loop
async def test_new_starts_are_bounded() -> None:
    async with opened(stdio(restarts=2)) as desk:
        for _ in range(3):
            with pytest.raises(ToolFailedError, match="was lost during 'die'"):
                await desk.invoke_tool("out_die", {})
        with pytest.raises(ToolFailedError, match=r"keeps failing: 2 new starts within 60 s"):
            await desk.invoke_tool("out_die", {})
        assert (await desk.invoke_tool("own", {})).structured == {"result": "mine"}


@given(limit=st.integers(0, 4), pauses=st.lists(st.floats(0, 2 * WINDOW_S), max_size=30))
def test_within_any_window_no_more_attempts_are_granted(limit: int, pauses: list[float]) -> None:
    attempts, now, granted = Attempts(limit), 0.0, list[float]()
    for pause in pauses:
        now += pause
        recent = [moment for moment in granted if now - moment < WINDOW_S]
        assert attempts.take(now) is (len(recent) < limit)
        granted += [now] * (len(recent) < limit)


@on_loop
async def test_a_new_start_goes_on_when_its_caller_gives_up() -> None:
    async with opened(stdio()) as desk:
        os.kill(await _pid(desk), signal.SIGKILL)
        await loss_noticed()
        call = asyncio.create_task(_pid(desk))
        await until(lambda: children() != set())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        (started,) = children()
        assert await _pid(desk) == started


@pytest.mark.parametrize("era", ["new", "old"])
@on_loop
async def test_an_http_server_that_comes_back_is_connected_anew(era: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    with http_server(port, era) as process:
        await listening(port)
        desk = Desk(OutsideServer(url=url))
        await desk.connect()
        call = asyncio.create_task(desk.invoke_tool("out_hang", {}))
        await _pid(desk)
        process.kill()
        with pytest.raises(ToolFailedError, match="was lost during 'hang'"):
            await asyncio.wait_for(call, PROMPT_S)
    with pytest.raises(ToolFailedError, match="could not be started again"):
        await _pid(desk)
    with http_server(port, era) as process:
        await listening(port)
        assert await _pid(desk) == process.pid
        await desk.disconnect()


@on_loop
async def test_a_session_the_server_forgot_is_begun_anew() -> None:
    port = free_port()
    with http_server(port, "old"):
        await listening(port)
        desk = Desk(OutsideServer(url=f"http://127.0.0.1:{port}/mcp"))
        await desk.connect()
    with http_server(port, "old") as process:
        await listening(port)
        with pytest.raises(ToolFailedError, match="was lost during 'pid'"):
            await _pid(desk)
        assert await _pid(desk) == process.pid
        await desk.disconnect()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ({"command": ["/no/such/program"]}, "FileNotFoundError"),
        ({"command": [sys.executable, "-c", "pass"]}, "it ended"),
        ({"command": [sys.executable, "-c", "print('hello')"]}, "it ended"),
        ({"command": [sys.executable, "-c", "input()"], "cwd": "/no/such"}, "FileNotFoundError"),
        ({"url": "http://127.0.0.1:1/mcp"}, "ConnectError"),
    ],
)
@on_loop
async def test_a_server_that_cannot_be_connected_says_why(
    address: dict[str, Any], reason: str
) -> None:
    server = OutsideServer(**address)
    began = time.monotonic()
    with pytest.raises(ConnectionFailedError, match=f"could not be connected: .*{reason}"):
        await server.connect()
    assert time.monotonic() - began < PROMPT_S


@on_loop
async def test_a_server_that_never_answers_is_given_up_and_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    server = OutsideServer(command=[sys.executable, "-c", code], timeout_s=0.5)
    with pytest.raises(ConnectionFailedError, match=r"no answer within 0\.5 s"):
        await server.connect()
    assert children() == set()


@on_loop
async def test_connecting_can_be_cancelled() -> None:
    server = OutsideServer(command=[sys.executable, "-c", "import time; time.sleep(60)"])
    connecting = asyncio.create_task(server.connect())
    await until(lambda: children() != set())
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert children() == set()


@on_loop
async def test_closing_ends_even_a_stopped_server() -> None:
    async with opened(stdio(timeout_s=3.0)) as desk:
        pid = await _pid(desk)
        with pytest.raises(ToolFailedError, match="did not answer"):
            await desk.invoke_tool("out_stop", {})
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@on_loop
async def test_a_call_to_a_closed_server_says_so() -> None:
    async with opened(stdio()) as desk:
        call = asyncio.create_task(desk.invoke_tool("out_hang", {}))
        await _pid(desk)
    with pytest.raises(ToolFailedError, match="was lost during 'hang'"):
        await call
    with pytest.raises(ToolFailedError, match="is closed"):
        await desk.invoke_tool("out_pid", {})


@on_loop
async def test_it_can_be_closed_twice_and_connected_again() -> None:
    server = stdio()
    for _ in range(2):
        assert (await server.connect())[0].name == "echo"
        await server.close()
        await server.close()


@on_loop
async def test_a_server_that_is_connected_refuses_another_environment() -> None:
    server = stdio()
    async with opened(server) as desk:
        with pytest.raises(ConfigurationError, match="give each environment its own"):
            await server.connect()
        assert {await _pid(desk)} == children()


def test_a_loop_that_ends_takes_the_server_with_it() -> None:
    async def forget() -> None:
        await stdio().connect()

    asyncio.run(forget())


@on_loop
async def test_a_program_gets_the_variables_and_folder_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIDDEN", "x")
    seen = "os.environ['WANTED'] + str('HIDDEN' in os.environ)"
    code = f"import os; open('seen', 'w').write({seen})"
    command = [sys.executable, "-c", code]
    with pytest.raises(ConnectionFailedError):
        await OutsideServer(command=command, env={"WANTED": "got"}, cwd=tmp_path).connect()
    assert (tmp_path / "seen").read_text() == "gotFalse"
