"""Environments opened for MCP clients, and what they will offer, known before there is one."""

import asyncio

from openenv_lite.pool import Pool
from openenv_lite.session import Catalogue, Session
from openenv_lite.types import ServerMode

__all__ = ["Opening"]


class Opening:
    """Opens environments; where none was built yet, one is for a moment, to list what it offers.

    Args:
        pool: Where they live.
        mode: In which they are served.
    """

    def __init__(self, pool: Pool, mode: ServerMode) -> None:
        self.pool = pool
        self.mode = mode
        self._probing = asyncio.Lock()

    async def open(self, principal: str | None) -> Session:
        """An environment for this principal.

        Raises:
            CapacityError, FactoryError: There can be none.
        """
        async with self._probing:  # the one built for a list may hold the only slot there is
            if self.mode not in self.pool.catalogues:
                return await self.pool.open(self.mode, owner=principal)
        return await self.pool.open(self.mode, owner=principal)

    async def catalogue(self) -> Catalogue:
        """What environments of this class offer when they are new."""
        async with self._probing:
            if self.mode not in self.pool.catalogues:
                async with self.pool.lease(self.mode, None):
                    pass  # the pool remembers what the first one offers
            return self.pool.catalogues[self.mode]
