"""What all conversations of one server share."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from openenv_lite import codec
from openenv_lite.conversation.listening import Listeners
from openenv_lite.conversation.opening import Opening
from openenv_lite.conversation.tenant import CommonTenant
from openenv_lite.mcp.pages import Pages
from openenv_lite.mcp.seal import Seal
from openenv_lite.pool import Pool
from openenv_lite.session import Catalogue, Session
from openenv_lite.types import ServerMode

__all__ = ["Site", "SiteSettings"]


MOST_COMMON = 1000
"""Principals after which those without an environment are forgotten."""


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and names; times in seconds."""

    name: str
    version: str
    key: bytes
    """Seals handles; servers that share it accept each other's."""
    page_size: int = 100
    max_conversations: int = 10_000
    idle_timeout_s: float = 900.0


class Site:
    """One environment class as MCP clients meet it.

    Args:
        pool: Where environments live.
        mode: In which they are served.
        settings: Limits and names.
        time: Seconds since the epoch, the same on every worker.
    """

    def __init__(
        self,
        pool: Pool,
        mode: ServerMode,
        settings: SiteSettings,
        time: Callable[[], float] = time.time,
    ) -> None:
        self.pool = pool
        self.mode = mode
        self.settings = settings
        self.opening = Opening(pool, mode)
        self.time = time
        self.seal = Seal(settings.key)
        self.pages = Pages(self.seal, settings.page_size)
        self.info = {"name": settings.name, "version": settings.version}
        self.stamp = msgspec.Raw(codec.encode(self.info))
        self.has_handles = mode is ServerMode.PRODUCTION and pool.settings.max_sessions > 1
        self.listeners = Listeners()
        self._common: dict[str | None, CommonTenant] = {}

    def common(self, principal: str | None) -> CommonTenant:
        """The environment of a principal's calls that name none."""
        found = self._common.get(principal)
        if found is None:
            if len(self._common) >= MOST_COMMON:  # not sooner: a call may be about to open one
                self._common = {k: each for k, each in self._common.items() if not each.is_vacant}
            found = CommonTenant(self.opening, principal, _do_nothing)
            self._common[principal] = found
        return found

    async def catalogue(self, session: Session | None) -> Catalogue:
        """What there is to list: of this session, else of the class, for which one may be built."""
        if session is not None:
            return session.catalogue()
        return await self.opening.catalogue()


def _do_nothing(session: Any) -> None:
    """Nobody watches a common session but its listeners."""
