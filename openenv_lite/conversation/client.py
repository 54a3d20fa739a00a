"""What is known of the client behind a request."""

from typing import Any

import msgspec

from openenv_lite.context import LOG_LEVELS, LogLevel
from openenv_lite.mcp.revisions import Revision

__all__ = ["Client", "lacking"]


class Client(msgspec.Struct):
    """Who asks: told once by `initialize`, or by every request on 2026-07-28."""

    revision: Revision
    capabilities: dict[str, Any] = {}
    log_level: LogLevel | None = None
    """The least severe log message it wants; None for none."""
    principal: str | None = None
    """Who it proved to be; None where nobody has to."""

    def wants_log(self, level: LogLevel) -> bool:
        """Whether a message of this level is for it."""
        if self.log_level is None:
            return False
        return LOG_LEVELS.index(level) >= LOG_LEVELS.index(self.log_level)


def lacking(needed: dict[str, Any], offered: dict[str, Any]) -> dict[str, Any]:
    """The part of the capabilities needed that is not offered; empty where nothing is missing."""
    missing = {}
    for name, parts in needed.items():
        given = offered.get(name)
        if not isinstance(given, dict) or any(part not in given for part in parts):
            missing[name] = parts
    return missing
