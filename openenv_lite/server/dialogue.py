"""One connection in our subprotocol: requests in, and each reply as soon as it is there."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, NamedTuple

from starlette.types import Message

from openenv_lite import codec
from openenv_lite.batches import (
    Cancel,
    Close,
    Fork,
    Format,
    Mcp,
    Open,
    ReadState,
    Refused,
    Reset,
    Restore,
    Snapshot,
    Step,
    Told,
    described,
)
from openenv_lite.context import InputRequired
from openenv_lite.conversation.dialect import Caller, OpenEnvDialect
from openenv_lite.errors import (
    CallCancelledError,
    InvalidJSONError,
    InvalidMessageError,
    MessageTooLargeError,
    TooManyRequestsError,
)
from openenv_lite.failures import typed
from openenv_lite.server.connection import Connection, Disconnected
from openenv_lite.server.socket_endpoint import FAIR_SHARE
from openenv_lite.types import ServerMode
from openenv_lite.vector import Lane, Vector, encoded

__all__ = ["Dialogue", "Reading"]

MOST_UNANSWERED = 1024
"""Requests of one client that may be under way."""

_FAILURES = (Exception, InputRequired)

_WHOLE = (Open, Fork, Close, Mcp)
_IN_TURN = (Step, Reset, ReadState, Snapshot, Restore)


class Reading(NamedTuple):
    """How frames of a connection are read and written.

    Attributes:
        form: JSON or msgpack.
        decode: From a frame to a request.
        limit: Length of the longest frame that is read, in bytes or characters.
        mode: Decides what of an error is told.
    """

    form: Format
    decode: Callable[[Any], Any]
    limit: int
    mode: ServerMode


class Dialogue:
    """Reads on while requests are under way, so that they can be cancelled.

    Args:
        connection: The WebSocket, accepted.
        vector: The connection's lanes.
        reading: How frames are read and written.
        dialect: Answers JSON-RPC for the agent's side of a lane.
    """

    def __init__(
        self, connection: Connection, vector: Vector, reading: Reading, dialect: OpenEnvDialect
    ) -> None:
        self._connection = connection
        self._vector = vector
        self._form, self._decode, self._limit, self._mode = reading
        self._dialect = dialect
        self._kind = self._form.kind
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._wholes: dict[int, bool] = {}
        """Requests that `cancel` stops as a whole, and whether it has."""
        self._serve: dict[Any, Callable[[Any], Any]] = {Cancel: self._cancel, Mcp: self._call}

    async def to_its_end(self) -> bool:
        """Converse until the peer has gone; whether its connection broke."""
        try:
            return await self._converse()
        except (OSError, RuntimeError):  # how servers refuse to talk to a peer that has gone
            return await self._is_lost()

    async def _converse(self) -> bool:
        receive, send, kind = self._connection.receive, self._connection.send, self._kind
        for turn in itertools.count(1):
            if turn % FAIR_SHARE == 0:
                await asyncio.sleep(0)
            message = await receive()
            if message["type"] == "websocket.disconnect":
                break
            reply = self._answer(message)
            if reply is not None:
                frame = reply if isinstance(reply, bytes) else await reply
                await send(_sending(frame, kind))
        return Disconnected(message).lost

    async def _is_lost(self) -> bool:
        """Read on to the end of a connection that cannot be sent to, and what that end was."""
        try:
            while (message := await self._connection.receive())["type"] != "websocket.disconnect":
                pass
        except (OSError, RuntimeError):
            return True
        return Disconnected(message).lost

    def _answer(self, message: Message) -> bytes | Coroutine[Any, Any, bytes] | None:
        """The reply, or what to await before the next message is read; None if it comes later."""
        identity = None
        try:
            request = self._read(message)
            identity = request.id
            if self._under_way and not isinstance(request, Cancel):
                self._check_new(identity)
            serve = self._serve.get(type(request)) or self._vector.answer
            answer = serve(request)
            if not isinstance(answer, CoroutineType):
                return None if answer is None else self._encoded(answer)
            if self._vector.is_inline and isinstance(request, _IN_TURN):
                return self._reply(identity, answer)
            self._follow(request, answer)
        except _FAILURES as error:
            return self._refused(identity, error)
        return None

    def _read(self, message: Message) -> Any:
        """A request; text or bytes, as the encoding has it.

        Raises:
            RequestError: It is none.
        """
        frame = message.get(self._kind)
        if frame is None:
            raise InvalidJSONError(f"{self._form.subprotocol} travels in {self._kind} frames")
        if len(frame) > self._limit:
            raise MessageTooLargeError(f"A message of {len(frame)}; the server reads {self._limit}")
        return self._decode(frame)

    def _check_new(self, identity: int) -> None:
        """Refuse a request more than is sensible, or one that nobody could tell from another."""
        if identity in self._under_way:
            raise InvalidMessageError(f"Request {identity} is still under way: use another id")
        if len(self._under_way) >= MOST_UNANSWERED:
            raise TooManyRequestsError(f"{MOST_UNANSWERED} requests are under way: await replies")

    def _call(self, request: Mcp) -> Coroutine[Any, Any, Told]:
        return self._rpc(request, self._vector.lane(request.lane, "mcp"))

    async def _rpc(self, request: Mcp, lane: Lane) -> Told:
        caller = Caller(lane.session, self._connection.principal)
        async with lane.turn:
            response = await self._dialect.answer(request.data, caller)
        if not self._form.is_text:
            response = codec.parse(codec.encode(response))  # it is partly JSON text already
        return Told(request.id, response)

    def _follow(self, request: Any, answer: Coroutine[Any, Any, Any]) -> None:
        identity = request.id
        if isinstance(request, _WHOLE):
            self._wholes[identity] = False
        task = asyncio.create_task(self._reply_later(identity, answer))
        self._under_way[identity] = task
        task.add_done_callback(functools.partial(self._forget, identity))

    def _forget(self, identity: int, _: object) -> None:
        del self._under_way[identity]
        self._wholes.pop(identity, None)

    async def _reply_later(self, identity: int, answer: Coroutine[Any, Any, Any]) -> None:
        reply = await self._reply(identity, answer)
        with contextlib.suppress(OSError, RuntimeError):  # the reader will see why
            await self._connection.send(_sending(reply, self._kind))

    async def _reply(self, identity: int, answer: Coroutine[Any, Any, Any]) -> bytes:
        try:
            return self._encoded(await answer)
        except asyncio.CancelledError:
            if not self._wholes.get(identity):
                raise
            return self._refused(identity, CallCancelledError("The client cancelled the request"))
        except _FAILURES as error:
            return self._refused(identity, error)
        finally:
            self._wholes.pop(identity, None)

    def _cancel(self, request: Cancel) -> None:
        """Stop a request: lane by lane what is for many, all else as a whole."""
        identity = request.id
        self._vector.cancel(identity)
        if identity in self._wholes:
            # Only what has begun can answer for itself, and it has its first turn before this.
            asyncio.get_running_loop().call_soon(self._call_off, identity)

    def _call_off(self, identity: int) -> None:
        if identity in self._wholes:
            self._wholes[identity] = True
            self._under_way[identity].cancel()

    def _encoded(self, reply: Any) -> bytes:
        return encoded(reply, self._form.encode, self._mode)

    def _refused(self, identity: int | None, error: BaseException) -> bytes:
        known = typed(error, self._mode)
        named = known.details.get("request_id") if identity is None else identity
        return self._form.encode(Refused(named, described(known)))

    async def stop(self) -> None:
        """Make no reply any more."""
        tasks = [*self._under_way.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _sending(frame: bytes, kind: str) -> Message:
    return {"type": "websocket.send", kind: frame.decode() if kind == "text" else frame}
