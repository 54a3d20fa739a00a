"""What a client connects to, and how."""

import inspect
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypedDict
from urllib.parse import quote, urlsplit

import msgspec

__all__ = ["ASYNC_ALONE", "ASGIApp", "ConnectionOptions", "ConnectionSettings", "Target"]

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

ASYNC_ALONE = "{0} is async: write `async with`, or `with {0}(...).sync()`"
"""For whoever writes `with` and an async client's name."""

_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}
_UNIX = "unix://"


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to connect; times are seconds, None waits for ever or switches off."""

    connect_timeout_s: float | None = 10.0
    message_timeout_s: float | None = 60.0
    max_message_size_mb: float = 100.0
    """Largest reply, in units of 2**20 bytes."""
    websocket_ping_interval_s: float | None = 20.0
    """Idle time after which the peer is asked for a sign of life."""
    websocket_ping_timeout_s: float | None = 20.0
    headers: dict[str, str] | None = None
    """Sent with every handshake and HTTP request, `Authorization` for instance."""
    record: str | os.PathLike[str] | None = None
    """A file to which what is played is appended, as JSON lines; see `openenv_lite.recording`."""

    @property
    def max_message_bytes(self) -> int:
        """The largest reply, in bytes."""
        return int(self.max_message_size_mb * 2**20)


class ConnectionOptions(TypedDict, total=False):
    """The fields of `ConnectionSettings` as keyword arguments, for type checkers."""

    connect_timeout_s: float | None
    message_timeout_s: float | None
    max_message_size_mb: float
    websocket_ping_interval_s: float | None
    websocket_ping_timeout_s: float | None
    headers: dict[str, str] | None
    record: str | os.PathLike[str] | None


class Target(msgspec.Struct, frozen=True):
    """A server: its URL, or an ASGI app in this process, in which case the URL is only a name.

    `unix:///run/env.sock` is a Unix domain socket, `unix:///run/env.sock:/prefix` an app mounted
    under a prefix behind it.
    """

    base_url: str
    app: ASGIApp | None
    settings: ConnectionSettings

    @classmethod
    def of(cls, base_url: str | None, app: ASGIApp | None, options: ConnectionOptions) -> "Target":
        """Check the arguments of a client's constructor.

        Raises:
            ValueError: Neither URL nor app, or no URL of a known scheme.
            TypeError: An option that does not exist, or a class where an app is wanted.
        """
        if inspect.isclass(app):
            raise TypeError(f"app={app.__name__} is a class: pass app=create_app({app.__name__})")
        if base_url is None and app is None:
            raise ValueError("A client needs base_url or app")
        made = cls(base_url or "http://in-process", app, ConnectionSettings(**options))
        made.websocket_url()
        return made

    @property
    def unix_path(self) -> str | None:
        """Where the Unix domain socket is; None for TCP."""
        if not self.base_url.startswith(_UNIX):
            return None
        return self.base_url.removeprefix(_UNIX).partition(":")[0]

    def websocket_url(self, session: str | None = None) -> str:
        """`http://host/prefix` as `ws://host/prefix/ws`, with the session to attach to."""
        scheme, rest = self._split()
        query = f"?session_id={quote(session, safe='')}" if session else ""
        return f"{_WEBSOCKET_SCHEMES[scheme]}://{rest}/ws{query}"

    def http_url(self, path: str) -> str:
        """`ws://host/prefix` as `http://host/prefix/<path>`."""
        scheme, rest = self._split()
        return f"{_HTTP_SCHEMES.get(scheme, scheme)}://{rest}/{path}"

    def _split(self) -> tuple[str, str]:
        if self.unix_path:
            prefix = self.base_url.removeprefix(_UNIX).partition(":")[2]
            return "http", "localhost" + prefix.rstrip("/")
        url = urlsplit(self.base_url)
        # Whoever asks for a port that is no number, or too large a one, is told so by a ValueError.
        if url.scheme not in _WEBSOCKET_SCHEMES or not url.hostname or url.port == 0:
            raise ValueError(
                "base_url must be an http, https, ws or wss URL, or unix:///path/of.sock, "
                f"not {self.base_url!r}"
            )
        return url.scheme, url.netloc + url.path.rstrip("/")
