"""Official MCP clients against a real server: whatever the fixture serves reaches their callers."""

import asyncio
import contextlib
import functools
import warnings
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Literal, ParamSpec

import fastmcp
import mcp
import mcp_types
import pytest
from echo_env import EchoEnvironment
from pydantic import FileUrl

from openenv_lite import create_app
from tests.mcp.answering import PNG
from tests.mcp.fixture import Everything
from tests.server.serving import Served, serving

P = ParamSpec("P")

Action = Literal["accept", "decline", "cancel"]

TIMEOUT_S = 30
NEGOTIATED = {
    "legacy": "2025-11-25",
    "auto": "2026-07-28",
    "2026-07-28": "2026-07-28",
    "fastmcp": "2026-07-28",
    "fastmcp legacy": "2025-11-25",
}
EVERY_CLIENT = pytest.mark.parametrize("kind", NEGOTIATED)


class Host:
    """The program around a client: answers for its person and its model, and notes what it hears.

    Attributes:
        heard: Data of log messages.
        progress: Progress and total, as told.
        asked: What was asked, by method.
    """

    def __init__(self, action: Action = "accept") -> None:
        self.heard: list[Any] = []
        self.progress: list[tuple[float, float | None]] = []
        self.asked: list[str] = []
        self._action = action

    def elicit(self, params: Any) -> mcp_types.ElicitResult:
        self.asked.append(f"elicitation/create {params.message}")
        if self._action != "accept":
            return mcp_types.ElicitResult(action=self._action)
        fields: Any = {
            name: True if each["type"] == "boolean" else f"my {name}"
            for name, each in params.requested_schema["properties"].items()
        }
        return mcp_types.ElicitResult(action="accept", content=fields)

    def sample(self, params: Any) -> mcp_types.CreateMessageResult:
        (question,) = params.messages
        self.asked.append(f"sampling/createMessage {question.content.text}")
        answer = mcp_types.TextContent(type="text", text="Paris")
        return mcp_types.CreateMessageResult(role="assistant", content=answer, model="a model")

    def roots(self) -> list[mcp_types.Root]:
        self.asked.append("roots/list")
        return [mcp_types.Root(uri=FileUrl("file:///home/ada"), name="home")]

    async def note_log(self, params: Any) -> None:
        self.heard.append(params.data)

    async def note_progress(
        self, progress: float, total: float | None, message: str | None
    ) -> None:
        self.progress.append((progress, total))


def sdk(url: str, mode: str, host: Host | None) -> Any:
    """The client of the official SDK; without a host it can do nothing for a server."""
    if host is None:
        return mcp.Client(url, mode=mode)
    at_home: Host = host

    async def elicit(context: Any, params: Any) -> Any:
        return at_home.elicit(params)

    async def sample(context: Any, params: Any) -> Any:
        return at_home.sample(params)

    async def roots(context: Any) -> Any:
        return mcp_types.ListRootsResult(roots=at_home.roots())

    return mcp.Client(
        url,
        mode=mode,
        elicitation_callback=elicit,
        sampling_callback=sample,
        list_roots_callback=roots,
        logging_callback=host.note_log,
        log_level="info",
    )


def fast(url: str, mode: str, host: Host | None) -> Any:
    """The client of FastMCP."""
    if host is None:
        return fastmcp.Client(url, mode=mode)
    at_home: Host = host

    async def elicit(message: str, kind: Any, params: Any, context: Any) -> Any:
        return at_home.elicit(params)

    async def sample(messages: Any, params: Any, context: Any) -> Any:
        return at_home.sample(params)

    async def roots(context: Any) -> Any:
        return at_home.roots()

    return fastmcp.Client(
        url,
        mode=mode,
        elicitation_handler=elicit,
        sampling_handler=sample,
        roots=roots,
        log_handler=host.note_log,
    )


class Talk:
    """What a test does with either client."""

    def __init__(self, client: Any, host: Host | None, is_fast: bool) -> None:
        self.client = client
        self._host = host
        self._is_fast = is_fast

    async def tools(self) -> list[str]:
        found = await self.client.list_tools()
        return [tool.name for tool in (found if self._is_fast else found.tools)]

    async def call(self, name: str, **arguments: Any) -> Any:
        note = self._host.note_progress if self._host else None
        given: dict[str, Any] = {"progress_callback": note}
        if self._is_fast:
            given = {"progress_handler": note, "raise_on_error": False}
        return await self.client.call_tool(name, arguments, **given)

    async def text(self, name: str, **arguments: Any) -> str:
        result = await self.call(name, **arguments)
        assert not result.is_error, result
        return str(result.content[0].text)

    async def read(self, uri: str) -> Any:
        found = await self.client.read_resource(uri)
        (contents,) = found if self._is_fast else found.contents
        return contents


@contextlib.asynccontextmanager
async def talking(kind: str, server: Served, host: Host | None = None) -> AsyncIterator[Talk]:
    is_fast = kind.startswith("fastmcp")
    mode = {"fastmcp": "auto", "fastmcp legacy": "legacy"}.get(kind, kind)
    client = (fast if is_fast else sdk)(f"{server.http}/mcp", mode, host)
    async with client:
        yield Talk(client, host, is_fast)


def in_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test; no client may wait for ever."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), TIMEOUT_S))

    return run


@pytest.fixture(scope="module", params=["simulation", "production"])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(create_app(Everything, mode=request.param), http="httptools") as running:
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
    with serving(create_app(EchoEnvironment, mode=request.param), http="httptools") as running:
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
