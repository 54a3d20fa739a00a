"""What each method does: one function a row of the table, the same for every revision."""

from collections.abc import Callable, Coroutine
from typing import Any

from openenv_lite.content import Outcome, failed_outcome
from openenv_lite.conversation.call import Call
from openenv_lite.conversation.handles import Handles
from openenv_lite.conversation.handshake import SessionCall
from openenv_lite.conversation.site import Site
from openenv_lite.errors import (
    CapabilityError,
    HeaderMismatchError,
    InvalidAnswerError,
    InvalidArgumentsError,
    OpenEnvError,
    UnknownSessionError,
    UnknownToolError,
)
from openenv_lite.mcp import headers, shapes
from openenv_lite.mcp.headers import Headers
from openenv_lite.mcp.params import Complete, Page
from openenv_lite.mcp.revisions import REVISIONS, Revision
from openenv_lite.tools import Tool

__all__ = ["Requests"]

Handler = Callable[[Any], Any]
"""From a call to its result, or to a coroutine that gives it."""


MOST_SUBSCRIPTIONS = 1000
"""Resources that one client may follow."""


class Requests:
    """Answers the requests of conversations.

    Args:
        site: The environments behind them.

    Attributes:
        handlers: What answers each method.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._handles = Handles(site)
        self.handlers: dict[str, Handler] = {
            "ping": _ping,
            "server/discover": self._discover,
            "tools/list": self._list,
            "tools/call": self._call_tool,
            "resources/list": self._list,
            "resources/templates/list": self._list,
            "resources/read": self._read_resource,
            "resources/subscribe": self._subscribe,
            "resources/unsubscribe": self._unsubscribe,
            "prompts/list": self._list,
            "prompts/get": self._get_prompt,
            "completion/complete": self._complete,
            "logging/setLevel": _set_level,
            "subscriptions/listen": site.listeners.listen,
        }

    def _discover(self, call: Call) -> dict[str, Any]:
        return {
            "supportedVersions": list(REVISIONS),
            "capabilities": shapes.capabilities(call.client.revision),
        }

    async def _list(self, call: Call) -> dict[str, Any]:
        page: Page = call.params
        catalogue = await self._site.catalogue(call.tenant.current())
        key = shapes.LISTS[call.method]
        entries = catalogue[key]
        if key == "tools":
            entries = [*self._handles.shown(call, entries)]
        shown, cursor = self._site.pages.cut(key, entries, page.cursor)
        return shapes.listed(call.method, shown, cursor, call.client.revision)

    def _call_tool(self, call: Call) -> Outcome | Coroutine[Any, Any, Outcome]:
        """At once where the session exists and the tool runs on the event loop."""
        if self._handles.concern(call):
            return self._handles.use(call, self._call_tool)
        try:
            session = call.tenant.current()
            if session is None:
                return self._open_and_call(call)
            asked = call.params
            tool = session.tool(asked.name)
            if call.headers is not None and tool.repeated != ():
                _check_headers(call.headers, tool, asked.arguments)
            arguments = asked.arguments if call.arguments is None else call.arguments
            outcome = session.use(tool, arguments, call)
        except OpenEnvError as error:
            return _told(error, call.client.revision)
        return outcome if isinstance(outcome, Outcome) else _softened(outcome, call.client.revision)

    async def _open_and_call(self, call: Call) -> Outcome:
        try:
            await call.tenant.session()
        except OpenEnvError as error:
            return _told(error, call.client.revision)
        outcome = self._call_tool(call)
        return outcome if isinstance(outcome, Outcome) else await outcome

    async def _read_resource(self, call: Call) -> dict[str, Any]:
        session = await call.tenant.session()
        contents = await session.read_resource(call.params.uri, call)
        return {"contents": contents}

    async def _get_prompt(self, call: Call) -> Any:
        session = await call.tenant.session()
        prompt = await session.get_prompt(call.params.name, call.params.arguments, call)
        return shapes.prompt_for(prompt, call.client.revision)

    async def _complete(self, call: Call) -> dict[str, Any]:
        session = await call.tenant.session()
        asked: Complete = call.params
        ref, argument = asked.ref, asked.argument
        given = asked.context.arguments
        if ref.type == "ref/prompt":
            found = session.complete("prompt", ref.name, argument.name, argument.value, given)
        else:
            found = session.complete("resource", ref.uri, argument.name, argument.value, given)
        return shapes.completion(await found)

    async def _subscribe(self, call: SessionCall) -> dict[str, Any]:
        session = await call.tenant.session()
        session.resource(call.params.uri)
        if len(call.conversation.subscriptions) >= MOST_SUBSCRIPTIONS:
            raise InvalidArgumentsError(f"More than {MOST_SUBSCRIPTIONS} subscriptions: end some")
        call.conversation.subscriptions.add(call.params.uri)
        return {}

    def _unsubscribe(self, call: SessionCall) -> dict[str, Any]:
        call.conversation.subscriptions.discard(call.params.uri)
        return {}


def _ping(call: Call) -> dict[str, Any]:
    return {}


def _set_level(call: SessionCall) -> dict[str, Any]:
    call.client.log_level = call.params.level
    return {}


def _check_headers(given: Headers, tool: Tool, arguments: dict[str, Any]) -> None:
    if tool.repeated is None:
        tool.repeated = headers.repeated(tool.declaration["inputSchema"])
    headers.check_arguments(given, tool.repeated, arguments)


async def _softened(outcome: Coroutine[Any, Any, Outcome], revision: Revision) -> Outcome:
    try:
        return await outcome
    except OpenEnvError as error:
        return _told(error, revision)


def _told(error: OpenEnvError, revision: Revision) -> Outcome:
    """The error as a result that the model reads, unless the protocol wants it as an error."""
    if isinstance(error, UnknownToolError | UnknownSessionError | HeaderMismatchError):
        raise error
    if isinstance(error, InvalidArgumentsError) and not revision.faulty_arguments_fail_softly:
        raise error
    if isinstance(error, CapabilityError | InvalidAnswerError) and revision.is_stateless:
        raise error
    return failed_outcome(error.message)
