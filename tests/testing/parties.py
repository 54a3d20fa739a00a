"""Sessions that clients of one kind hold together: the parties of `grounds`."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import msgspec

from openenv_lite.client.exchange import request
from openenv_lite.client.remote_errors import error_of
from openenv_lite.client.transport import lost
from openenv_lite.errors import ConnectionLostError, OpenEnvError
from openenv_lite.protocol import _REFUSALS
from openenv_lite.testing.comparing.machine import Party
from openenv_lite.testing.comparing.script import UNSEEN
from openenv_lite.testing.sessions.seen import Seen
from openenv_lite.types import CallToolAction, StepResult
from tests.leaks import until
from tests.mcp.posting import STATELESS, fields_of_2026, meta

__all__ = ["ClientParty", "LaneParty", "PostParty"]


class ClientParty(Party):
    """Clients of OpenEnv's protocol, which act at the same time."""

    def __init__(self, clients: list[Any], runner: asyncio.Runner) -> None:
        self.clients = clients
        self.run = runner.run
        self.run(self._connect())

    async def _connect(self) -> None:
        for client in self.clients:
            await client.connect()

    def reset(self, seeds: Mapping[int, int | None]) -> dict[int, Any]:
        return self.run(self._together(lambda n: self.clients[n].reset(**_given(seeds[n])), seeds))

    def step(self, actions: Mapping[int, Any]) -> dict[int, Any]:
        return self.run(self._together(lambda n: self.clients[n].step(actions[n]), actions))

    async def _together(
        self, call: Callable[[int], Awaitable[Any]], moves: Mapping[int, Any]
    ) -> dict[int, Any]:
        outcomes = await asyncio.gather(*map(call, moves), return_exceptions=True)
        return dict(zip(moves, map(_seen, outcomes), strict=True))

    def state(self, number: int) -> Any:
        return self.run(self.clients[number].state())

    def call_tool(self, number: int, name: str, arguments: dict[str, Any]) -> Any:
        action = CallToolAction(tool_name=name, arguments=arguments)
        return _seen(self.run(self.clients[number].step(action)))

    def call_off(self, actions: Mapping[int, Any], patience: int) -> dict[int, Any]:
        return self.run(self._call_off(actions, patience))

    async def _call_off(self, actions: Mapping[int, Any], patience: int) -> dict[int, Any]:
        tasks = {n: asyncio.create_task(self.clients[n].step(actions[n])) for n in actions}
        await _call_all_off([*tasks.values()], patience)
        return {number: _end_of(task) for number, task in tasks.items()}

    def cut(self) -> None:
        for client in self.clients:
            self.run(_cut(client._transport))
            with contextlib.suppress(ConnectionLostError):  # where a late reply hid the loss
                self.run(client.state())

    def attack(self, number: int, way: str, name: str) -> None:
        self.run(self.clients[number]._call(_attack(way, name), _raise_refusal))

    def close(self) -> None:
        for client in self.clients:
            self.run(client.close())


def _attack(way: str, name: str) -> bytes:
    if way == "a type of message":
        return request(name.swapcase(), b"{}")
    return request("mcp", json.dumps(_rpc_attack(way, name)).encode())


def _rpc_attack(way: str, name: str) -> dict[str, Any]:
    if way == "a tool":
        return _rpc("tools/call", name=name, arguments={})
    return _rpc(name)


def _rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _raise_refusal(reply: bytes) -> Any:
    """What a JSON-RPC response or a reply that holds one says."""
    message = json.loads(reply)
    if message.get("type") == "error":
        raise error_of(message["data"])
    return _result_of(message.get("data", message))


def _result_of(response: Any) -> Any:
    if "error" in response:
        raise _refusal(response["error"]["message"])
    return response["result"]


def _refusal(message: Any) -> OpenEnvError:
    """The error of a wire that has no codes of ours, by its words."""
    kinds = {text: kind for kind, text in _REFUSALS.items()}
    return kinds.get(message, OpenEnvError)(str(message))


class LaneParty(Party):
    """The lanes of one client.

    Args:
        client: Not connected yet.
        runner: Of its event loop.
    """

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self.client = client
        self.run = runner.run
        self.run(client.connect())

    def reset(self, seeds: Mapping[int, int | None]) -> dict[int, Any]:
        return _each(self.run(self.client.reset([*seeds.values()], lanes=[*seeds])))

    def step(self, actions: Mapping[int, Any]) -> dict[int, Any]:
        return _each(self.run(self.client.step([*actions.values()], lanes=[*actions])))

    def state(self, number: int) -> Any:
        return self.run(self.client.state([number]))[0]

    def call_tool(self, number: int, name: str, arguments: dict[str, Any]) -> Any:
        action = {"type": "call_tool", "tool_name": name, "arguments": arguments}
        return self.step({number: action})[number]

    def snapshot(self, number: int) -> str:
        (handle,) = self.run(self.client.snapshot([number]))
        return str(handle)

    def restore(self, number: int, saved: str) -> None:
        self.run(self.client.restore(saved, [number]))

    def fork(self, saved: str) -> int:
        (number,) = self.run(self.client.fork([saved]))
        return int(number)

    def carried(self, saved: str) -> str:
        """The snapshot again, having been away."""
        (data,) = self.run(self.client.export([saved]))
        (handle,) = self.run(self.client.import_([data]))
        return str(handle)

    def call_off(self, actions: Mapping[int, Any], patience: int) -> dict[int, Any]:
        return self.run(self._call_off(actions, patience))

    async def _call_off(self, actions: Mapping[int, Any], patience: int) -> dict[int, Any]:
        step = self.client.step([*actions.values()], lanes=[*actions])
        task = asyncio.create_task(step)
        await _call_all_off([task], patience)
        return dict.fromkeys(actions, UNSEEN) if task.cancelled() else _each(task.result())

    def cut(self) -> None:
        self.run(_cut(self.client._carrier._transport))

    def attack(self, number: int, way: str, name: str) -> None:
        identity = next(self.client._exchange._ids)
        if way == "a type of message":
            message = _message(name.upper() + "!")(identity)
        else:
            message = _Mcp(identity, number, _rpc_attack(way, name))
        _result_of(self.run(self.client._call(message)).data)

    def close(self) -> None:
        self.run(self.client.close())


class _Mcp(msgspec.Struct, tag_field="type", tag="mcp"):
    id: int
    lane: int
    data: dict[str, Any]


def _message(name: str) -> Any:
    return msgspec.defstruct("Message", [("id", int)], tag_field="type", tag=name)


class PostParty(Party):
    """Sessions by HTTP: the trainer's routes, and MCP's newest revision for the agent."""

    def __init__(self, client: httpx.AsyncClient, count: int, runner: asyncio.Runner) -> None:
        self.run = runner.run
        self.client = client
        made = [self.run(self._rpc("openenv/session/create")) for _ in range(count)]
        self.sessions = [each["session_id"] for each in made]

    def reset(self, seeds: Mapping[int, int | None]) -> dict[int, Any]:
        return self.run(self._together("/reset", {n: _given(seeds[n]) for n in seeds}))

    def step(self, actions: Mapping[int, Any]) -> dict[int, Any]:
        return self.run(self._together("/step", {n: {"action": actions[n]} for n in actions}))

    async def _together(self, path: str, bodies: Mapping[int, Any]) -> dict[int, Any]:
        calls = (self._control("POST", path, n, json=bodies[n]) for n in bodies)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        return {n: _seen_over_http(each) for n, each in zip(bodies, outcomes, strict=True)}

    def state(self, number: int) -> Any:
        return self.run(self._control("GET", "/state", number))

    async def _control(self, method: str, path: str, number: int, **given: Any) -> Any:
        where = {"session_id": self.sessions[number]}
        reply = await self.client.request(method, path, params=where, **given)
        if reply.status_code != 200:
            raise _refusal(reply.json()["detail"])
        return reply.json()

    def call_tool(self, number: int, name: str, arguments: dict[str, Any]) -> Any:
        result = self.run(self._agent(number, "tools/call", name=name, arguments=arguments))
        return {"structured": result.get("structuredContent"), "is_error": "isError" in result}

    async def _agent(self, number: int, method: str, **params: Any) -> Any:
        """A request of 2026-07-28 for one of the sessions."""
        fields = fields_of_2026(method, params.get("name"))
        accepted = {"accept": "application/json, text/event-stream"}
        reply = await self.client.post(
            "/mcp",
            params={"session_id": self.sessions[number]},
            headers={**dict(fields), **accepted},  # type: ignore[arg-type]
            json=_rpc(method, **params, _meta=meta(STATELESS)),
        )
        return _result_of(_message_in(reply))

    async def _rpc(self, method: str, **params: Any) -> Any:
        return _result_of((await self.client.post("/mcp", json=_rpc(method, **params))).json())

    def attack(self, number: int, way: str, name: str) -> None:
        if way == "a JSON-RPC method":
            self.run(self._agent(number, name))
        result = self.run(self._agent(number, "tools/call", name=name, arguments={}))
        if result.get("isError"):
            raise OpenEnvError(str(result))

    def close(self) -> None:
        for session in self.sessions:
            self.run(self._rpc("openenv/session/close", session_id=session))


def _message_in(reply: httpx.Response) -> Any:
    if not reply.headers["content-type"].startswith("text/event-stream"):
        return reply.json()
    lines = [each for each in reply.text.splitlines() if each.startswith("data: {")]
    return json.loads(lines[-1].removeprefix("data: "))


def _seen_over_http(outcome: Any) -> Any:
    if isinstance(outcome, BaseException):
        return _seen(outcome)
    truncated = outcome.get("truncated", False)
    told = outcome["observation"], outcome["reward"], outcome["done"], outcome["metadata"] or {}
    return Seen.of(StepResult(*told, truncated))


def _given(seed: int | None) -> dict[str, Any]:
    return {} if seed is None else {"seed": seed}


def _seen(outcome: Any) -> Any:
    if isinstance(outcome, OpenEnvError):
        return outcome
    if isinstance(outcome, BaseException):
        raise outcome
    return Seen.of(outcome)


def _each(result: Any) -> dict[int, Any]:
    """Of each lane what befell it."""
    outcomes = {}
    for place, lane in enumerate(result.lanes):
        error = result.errors.get(lane)
        outcomes[lane] = Seen.of(result[place]) if error is None else error
    return outcomes


async def _call_all_off(tasks: list["asyncio.Task[Any]"], patience: int) -> None:
    for _ in range(patience):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _end_of(task: "asyncio.Task[Any]") -> Any:
    return UNSEEN if task.cancelled() else _seen(task.exception() or task.result())


async def _cut(transport: Any) -> None:
    """Break a connection as a cable does that is pulled out; return when the client knows."""
    if hasattr(transport, "_to_app"):
        transport._hang_up(1006)
        transport._end(lost(1006, "cut"))
        await asyncio.sleep(0)
        return
    transport._connection.disconnect(False)
    await until(lambda: transport._inbox._end is not None)
