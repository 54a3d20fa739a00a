"""What the variables of a process say of the server in it."""

import os
from collections.abc import Callable
from typing import Any

from openenv_lite.errors import ConfigurationError

__all__ = ["VARIABLES", "settings_told"]

_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def settings_told() -> dict[str, Any]:
    """The settings that variables give, by name; an empty one gives none.

    Raises:
        ConfigurationError: A text that should be a number is none, or likewise a yes or no.
    """
    told = ((variable, os.environ.get(variable)) for variable in _READ_BY)
    return dict(_setting(variable, text) for variable, text in told if text)


def _setting(variable: str, text: str) -> tuple[str, Any]:
    name, read = _READ_BY[variable]
    try:
        return name, read(text)
    except ValueError:
        kind = "yes or no" if read is _yes else "a number"
        raise ConfigurationError(f"{variable}={text!r} is not {kind}") from None


def _yes(text: str) -> bool:
    """What somebody means who sets a variable to `true`, `1`, `off` and the like."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise ValueError(text)
    return word in _YES


_READ_BY: dict[str, tuple[str, Callable[[str], Any]]] = {
    "MAX_CONCURRENT_ENVS": ("max_concurrent_envs", int),
    "OPENENV_BLOCKING": ("blocking", _yes),
    "SESSION_IDLE_TIMEOUT_S": ("idle_timeout_s", float),
    "OPENENV_CONTROL_TOKEN": ("control_token", str),
    "OPENENV_MCP_TOKEN": ("mcp_token", str),
    "OPENENV_MCP_KEY": ("mcp_key", str),
    "OPENENV_RECORD_DIR": ("record_dir", str),
    "ENABLE_WEB_INTERFACE": ("web_interface", _yes),
    "OPENENV_MAX_SNAPSHOTS": ("max_snapshots", int),
    "OPENENV_MAX_SNAPSHOT_BYTES": ("max_snapshot_bytes", int),
    "OPENENV_MAX_EXPORT_BYTES": ("max_export_bytes", int),
    "OPENENV_SNAPSHOT_LIFE_S": ("snapshot_life_s", float),
    "OPENENV_SNAPSHOT_KEY": ("snapshot_key", str),
    "OPENENV_ALLOWED_HOSTS": ("allowed_hosts", str.split),
    "OPENENV_ALLOWED_ORIGINS": ("allowed_origins", str.split),
}

VARIABLES = frozenset(_READ_BY)
"""The names of all that is read."""
