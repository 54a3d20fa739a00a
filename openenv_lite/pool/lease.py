"""A session, and what a pool knows of its tenant."""

import asyncio

from openenv_lite.session import Session
from openenv_lite.types import ServerMode

__all__ = ["Lease"]


class Lease:
    """A lease is gone when its session is."""

    def __init__(self, session: Session, owner: str | None, now: float) -> None:
        self.session = session
        self.owner = owner
        self.holder: object | None = None
        self.is_sockets_own = False
        self.is_spare = False
        self.last_active = now
        self.lost_at: float | None = None
        self.is_to_close = False
        self.ending: asyncio.Task[None] | None = None

    def admits(self, mode: ServerMode | None, principal: str | None) -> bool:
        """Whether whoever asks for it in this mode may have it."""
        is_alike = mode in (None, self.session.mode) and self.owner in (None, principal)
        return is_alike and not self.ending

    @property
    def is_forsaken(self) -> bool:
        """Its socket broke and nothing is under way: a newcomer may have the slot."""
        return self.lost_at is not None and not self.session.is_busy

    @property
    def dispensability(self) -> tuple[bool, float]:
        """The least makes room first: what nobody comes back for, then who is longest gone."""
        return not self.is_spare, self.lost_at or 0.0
