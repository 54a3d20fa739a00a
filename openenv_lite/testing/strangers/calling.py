"""Calls of tools: which are possible, and what came of one."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from openenv_lite import codec
from openenv_lite.client.exchange import SESSION_HEADER
from openenv_lite.testing.law import Unmet
from openenv_lite.testing.sessions.seen import Seen, short
from openenv_lite.testing.strangers.door import Door
from openenv_lite.testing.strategies import valid

__all__ = ["Speaker", "calls_of", "error_of", "result_in", "succeeded"]


def calls_of(tools: Sequence[Mapping[str, Any]]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Names of tools with arguments that fit.

    Args:
        tools: As they are listed, the schema under either name.

    Raises:
        Unmet: There are none.
    """
    if not tools:
        raise Unmet("tools to call, and none is listed")
    return st.one_of([_calls(each["name"], codec.encode(_schema(each))) for each in tools])


def _schema(tool: Mapping[str, Any]) -> Any:
    return tool["input_schema"] if "input_schema" in tool else tool["inputSchema"]


@functools.lru_cache(maxsize=1000)
def _calls(name: str, schema: bytes) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), valid(codec.parse(schema)))


def error_of(seen: Seen) -> dict[str, Any] | None:
    """What a call's observation says of its failure: `error_type` and `message`."""
    error = seen.observation.get("error") if isinstance(seen.observation, dict) else None
    return error if isinstance(error, dict) else None


def result_in(seen: Seen) -> dict[str, Any] | None:
    """The result in a call's observation; None where there is none, or it is of another kind."""
    observation = seen.observation if isinstance(seen.observation, dict) else {}
    result = observation.get("result")
    return result if "tool_name" in observation and isinstance(result, dict) else None


def succeeded(seen: Seen) -> bool:
    """Whether a call was carried out, for all that one can see."""
    result = result_in(seen)
    return result is not None and not result.get("is_error") and error_of(seen) is None


class Speaker:
    """A session over a raw `/ws` that writes down what is said.

    Args:
        door: To the server.
        name: Of the variable.
        lines: Where it is written.
    """

    def __init__(self, door: Door, name: str, lines: list[str]) -> None:
        lines.append(f"{name} = door.socket()")
        self.socket = door.socket()
        self._name = name
        self._lines = lines

    @property
    def session_id(self) -> str | None:
        """The session's, where the server tells it."""
        return self.socket.headers.get(SESSION_HEADER)

    def tools(self) -> list[dict[str, Any]]:
        """What a model is told of the tools."""
        answer = self.rpc("tools/list", {})
        if "result" not in answer:
            raise Unmet(f"tools that can be listed on /ws: {short(answer)}")
        tools: list[dict[str, Any]] = answer["result"]["tools"]
        return tools

    def reset(self, seed: int) -> dict[str, Any]:
        """Begin an episode; the reply's data."""
        return self._ask({"type": "reset", "data": {"seed": seed}})

    def step(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool as a trainer's action; the reply's data."""
        action = {"type": "call_tool", "tool_name": name, "arguments": arguments}
        return self._ask({"type": "step", "data": action})

    def rpc(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask as a model; the JSON-RPC response."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self._ask({"type": "mcp", "data": request})

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        said = self.socket.ask(message)
        self._lines.append(f"{self._name}.ask({message!r})  # {short(said)}")
        data = said.get("data") if isinstance(said, dict) and said["type"] != "error" else None
        if not isinstance(data, dict):
            raise Unmet(f"calls that do not fail: {short(said)}")
        return data

    def close(self) -> None:
        """Hang up."""
        self._lines.append(f"{self._name}.close()")
        self.socket.close()
