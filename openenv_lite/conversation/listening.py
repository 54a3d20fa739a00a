"""`subscriptions/listen` of 2026-07-28: changes, on a stream of their own."""

import asyncio
import functools
from typing import Any

from openenv_lite.conversation.call import Call
from openenv_lite.life import CLOSED_CHANGE, Change
from openenv_lite.mcp import messages
from openenv_lite.mcp.params import Filter
from openenv_lite.mcp.shapes import SUBSCRIPTION

__all__ = ["Listeners", "notification_of"]


class Listeners:
    """All who listen, so that a server that stops can let them go."""

    def __init__(self) -> None:
        self._ends: set[asyncio.Future[None]] = set()

    async def listen(self, call: Call) -> dict[str, Any]:
        """Tell what the filter names until the environment ends or the client leaves."""
        session = await call.tenant.session()
        wanted: Filter = call.params.notifications
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watcher = functools.partial(_tell, call, wanted, ended)
        _notify(call, "notifications/subscriptions/acknowledged", {"notifications": wanted})
        session.watchers.add(watcher)
        self._ends.add(ended)
        try:
            await ended
        finally:
            session.watchers.discard(watcher)
            self._ends.discard(ended)
        return {"_meta": {SUBSCRIPTION: call.identity}}

    def let_go(self) -> None:
        """End all listening, in good order."""
        for ended in self._ends:
            if not ended.done():
                ended.set_result(None)


def _tell(call: Call, wanted: Filter, ended: "asyncio.Future[None]", change: Change) -> None:
    if change is CLOSED_CHANGE:
        if not ended.done():
            ended.set_result(None)
    elif _is_wanted(wanted, change):
        _notify(call, *notification_of(change))


def _is_wanted(wanted: Filter, change: Change) -> bool:
    if change.uri is not None:
        return change.uri in wanted.resource_subscriptions
    return bool(getattr(wanted, f"{change.kind}_list_changed"))


def notification_of(change: Change) -> tuple[str, dict[str, Any]]:
    """How a change in an environment is told: method and parameters."""
    if change.uri is not None:
        return "notifications/resources/updated", {"uri": change.uri}
    return f"notifications/{change.kind}/list_changed", {}


def _notify(call: Call, method: str, params: dict[str, Any]) -> None:
    tagged = {**params, "_meta": {SUBSCRIPTION: call.identity}}
    call.put(messages.message(method, tagged))
