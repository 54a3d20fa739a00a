"""Four tools: two for everybody, one for training only, one for production only."""

from typing import Any

from openenv_lite import MCPEnvironment, Observation

__all__ = ["EchoEnvironment"]


class EchoEnvironment(MCPEnvironment):
    """Says back what it is told, and remembers it until the next reset."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self._heard: list[str] = []

        @self.tool
        def echo_message(message: str) -> str:
            """Echo back the provided message."""
            self._heard.append(message)
            return message

        @self.tool
        def echo_with_length(message: str) -> dict[str, Any]:
            """Echo back the message with its length in characters."""
            self._heard.append(message)
            return {"message": message, "length": len(message)}

        @self.tool(mode="simulation")
        def recall() -> list[str]:
            """List what was echoed in this episode, oldest first."""
            return list(self._heard)

        @self.tool(mode="production")
        def echo_loudly(message: str) -> str:
            """Echo back the message in capitals."""
            return message.upper()

    def reset(self, seed: int | None = None) -> Observation:
        """Forget what was said; nothing here is random, so the seed changes nothing."""
        self._heard.clear()
        return Observation(metadata={"status": "ready"})
