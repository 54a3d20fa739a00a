"""The door of `/mcp` and `/ws`: under which name, from which web page, and by whom it is called.

Web pages are why it is here. A browser carries any page's request to a server on its own machine or
network, and a page whose name was made to point there (DNS rebinding) may even read the reply.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import Scope

from openenv_lite.errors import ConfigurationError
from openenv_lite.mcp.headers import Headers
from openenv_lite.server.authorization import Authorization, Refusal, Verdict
from openenv_lite.server.settings import ServerSettings

__all__ = ["Guard", "Refusal"]

_LOOPBACK = r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?"

_HOST_ENTRY = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?", re.IGNORECASE)
_ORIGIN_ENTRY = re.compile(
    r"([a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]))(?::(\d{1,5}|\*))?", re.IGNORECASE
)
_BLANK = b" \t"
_ANY_PORT = r"(?::\d{1,5})?"


def _any_of(*patterns: str) -> re.Pattern[bytes]:
    """One pattern for header values, which not every server strips of the blanks around them."""
    return re.compile(rf"[ \t]*(?:{'|'.join(patterns)})[ \t]*".encode(), re.IGNORECASE | re.DOTALL)


_LOOPBACK_HOST = _any_of(_LOOPBACK)
_LOOPBACK_ORIGIN = _any_of(f"https?://{_LOOPBACK}")

_WRONG_HOST = Refusal.saying(
    421,
    "This server does not go by the name in the Host header. "
    "If the server is yours, add the name to its setting allowed_hosts.",
)
_WRONG_ORIGIN = Refusal.saying(
    403,
    "Web pages of this origin may not call this server. "
    "If the server is yours, add the origin to its setting allowed_origins.",
)
_REPEATED = {
    b"host": Refusal.saying(400, "More than one Host header; send one"),
    b"origin": Refusal.saying(403, "More than one Origin header; send one"),
    b"authorization": Refusal.saying(400, "More than one Authorization header; send one"),
}


class Guard:
    """Decides before anything else whether a request is let in.

    `check` first, then `authorize_now` where `decides_now`, else `authorize`. What is returned
    instead of raised, a `Refusal`, is the whole HTTP response.

    Args:
        settings: Of the server.
        now: Unix time in seconds, which expiring tokens are held against.

    Raises:
        ConfigurationError: A setting cannot be understood, or contradicts another.
    """

    def __init__(self, settings: ServerSettings, now: Callable[[], float] = time.time) -> None:
        named = settings.allowed_hosts
        self._hosts = _LOOPBACK_HOST if named is None else _any_of(*map(_host_pattern, named))
        self._is_strict_everywhere = named is not None
        self._usual: tuple[Any, bytes] | None = None
        self._origins = _origins(settings.allowed_origins)
        self._authorization = Authorization(settings, now)
        self.wants_token: bool = self._authorization.is_required
        """Whether callers must show a token."""
        self.decides_now: bool = self._authorization.decides_now
        """Whether `authorize_now` knows every token."""

    def check(self, headers: Headers, scope: Scope) -> Refusal | None:
        """Judge the names in a request: `Host`, and `Origin` where a browser sent one.

        Args:
            headers: Those of the scope, by name; of repeated ones, whichever.
            scope: Of the HTTP request or WebSocket; its `headers` is a list.
        """
        if len(headers) != len(scope["headers"]) and (refusal := _repeated(scope)):
            return refusal
        host, origin, server = (
            headers.get(b"host", b""),
            headers.get(b"origin"),
            scope.get("server"),
        )
        # Nearly every request goes where the one before it went, and a pattern costs a tenfold.
        if (server, host) != self._usual:
            is_local = _is_loopback(server)
            if (is_local or self._is_strict_everywhere) and not self._hosts.fullmatch(host):
                return _WRONG_HOST
            self._usual = server, host
        if origin is None or self._is_welcome(origin, host, _is_loopback(server)):
            return None
        return _WRONG_ORIGIN

    def _is_welcome(self, origin: bytes, host: bytes, is_local: bool) -> bool:
        given, own = origin.strip(_BLANK).lower(), host.strip(_BLANK).lower()
        if own and given in (b"http://" + own, b"https://" + own):
            return True
        if is_local and _LOOPBACK_ORIGIN.fullmatch(origin):
            return True
        return self._origins is not None and self._origins.fullmatch(origin) is not None

    def authorize_now(self, headers: Headers, scope: Scope) -> Verdict:
        """Who calls, by the tokens of the settings alone; where a verifier is set, see `authorize`.

        Returns:
            A `Principal`; a `Refusal`; None where no authorization is set up.
        """
        return self._authorization.authorize_now(headers, scope)

    async def authorize(self, headers: Headers, scope: Scope) -> Verdict:
        """Who calls; takes `verify_timeout_s` at most, and raises nothing of the verifier's.

        Returns:
            A `Principal`; a `Refusal`; None where no authorization is set up.
        """
        return await self._authorization.authorize(headers, scope)

    def protected_resource_metadata(self, scope: Scope) -> bytes:
        """JSON that tells a client how to be authorized, for `/.well-known/oauth-protected-…`."""
        return self._authorization.metadata(scope)


def _is_loopback(server: tuple[str, int | None] | None) -> bool:
    """Whether the connection arrived at an address that only this machine can reach."""
    address = server[0] if server else ""
    return address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")


def _repeated(scope: Scope) -> Refusal | None:
    """The refusal of a header that came twice, of which a proxy may have judged the other."""
    names = [name for name, _ in scope["headers"]]
    found = (refusal for name, refusal in _REPEATED.items() if names.count(name) > 1)
    return next(found, None)


def _host_pattern(entry: str) -> str:
    if entry == "*":
        return ".*"
    match = _HOST_ENTRY.fullmatch(entry)
    if match is None:
        raise ConfigurationError(
            f"allowed_hosts: {entry!r} is no host. Write name, name:port, name:* or *; "
            "an IPv6 address stands in brackets"
        )
    return re.escape(match[1]) + (_ANY_PORT if match[2] in (None, "*") else f":{match[2]}")


def _origins(entries: Iterable[str]) -> re.Pattern[bytes] | None:
    return _any_of(*map(_origin_pattern, entries)) if entries else None


def _origin_pattern(entry: str) -> str:
    match = _ORIGIN_ENTRY.fullmatch(entry)
    if match is None:
        raise ConfigurationError(
            f"allowed_origins: {entry!r} is no origin. Write scheme://host, scheme://host:port or "
            "scheme://host:*, and no path"
        )
    ports = {None: "", "*": _ANY_PORT}
    return re.escape(match[1]) + ports.get(match[2], f":{match[2]}")
