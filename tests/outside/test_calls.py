"""What passes between an environment and an outside server, over both transports."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from openenv_lite.errors import ToolFailedError, UnknownToolError
from openenv_lite.outside import OutsideServer
from openenv_lite.types import ServerMode
from tests.leaks import on_loop
from tests.outside.mounting import (
    Desk,
    children,
    free_port,
    http_server,
    listening,
    opened,
    stdio,
)
from tests.outside.server import BLOCKS, ECHO, NAMES, STRUCTURED

WAYS = pytest.mark.parametrize("way", ["stdio", "new", "old"])
"""A child process, and HTTP with and without 2026-07-28, which did away with its sessions."""


@contextlib.asynccontextmanager
async def desk_of(way: str, **options: Any) -> AsyncIterator[Desk]:
    if way == "stdio":
        async with opened(stdio(**options)) as desk:
            yield desk
        return
    port = free_port()
    with http_server(port, way):
        await listening(port)
        async with opened(OutsideServer(url=f"http://127.0.0.1:{port}/mcp", **options)) as desk:
            yield desk


@WAYS
@on_loop
async def test_every_page_of_tools_is_listed_under_the_prefix(way: str) -> None:
    async with desk_of(way) as desk:
        names = [spec.name for spec in desk.list_tools()]
    assert names == ["own", "out_echo", *(f"out_{name}" for name in NAMES)]


@on_loop
async def test_what_a_tool_says_of_itself_is_kept_verbatim() -> None:
    async with desk_of("stdio") as desk:
        declaration = desk.tools.get("out_echo", ServerMode.SIMULATION).declaration
    assert declaration == {**ECHO, "name": "out_echo"}
    assert list(declaration["inputSchema"]) == list(ECHO["inputSchema"])


@WAYS
@on_loop
async def test_content_and_structured_content_pass_unchanged(way: str) -> None:
    async with desk_of(way) as desk:
        outcome = await desk.invoke_tool("out_blocks", {})
    assert outcome.content == BLOCKS
    assert outcome.structured == STRUCTURED
    assert list(outcome.structured) == list(STRUCTURED)
    assert outcome.meta == {"mine": 1}
    assert not outcome.is_error


@on_loop
async def test_no_content_is_no_block() -> None:
    async with desk_of("stdio") as desk:
        outcome = await desk.invoke_tool("out_nothing", {})
    assert outcome.content == []
    assert outcome.structured is None


@on_loop
async def test_arguments_of_any_name_arrive() -> None:
    async with desk_of("stdio") as desk:
        outcome = await desk.invoke_tool("out_echo", {"message": "hé", "self": 1, "name": None})
    assert outcome.structured == {"said": "hé"}


@WAYS
@on_loop
async def test_a_failure_the_server_reports_is_an_outcome(way: str) -> None:
    async with desk_of(way) as desk:
        outcome = await desk.invoke_tool("out_fail", {})
    assert outcome.is_error
    assert outcome.content == [{"type": "text", "text": "it broke"}]


@on_loop
async def test_a_refusal_of_the_server_is_told_and_harms_nothing() -> None:
    async with desk_of("stdio") as desk:
        with pytest.raises(ToolFailedError, match=r"outsider.* refused 'refuse': not like this"):
            await desk.invoke_tool("out_refuse", {})
        assert not (await desk.invoke_tool("out_echo", {"message": "on"})).is_error


@on_loop
async def test_a_result_against_the_tools_own_schema_is_an_error() -> None:
    async with desk_of("stdio") as desk:
        with pytest.raises(ToolFailedError, match="does not allow"):
            await desk.invoke_tool("out_breaks_schema", {})


@on_loop
async def test_a_name_that_is_reserved_is_none_under_a_prefix() -> None:
    async with desk_of("stdio") as desk:
        outcome = await desk.invoke_tool("out_reset", {})
        assert outcome.content == [{"type": "text", "text": "reset"}]
        with pytest.raises(UnknownToolError):
            await desk.invoke_tool("reset", {})


@WAYS
@on_loop
async def test_a_call_that_takes_too_long_ends_alone(way: str) -> None:
    async with desk_of(way, timeout_s=3.0) as desk:
        slow = asyncio.create_task(desk.invoke_tool("out_hang", {}))
        first = await desk.invoke_tool("out_count", {})
        with pytest.raises(ToolFailedError, match="did not answer 'hang' within 3 s") as caught:
            await slow
        second = await desk.invoke_tool("out_count", {})
    assert caught.value.details == {"error_type": "timeout"}
    assert [first.content[0]["text"], second.content[0]["text"]] == ["1", "2"]


@WAYS
@on_loop
async def test_a_cancelled_call_leaves_the_connection_alone(way: str) -> None:
    async with desk_of(way) as desk:
        await desk.invoke_tool("out_count", {})
        for _ in range(3):
            call = asyncio.create_task(desk.invoke_tool("out_hang", {}))
            await desk.invoke_tool("out_pid", {})  # the other was sent before
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        outcome = await desk.invoke_tool("out_count", {})
    assert outcome.content[0]["text"] == "2"


@on_loop
async def test_calls_may_run_side_by_side() -> None:
    async with desk_of("stdio") as desk:
        calls = [desk.invoke_tool("out_echo", {"message": str(n)}) for n in range(50)]
        outcomes = await asyncio.gather(*calls)
    assert [outcome.structured["said"] for outcome in outcomes] == [str(n) for n in range(50)]


@on_loop
async def test_a_fastmcp_server_serves_as_well() -> None:
    async with opened(stdio("fastmcp_server.py")) as desk:
        outcome = await desk.invoke_tool("out_add", {"a": 1, "b": 2})
    assert outcome.structured == {"result": 3}


@WAYS
@on_loop
async def test_a_server_that_asks_is_told_that_nobody_answers(way: str) -> None:
    async with desk_of(way) as desk:
        with pytest.raises(ToolFailedError, match=r"refused 'ask': .*not supported"):
            await desk.invoke_tool("out_ask", {})
        assert not (await desk.invoke_tool("out_echo", {"message": "on"})).is_error


@on_loop
async def test_headers_are_sent() -> None:
    async with desk_of("new", headers={"Authorization": "Bearer s3cret"}) as desk:
        outcome = await desk.invoke_tool("out_authorization", {})
    assert outcome.content[0]["text"] == "Bearer s3cret"


def test_another_event_loop_does_as_well() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def use() -> None:
        async with opened(stdio()) as desk:
            outcome = await desk.invoke_tool("out_pid", {})
            assert int(outcome.content[0]["text"]) in children()
        assert children() == set()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(use())
