"""Targets and legal actions by name, as a command line or a test run gives them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openenv_lite.loading import Plan, attribute, search_in, server_of
from openenv_lite.testing.legal import Narrowing
from openenv_lite.testing.subject import Subject, subject_of

__all__ = ["actions_named", "subject_named"]

_NOTHING: Mapping[str, Any] = {}


def subject_named(name: str, arguments: Mapping[str, Any] = _NOTHING) -> Subject:
    """The subject behind a name.

    Args:
        name: `module`, `module:name`, a folder, or a URL.
        arguments: For the environment's constructor or factory.

    Raises:
        ConfigurationError: There is nothing by that name.
    """
    if "://" in name:
        return subject_of(name)
    found = Plan(target=name, arguments={**arguments}).found()
    server = server_of(found)
    return subject_of(found if server is None else server.blueprint)


def actions_named(name: str | None) -> Narrowing:
    """The legal actions behind `module:name`; None for None.

    Raises:
        ConfigurationError: There is nothing by that name.
    """
    if name is None:
        return None
    search_in(Path.cwd())
    module, _, attribute_name = name.partition(":")
    actions: Narrowing = attribute(module, attribute_name)
    return actions
