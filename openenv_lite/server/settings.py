"""How a server is set up, in one frozen value."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["ServerSettings"]

Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Secret = Annotated[str, Meta(min_length=16)]


class ServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a server; times in seconds, sizes in bytes (of a WebSocket text, characters)."""

    env_name: str | None = None
    """What `/list_environments` calls the environment; its class's name by default."""
    max_concurrent_envs: Count | None = None
    """Environments that may exist at once: 1 by default, 100 where the class allows several."""
    control_token: Secret | None = None
    """Who shows it on a production `/ws` has the trainer's controls; 16 characters or more."""
    idle_timeout_s: Seconds = 900.0
    """A session that no WebSocket holds ends after this long without a call."""
    resume_grace_s: Seconds = 300.0
    """A session whose WebSocket broke can be resumed for this long."""
    queue_timeout_s: Seconds = 0.0
    """How long a client waits for a free environment before it is refused."""
    close_timeout_s: Seconds = 10.0
    """How long a stopping server waits for environments to close."""
    max_message_bytes: Count = 8 * 1024 * 1024
    """Largest message or HTTP body that is read."""
