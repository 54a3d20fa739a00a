"""What a pool is told, and what it tells."""

import msgspec

from openenv_lite.snapshots import SnapshotSettings

__all__ = ["PoolSettings", "PoolStatistics"]


class PoolSettings(SnapshotSettings, frozen=True, kw_only=True):
    """Limits of a pool; times in seconds."""

    max_sessions: int = 1
    """Of all pools of the class, if several worker processes have one each."""
    idle_timeout_s: float = 900.0
    """A session that no WebSocket holds is closed after this long without a call."""
    resume_grace_s: float = 300.0
    """A session whose WebSocket broke waits this long for its client to come back."""
    queue_timeout_s: float = 0.0
    """How long an opening waits for a slot before it is refused."""
    close_timeout_s: float = 10.0
    """How long a stopping server waits for environments to close."""


class PoolStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the pool was made, and what is there now, in this process."""

    active: int
    waiting: int
    max_sessions: int
    opened: int
    closed: int
    refused: int
    expired: int
    steps: int
