"""From a call to its answer: at once where nothing need be awaited, else over a stream."""

from collections.abc import Coroutine
from types import CoroutineType
from typing import Any

from openenv_lite.content import Outcome
from openenv_lite.context import InputRequired
from openenv_lite.conversation.call import Call, StatelessCall
from openenv_lite.conversation.refusals import as_error, refusal
from openenv_lite.conversation.requests import Requests
from openenv_lite.conversation.site import Site
from openenv_lite.conversation.stateless import required
from openenv_lite.conversation.stream import Answer, Stream
from openenv_lite.failures import typed
from openenv_lite.mcp import messages, shapes

__all__ = ["Answering"]


class Answering:
    """Runs calls and owns those under way.

    Args:
        site: The environments behind them.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._handlers = Requests(site).handlers
        self._under_way: set[Stream] = set()

    def respond(self, call: Call) -> Answer | Stream:
        """The answer, or the stream that ends with it."""
        try:
            result = self._handlers[call.method](call)
            if isinstance(result, CoroutineType):
                return self.follow(call.open(), self._complete(call, result))
            answer = self._reply(call, result)
        except (Exception, InputRequired) as error:  # noqa: BLE001  the one door for MCP
            answer = self._unanswered(call, error)
        call.is_over = True
        return answer if not call.early else self._after(call.early, call.open(), answer)

    def _after(self, early: list[bytes], stream: Stream, answer: Answer) -> Stream:
        for body in early:
            stream.put(body)
        stream.finish(answer)
        return stream

    def follow(self, stream: Stream, answering: Coroutine[Any, Any, Answer]) -> Stream:
        """Make the answer in a task that ends with this object at the latest."""
        self._under_way.add(stream)
        return stream.run(answering, self._under_way.discard)

    async def _complete(self, call: Call, result: Coroutine[Any, Any, Any]) -> Answer:
        try:
            return self._reply(call, await result)
        except (Exception, InputRequired) as error:  # noqa: BLE001  the one door for MCP
            return self._unanswered(call, error)
        finally:
            call.is_over = True

    def _reply(self, call: Call, result: Any) -> Answer:
        """The result as the client's revision wants it."""
        revision = call.client.revision
        if isinstance(result, Outcome):
            result = shapes.call_result(result, revision, self._site.stamp)
        elif revision.is_stateless:
            result = shapes.stamped(call.method, result, self._site.stamp)
        return Answer(messages.reply(call.identity, result))

    def _unanswered(self, call: Call, error: BaseException) -> Answer:
        if isinstance(error, InputRequired) and isinstance(call, StatelessCall):
            try:
                return self._reply(call, required(self._site, call, error))
            except Exception as failure:  # noqa: BLE001  a question that JSON cannot carry
                error = failure
        known = typed(error, self._site.mode)
        to_answer = refusal if call.client.revision.is_stateless else as_error
        return to_answer(call.identity, known)

    async def idle(self) -> None:
        """Wait until no call is under way."""
        while self._under_way:
            await next(iter(self._under_way)).ended()

    async def close(self) -> None:
        """Stop every call under way."""
        streams = [*self._under_way]
        for stream in streams:
            stream.cancel()
        for stream in streams:
            await stream.ended()
