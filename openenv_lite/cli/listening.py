"""The sockets on which a server is reached, one for each of its processes."""

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator
from typing import NamedTuple

from openenv_lite.errors import ConfigurationError

__all__ = ["Listening", "listening_on_path", "listening_on_port"]

_BACKLOG = 2048

_SPREADS = sys.platform == "linux"
"""Whether the system spreads connections evenly over sockets of one port."""


class Listening(NamedTuple):
    """Sockets that listen, one for each process, and what clients know them by."""

    sockets: list[socket.socket]
    address: str


@contextlib.contextmanager
def listening_on_port(host: str, port: int, processes: int) -> Iterator[Listening]:
    """Listen on a TCP port, 0 for any that is free.

    Raises:
        ConfigurationError: The port is taken, or the host is none of this machine.
    """
    spreads = _SPREADS and processes > 1
    try:
        first = _bound(host, port, spreads)
        host, port = first.getsockname()[:2]
        others = [_bound(host, port, spreads, joins=True) for _ in range(1, processes) if spreads]
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({error.strerror or error}): choose another --port or "
            "--host; --port 0 takes a free one"
        ) from None
    sockets = [first, *others] if spreads else [first] * processes
    with contextlib.ExitStack() as open_sockets:
        for each in {*sockets}:
            open_sockets.enter_context(each)
        yield Listening(sockets, f"http://{f'[{host}]' if ':' in host else host}:{port}")


def _bound(host: str, port: int, spreads: bool, joins: bool = False) -> socket.socket:
    """A socket that listens; one that joins others must say so before it is bound.

    The first says so only afterwards, so that a port on which another server spreads is refused.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio lets a connection send at once only where the listening socket names its protocol.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if found.family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if joins:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
        if spreads:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.listen(_BACKLOG)
    except OSError:
        found.close()
        raise
    return found


@contextlib.contextmanager
def listening_on_path(path: str, processes: int) -> Iterator[Listening]:
    """Listen on a Unix socket that everybody on the machine may use; processes share it.

    Raises:
        ConfigurationError: There can be none at this path.
    """
    with socket.socket(socket.AF_UNIX) as found:
        try:
            if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
                os.remove(path)  # a server that was killed left it
            found.bind(path)
            os.chmod(path, 0o666)
            found.listen(_BACKLOG)
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on {path} ({error.strerror or error}): choose another --uds"
            ) from None
        try:
            yield Listening([found] * processes, f"unix:{path}")
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
