"""The original's clients, driven over standard input: one scenario a line, what it saw a line.

In: `{"scenario": name, "urls": {app: url}}`. Out: `{"saw": ...}` or `{"raised": traceback}`.
"""

import asyncio
import dataclasses
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

from openenv.core import GenericAction, GenericEnvClient, MCPToolClient
from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.mcp_types import CallToolAction, ListToolsAction
from openenv.core.env_server.types import Action, Observation, State

Urls = dict[str, str]


class PlainAction(Action):
    text: str
    count: int = 1


class PlainObservation(Observation):
    text: str = ""
    count: int = 0


class PlainState(State):
    last: str = ""


class PlainClient(EnvClient[PlainAction, PlainObservation, PlainState]):
    """A typed client as an author of the original writes it."""

    def _step_payload(self, action: PlainAction) -> dict[str, Any]:
        return action.model_dump()

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[PlainObservation]:
        seen = payload["observation"]
        observation = PlainObservation(
            text=seen["text"],
            count=seen["count"],
            reward=payload["reward"],
            done=payload["done"],
        )
        return StepResult(observation, payload["reward"], payload["done"])

    def _parse_state(self, payload: dict[str, Any]) -> PlainState:
        return PlainState(**payload)


def plain(value: Any) -> Any:
    """JSON for whatever a client returned."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


async def attempt(call: Any) -> Any:
    """What an awaitable gave, or the error it raised."""
    try:
        return plain(await call)
    except Exception as error:  # noqa: BLE001  whatever a client raises is what it saw
        return {"error": type(error).__name__, "message": str(error)}


async def seated(url: str) -> GenericEnvClient:
    """A client that has the only session; the last scenario's may still be closing."""
    for _ in range(100):
        env = GenericEnvClient(base_url=url)
        if "error" not in await attempt(env.reset()):
            return env
        await env.close()
    raise TimeoutError("the session stays taken")


async def generic(urls: Urls) -> Any:
    async with GenericEnvClient(base_url=urls["plain"]) as env:
        return [
            plain(await env.reset(seed=3, episode_id="e7")),
            plain(await env.step({"text": "hi"})),
            plain(await env.step(GenericAction(text="hi", behave="note"))),
            plain(await env.step({"text": "last", "behave": "end"})),
            plain(await env.state()),
        ]


def generic_sync(urls: Urls) -> Any:
    with GenericEnvClient(base_url=urls["plain"]).sync() as env:
        return [
            plain(env.reset()),
            plain(env.step({"text": "hi", "count": 2})),
            plain(env.state()),
            plain(env.reset(episode_id="two")),
            plain(env.state()),
        ]


async def typed(urls: Urls) -> Any:
    async with PlainClient(base_url=urls["plain"]) as env:
        return [
            plain(await env.reset()),
            plain(await env.step(PlainAction(text="hi", count=3))),
            plain(await env.state()),
        ]


def typed_sync(urls: Urls) -> Any:
    with PlainClient(base_url=urls["plain"]).sync() as env:
        return [plain(env.reset()), plain(env.step(PlainAction(text="hi"))), plain(env.state())]


async def errors(urls: Urls) -> Any:
    async with GenericEnvClient(base_url=urls["plain"]) as env:
        await env.reset()
        return [
            await attempt(env.step({"text": "hi", "behave": "raise"})),
            await attempt(env.step({"colour": "red"})),
            await attempt(env.reset(difficulty="impossible")),
            await attempt(env.reset()),
            await attempt(env.step({"text": "still here"})),
        ]


async def capacity(urls: Urls) -> Any:
    async with await seated(urls["small"]) as first:
        second = GenericEnvClient(base_url=urls["small"])
        refused = await attempt(second.reset())
        await second.close()
        return [refused, plain(await first.step({"text": "the first goes on"}))]


async def factory(urls: Urls) -> Any:
    env = GenericEnvClient(base_url=urls["broken"])
    refused = await attempt(env.reset())
    await env.close()
    return refused


async def new_session(urls: Urls) -> Any:
    async with GenericEnvClient(base_url=urls["plain"]) as env:
        await env.reset(episode_id="parent")
        child = await env.new_session()
        await child.reset(episode_id="child")
        await child.step({"text": "only the child"})
        return [type(child).__name__, plain(await env.state()), plain(await child.state())]


def new_session_sync(urls: Urls) -> Any:
    with GenericEnvClient(base_url=urls["plain"]).sync() as env:
        env.reset(episode_id="parent")
        child = env.new_session()
        child.reset(episode_id="child")
        env.step({"text": "only the parent"})
        return [plain(env.state()), plain(child.state())]


async def many(urls: Urls) -> Any:
    async def episode(number: int) -> Any:
        async with GenericEnvClient(base_url=urls["plain"]) as env:
            await env.reset(episode_id=str(number))
            for step in range(5):
                await env.step({"text": f"{number}.{step}"})
            return plain(await env.state())

    return await asyncio.gather(*(episode(number) for number in range(8)))


async def tools(urls: Urls) -> Any:
    async with MCPToolClient(base_url=urls["tools"]) as env:
        return [
            plain(await env.reset(episode_id="tools")),
            [tool.name for tool in await env.list_tools()],
            plain(await env.get_tool("add")),
            await env.has_tool("dance"),
            await env.call_tool("add", a=1, b=4),
            await env.call_tool("add", a=1),
            await env.call_tool("names"),
            await env.call_tool("pair", a=2),
            await env.call_tool("nothing"),
            await attempt(env.call_tool("fail")),
            plain(await env.step(CallToolAction(tool_name="echo", arguments={"message": "m"}))),
            [tool.name for tool in (await env.step(ListToolsAction())).observation.tools],
            plain(await env.state()),
        ]


def tools_sync(urls: Urls) -> Any:
    with MCPToolClient(base_url=urls["tools"]).sync() as env:
        env.reset()
        return [
            [tool.name for tool in env.list_tools()],
            env.call_tool("add", a=20, b=22),
            env.call_tool("echo", message="again"),
        ]


async def tools_in_production(urls: Urls) -> Any:
    async with MCPToolClient(base_url=urls["tools_production"]) as env:
        return [
            [tool.name for tool in await env.list_tools()],
            await env.call_tool("add", a=2, b=2),
            await env.call_tool("names"),
        ]


async def tools_new_session(urls: Urls) -> Any:
    async with MCPToolClient(base_url=urls["tools"]) as env:
        await env.reset(episode_id="parent")
        child = await env.new_session()
        await child.reset(episode_id="child")
        await child.call_tool("add", a=1)
        return [plain(await env.state()), plain(await child.state())]


async def tool_errors(urls: Urls) -> Any:
    async with MCPToolClient(base_url=urls["tools"]) as env:
        await env.reset()
        return [
            await attempt(env.call_tool("dance")),
            await attempt(env.call_tool("add", a="one")),
            await attempt(env.call_tool("add")),
            await attempt(env.call_tool("add", a=1)),
        ]


async def tools_without_docstrings(urls: Urls) -> Any:
    async with MCPToolClient(base_url=urls["undocumented"]) as env:
        return [plain(await env.list_tools()), await env.call_tool("hush")]


async def tools_at_capacity(urls: Urls) -> Any:
    async with await seated(urls["small"]):
        second = MCPToolClient(base_url=urls["small"])
        return await attempt(second.connect())


SCENARIOS: dict[str, Callable[[Urls], Any]] = {
    each.__name__: each
    for each in (
        generic,
        generic_sync,
        typed,
        typed_sync,
        errors,
        capacity,
        factory,
        new_session,
        new_session_sync,
        many,
        tools,
        tools_sync,
        tools_in_production,
        tools_new_session,
        tool_errors,
        tools_without_docstrings,
        tools_at_capacity,
    )
}


def play(name: str, urls: Urls) -> dict[str, Any]:
    scenario = SCENARIOS[name]
    try:
        if inspect.iscoroutinefunction(scenario):
            return {"saw": asyncio.run(scenario(urls))}
        return {"saw": scenario(urls)}
    except Exception:  # noqa: BLE001  told to the test, which fails with it
        return {"raised": traceback.format_exc()}


if __name__ == "__main__":
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(play(order["scenario"], order["urls"])), flush=True)
