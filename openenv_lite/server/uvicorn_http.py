"""uvicorn's HTTP protocol with a straight way for a request that comes whole.

Around each request uvicorn makes a task, and passes body and answer on by coroutines: a third of
what a tool call costs the server. An app that has `at_once` is asked there and then instead, for
the first request of what the socket gave. All else goes uvicorn's own way.
"""

import contextvars
import functools
from collections.abc import Callable
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

__all__ = ["StraightHttp"]


class StraightHttp(HttpToolsProtocol):
    """What `openenv-lite serve` runs; for another program, `--http module:class` of uvicorn's own.

    What it looks for is the app's `at_once(scope, body)`, beside the `__call__` that it stands for.
    It returns the two messages of a response to a POST, with its content-length; or an app that
    sends it, where something must be awaited; or None, where the request is not one of those that
    it knows. It may look at whatever is in the scope but at who the client is, for a proxy's word
    about that is not heard yet.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        is_watched = self.access_log or self.limit_concurrency is not None
        self._at_once = None if is_watched else _at_once_of(self.app)
        # As in a task, what is noted for a request ends with it.
        is_empty = getattr(self.config, "reset_contextvars", False)
        self._new_context = contextvars.Context if is_empty else contextvars.copy_context
        self._may_hold = False
        self._held: tuple[RequestResponseCycle, Any] | None = None

    def data_received(self, data: bytes) -> None:
        """Take what the socket gave."""
        self._may_hold = self._at_once is not None
        super().data_received(data)
        self._may_hold = False
        if self._held is not None:  # more of its body is still to come
            self._go_on(*self._held)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Hold a request until the rest of the data shows whether it came whole."""
        self._unset_keepalive_if_required()  # an answer at once may have left this one behind it
        if self.transport.is_closing():
            return  # what follows an answer that was the last is no request any more
        if self._may_hold and not (cycle.waiting_for_100_continue or self.flow.write_paused):
            self._held = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """Answer the request that is held."""
        super().on_message_complete()
        if self._held is not None:
            self._answer(*self._held)

    def _answer(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._may_hold = False  # others have a turn before the next request of this client
        assert self._at_once is not None
        try:
            found = self._new_context().run(self._at_once, cycle.scope, bytes(cycle.body))
        except BaseException as error:  # noqa: BLE001  raised again, where uvicorn looks for it
            self._go_on(cycle, functools.partial(_fail, [error]))
            return
        if isinstance(found, tuple):
            self._held = None
            self._send(cycle, *found)
        else:
            self._go_on(cycle, found or app)

    def _go_on(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._held = None
        self._start_asgi_task(cycle, app)

    def _send(self, cycle: RequestResponseCycle, start: Any, end: Any) -> None:
        lines = [STATUS_LINE[start["status"]], _joined(tuple(cycle.default_headers))]
        for name, value in start["headers"]:
            lines += name, b": ", value, b"\r\n"
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        lines += b"\r\n", end["body"]
        self.transport.write(b"".join(lines))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        cycle.on_response = _do_nothing


def _at_once_of(app: Any) -> Callable[[Any, bytes], Any] | None:
    """The app's `at_once`, unless somebody stands before it: a wrapper, or a class derived from it.

    uvicorn's own wrapper only puts another client into the scope.
    """
    while isinstance(app, ProxyHeadersMiddleware):
        app = app.app
    for kind in type(app).__mro__:
        if "__call__" in vars(kind):
            return app.at_once if "at_once" in vars(kind) else None
    return None


@functools.lru_cache(maxsize=4)
def _joined(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """What uvicorn puts before every response, which changes once a second."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


async def _fail(held: list[BaseException], scope: Any, receive: Any, send: Any) -> None:
    raise held.pop()  # what it went through then holds nothing that holds it


def _do_nothing() -> None:
    """What uvicorn, too, puts in the place of a call back, so that nothing holds itself."""
