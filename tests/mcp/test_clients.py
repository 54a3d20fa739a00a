"""Official MCP clients against a real server: whatever the fixture serves reaches their callers."""

import asyncio
import functools
import warnings
from base64 import b64decode
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ParamSpec

import mcp
import pytest
from echo_env import EchoEnvironment

from openenv_lite import create_app
from openenv_lite.server.uvicorn_http import StraightHttp
from tests.mcp.answering import PNG
from tests.mcp.fixture import Everything
from tests.mcp.official import NEGOTIATED, Action, Host, talking
from tests.server.serving import Served, serving

P = ParamSpec("P")

TIMEOUT_S = 30
EVERY_CLIENT = pytest.mark.parametrize("kind", NEGOTIATED)


def in_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test; no client may wait for ever."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), TIMEOUT_S))

    return run


HTTP: dict[str, Any] = {"simulation": "httptools", "production": StraightHttp}
"""uvicorn's own way, and that of `openenv-lite serve`."""


@pytest.fixture(scope="module", params=["simulation", "production"])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    app = create_app(Everything, mode=request.param)
    with serving(app, http=HTTP[request.param], access_log=False) as running:
        yield running


@EVERY_CLIENT
@in_time
async def test_a_client_agrees_on_its_newest_revision(server: Served, kind: str) -> None:
    async with talking(kind, server) as talk:
        assert talk.client.protocol_version == NEGOTIATED[kind]


@EVERY_CLIENT
@in_time
async def test_tools_are_listed_and_called(server: Served, kind: str) -> None:
    async with talking(kind, server) as talk:
        names = await talk.tools()
        assert {"test_simple_text", "json_schema_2020_12_tool"} < {*names}
        assert len(names) == len({*names})
        for _ in range(2):
            text = await talk.text("test_simple_text")
            assert text == "This is a simple text response for testing."
        assert await talk.text("test_x_mcp_header", region="São Paulo") == "Region: São Paulo"
        failed = await talk.call("test_error_handling")
        assert failed.is_error
        assert "test_error_handling" in failed.content[0].text


@EVERY_CLIENT
@in_time
async def test_pictures_sounds_and_resources_come_in_one_piece(server: Served, kind: str) -> None:
    async with talking(kind, server) as talk:
        (picture,) = (await talk.call("test_image_content")).content
        assert (picture.type, picture.mime_type) == ("image", "image/png")
        assert b64decode(picture.data) == PNG
        (sound,) = (await talk.call("test_audio_content")).content
        assert (sound.type, sound.mime_type) == ("audio", "audio/wav")
        mixed = (await talk.call("test_multiple_content_types")).content
        assert [each.type for each in mixed] == ["text", "image", "resource"]


@EVERY_CLIENT
@in_time
async def test_resources_are_listed_and_read(server: Served, kind: str) -> None:
    async with talking(kind, server) as talk:
        listed = await talk.client.list_resources()
        entries = listed if kind.startswith("fastmcp") else listed.resources
        assert "test://static-text" in {str(each.uri) for each in entries}
        text = await talk.read("test://static-text")
        assert text.text == "This is the content of the static text resource."
        blob = await talk.read("test://static-binary")
        assert (b64decode(blob.blob), blob.mime_type) == (PNG, "image/png")
        assert '"id":"9"' in (await talk.read("test://template/9/data")).text.replace(" ", "")


@EVERY_CLIENT
@in_time
async def test_prompts_are_listed_and_filled_in(server: Served, kind: str) -> None:
    async with talking(kind, server) as talk:
        listed = await talk.client.list_prompts()
        entries = listed if kind.startswith("fastmcp") else listed.prompts
        assert "test_prompt_with_image" in {each.name for each in entries}
        arguments = {"arg1": "a", "arg2": "ß"}
        filled = await talk.client.get_prompt("test_prompt_with_arguments", arguments)
        assert filled.messages[0].content.text == "Prompt with arguments: arg1='a', arg2='ß'"
        picture, text = (await talk.client.get_prompt("test_prompt_with_image")).messages
        assert (picture.content.type, text.content.type) == ("image", "text")


@EVERY_CLIENT
@in_time
async def test_progress_and_log_reach_the_callbacks(server: Served, kind: str) -> None:
    host = Host()
    async with talking(kind, server, host) as talk:
        assert await talk.text("test_tool_with_progress") == "Reached 100 of 100."
        assert host.progress == [(0, 100), (50, 100), (100, 100)]
        assert await talk.text("test_tool_with_logging") == "Logged three times."
        assert host.heard == [
            "Tool execution started",
            "Tool processing data",
            "Tool execution completed",
        ]


@in_time
async def test_a_level_that_the_client_sets_is_kept_to(server: Served) -> None:
    host = Host()
    async with talking("legacy", server, host) as talk:
        with warnings.catch_warnings():  # the SDK deprecates what only 2026-07-28 has not
            warnings.simplefilter("ignore", mcp.MCPDeprecationWarning)
            await talk.client.set_logging_level("warning")
        await talk.text("test_tool_with_logging")
        await talk.text("test_logging_tool")
        assert host.heard == [{"what": "anybody may want to know"}]


@in_time
async def test_without_a_level_a_client_of_2026_07_28_hears_no_log(server: Served) -> None:
    heard: list[Any] = []

    async def note(params: Any) -> None:
        heard.append(params)

    async with mcp.Client(f"{server.http}/mcp", logging_callback=note) as client:
        await client.call_tool("test_tool_with_logging", {})
        assert heard == []


QUESTIONS = {
    "test_input_required_result_elicitation": (
        "Hello, my name!",
        {"elicitation/create What is your name?"},
    ),
    "test_input_required_result_sampling": (
        "Paris",
        {"sampling/createMessage What is the capital of France?"},
    ),
    "test_input_required_result_list_roots": ("file:///home/ada", {"roots/list"}),
    "test_input_required_result_multiple_inputs": (
        "Paris my name, 1 roots",
        {
            "elicitation/create What is your name?",
            "sampling/createMessage Generate a greeting",
            "roots/list",
        },
    ),
    "test_input_required_result_multi_round": (
        "my name likes my color",
        {
            "elicitation/create Step 1: What is your name?",
            "elicitation/create Step 2: What is your favorite color?",
        },
    ),
    "test_input_required_result_request_state": (
        "state-ok: accept",
        {"elicitation/create Please confirm"},
    ),
}


@EVERY_CLIENT
@in_time
async def test_what_a_tool_asks_is_answered_by_the_callbacks(server: Served, kind: str) -> None:
    host = Host()
    async with talking(kind, server, host) as talk:
        for tool, (text, asked) in QUESTIONS.items():
            host.asked.clear()
            assert await talk.text(tool) == text
            assert {*host.asked} == asked


@EVERY_CLIENT
@in_time
async def test_a_prompt_asks_as_well(server: Served, kind: str) -> None:
    host = Host()
    async with talking(kind, server, host) as talk:
        filled = await talk.client.get_prompt("test_input_required_result_prompt")
        assert filled.messages[0].content.text == "Speak about my context."
        assert host.asked == ["elicitation/create What context should the prompt use?"]


@EVERY_CLIENT
@pytest.mark.parametrize("action", ["decline", "cancel"])
@in_time
async def test_a_person_may_refuse(server: Served, kind: str, action: Action) -> None:
    async with talking(kind, server, Host(action)) as talk:
        told = await talk.text("test_streaming_elicitation")
        assert told == f"User response: action={action}"


@EVERY_CLIENT
@in_time
async def test_a_client_without_callbacks_is_told_what_it_lacks(server: Served, kind: str) -> None:
    async with talking(kind, server) as talk:
        if NEGOTIATED[kind] == "2025-11-25":
            refused = await talk.call("test_missing_capability")
            assert refused.is_error
            assert "sampling" in refused.content[0].text
        else:
            with pytest.raises(mcp.MCPError) as lacking:
                await talk.call("test_missing_capability")
            assert lacking.value.code == -32021
            assert lacking.value.error.data == {"requiredCapabilities": {"sampling": {}}}
        assert await talk.text("test_simple_text")


@EVERY_CLIENT
@in_time
async def test_what_does_not_exist_is_an_error_of_the_protocol(server: Served, kind: str) -> None:
    missing = -32002 if NEGOTIATED[kind] == "2025-11-25" else -32602
    async with talking(kind, server) as talk:
        for pending, code in (
            (talk.call("no_such_tool"), -32602),
            (talk.read("test://no-such"), missing),
            (talk.client.get_prompt("no_such_prompt"), -32602),
        ):
            with pytest.raises(mcp.MCPError) as unknown:
                await pending
            assert unknown.value.code == code


@pytest.mark.parametrize("kind", ["legacy", "fastmcp legacy"])
@in_time
async def test_who_leaves_takes_the_environment_along(server: Served, kind: str) -> None:
    before = server.statistics.active
    async with talking(kind, server) as talk:
        await talk.text("test_simple_text")
        assert server.statistics.active == before + 1
    assert server.statistics.active == before


@EVERY_CLIENT
@in_time
async def test_many_calls_at_once_are_each_answered(server: Served, kind: str) -> None:
    async with talking(kind, server) as talk:
        await talk.tools()  # tells the client which argument goes into a header too
        regions = [f"region {number}" for number in range(20)]
        told = await asyncio.gather(
            *(talk.text("test_x_mcp_header", region=region) for region in regions)
        )
        assert told == [f"Region: {region}" for region in regions]


@pytest.fixture(scope="module", params=["simulation", "production"])
def echo(request: pytest.FixtureRequest) -> Iterator[tuple[str, Served]]:
    app = create_app(EchoEnvironment, mode=request.param)
    with serving(app, http=HTTP[request.param], access_log=False) as running:
        yield request.param, running


@EVERY_CLIENT
@in_time
async def test_the_echo_environment_serves_a_plain_client(
    echo: tuple[str, Served], kind: str
) -> None:
    mode, server = echo
    own, handles = "recall", set[str]()
    if mode == "production":
        own = "echo_loudly"
        is_stateless = NEGOTIATED[kind] == "2026-07-28"
        handles = {"openenv_open_session", "openenv_close_session"} if is_stateless else set()
    async with talking(kind, server) as talk:
        assert {*await talk.tools()} == {"echo_message", "echo_with_length", own} | handles
        assert await talk.text("echo_message", message="né") == "né"
        told = await talk.call("echo_with_length", message="né")
        assert told.structured_content == {"message": "né", "length": 2}
        if mode == "production":
            assert await talk.text("echo_loudly", message="quiet") == "QUIET"
        else:
            heard = (await talk.call("recall")).structured_content["result"]
            assert heard[-2:] == ["né", "né"]
        wrong = await talk.call("echo_message", message=1)
        assert wrong.is_error
