"""`Episodes` for an event loop."""

from typing import Any, Unpack

from openenv_lite.client.async_client import GenericEnvClient
from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.trainers.outcome import TOLD, Outcome, failure, outcome_of_result
from openenv_lite.trainers.toolbox import Toolbox

__all__ = ["AsyncEpisodes"]


class AsyncEpisodes:
    """One environment of a server and its episodes; connects on the first call.

    Args:
        base_url: As `EnvClient` takes it.
        app: An ASGI app of this process to talk to without a socket.
        toolbox: That of the environment, from `Episodes.toolbox`.
        **options: As `EnvClient` takes them.

    Raises:
        ValueError: Neither URL nor app.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        app: ASGIApp | None = None,
        toolbox: Toolbox,
        **options: Unpack[ConnectionOptions],
    ) -> None:
        self.toolbox = toolbox
        self._client = GenericEnvClient(base_url, app=app, **options)

    async def reset(self, **options: Any) -> Outcome:
        """See `Episodes`."""
        return outcome_of_result(await self._client.reset(**options))

    async def call(self, name: str, arguments: Any) -> Outcome:
        """See `Episodes`; that an episode is over is for the caller to know."""
        try:
            action = self.toolbox.action(name, arguments)
            return outcome_of_result(await self._client.step(action))
        except TOLD as error:
            return failure(error)

    async def close(self) -> None:
        """End the session."""
        await self._client.close()
