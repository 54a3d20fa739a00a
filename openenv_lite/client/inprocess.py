"""A connection to an ASGI app in this process: the same frames, and no socket."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from openenv_lite.batches import Format
from openenv_lite.client.inbox import Inbox
from openenv_lite.client.target import Target
from openenv_lite.client.transport import SUBPROTOCOL_HEADER, is_text, lost
from openenv_lite.errors import ConnectionFailedError, ConnectionLostError

__all__ = ["AsyncInProcess"]

_NORMAL = 1000
_NO_CLOSE_FRAME = 1006
_APP_FAILED = 1011
_CLEANUP_S = 5.0


class AsyncInProcess:
    """An `AsyncTransport` to `target.app`, which runs as a task of the caller's loop."""

    def __init__(self, target: Target, form: Format | None = None) -> None:
        self._target = target
        self._form = form
        self._is_text = is_text(form)
        self.inbox = Inbox()
        """What the app has sent."""
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def connect(self, session: str | None) -> Mapping[str, str]:
        """See `AsyncTransport`."""
        self._accepted: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._run(self._scope(session)))
        try:
            async with asyncio.timeout(self._target.settings.connect_timeout_s):
                return await self._accepted
        except TimeoutError as error:
            raise ConnectionFailedError("The app did not accept the WebSocket in time") from error
        finally:
            if not self._accepted.done() or self._accepted.cancelled():
                self._task.cancel()

    async def loss(self) -> ConnectionLostError | None:
        """See `AsyncTransport`."""
        return self.inbox.loss

    async def send(self, frame: bytes) -> None:
        """See `AsyncTransport`."""
        self.pass_on(frame)

    def pass_on(self, frame: bytes) -> None:
        """Lay a frame ready for the app, which takes it when the loop runs."""
        carried = {"text": frame.decode()} if self._is_text else {"bytes": frame}
        self._to_app.put_nowait({"type": "websocket.receive", **carried})

    async def receive(self, timeout_s: float | None) -> bytes:
        """See `AsyncTransport`."""
        return await self.inbox.get(timeout_s)

    def listen(
        self, heard: Callable[[bytes], None], ended: Callable[[ConnectionLostError], None]
    ) -> None:
        """See `AsyncTransport`."""
        self.inbox.listen(heard, ended)

    async def close(self, wait_s: float) -> None:
        """See `AsyncTransport`; the app gets 5 s to clean up, then its task is cancelled."""
        task, self._task = self._task, None
        if task is None:
            return
        await asyncio.wait([task], timeout=wait_s)
        self._hang_up(_NORMAL)
        _, late = await asyncio.wait([task], timeout=_CLEANUP_S)
        if late:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, scope: dict[str, Any]) -> None:
        loss = lost(_NO_CLOSE_FRAME, "the app returned without closing")
        try:
            assert self._target.app is not None
            await self._target.app(scope, self._to_app.get, self._from_app)
        except Exception as error:  # noqa: BLE001  the app's failure is the caller's to see
            loss = lost(_APP_FAILED, f"the app raised {type(error).__name__}: {error}")
            loss.__cause__ = error
        finally:
            self._end(loss)

    async def _from_app(self, message: Any) -> None:
        """The app's `send`."""
        match message["type"]:
            case "websocket.accept":
                self._accepted.set_result(_headers_of(message))
            case "websocket.send":
                text = message.get("text")
                self.inbox.put(message["bytes"] if text is None else text.encode())
            case "websocket.close":
                code = message.get("code", _NORMAL)
                self._end(lost(code, message.get("reason") or ""))
                self._hang_up(code)

    def _hang_up(self, code: int) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})

    def _end(self, loss: ConnectionLostError) -> None:
        self.inbox.end(loss)
        if not self._accepted.done():
            refusal = ConnectionFailedError(f"The app refused the WebSocket: {loss.message}")
            refusal.__cause__ = loss.__cause__
            self._accepted.set_exception(refusal)

    def _scope(self, session: str | None) -> dict[str, Any]:
        url = urlsplit(self._target.websocket_url(session))
        headers = {"host": url.netloc, **(self._target.settings.headers or {})}
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": url.scheme,
            "root_path": "",
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": ("in-process", 0),
            "server": (url.hostname, url.port or 80),
            "subprotocols": [] if self._form is None else [self._form.subprotocol],
            "state": {},
        }


def _headers_of(acceptance: Any) -> dict[str, str]:
    pairs = acceptance.get("headers", ())
    headers = {name.decode().lower(): value.decode() for name, value in pairs}
    subprotocol = acceptance.get("subprotocol")
    return headers if subprotocol is None else {**headers, SUBPROTOCOL_HEADER: subprotocol}
