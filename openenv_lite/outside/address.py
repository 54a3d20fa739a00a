"""How an author names an outside server, checked."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from openenv_lite.errors import ConfigurationError
from openenv_lite.outside.transports import Child, Endpoint, Way

__all__ = ["Address", "way_of"]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")


class Address(TypedDict, total=False):
    """The arguments of `OutsideServer` that say where the server is, for type checkers."""

    command: Sequence[str]
    env: Mapping[str, str] | None
    cwd: str | Path | None
    url: str
    headers: Mapping[str, str] | None


def way_of(
    timeout_s: float,
    command: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    url: str = "",
    headers: Mapping[str, str] | None = None,
) -> Way:
    """The way to the server that the arguments name.

    Raises:
        ConfigurationError: Neither command nor URL, both, or one that cannot be right.
    """
    if bool(command) is bool(url):
        raise ConfigurationError("OutsideServer takes `command=[...]` or `url=`, one of the two")
    if command:
        _refuse("headers", headers, "a URL; give a program its secrets in `env=`")
        return Child(_words(command), env, cwd)
    _refuse("env", env, "a command")
    _refuse("cwd", cwd, "a command")
    return Endpoint(_web_address(url), _sendable(headers or {}), timeout_s)


def _refuse(name: str, given: object, belongs_to: str) -> None:
    if given is not None:
        raise ConfigurationError(f"OutsideServer: `{name}=` goes with {belongs_to}")


def _words(command: Sequence[str]) -> list[str]:
    if isinstance(command, str) or not all(isinstance(word, str) for word in command):
        raise ConfigurationError(
            'OutsideServer takes `command=` as a list of strings: ["npx", "-y", "some-server"]'
        )
    return list(command)


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("OutsideServer takes `url=` as http://... or https://...")
    return url


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """Checked here, for the HTTP library quotes what it refuses, and that may be a secret."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigurationError(
                f"OutsideServer: header {name!r} cannot be sent; a value is printable ASCII "
                "without a space or line end around it"
            )
    return dict(headers)
