"""Which of a server's workers a message belongs to, as far as its body tells.

What the URL or `Mcp-Session-Id` names has been sent where it belongs before a body is read.
"""

from typing import Any

from openenv_lite import codec
from openenv_lite.conversation.handles import ARGUMENT, OPEN
from openenv_lite.conversation.service import Inbound
from openenv_lite.errors import InvalidJSONError, SealBrokenError
from openenv_lite.mcp.headers import SESSION, VERSION, trimmed
from openenv_lite.mcp.params import PREFIX
from openenv_lite.mcp.revisions import HANDSHAKE
from openenv_lite.mcp.seal import unproven
from openenv_lite.workers import Worker

__all__ = ["home_of"]

_HANDSHAKE = {each.name for each in HANDSHAKE}
_REVISION = f"{PREFIX}protocolVersion"


def home_of(inbound: Inbound, worker: Worker) -> int | None:
    """The number of the worker to which a message must go; None where it may stay in this one.

    Calls of 2026-07-28 without a handle go to the one worker that has the principal's common
    environment; the tool that opens an environment does so wherever it is called.

    Raises:
        HeaderMismatchError: A header cannot be read.
    """
    version = trimmed(inbound.headers, VERSION)
    has_session = version in _HANDSHAKE or (version is None and SESSION in inbound.headers)
    if has_session or inbound.session_id is not None:
        return None
    message = _object(inbound.body)
    params = _field(message, "params")
    if version is not None or _field(params, "_meta", _REVISION) is not None:
        number = _acting(params, inbound.principal, worker)
    else:
        number = _named(_field(params, "session_id"), worker)
    return None if number == worker.number else number


def _acting(params: Any, principal: str | None, worker: Worker) -> int:
    if _field(params, "name") == OPEN:
        return worker.number
    try:
        claims = unproven(str(_field(params, "arguments", ARGUMENT)))
    except SealBrokenError:
        return worker.host_of(principal)
    return _named(claims[0] if isinstance(claims, list) and claims else None, worker)


def _named(session_id: Any, worker: Worker) -> int:
    return worker.holder_of(session_id) if isinstance(session_id, str) else worker.number


def _object(body: bytes) -> Any:
    try:
        return codec.parse(body)
    except InvalidJSONError:
        return None


def _field(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
