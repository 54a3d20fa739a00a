"""The headers of a 2026-07-28 request, which repeat its body so that a proxy need not read it.

A mismatch is refused: else a proxy would route or bill one thing and the server do another.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from openenv_lite.errors import HeaderMismatchError

__all__ = [
    "METHOD",
    "NAME",
    "SESSION",
    "VERSION",
    "Headers",
    "Repeated",
    "check_arguments",
    "check_routing",
    "repeated",
    "trimmed",
]

Headers = Mapping[bytes, bytes]
"""Names in lower case. A header that came twice is joined with a comma, as HTTP has it."""

VERSION, METHOD, NAME = b"mcp-protocol-version", b"mcp-method", b"mcp-name"
SESSION = b"mcp-session-id"
ARGUMENT = "mcp-param-"

_ENCODED = re.compile(r"=\?base64\?([A-Za-z0-9+/=]*)\?=")
_BLANK = b" \t"

Repeated = tuple[tuple[tuple[str, ...], bytes], ...]
"""Where each argument stands that a header repeats, and that header's name."""


def trimmed(headers: Headers, name: bytes) -> str | None:
    """The header's value without the blanks around it, which not every server strips.

    Raises:
        HeaderMismatchError: It is not plain ASCII.
    """
    value = headers.get(name)
    if value is None:
        return None
    try:
        return value.strip(_BLANK).decode("ascii")
    except UnicodeDecodeError:
        raise _mismatch(name.decode(), "is not plain ASCII") from None


def check_routing(headers: Headers, revision: Any, method: str, name: str | None) -> None:
    """Compare version, method and name with the body's.

    Args:
        headers: Of the request.
        revision: `_meta` says; whether we know it is asked elsewhere.
        method: The body's.
        name: What `Mcp-Name` must repeat; None for a method that has none.

    Raises:
        HeaderMismatchError: One is missing, or says something else than the body.
    """
    _check(headers, VERSION, revision)
    _check(headers, METHOD, method)
    if name is not None:
        _check(headers, NAME, name)


def _check(headers: Headers, header: bytes, expected: Any) -> None:
    # The plain comparison first: it is the path of every honest request.
    if headers.get(header) == (expected.encode() if isinstance(expected, str) else None):
        return
    _compare(headers, header, expected)


def _compare(headers: Headers, header: bytes, expected: Any) -> None:
    given, name = trimmed(headers, header), header.decode()
    if given is None:
        raise _mismatch(name, "is missing")
    if _decoded(given, name) != expected:
        raise _mismatch(name, "says something else than the body")


def check_arguments(headers: Headers, repeats: Repeated, arguments: Mapping[str, Any]) -> None:
    """Compare the headers that repeat single arguments of a tool with those.

    Args:
        headers: Of the request.
        repeats: Which they are, as `repeated` tells.
        arguments: Of the call.

    Raises:
        HeaderMismatchError: One is missing, badly encoded, or says something else.
    """
    for path, name in repeats:
        expected = _text(_at(arguments, path))
        if expected is not None or name in headers:
            _compare(headers, name, expected)


def repeated(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Repeated:
    """The arguments that a header repeats, which `x-mcp-header` in a tool's input schema names."""
    found: list[tuple[tuple[str, ...], bytes]] = []
    properties = schema.get("properties")
    for name, field in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(field, dict):
            continue
        header = field.get("x-mcp-header")
        if isinstance(header, str) and header.isascii():
            found.append(((*path, name), f"{ARGUMENT}{header.lower()}".encode()))
        found += repeated(field, (*path, name))
    return tuple(found)


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        arguments = arguments.get(name) if isinstance(arguments, dict) else None
    return arguments


def _text(value: Any) -> str | None:
    """A scalar as a header spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else None


def _decoded(value: str, header: str) -> str:
    """The value itself, or what its base64 wrapping holds."""
    wrapped = _ENCODED.fullmatch(value)
    if wrapped is None:
        return value
    try:
        return base64.b64decode(wrapped[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _mismatch(header, "is not valid base64 of UTF-8") from None


def _mismatch(header: str, fault: str) -> HeaderMismatchError:
    return HeaderMismatchError(f"Header {header} {fault}")
