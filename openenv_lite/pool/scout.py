"""The environment that is asked what there is to play, apart from those that are played."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from openenv_lite.errors import SessionError
from openenv_lite.pool.pool import Pool
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["Scout"]


class Scout:
    """Lends an environment that was never reset, to one caller at a time.

    It is built when it is first wanted, and has a slot as any other. It ends once nobody has wanted
    it for the grace time of lost sessions, or somebody needs the slot. Where there is no slot for
    it, one that is being played is lent between two calls.

    Args:
        pool: Where environments come from.
        mode: Theirs.
    """

    def __init__(self, pool: Pool, mode: ServerMode) -> None:
        self._pool = pool
        self._mode = mode
        self._turn = asyncio.Lock()
        self._id = ""

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[Session]:
        """The environment.

        Raises:
            CapacityError: There is no slot, and every environment is busy.
            FactoryError: The author's constructor raised.
        """
        async with self._turn:
            session = self._kept() or self._pool.neighbour(self._mode) or await self._opened()
            try:
                yield session
            finally:
                self._pool.lose(session.id, self)  # one that is lent is held by somebody else

    def _kept(self) -> Session | None:
        with contextlib.suppress(SessionError):
            return self._pool.attach(self._id, self, self._mode)
        return None

    async def _opened(self) -> Session:
        session = await self._pool.open_spare(self._mode, self)
        self._id = session.id
        return session
