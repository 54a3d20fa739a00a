"""A session on a server, played by the same calls as one of a class."""

from typing import Any, cast

from openenv_lite.client.async_client import GenericEnvClient
from openenv_lite.errors import SnapshotsUnsupportedError
from openenv_lite.testing.sessions.game import Run
from openenv_lite.testing.sessions.seen import Seen
from openenv_lite.types import CallToolAction, ListToolsAction, StepResult

__all__ = ["PlainClient", "ServerGame"]


class PlainClient(GenericEnvClient):
    """A client that shows reward, done and truncated as the server sends them, right or wrong."""

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Any]:
        return StepResult(
            payload.get("observation"),
            payload.get("reward"),
            payload.get("done", cast(Any, None)),
            payload.get("metadata") or {},
            payload.get("truncated", False),
        )


class ServerGame:
    """A session on a server, over its `/ws`.

    Args:
        client: Not connected yet.
        run: Runs coroutines on the client's event loop.
    """

    def __init__(self, client: PlainClient, run: Run[Any]) -> None:
        self._client = client
        self._run = run
        run(client.connect())

    @property
    def raw(self) -> Any:
        """See `Game`: a server shows no objects."""
        return None

    def reset(self, seed: int | None = None, **options: Any) -> Seen:
        """See `Game`."""
        given = options if seed is None else {**options, "seed": seed}
        return Seen.of(self._run(self._client.reset(**given)))

    def step(self, action: Any) -> Seen:
        """See `Game`."""
        return Seen.of(self._run(self._client.step(action)))

    def typed(self, action: Any) -> Any:
        """See `Game`: a server's types are its own."""
        return action

    def state(self) -> dict[str, Any]:
        """See `Game`."""
        state: dict[str, Any] = self._run(self._client.state())
        return state

    def tools(self) -> list[dict[str, Any]]:
        """See `Game`."""
        tools: list[dict[str, Any]] = self.step(ListToolsAction()).observation["tools"]
        return tools

    def call_tool(self, name: str, arguments: dict[str, Any]) -> Seen:
        """See `Game`."""
        return self.step(CallToolAction(tool_name=name, arguments=arguments))

    def snapshot(self) -> bytes:
        """See `Game`; `/ws` as OpenEnv has it knows no snapshots."""
        raise SnapshotsUnsupportedError("This way to a server has no snapshots")

    def restore(self, saved: bytes) -> None:
        """See `Game`."""
        raise SnapshotsUnsupportedError("This way to a server has no snapshots")

    def close(self) -> None:
        """See `Game`."""
        self._run(self._client.close())
