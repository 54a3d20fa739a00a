"""Environments by handle, for 2026-07-28, which has no sessions: two tools and one argument.

The model opens an environment and passes its handle along. Offered in production only: in
simulation the trainer decides when an environment begins.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from openenv_lite.content import Outcome, failed_outcome, outcome_of
from openenv_lite.conversation.call import Call
from openenv_lite.conversation.site import Site
from openenv_lite.conversation.tenant import CommonTenant, Guest
from openenv_lite.errors import OpenEnvError, SealBrokenError

__all__ = ["ARGUMENT", "CLOSE", "OPEN", "Handles"]

OPEN, CLOSE, ARGUMENT = "openenv_open_session", "openenv_close_session", "openenv_session"

_PURPOSE = "session"
_LIFETIME_S = 30 * 24 * 3600.0


Use = Outcome | Coroutine[Any, Any, Outcome]
"""A tool's outcome, at once or to be awaited."""


class Handles:
    """Makes and reads handles.

    Args:
        site: The environments behind them.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tools = [_opener(site.pool.settings.idle_timeout_s), _closer()]

    def concern(self, call: Call) -> bool:
        """Whether a tool call opens, closes or names an environment."""
        asked = call.params
        is_named = asked.name in (OPEN, CLOSE) or ARGUMENT in asked.arguments
        return is_named and self._offered(call)

    def _offered(self, call: Call) -> bool:
        stateless = call.client.revision.is_stateless
        return self._site.has_handles and stateless and isinstance(call.tenant, CommonTenant)

    def shown(self, call: Call, tools: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """The tools as this caller sees them: each also takes a handle."""
        if not self._offered(call):
            return tools
        return [*map(_taking_handle, tools), *self._tools]

    def use(self, call: Call, call_tool: Callable[[Call], Use]) -> Use:
        """Open or close an environment, or call a tool in the one that is named."""
        try:
            if call.params.name == OPEN:
                return self._open(call)
            arguments = dict(call.params.arguments)
            session_id = self._session_id(arguments.pop(ARGUMENT, None), call.client.principal)
            if call.params.name == CLOSE:
                return self._close(session_id, call.client.principal)
            call.arguments = arguments
            call.tenant = self._guest(session_id, call)
            call.tenant.current()
        except OpenEnvError:
            return _refused()
        return call_tool(call)

    def _guest(self, session_id: str, call: Call) -> Guest:
        return Guest(self._site.pool, self._site.mode, session_id, call.client.principal)

    def _session_id(self, handle: Any, principal: str | None) -> str:
        claims: Any = self._site.seal.open(_PURPOSE, str(handle), self._site.time())
        if claims[1] != principal:
            raise SealBrokenError("This handle is another principal's")
        return str(claims[0])

    async def _open(self, call: Call) -> Outcome:
        principal = call.client.principal
        try:
            session = await self._site.opening.open(principal)
        except OpenEnvError as error:
            return failed_outcome(error.message)
        until = self._site.time() + _LIFETIME_S
        handle = self._site.seal.seal(_PURPOSE, [session.id, principal], until)
        return outcome_of({ARGUMENT: handle})

    async def _close(self, session_id: str, principal: str | None) -> Outcome:
        try:
            await self._site.pool.request_close(session_id, self._site.mode, principal)
        except OpenEnvError:
            return _refused()
        return outcome_of("Closed")


def _refused() -> Outcome:
    return failed_outcome(f"Unknown or expired {ARGUMENT}: call {OPEN} for a new one")


def _taking_handle(declared: dict[str, Any]) -> dict[str, Any]:
    """The tool with one more, optional, property; all else of its schema stays as it is."""
    schema = declared["inputSchema"]
    field = {"type": "string", "description": f"Which environment to act in; from {OPEN}."}
    properties = {**schema.get("properties", {}), ARGUMENT: field}
    return {**declared, "inputSchema": {**schema, "properties": properties}}


def _opener(idle_s: float) -> dict[str, Any]:
    return {
        "name": OPEN,
        "description": (
            "Open an environment of your own and get its handle, to be passed as "
            f"{ARGUMENT} to the other tools. It ends after {idle_s:.0f} seconds without a call."
        ),
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "outputSchema": {
            "type": "object",
            "properties": {ARGUMENT: {"type": "string"}},
            "required": [ARGUMENT],
        },
    }


def _closer() -> dict[str, Any]:
    field = {"type": "string", "description": f"The handle that {OPEN} gave."}
    return {
        "name": CLOSE,
        "description": "Close an environment that you opened.",
        "inputSchema": {"type": "object", "properties": {ARGUMENT: field}, "required": [ARGUMENT]},
    }
