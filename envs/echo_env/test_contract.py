"""What every user of `echo_env` may rely on."""

from typing import Any

from openenv_lite import CallToolAction, GenericEnvClient, MCPToolClient, ServerMode, create_app

from .server.echo_environment import EchoEnvironment

BOTH = {"echo_message", "echo_with_length"}


def said(client: Any, tool: str, **arguments: Any) -> Any:
    result = client.step(CallToolAction(tool_name=tool, arguments=arguments))
    return result.observation["result"]["data"]


def test_says_back_what_it_is_told() -> None:
    with GenericEnvClient(app=create_app(EchoEnvironment)).sync() as client:
        client.reset(seed=1)
        assert said(client, "echo_message", message="Hello") == "Hello"
        assert said(client, "echo_with_length", message="né") == {"message": "né", "length": 2}
        assert client.state()["step_count"] == 2


def test_a_reset_forgets_and_sessions_share_nothing() -> None:
    app = create_app(EchoEnvironment)
    with GenericEnvClient(app=app).sync() as one, GenericEnvClient(app=app).sync() as other:
        said(one, "echo_message", message="mine")
        assert said(one, "recall") == ["mine"]
        assert said(other, "recall") == []
        one.reset()
        assert said(one, "recall") == []


def test_each_mode_has_a_tool_of_its_own() -> None:
    def tools(mode: ServerMode) -> set[str]:
        with MCPToolClient(app=create_app(EchoEnvironment, mode=mode)).sync() as client:
            return {tool.name for tool in client.list_tools()}

    assert tools(ServerMode.SIMULATION) == {*BOTH, "recall"}
    assert tools(ServerMode.PRODUCTION) == {*BOTH, "echo_loudly"}
