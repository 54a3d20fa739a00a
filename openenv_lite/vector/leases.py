"""The sessions that one connection holds: all of what it asks for, or none."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from openenv_lite.errors import CapacityError, InvalidMessageError, OpenEnvError
from openenv_lite.pool import Pool
from openenv_lite.session import Session
from openenv_lite.types import ServerMode
from openenv_lite.workers import new_id

__all__ = ["Leases", "ended"]

BUILT_AT_A_TURN = 16
"""Constructors that may begin before the event loop has a turn."""


class Leases:
    """Opens sessions, takes them up again, and lets them go.

    Args:
        pool: Where sessions come from, and where each is counted.
        mode: The sessions'.
        principal: Whose they are; None for whoever knows their ids.
    """

    def __init__(self, pool: Pool, mode: ServerMode, principal: str | None) -> None:
        self._pool = pool
        self._mode = mode
        self._principal = principal
        self._held: dict[str, Session] = {}

    async def open(self, count: int) -> list[Session]:
        """So many new sessions, built side by side.

        Raises:
            CapacityError, FactoryError: One cannot be had; then none stays.
        """
        return await self._open_all([None] * count)

    async def fork(self, saved: Sequence[bytes]) -> list[Session]:
        """A new session for each snapshot, restored to it.

        Raises:
            CapacityError, FactoryError: One cannot be had; then none stays.
            OpenEnvError: As `Session.restore`; then none stays either.
        """
        return await self._open_all(saved)

    async def _open_all(self, beginnings: Sequence[bytes | None]) -> list[Session]:
        count = len(beginnings)
        most = self._pool.settings.max_sessions
        if count > most:
            raise CapacityError(
                f"{count} lanes asked for; this server holds {most}", max_sessions=most
            )
        if count == 1:  # it needs no task of its own
            return [await self._open_one(beginnings[0])]
        opening: list[asyncio.Task[Session]] = []
        try:
            async with asyncio.TaskGroup() as group:
                for number, saved in enumerate(beginnings, 1):
                    opening.append(group.create_task(self._open_one(saved)))
                    if number % BUILT_AT_A_TURN == 0:
                        await asyncio.sleep(0)
        except BaseException as error:  # noqa: BLE001  it is raised again below
            opened = [each for each in opening if not each.cancelled() and not each.exception()]
            await self.close(each.result() for each in opened)
            failure = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
            raise failure from failure.__cause__
        return [each.result() for each in opening]

    async def _open_one(self, saved: bytes | None) -> Session:
        session = await self._pool.open_held(self._mode, new_id(), self, self._principal)
        self._held[session.id] = session
        if saved is not None:
            try:
                await session.restore(saved)
            except BaseException:
                await self.close([session])
                raise
        return session

    def take_up(self, ids: Sequence[str]) -> list[Session]:
        """Sessions that a lost connection had.

        Raises:
            InvalidMessageError: One is named twice, or held here already.
            SessionError: One cannot be had; then none is taken.
        """
        if len({*ids}) != len(ids) or not self._held.keys().isdisjoint(ids):
            raise InvalidMessageError("A session is in one lane at most: name each one once")
        taken: list[Session] = []
        try:
            for each in ids:
                taken.append(self._pool.attach(each, self, self._mode, self._principal))
        except OpenEnvError:
            for session in taken:
                self._pool.lose(session.id, self)
            raise
        self._held |= {session.id: session for session in taken}
        return taken

    async def close(self, sessions: Iterable[Session]) -> None:
        """Let sessions go of one's own will, which ends those that were opened here."""
        leaving = [each for each in sessions if self._held.pop(each.id, None)]
        await ended(self._pool.detach(each, self) for each in leaving)

    async def close_all(self) -> None:
        """Let all of them go."""
        await self.close([*self._held.values()])

    def lose(self) -> None:
        """The connection broke: until the grace time is over, another may take the sessions up."""
        for session in self._held.values():
            self._pool.lose(session.id, self)
        self._held.clear()


async def ended(endings: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of them. A caller that is cancelled leaves none of them half done."""
    for each in await asyncio.shield(asyncio.gather(*endings, return_exceptions=True)):
        if isinstance(each, BaseException):
            raise each
