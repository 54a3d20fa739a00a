"""Contracts of environments as laws, put to the test by Hypothesis."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openenv_lite.testing.checking import Report, check_environment
    from openenv_lite.testing.laws import LAWS
    from openenv_lite.testing.playing import dial, play
    from openenv_lite.testing.sessions.elsewhere import played
    from openenv_lite.testing.sessions.spoiling import spoil
    from openenv_lite.testing.strangers.door import knock
    from openenv_lite.testing.strategies import valid

__all__ = [
    "LAWS",
    "Report",
    "check_environment",
    "dial",
    "knock",
    "play",
    "played",
    "spoil",
    "valid",
]

_HOMES = {
    "LAWS": "laws",
    "Report": "checking",
    "check_environment": "checking",
    "dial": "playing",
    "knock": "strangers.door",
    "play": "playing",
    "played": "sessions.elsewhere",
    "spoil": "sessions.spoiling",
    "valid": "strategies",
}


def __getattr__(name: str) -> Any:
    """Load Hypothesis only when something is asked for: pytest loads this package on each run."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"openenv_lite.testing.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name not in {"hypothesis", "jsonschema", "httpx"}:
            raise
        raise ModuleNotFoundError(
            f"Laws need {error.name}: install openenv-lite[testing]", name=error.name
        ) from error
    return getattr(module, name)
