"""What a model can do on a server where nobody has control: a session over `/mcp`, and tools."""

from typing import Any, NoReturn

from openenv_lite.client.rpc import (
    CALL_TOOL,
    CLOSE_SESSION,
    CREATE_SESSION,
    LIST_TOOLS,
    Rpc,
    tools_of,
)
from openenv_lite.errors import OpenEnvError, RequestError, ToolFailedError, UnknownMessageError
from openenv_lite.failures import failed_call
from openenv_lite.results import result_of
from openenv_lite.testing.sessions.game import Run
from openenv_lite.testing.sessions.requesting import Asked, Requester
from openenv_lite.testing.sessions.seen import Seen, plain
from openenv_lite.types import CallToolObservation

__all__ = ["AgentGame"]

_JSON = {"content-type": "application/json"}


class AgentGame:
    """A `Game` without its trainer's half.

    Args:
        requester: To the server.
        run: Runs coroutines on the event loop of the server's subject.

    Raises:
        OpenEnvError: The server gives nobody a session.
    """

    def __init__(self, requester: Requester, run: Run[Any]) -> None:
        self._requester = requester
        self._run = run
        self._rpc = Rpc()
        self._session = self._call(CREATE_SESSION, {})["session_id"]

    @property
    def raw(self) -> Any:
        """See `Game`: a server shows no objects."""
        return None

    def tools(self) -> list[dict[str, Any]]:
        """See `Game`."""
        tools: list[dict[str, Any]] = plain(tools_of(self._post(LIST_TOOLS)))
        return tools

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Seen:
        """See `Game`: what an action of a trainer would show."""
        try:
            result = self._post(CALL_TOOL, name=name, arguments=arguments)
        except (RequestError, ToolFailedError) as error:
            observation = failed_call(name, error)
        else:
            observation = CallToolObservation(tool_name=name, result=result)
        return Seen.of(result_of(observation))

    def _post(self, method: str, **params: Any) -> Any:
        return self._call(method, {**params, "session_id": self._session})

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        asked = Asked("POST", "/mcp", self._rpc.request(method, params), _JSON)
        answer = self._run(self._requester.exchange(asked))
        return self._rpc.result(method, answer.status, answer.body)

    def reset(self, seed: int | None = None, **options: Any) -> Seen:
        """Not for agents."""
        _refuse()

    def step(self, action: Any) -> Seen:
        """Not for agents."""
        _refuse()

    def typed(self, action: Any) -> Any:
        """Not for agents."""
        _refuse()

    def state(self) -> dict[str, Any]:
        """Not for agents."""
        _refuse()

    def snapshot(self) -> bytes:
        """Not for agents."""
        _refuse()

    def restore(self, saved: bytes) -> None:
        """Not for agents."""
        _refuse()

    def close(self) -> None:
        """See `Game`."""
        try:
            self._post(CLOSE_SESSION)
        except OpenEnvError:
            return  # it has ended already


def _refuse() -> NoReturn:
    raise UnknownMessageError("An agent has tools, and no control")
