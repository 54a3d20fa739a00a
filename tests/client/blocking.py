"""An async client, in tests that are the same for its sync twin."""

import asyncio
import inspect
from typing import Any

from openenv_lite.client import EnvClient

__all__ = ["Blocking"]


class Blocking:
    """An async client, called as its sync twin is."""

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.client, name)
        return self._waiting(found) if inspect.iscoroutinefunction(found) else found

    def _waiting(self, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = self._runner.run(method(*args, **kwargs))
            return Blocking(result, self._runner) if isinstance(result, EnvClient) else result

        return call
