"""Requests of 2026-07-28: each says who asks, and brings the answers it was asked for before."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from openenv_lite.context import InputRequired
from openenv_lite.conversation.call import StatelessCall
from openenv_lite.conversation.client import Client
from openenv_lite.conversation.site import Site
from openenv_lite.conversation.tenant import Tenant
from openenv_lite.errors import InvalidArgumentsError
from openenv_lite.mcp import headers, params, revisions
from openenv_lite.mcp.headers import Headers
from openenv_lite.mcp.messages import Identity, Message, ToolCall
from openenv_lite.mcp.methods import METHODS, method_of, params_of
from openenv_lite.mcp.revisions import STATELESS

__all__ = ["names_revision", "plain_call", "read_call", "remember", "required"]

_PURPOSE = "request"
_LIFETIME_S = 3600.0
_REVISION, _METHOD = STATELESS.name.encode(), b"tools/call"


class _Routing(params.Params):
    """As much of any request as its headers repeat."""

    name: Any = UNSET
    uri: Any = UNSET


_routing = params.Decoder(_Routing)


def names_revision(message: Message) -> bool:
    """Whether the message says itself which revision it is of, as only 2026-07-28 has it."""
    try:
        return _routing(message.params).meta.revision is not UNSET
    except InvalidArgumentsError:
        return False


def read_call(
    message: Message, repeated: Headers | None, principal: str | None, tenant: Tenant
) -> StatelessCall:
    """A request, checked in the order that the specification's test suite expects.

    Args:
        message: A request.
        repeated: The headers to compare; None on transports that have none.
        principal: Who asks.
        tenant: The environment it acts in.

    Raises:
        InvalidArgumentsError: `_meta` lacks something, or a parameter does not fit.
        HeaderMismatchError: A header says something else than the body.
        UnsupportedRevisionError: The revision is none of ours.
        UnknownMessageError: It has no such method.
    """
    name = str(message.method)
    found, fault = _params(name, message.params)
    meta = found.meta
    if meta.revision is UNSET or not isinstance(meta.capabilities, dict):
        if repeated is not None:
            revisions.supported(headers.trimmed(repeated, headers.VERSION))
        raise InvalidArgumentsError(
            "Invalid params: _meta must name io.modelcontextprotocol/protocolVersion and "
            "io.modelcontextprotocol/clientCapabilities"
        )
    if repeated is not None:
        headers.check_routing(repeated, meta.revision, name, _name(name, found))
    revisions.supported(meta.revision)
    method_of(name, STATELESS)
    if fault is not None:
        raise fault
    return _call(message.identity, name, found, repeated, principal, tenant)


def plain_call(
    found: ToolCall, repeated: Headers, principal: str | None, site: Site
) -> StatelessCall | None:
    """A tool call in which `read_call` would find no fault, and that brings no answers."""
    asked, meta = found.params, found.params.meta
    if (
        repeated.get(headers.VERSION) == _REVISION
        and meta.revision == STATELESS.name
        and meta.capabilities is not UNSET
        and repeated.get(headers.METHOD) == _METHOD
        and repeated.get(headers.NAME) == asked.name.encode()
        and asked.request_state is UNSET
        and asked.input_responses is None
    ):
        return _call(found.id, found.method, asked, repeated, principal, site.common(principal))
    return None


def _call(
    identity: Identity,
    method: str,
    asked: Any,
    repeated: Headers | None,
    principal: str | None,
    tenant: Tenant,
) -> StatelessCall:
    meta = asked.meta
    level = None if meta.log_level is UNSET else meta.log_level
    client = Client(STATELESS, meta.capabilities, level, principal)
    return StatelessCall(
        identity, method, client, asked, tenant, headers=repeated, named=tenant.session_id
    )


def _params(name: str, raw: msgspec.Raw) -> tuple[Any, InvalidArgumentsError | None]:
    """The parameters; or, where they do not fit, those that the headers repeat, and the fault."""
    row = METHODS.get(name)
    if row is None or not row.stateless:
        return _routing(raw), None
    try:
        return params_of(name, raw), None
    except InvalidArgumentsError as fault:
        return _routing(raw), fault


def _name(method: str, found: Any) -> str | None:
    row = METHODS.get(method)
    if row is None or not row.stateless or row.named_by is None:
        return None
    name = getattr(found, row.named_by)
    return name if isinstance(name, str) else None


def remember(site: Site, call: StatelessCall) -> None:
    """Give the call the answers it comes with, and those of earlier rounds.

    Raises:
        SealBrokenError: The state is not the one that we gave for this very request.
    """
    asked: params.Retry = call.params
    earlier: Mapping[str, Any] = {}
    if isinstance(asked.request_state, str):
        claims = site.seal.open(_PURPOSE, asked.request_state, site.time())
        if claims["of"] != _digest(call):
            raise InvalidArgumentsError("Invalid params: requestState belongs to another request")
        earlier, call.round = claims["answers"], claims["round"]
    call.answers = {**earlier, **(asked.input_responses or {})}


def required(site: Site, call: StatelessCall, needed: InputRequired) -> dict[str, Any]:
    """The result that asks: what is to be answered, and what to show when coming back."""
    claims = {"of": _digest(call), "round": call.round + 1, "answers": call.answers}
    questions = {
        key: {"method": each.method, "params": each.params()}
        for key, each in needed.questions.items()
    }
    state = site.seal.seal(_PURPOSE, claims, site.time() + _LIFETIME_S)
    return {"resultType": "input_required", "inputRequests": questions, "requestState": state}


def _digest(call: StatelessCall) -> str:
    """What makes two requests the same one: what is asked, by whom, and of which session."""
    asked = call.params
    subject = [
        call.method,
        getattr(asked, "name", getattr(asked, "uri", None)),
        getattr(asked, "arguments", None),
        call.client.principal,
        call.named,
    ]
    return hashlib.sha256(msgspec.json.encode(subject, order="sorted")).hexdigest()
