"""`Episodes` for an event loop."""

from collections.abc import Mapping
from typing import Any, Unpack

from openenv_lite.client.async_client import GenericEnvClient
from openenv_lite.client.target import ASGIApp, ConnectionOptions
from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.trainers.outcome import TOLD, Outcome, failure, outcome_of_result, over
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
        self._is_over = False

    async def reset(self, **options: Any) -> Outcome:
        """See `Episodes`."""
        outcome = outcome_of_result(await self._client.reset(**options))
        self._is_over = outcome.done
        return outcome

    async def call(self, name: str, arguments: Any) -> Outcome:
        """See `Episodes`; arguments that are no mapping are the model's mistake too."""
        if self._is_over:
            return over()
        if not isinstance(arguments, Mapping):
            return failure(InvalidArgumentsError("The arguments must be an object"))
        try:
            action = self.toolbox.action(name, arguments)
            outcome = outcome_of_result(await self._client.step(action))
        except TOLD as error:
            outcome = failure(error)
        self._is_over = outcome.done
        return outcome

    async def close(self) -> None:
        """End the session."""
        await self._client.close()
