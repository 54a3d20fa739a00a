"""What goes back to a client: results in the shape that its revision knows."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from openenv_lite.content import Outcome
from openenv_lite.mcp.params import PREFIX
from openenv_lite.mcp.revisions import REVISIONS, Revision

__all__ = [
    "LISTS",
    "SERVER_INFO",
    "block_for",
    "call_result",
    "capabilities",
    "completion",
    "for_revision",
    "listed",
    "prompt_for",
    "stamped",
]

SERVER_INFO = f"{PREFIX}serverInfo"
SUBSCRIPTION = f"{PREFIX}subscriptionId"

MOST_COMPLETIONS = 100
"""Values that one completion may hold."""

LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""Under which key each list stands in its result."""

LIFETIMES_MS = {"server/discover": 3_600_000, **dict.fromkeys(LISTS, 60_000), "resources/read": 0}
"""How long a client of 2026-07-28 may keep a result."""

_STRUCTURE = ("title", "outputSchema")


class _CallResult(msgspec.Struct, omit_defaults=True, rename="camel"):
    content: list[dict[str, Any]]
    structured_content: Any = None
    is_error: bool = False
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")


class _StampedCallResult(_CallResult, kw_only=True, omit_defaults=True, rename="camel"):
    """As `_CallResult`, on 2026-07-28."""

    result_type: str


def capabilities(revision: Revision) -> dict[str, Any]:
    """What this server offers on a revision; all of it is served, if only with an empty list."""
    changing = {"listChanged": True}
    offered = {
        "tools": changing,
        "prompts": changing,
        "resources": {"subscribe": True, **changing},
        "logging": {},
    }
    return offered if revision.name == "2024-11-05" else {**offered, "completions": {}}


def for_revision(declared: Mapping[str, Any], revision: Revision) -> Mapping[str, Any]:
    """A tool, resource or prompt without the fields that the revision does not know."""
    hidden = set() if revision.has_structure else {*_STRUCTURE}
    if not revision.has_icons:
        hidden.add("icons")
    if revision is REVISIONS["2024-11-05"] and "inputSchema" in declared:
        hidden.add("annotations")
    return {k: v for k, v in declared.items() if k not in hidden} if hidden else declared


def listed(
    method: str, entries: Iterable[Mapping[str, Any]], cursor: str | None, revision: Revision
) -> dict[str, Any]:
    """One page of a list."""
    page: dict[str, Any] = {LISTS[method]: [for_revision(each, revision) for each in entries]}
    return {**page, "nextCursor": cursor} if cursor else page


def call_result(outcome: Outcome, revision: Revision, server: msgspec.Raw) -> Any:
    """What a tool gave.

    Args:
        outcome: The tool's return value, taken apart.
        revision: Of the client.
        server: `_meta` of results on 2026-07-28, encoded.
    """
    if revision.is_stateless:
        meta: Any = {**outcome.meta, SERVER_INFO: server} if outcome.meta else {SERVER_INFO: server}
        return _StampedCallResult(
            outcome.content,
            outcome.structured,
            outcome.is_error,
            meta,
            result_type="complete",
        )
    structured = outcome.structured if revision.has_structure else None
    content = outcome.content
    if not revision.has_icons:
        content = [block_for(block, revision) for block in content]
    return _CallResult(content, structured, outcome.is_error, outcome.meta)


def block_for(block: dict[str, Any], revision: Revision) -> dict[str, Any]:
    """A content block as the revision knows it: without icons, or a resource link as text."""
    if block["type"] != "resource_link" or revision.has_icons:
        return block
    if not revision.has_structure:
        return {"type": "text", "text": block["uri"]}
    return {key: each for key, each in block.items() if key != "icons"}


def prompt_for(prompt: dict[str, Any], revision: Revision) -> dict[str, Any]:
    """A prompt's messages with the blocks that the revision knows."""
    shown = [
        {**each, "content": block_for(each["content"], revision)} for each in prompt["messages"]
    ]
    return {**prompt, "messages": shown}


def stamped(method: str, result: dict[str, Any], server: msgspec.Raw) -> dict[str, Any]:
    """A complete result as 2026-07-28 wants it: its type, who serves it, how long it holds."""
    meta = {**result.get("_meta", {}), SERVER_INFO: server}
    caching = {}
    if method in LIFETIMES_MS:
        scope = "public" if method == "server/discover" else "private"
        caching = {"ttlMs": LIFETIMES_MS[method], "cacheScope": scope}
    return {"resultType": "complete", **result, **caching, "_meta": meta}


def completion(values: list[str]) -> dict[str, Any]:
    """Proposals for an argument, at most a hundred."""
    shown = values[:MOST_COMPLETIONS]
    more = len(values) > len(shown)
    return {"completion": {"values": shown, "total": len(values), "hasMore": more}}
