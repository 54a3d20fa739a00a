"""The methods of MCP as a table: on which revisions each exists, and what it takes."""

from typing import Any, NamedTuple

from openenv_lite.errors import UnknownMessageError
from openenv_lite.mcp import params
from openenv_lite.mcp.revisions import Revision

__all__ = ["METHODS", "Method", "method_of", "params_of"]


class Method(NamedTuple):
    """One row: what a request of this name may be."""

    with_handshake: bool
    stateless: bool
    takes: type[params.Params]
    named_by: str | None = None
    """The parameter that the header `Mcp-Name` repeats."""
    may_ask: bool = False
    """On 2026-07-28 it may end with questions, and come again with the answers."""


METHODS: dict[str, Method] = {
    # method                                 handshake  stateless
    "initialize": Method(True, False, params.Initialize),
    "ping": Method(True, False, params.Params),
    "server/discover": Method(False, True, params.Params),
    "tools/list": Method(True, True, params.Page),
    "tools/call": Method(True, True, params.CallTool, "name", may_ask=True),
    "resources/list": Method(True, True, params.Page),
    "resources/templates/list": Method(True, True, params.Page),
    "resources/read": Method(True, True, params.ReadResource, "uri", may_ask=True),
    "resources/subscribe": Method(True, False, params.Subscribe),
    "resources/unsubscribe": Method(True, False, params.Subscribe),
    "prompts/list": Method(True, True, params.Page),
    "prompts/get": Method(True, True, params.GetPrompt, "name", may_ask=True),
    "completion/complete": Method(True, True, params.Complete),
    "logging/setLevel": Method(True, False, params.SetLevel),
    "subscriptions/listen": Method(False, True, params.Listen),
}

_DECODERS = {name: params.Decoder(row.takes) for name, row in METHODS.items()}


def method_of(name: str, revision: Revision) -> Method:
    """The row of this name.

    Raises:
        UnknownMessageError: The revision has no such method.
    """
    row = METHODS.get(name)
    if row is None or not (row.stateless if revision.is_stateless else row.with_handshake):
        raise UnknownMessageError(f"Method not found: {name[:100]}")
    return row


def params_of(name: str, raw: Any) -> Any:
    """The parameters of a request, typed.

    Raises:
        InvalidArgumentsError: They do not fit the method.
    """
    return _DECODERS[name](raw)
