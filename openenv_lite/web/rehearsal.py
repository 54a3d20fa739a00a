"""The environment that there is while a page is built."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from openenv_lite.blueprint import Blueprint
from openenv_lite.session import Session
from openenv_lite.types import ServerMode
from openenv_lite.workers import new_id

__all__ = ["Rehearsal"]

T = TypeVar("T")


class Rehearsal:
    """Builds an environment when it is first asked for, and closes it when the block ends.

    It has a loop of its own, on a thread: where an app is made none need run, and one may.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()
        self._session: Session | None = None

    def __enter__(self) -> "Rehearsal":
        return self

    @property
    def session(self) -> Session:
        """The environment's.

        Raises:
            FactoryError: The author's constructor raised.
        """
        if self._session is None:
            self._session = self._run(self._open())
        return self._session

    async def _open(self) -> Session:
        session = Session(new_id(), self._blueprint, ServerMode.SIMULATION)
        await session.open()
        return session

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(self._runner.run, doing).result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            self._run(self._session.close())
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()
