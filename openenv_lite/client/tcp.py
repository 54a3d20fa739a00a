"""A connected blocking socket: TCP, TLS, or of the Unix domain."""

import contextlib
import socket
import ssl

from websockets.uri import WebSocketURI

__all__ = ["open_socket"]


def open_socket(
    address: WebSocketURI, timeout_s: float | None, unix_path: str | None = None
) -> socket.socket:
    """Connect, without Nagle's delay; TLS is verified against the system's authorities.

    Raises:
        OSError: Nobody there, or the certificate does not hold.
    """
    if unix_path is not None:
        return _open_unix(unix_path, timeout_s)
    with contextlib.ExitStack() as on_failure:
        opened = on_failure.enter_context(
            socket.create_connection((address.host, address.port), timeout_s)
        )
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.secure:
            context = ssl.create_default_context()
            opened = context.wrap_socket(opened, server_hostname=address.host)
        on_failure.pop_all()
    return opened


def _open_unix(path: str, timeout_s: float | None) -> socket.socket:
    with contextlib.ExitStack() as on_failure:
        opened = on_failure.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        opened.settimeout(timeout_s)
        opened.connect(path)
        on_failure.pop_all()
    return opened
