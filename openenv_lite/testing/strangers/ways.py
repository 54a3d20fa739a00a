"""Ways in which JSON-RPC can be said to a server."""

from typing import Any

from openenv_lite.errors import ConnectionFailedError
from openenv_lite.testing.strangers.attacks import RPC_NAMES, Attempt, Frames, pairs
from openenv_lite.testing.strangers.door import Door

__all__ = ["RPC_WAYS", "said_on"]

Told = list[tuple[str, Any]]
"""How each request was sent, as Python, and what was answered."""


def _posted(door: Door, requests: list[dict[str, Any]]) -> Told:
    attempts = [Attempt("POST", "/mcp", each) for each in requests]
    replies = door.request_all(attempts)
    return [(f"request({each})", reply.body) for each, reply in zip(attempts, replies, strict=True)]


def _batched(door: Door, requests: list[dict[str, Any]]) -> Told:
    attempt = Attempt("POST", "/mcp", requests)
    body = door.request(*attempt).body
    answers = body if isinstance(body, list) else [body]
    return [(f"request({attempt})", each) for each in answers]


def _over_ws(door: Door, requests: list[dict[str, Any]]) -> Told:
    messages = [{"type": "mcp", "data": each} for each in requests]
    said = said_on(door, Frames("/ws", messages)) or [None]
    answers = [each.get("data") if isinstance(each, dict) else each for each in said]
    shown = [f"converse({Frames('/ws', [each])})" for each in messages]
    return list(zip(shown, answers, strict=False))


def _over_mcp_socket(door: Door, requests: list[dict[str, Any]]) -> Told:
    said = said_on(door, Frames("/mcp", requests)) or [None]
    shown = [f"converse({Frames('/mcp', [each])})" for each in requests]
    return list(zip(shown, said, strict=False))


RPC_WAYS = [
    (asked_by, patterns)
    for asked_by in (_posted, _batched, _over_ws, _over_mcp_socket)
    for patterns in pairs(RPC_NAMES)
]


def said_on(door: Door, frames: Frames) -> list[Any]:
    """What a WebSocket answers; nothing where there is none."""
    try:
        return door.converse(frames.path, *frames.messages, headers=frames.headers)
    except ConnectionFailedError:
        return []
