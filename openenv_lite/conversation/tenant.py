"""The environment that a client acts in: its own, built when first needed, or one that it named."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from openenv_lite.conversation.opening import Opening
from openenv_lite.pool import Pool
from openenv_lite.protocol import CLOSED, DONE, Phase
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["CommonTenant", "Guest", "OwnTenant", "Tenant"]


class Tenant(Protocol):
    """Whoever acts in an environment."""

    session_id: str | None
    """Of the session, where the caller named it."""

    @property
    def has_ended(self) -> bool:
        """Whether the environment was its own, and is gone."""

    def current(self) -> Session | None:
        """The session, where it exists already."""

    async def session(self) -> Session:
        """The session, opened if need be."""


class Guest:
    """Acts in a session that somebody else opened, or that a handle names.

    Args:
        pool: Where the session lives.
        mode: Which it must have.
        session_id: Of the session.
        principal: Who the caller is; the session must be that one's, or nobody's.
    """

    def __init__(
        self, pool: Pool, mode: ServerMode, session_id: str, principal: str | None
    ) -> None:
        self._pool = pool
        self._mode = mode
        self.session_id: str | None = session_id
        self._principal = principal

    @property
    def has_ended(self) -> bool:
        """The environment was not its own."""
        return False

    def current(self) -> Session:
        """The session.

        Raises:
            UnknownSessionError: It does not exist, has ended, or is another principal's.
        """
        return self._pool.touch(self.session_id or "", self._mode, self._principal)

    async def session(self) -> Session:
        """As `current`."""
        return self.current()


class OwnTenant:
    """Has an environment of its own; when that has ended, so has the tenancy.

    Args:
        opening: Opens it.
        principal: Whose it will be.
        opened: Called with the session when it is there.
    """

    session_id: str | None = None
    _over: tuple[Phase, ...] = ()
    """Phases in which its session is none any more."""

    def __init__(
        self, opening: Opening, principal: str | None, opened: Callable[[Session], None]
    ) -> None:
        self._opening = opening
        self._pool = opening.pool
        self._principal = principal
        self._opened = opened
        self._session: Session | None = None
        self._turn = asyncio.Lock()

    @property
    def has_ended(self) -> bool:
        """Whether there was a session that is gone."""
        return self._session is not None and self._session.phase is CLOSED

    @property
    def is_vacant(self) -> bool:
        """Whether there is no session, and none about to be."""
        return (self._session is None or self.has_ended) and not self._turn.locked()

    def current(self) -> Session | None:
        """The session, once it exists.

        Raises:
            UnknownSessionError: It has ended.
        """
        session = self._session
        if session is None or session.phase in self._over:
            return None
        return session if self._pool.keep(session) else self._touched(session)

    async def session(self) -> Session:
        """The session, opened by the first call.

        Raises:
            CapacityError, FactoryError: There can be none.
            UnknownSessionError: It has ended.
        """
        async with self._turn:
            if self._session is None:
                self._session = await self._opening.open(self._principal)
                self._opened(self._session)
        return self._touched(self._session)

    def _touched(self, session: Session) -> Session:
        return self._pool.touch(session.id, session.mode, self._principal)

    async def close(self) -> None:
        """End the session."""
        async with self._turn:
            if self._session is not None:
                await self._pool.close(self._session)


class CommonTenant(OwnTenant):
    """Shared by all calls of one principal that name no session; begins anew when it has ended."""

    _over = (DONE, CLOSED)

    async def session(self) -> Session:
        """The session, opened where there is none or its episode is over."""
        async with self._turn:
            if self._session is not None and self._session.phase in self._over:
                await self._pool.close(self._session)
                self._session = None
        return await super().session()
