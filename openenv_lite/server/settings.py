"""How a server is set up, in one frozen value."""

import msgspec

__all__ = ["ServerSettings"]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a server; times in seconds, sizes in bytes."""

    env_name: str | None = None
    """What `/list_environments` calls the environment; its class's name by default."""
    max_concurrent_envs: int | None = None
    """Environments that may exist at once: 1 by default, 100 where the class allows several."""
    control_token: str | None = None
    """A bearer of it has the trainer's controls on `/ws`, in production too."""
    idle_timeout_s: float = 900.0
    """A session that no WebSocket holds ends after this long without a call."""
    resume_grace_s: float = 30.0
    """A session whose WebSocket broke can be resumed for this long."""
    queue_timeout_s: float = 0.0
    """How long a client waits for a free environment before it is refused."""
    close_timeout_s: float = 10.0
    """How long a stopping server waits for environments to close."""
    max_message_bytes: int = 16 * 1024 * 1024
    """Largest message or HTTP body that is read."""
