from typing import Annotated, Any

import fastmcp
import fastmcp.exceptions
import fastmcp.utilities.types
import jsonschema  # type: ignore[import-untyped]
import mcp.server
import pytest
from mcp_types import ToolAnnotations
from pydantic import Field

from openenv_lite import CallToolAction, MCPEnvironment, ServerMode, create_app
from openenv_lite.errors import ConfigurationError
from openenv_lite.foreign_tools import tools_of
from tests.leaks import on_loop
from tests.peer import Peer


def declare(server: Any) -> Any:
    def add(a: int, b: Annotated[int, Field(description="the other")] = 2) -> int:
        """Add two numbers."""
        return a + b

    async def wait(text: str) -> str:
        """Wait and repeat."""
        return text

    def guess(a: int = Field(default=3, description="a number")) -> int:
        """Default declared the Pydantic way."""
        return a

    for function in (add, wait, guess):
        server.tool()(function)
    return server


SERVERS = [lambda: declare(fastmcp.FastMCP("theirs")), lambda: declare(mcp.server.MCPServer("t"))]
BOTH = pytest.mark.parametrize("make", SERVERS, ids=["fastmcp", "mcp"])


def environment(make: Any) -> type[MCPEnvironment]:
    class Theirs(MCPEnvironment):
        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self) -> None:
            super().__init__(make())

    return Theirs


@BOTH
def test_their_tools_keep_name_text_and_schema(make: Any) -> None:
    tools = {tool.name: tool.spec for tool in tools_of(make())}
    assert tools.keys() == {"add", "wait", "guess"}
    assert tools["add"].description == "Add two numbers."
    assert tools["add"].input_schema["required"] == ["a"]
    assert tools["add"].input_schema["properties"]["b"]["description"] == "the other"


@BOTH
@pytest.mark.parametrize("mode", ServerMode)
@on_loop
async def test_their_tools_are_called(make: Any, mode: ServerMode) -> None:
    async with Peer(create_app(environment(make), mode=mode), "/mcp") as peer:
        for name, arguments, value in (
            ("add", {"a": 1}, 3),
            ("wait", {"text": "x"}, "x"),
            ("guess", {}, 3),
        ):
            reply = await peer.call("tools/call", name=name, arguments=arguments)
            assert reply["result"]["data"] == value, reply


@BOTH
@on_loop
async def test_bad_arguments_do_not_reach_them(make: Any) -> None:
    async with Peer(create_app(environment(make)), "/mcp") as peer:
        for arguments in ({}, {"a": "x"}, {"a": 1, "z": 1}):
            reply = await peer.call("tools/call", name="add", arguments=arguments)
            assert reply["error"]["code"] == -32602


def test_a_reserved_name_of_theirs_is_refused() -> None:
    server = fastmcp.FastMCP("theirs")
    server.tool(name="Reset")(lambda: 1)
    with pytest.raises(ConfigurationError, match="reserved"):
        environment(lambda: server)()


@on_loop
async def test_a_tool_that_wants_a_context_gets_one() -> None:
    def make() -> Any:
        server = fastmcp.FastMCP("theirs")

        @server.tool
        async def name(context: fastmcp.Context, suffix: str) -> str:
            """Needs the server."""
            return context.fastmcp.name + suffix

        return server

    (tool,) = tools_of(make())
    assert "context" not in tool.spec.input_schema["properties"]
    async with Peer(create_app(environment(make)), "/mcp") as peer:
        reply = await peer.call("tools/call", name="name", arguments={"suffix": "!"})
        assert reply["result"]["data"] == "theirs!"


@on_loop
async def test_their_tool_errors_stay_out_of_production() -> None:
    def make() -> Any:
        server = fastmcp.FastMCP("theirs")

        @server.tool
        def fail() -> str:
            """Fail."""
            raise ValueError("secret-1234")

        return server

    app = create_app(environment(make), mode="production")
    async with Peer(app, "/mcp") as peer:
        reply = await peer.call("tools/call", name="fail", arguments={})
        assert "secret" not in str(reply)


@BOTH
def test_their_title_hints_and_icons_are_kept(make: Any) -> None:
    server = make()
    server.tool(name="look", title="Look", annotations=ToolAnnotations(read_only_hint=True))(
        lambda: 1
    )
    shown = {tool.name: tool.declaration for tool in tools_of(server)}
    assert shown["look"]["title"] == "Look"
    assert shown["look"]["annotations"] == {"readOnlyHint": True}
    assert shown["add"]["outputSchema"]["properties"] == {"result": {"type": "integer"}}
    assert not {"icons", "annotations"} & shown["add"].keys()


def make_pictures() -> Any:
    server = fastmcp.FastMCP("theirs")

    @server.tool
    def paint(context: fastmcp.Context) -> list[Any]:
        """Needs the server, and gives blocks."""
        return ["seen", fastmcp.utilities.types.Image(data=b"x", format="png")]

    @server.tool
    def point(context: fastmcp.Context) -> dict[str, int]:
        """Needs the server, and gives an object."""
        return {"x": 1}

    return server


@on_loop
async def test_what_their_own_call_gives_is_kept_block_by_block() -> None:
    made = environment(make_pictures)()
    painted = await made.invoke_tool("paint", {})
    assert [block["type"] for block in painted.content] == ["text", "image"]
    assert painted.content[1]["mimeType"] == "image/png"
    pointed = await made.invoke_tool("point", {})
    assert pointed.structured == pointed.data == {"x": 1}
    (tool,) = (tool for tool in made.tools.tools(made.server_mode) if tool.name == "point")
    jsonschema.validate(pointed.structured, tool.declaration["outputSchema"])


def test_anything_else_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="not int"):
        tools_of(5)


def test_tools_are_listed_inside_a_running_loop_too() -> None:
    @on_loop
    async def story() -> None:
        assert len(tools_of(SERVERS[0]())) == 3

    story()


def test_called_without_a_server_they_work_as_well() -> None:
    made = environment(SERVERS[0])()
    seen = made.step(CallToolAction(tool_name="wait", arguments={"text": "x"}))
    assert seen.result["data"] == "x"
