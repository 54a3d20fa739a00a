"""One request under way, as the tool behind it sees its client."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from openenv_lite.context import InputRequired, LogLevel, Question
from openenv_lite.conversation.client import Client, lacking
from openenv_lite.conversation.stream import Stream
from openenv_lite.conversation.tenant import Tenant
from openenv_lite.errors import CapabilityError, SessionClosedError
from openenv_lite.mcp import messages
from openenv_lite.mcp.headers import Headers
from openenv_lite.mcp.messages import Identity

__all__ = ["Call", "StatelessCall"]

MOST_PENDING = 1000
"""Notifications from a thread that may wait for the event loop; what a tool says beyond is lost."""


class Call(msgspec.Struct, eq=False):
    """Carries what a tool says to the client of its request.

    Attributes:
        identity: The request's id.
        method: The request's.
        client: Who asked.
        params: What the method takes.
        tenant: The environment it acts in.
        arguments: What a tool gets, where that is not all that the request says.
        headers: Those that repeat the request; None where none do.
        is_over: The answer is known; what keeps the context is not listened to any more.
        outlet: Where messages before the answer go, once it is open.
        early: Messages from before that.
    """

    identity: Identity
    method: str
    client: Client
    params: Any
    tenant: Tenant
    arguments: dict[str, Any] | None = None
    headers: Headers | None = None
    outlet: Stream | None = None
    is_over: bool = False
    early: list[bytes] = []
    _pending: int = 0

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """The client's."""
        return self.client.capabilities

    @property
    def wants_progress(self) -> bool:
        """Whether the request named a token for progress."""
        return isinstance(self.params.meta.progress_token, int | str)

    def wants_log(self, level: LogLevel) -> bool:
        """Whether the client wants messages of this level."""
        return self.client.wants_log(level)

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Tell the client something, from whatever thread."""
        if method == "notifications/progress":
            params = {"progressToken": self.params.meta.progress_token, **params}
        body = messages.message(method, params)
        if self.outlet is None or self.outlet.loop is _running_loop():
            self.put(body)
        elif self._pending < MOST_PENDING:
            self._pending += 1
            self.outlet.loop.call_soon_threadsafe(self._put_from_thread, body)

    def _put_from_thread(self, body: bytes) -> None:
        self._pending -= 1
        self.put(body)

    def put(self, body: bytes) -> None:
        """Send a message ahead of the answer."""
        if self.is_over:
            return
        if self.outlet is None:
            self.early.append(body)
        else:
            self.outlet.put(body)

    def open(self) -> Stream:
        """Begin to send: from now on messages go straight to the client."""
        raise NotImplementedError

    def leave(self) -> None:
        """Let the client go, if it can come back for the rest."""

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Any]:
        """Raw answers by key."""
        raise NotImplementedError

    def _require(self, questions: Mapping[str, Question]) -> None:
        if self.is_over:
            raise SessionClosedError("The call that asks is over: its client is not there any more")
        needed: dict[str, Any] = {}
        for question in questions.values():
            for name, parts in question.needs().items():
                needed[name] = {**needed.get(name, {}), **parts}
        missing = lacking(needed, dict(self.capabilities))
        if missing:
            raise CapabilityError(
                f"The client does not offer {', '.join(missing)}", requiredCapabilities=missing
            )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """That of this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class StatelessCall(Call, eq=False):
    """A request of 2026-07-28: it asks by ending, and knows the answers when it comes again.

    Attributes:
        answers: What the client has answered so far, by key.
        round: How often it was asked something before.
        named: The session that the URL names.
        make_stream: Makes what carries the messages.
    """

    answers: dict[str, Any] = {}
    round: int = 0
    named: str | None = None
    make_stream: Callable[[], Stream] = Stream

    def open(self) -> Stream:
        """A stream that ends with its reader."""
        self.outlet = self.make_stream()
        return self.outlet

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Any]:
        """Raw answers by key.

        Raises:
            InputRequired: Some are not there yet.
            CapabilityError: The client cannot give one.
        """
        missing = {key: each for key, each in questions.items() if key not in self.answers}
        if missing:
            self._require(missing)
            raise InputRequired(missing)
        return {key: self.answers[key] for key in questions}
