"""The tool client at our own server, both twins, over TCP and in process."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from openenv_lite import Image, MCPEnvironment, Observation, create_app
from openenv_lite.client import MCPToolClient
from openenv_lite.client.rpc import CALL_TOOL, LIST_TOOLS, Rpc, tools_of, value_of
from openenv_lite.errors import (
    CapacityError,
    FactoryError,
    InvalidArgumentsError,
    OpenEnvError,
    ToolFailedError,
    UnknownMessageError,
    UnknownSessionError,
    UnknownToolError,
)
from openenv_lite.types import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    State,
)
from tests.client.conftest import Connect, socket_path
from tests.client.serving import serve


class Ready(Observation):
    status: str = "ready"


class Counter(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self.count = 0

        @self.tool
        def add(amount: int, twice: bool = False) -> int:
            """Add to the count."""
            self.count += amount * (2 if twice else 1)
            return self.count

        @self.tool
        def fail() -> str:
            raise ToolFailedError("on purpose")

        @self.tool
        def screenshot() -> Image:
            return Image(data=b"123", format="png")

    def reset(self, **options: Any) -> Ready:
        self.count = 0
        return Ready()

    @property
    def state(self) -> State:
        return State(episode_id="e", step_count=self.count)


def counter(**settings: Any) -> Any:
    return create_app(Counter, CallToolAction, CallToolObservation, **settings)


def test_an_agent_lists_and_calls_tools(connect: Connect) -> None:
    env = connect(counter(), MCPToolClient)
    assert [tool.name for tool in env.list_tools()] == ["add", "fail", "screenshot"]
    assert env.call_tool("add", amount=2) == 2
    assert env.call_tool("add", amount=2, twice=True) == 6
    assert env.get_tool("add").description.startswith("Add")
    assert env.has_tool("add")
    assert not env.has_tool("subtract")


def test_both_routes_reach_one_session(connect: Connect) -> None:
    env = connect(counter(), MCPToolClient)
    assert env.reset().observation.status == "ready"
    env.call_tool("add", amount=3)
    env.step(CallToolAction(tool_name="add", arguments={"amount": 1}))
    assert env.state().step_count == env.call_tool("add", amount=0) == 4


def test_steps_give_typed_observations(connect: Connect) -> None:
    env = connect(counter(), MCPToolClient)
    env.reset()
    listed = env.step(ListToolsAction()).observation
    assert isinstance(listed, ListToolsObservation)
    assert listed.tools == env.list_tools()
    shot = env.step(CallToolAction(tool_name="screenshot", arguments={})).observation
    assert isinstance(shot, CallToolObservation)
    assert (shot.result["content"][0]["type"], shot.result["data"]) == ("image", None)


def test_a_failed_call_raises_what_failed(connect: Connect) -> None:
    env = connect(counter(), MCPToolClient)
    with pytest.raises(UnknownToolError):
        env.call_tool("subtract")
    with pytest.raises(InvalidArgumentsError):
        env.call_tool("add", amount="many")
    with pytest.raises(ToolFailedError, match="on purpose"):
        env.call_tool("fail")
    assert env.call_tool("add", amount=1) == 1


def test_in_production_tools_need_no_control(connect: Connect) -> None:
    env = connect(counter(mode="production"), MCPToolClient)
    assert env.call_tool("add", amount=2) == 2
    with pytest.raises(UnknownMessageError):
        env.reset()
    assert env.call_tool("add", amount=2) == 4


def test_a_control_token_gives_control(connect: Connect) -> None:
    app = counter(mode="production", control_token="a-secret-of-length")
    env = connect(app, MCPToolClient, headers={"Authorization": "Bearer a-secret-of-length"})
    assert env.reset().observation.status == "ready"


def test_close_frees_the_session_on_the_server(connect: Connect) -> None:
    app = counter(max_concurrent_envs=1)
    for _ in range(3):
        env = connect(app, MCPToolClient)
        env.reset()
        env.call_tool("add", amount=1)
        env.close()
    assert app.state.server.statistics().active == 0


def test_a_full_server_refuses_with_its_capacity(connect: Connect) -> None:
    env = connect(counter(max_concurrent_envs=1), MCPToolClient).connect()
    with pytest.raises(CapacityError) as caught:
        env.new_session()
    assert caught.value.details["max_sessions"] == 1


def test_an_expired_session_is_said_to_be_unknown_until_a_reset(connect: Connect) -> None:
    env = connect(counter(), MCPToolClient).connect()
    for client in (env, getattr(env, "client", env)):
        client._lease.session = "gone"
    with pytest.raises(UnknownSessionError):
        env.call_tool("add", amount=1)
    with pytest.raises(UnknownSessionError):
        env.step(ListToolsAction())
    env.reset()
    assert env.call_tool("add", amount=1) == 1


def test_simulation_mode_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match="GenericEnvClient"):
        MCPToolClient("http://host", mode="simulation")


@pytest.mark.parametrize(
    ("method", "error", "kind"),
    [
        (CALL_TOOL, {"code": -32603, "message": "Unknown tool: 'x'"}, UnknownToolError),
        (CALL_TOOL, {"code": -32602, "message": "Tool not found: x"}, UnknownToolError),
        (
            CALL_TOOL,
            {"code": -32603, "message": "1 validation error for call[add]"},
            InvalidArgumentsError,
        ),
        (CALL_TOOL, {"code": -32602, "message": "Missing 'name'"}, InvalidArgumentsError),
        (CALL_TOOL, {"code": -32603, "message": "Error calling tool 'f': x"}, ToolFailedError),
        (LIST_TOOLS, {"code": -32603, "message": "no MCP here"}, OpenEnvError),
        (LIST_TOOLS, {"code": -32601, "message": "Method not found"}, UnknownMessageError),
        (CALL_TOOL, {"code": -32602, "message": "Unknown session_id: z"}, UnknownSessionError),
        ("x", {"code": -32000, "message": "full", "data": {"max_sessions": 1}}, CapacityError),
        ("x", {"code": -32000, "message": "no", "data": {"factory_name": "F"}}, FactoryError),
    ],
)
def test_a_json_rpc_error_is_the_class_it_means(
    method: str, error: dict[str, Any], kind: type[OpenEnvError]
) -> None:
    with pytest.raises(OpenEnvError) as caught:
        Rpc().result(method, 200, msgspec.json.encode({"error": error}))
    assert type(caught.value) is kind


def test_tools_are_called_over_a_unix_domain_socket() -> None:
    async def scenario(url: str) -> None:
        async with MCPToolClient(url) as env:
            assert await env.call_tool("add", amount=2) == 2

    with contextlib.ExitStack() as stack:
        url = stack.enter_context(serve(counter(), socket_path(stack)))
        asyncio.run(scenario(url))
        with MCPToolClient(url).sync() as env:
            assert env.call_tool("add", amount=3) == 3


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_an_answer_that_is_no_json_rpc_tells_the_http_status(body: bytes) -> None:
    with pytest.raises(OpenEnvError, match="HTTP 502"):
        Rpc().result(LIST_TOOLS, 502, body)


def test_both_spellings_of_a_tools_schema_are_read() -> None:
    dumps = [{"name": "a", "inputSchema": {"x": 1}}, {"name": "a", "input_schema": {"x": 1}}]
    first, second = tools_of({"tools": dumps})
    assert first == second


def test_a_result_that_is_an_error_raises() -> None:
    result = {"is_error": True, "content": [{"type": "text", "text": "no disk"}]}
    with pytest.raises(ToolFailedError, match="no disk"):
        value_of("f", result)
