"""MCP over the pipes of `openenv-lite mcp`, with the official client and with bytes."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CreateMessageResult, ElicitResult, TextContent

from tests.cli.process import ROOT, attending
from tests.leaks import on_loop
from tests.outside.mounting import children

FIXTURE = "tests.mcp.fixture:Everything"
LIMIT = 8 * 1024 * 1024
MODES = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}


def parameters(target: str) -> StdioServerParameters:
    words = ["-m", "openenv_lite", "mcp", target]
    return StdioServerParameters(command=sys.executable, args=words, cwd=ROOT)


async def asked(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "Ada", "ok": True})


async def sampled(context: Any, params: Any) -> CreateMessageResult:
    content = TextContent(type="text", text="Hi")
    return CreateMessageResult(role="assistant", content=content, model="m")


@pytest.mark.parametrize("mode", MODES)
@on_loop
async def test_the_official_client_is_at_home(mode: str, tmp_path: Path) -> None:
    told: list[float] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    before = children()
    with (tmp_path / "log").open("w+") as log:
        transport = stdio_client(parameters(FIXTURE), errlog=log)
        async with Client(
            transport, mode=mode, elicitation_callback=asked, sampling_callback=sampled
        ) as client:
            assert client.protocol_version == MODES[mode]
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert "test_simple_text" in tools
            plain = await client.call_tool("test_simple_text", {})
            assert plain.structured_content == {
                "result": "This is a simple text response for testing."
            }
            await client.call_tool("test_tool_with_progress", {}, progress_callback=progressed)
            assert told == [0, 50, 100]
            form = await client.call_tool("test_input_required_result_elicitation", {})
            assert text(form) == "Hello, Ada!"
            model = await client.call_tool("test_sampling", {"prompt": "Say hi"})
            assert text(model) == "LLM response: Hi"
            read: Any = await client.read_resource("test://template/7/data")
            assert json.loads(read.contents[0].text)["id"] == "7"
            given = {"arg1": "a", "arg2": "b"}
            prompt: Any = await client.get_prompt("test_prompt_with_arguments", given)
            assert "arg1='a'" in prompt.messages[0].content.text
            many = [client.call_tool("test_simple_text", {}) for _ in range(20)]
            assert len(await asyncio.gather(*many)) == 20
        log.seek(0)
        assert log.read() == ""
    assert children() == before


def text(result: Any) -> str:
    found: str = result.content[0].text
    return found


@on_loop
async def test_a_client_that_leaves_in_the_middle_of_a_call_leaves_nothing(tmp_path: Path) -> None:
    before = children()
    with (tmp_path / "log").open("w+") as log:
        transport = stdio_client(parameters("tests.cli.noisy:Noisy"), errlog=log)
        async with Client(transport, mode="legacy") as client:
            call = asyncio.create_task(client.call_tool("wait", {}))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})
        log.seek(0)
        assert log.read().splitlines() == ["imported", "built", "closed"]
    assert children() == before


def test_bytes_that_are_no_text_are_refused_and_the_talk_goes_on() -> None:
    with attending(FIXTURE) as server:
        server.begin()
        for broken in (
            b"\xff\xfe",
            b'{"jsonrpc": "2.0", "id": "\xff", "method": "ping"}',
            b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "\xc3"}}',
            b"\x00",
            "ping".encode("utf-16"),
        ):
            server.write(broken)
            assert server.hear()["error"]["code"] in (-32700, -32602)
        server.say("ping", id=1)
        assert server.hear() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_a_line_that_is_too_long_is_refused_and_the_talk_goes_on() -> None:
    with attending(FIXTURE) as server:
        server.begin()
        server.write(b" " * (LIMIT + 1))
        error = server.hear()["error"]
        assert (error["code"], error["message"]) == (
            -32600,
            f"The line is longer than {LIMIT} bytes",
        )
        name = "x" * (LIMIT - 200)
        server.call(name, 1)
        assert server.hear_error() == (1, -32602)


def test_letters_of_all_alphabets_come_through_whole() -> None:
    with attending(FIXTURE) as server:
        server.begin()
        said = "é\u2028\u2029\r😀\n" * 20_000
        server.call("test_x_mcp_header", 1, region=said)
        assert server.hear_text() == f"Region: {said}"


def test_the_end_of_input_still_lets_short_calls_end() -> None:
    with attending("tests.cli.noisy:Noisy") as server:
        server.begin()
        server.call("count", 1)
        server.stdin.close()
        assert server.hear_text() == "counted"
        assert server.process.wait(20) == 0


def test_the_end_in_the_middle_of_a_message_is_an_end() -> None:
    with attending(FIXTURE) as server:
        server.begin()
        server.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "meth')
        assert server.end() == 0
        out, err = server.rest()
        assert b"-32700" in out
        assert err == ""


def test_an_input_that_was_never_there_is_an_end() -> None:
    command = [sys.executable, "-m", "openenv_lite", "mcp", FIXTURE]
    null = subprocess.DEVNULL
    done = subprocess.run(
        command, cwd=ROOT, stdin=null, capture_output=True, timeout=30, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
