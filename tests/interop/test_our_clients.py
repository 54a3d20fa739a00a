"""Our clients at the original's server, and the same at ours."""

import asyncio
import contextlib
from typing import Any

import pytest

from openenv_lite import CallToolAction, ListToolsAction, StepResult
from openenv_lite.client import EnvClient, GenericEnvClient, MCPToolClient, SyncEnvClient
from openenv_lite.errors import (
    CapacityError,
    ExecutionError,
    FactoryError,
    InvalidMessageError,
    OpenEnvError,
)
from tests.interop.ours import PlainAction, PlainObservation, PlainState
from tests.interop.processes import Fleet

TOOLS = ["add", "echo", "fail", "pair", "names", "nothing", "untyped", "picture"]


class PlainClient(EnvClient[PlainAction, PlainObservation, PlainState]):
    """Types named, nothing overridden."""


class HookedClient(EnvClient[Any, Any, Any]):
    """OpenEnv's three hooks."""

    def _step_payload(self, action: str) -> dict[str, Any]:
        return {"text": action}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Any]:
        return StepResult(payload["observation"]["text"], payload["reward"], payload["done"])

    def _parse_state(self, payload: dict[str, Any]) -> int:
        return int(payload["step_count"])


def seated(url: str) -> SyncEnvClient[Any, Any, Any]:
    """A client that has the only session; the last test's may still be closing."""
    for _ in range(100):
        env = GenericEnvClient(base_url=url).sync()
        with contextlib.suppress(CapacityError):
            env.reset()
            return env
        env.close()
    raise TimeoutError("the session stays taken")


@pytest.fixture(params=["original", "ours"])
def urls(request: pytest.FixtureRequest) -> dict[str, str]:
    fleet: Fleet = request.getfixturevalue(request.param)
    return fleet.urls


def test_a_generic_client_plays_an_episode(urls: dict[str, str]) -> None:
    async def episode() -> None:
        async with GenericEnvClient(base_url=urls["plain"]) as env:
            first = await env.reset(seed=3, episode_id="e7")
            assert (first.observation["seed"], first.reward, first.done) == (3, None, False)
            second = await env.step({"text": "hi", "behave": "note"})
            assert (second.observation["text"], second.reward) == ("hi", 0.5)
            assert second.metadata == {"note": "hi"}
            assert (await env.step({"text": "last", "behave": "end"})).done
            assert await env.state() == {"episode_id": "e7", "step_count": 2, "last": "last"}

    asyncio.run(episode())


def test_its_sync_twin_plays_the_same(urls: dict[str, str]) -> None:
    with GenericEnvClient(base_url=urls["plain"]).sync() as env:
        assert env.reset(episode_id="e8").observation["text"] == "ready"
        assert env.step({"text": "hi", "count": 2}).observation["count"] == 2
        assert env.state() == {"episode_id": "e8", "step_count": 1, "last": "hi"}
        env.reset()
        assert env.state()["step_count"] == 0


def test_a_typed_client_reads_typed_observations_and_state(urls: dict[str, str]) -> None:
    async def episode() -> None:
        async with PlainClient(base_url=urls["plain"]) as env:
            assert isinstance((await env.reset()).observation, PlainObservation)
            result = await env.step(PlainAction(text="hi", numbers=[1, 2]))
            assert result.observation == PlainObservation(
                text="hi", count=1, numbers=[1, 2], reward=0.5
            )
            assert await env.state() == PlainState(episode_id="episode", step_count=1, last="hi")

    asyncio.run(episode())


def test_the_originals_hooks_are_called(urls: dict[str, str]) -> None:
    with HookedClient(base_url=urls["plain"]).sync() as env:
        assert env.reset() == StepResult("ready", None, False)
        assert env.step("hi") == StepResult("hi", 0.5, False)
        assert env.state() == 1


def test_errors_are_typed_and_the_episode_goes_on(urls: dict[str, str]) -> None:
    with GenericEnvClient(base_url=urls["plain"]).sync() as env:
        env.reset()
        with pytest.raises(ExecutionError, match="bad luck"):
            env.step({"text": "hi", "behave": "raise"})
        with pytest.raises(InvalidMessageError) as caught:
            env.step({"text": "hi", "colour": "red"})
        assert caught.value.errors[0]["loc"] == ["colour"]
        assert env.step({"text": "still here"}).observation["text"] == "still here"


def test_a_full_server_refuses_with_numbers_and_the_first_client_goes_on(
    urls: dict[str, str],
) -> None:
    with seated(urls["small"]) as first:
        second = GenericEnvClient(base_url=urls["small"]).sync()
        with pytest.raises(CapacityError) as caught:
            second.reset()
        second.close()
        assert caught.value.details["active_sessions"] == 1
        assert caught.value.details["max_sessions"] == 1
        assert first.step({"text": "on"}).observation["text"] == "on"


def test_a_broken_factory_is_named(urls: dict[str, str]) -> None:
    env = GenericEnvClient(base_url=urls["broken"]).sync()
    with pytest.raises(FactoryError) as caught:
        env.reset()
    env.close()
    assert caught.value.details["factory_name"] == "BrokenEnv"


def test_a_new_session_has_an_episode_of_its_own(urls: dict[str, str]) -> None:
    async def sessions() -> None:
        async with GenericEnvClient(base_url=urls["plain"]) as env:
            await env.reset(episode_id="parent")
            child = await env.new_session()
            await child.reset(episode_id="child")
            await child.step({"text": "only the child"})
            assert (await env.state())["step_count"] == 0
            assert (await child.state())["episode_id"] == "child"

    asyncio.run(sessions())


def test_many_clients_at_once_keep_their_episodes_apart(urls: dict[str, str]) -> None:
    async def episode(number: int) -> dict[str, Any]:
        async with GenericEnvClient(base_url=urls["plain"]) as env:
            await env.reset(episode_id=str(number))
            for step in range(5):
                await env.step({"text": f"{number}.{step}"})
            state: dict[str, Any] = await env.state()
            return state

    async def together() -> list[dict[str, Any]]:
        return await asyncio.gather(*(episode(number) for number in range(8)))

    for number, state in enumerate(asyncio.run(together())):
        assert state == {"episode_id": str(number), "step_count": 5, "last": f"{number}.4"}


@pytest.mark.parametrize("app", ["tools", "tools_production"])
def test_a_tool_client_lists_and_calls(urls: dict[str, str], app: str) -> None:
    async def tools() -> None:
        async with MCPToolClient(base_url=urls[app]) as env:
            listed = await env.list_tools()
            assert [tool.name for tool in listed] == TOOLS
            assert listed[0].input_schema["required"] == ["a"]
            assert await env.call_tool("add", a=1, b=4) == 5
            assert await env.call_tool("names") == ["ada", "bob"]
            assert await env.call_tool("pair", a=2) == {"a": 2, "twice": 4}
            assert await env.call_tool("nothing") is None

    asyncio.run(tools())


def test_its_sync_twin_calls_too(urls: dict[str, str]) -> None:
    with MCPToolClient(base_url=urls["tools"]).sync() as env:
        assert env.call_tool("echo", message="again") == "again"


def test_failed_tool_calls_raise_and_leave_the_session_alone(urls: dict[str, str]) -> None:
    with MCPToolClient(base_url=urls["tools"]).sync() as env:
        for name, arguments in [("fail", {}), ("dance", {}), ("add", {"a": "one"}), ("add", {})]:
            with pytest.raises(OpenEnvError, match=r"bad luck|dance|'a'|\na\n"):
                env.call_tool(name, **arguments)
        assert env.call_tool("add", a=1) == 3


def test_tools_are_called_as_actions(urls: dict[str, str]) -> None:
    with GenericEnvClient(base_url=urls["tools"]).sync() as env:
        env.reset()
        listed = env.step(ListToolsAction()).observation["tools"]
        assert [tool["name"] for tool in listed] == TOOLS
        called = env.step(CallToolAction(tool_name="add", arguments={"a": 1})).observation
        assert (called["tool_name"], called["result"]["data"], called["error"]) == ("add", 3, None)
