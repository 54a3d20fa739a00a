"""An MCP server of the `mcp` package, as a process.

`python server.py stdio`, or `python server.py http PORT new|old|locked`.
"""

import asyncio
import os
import signal
import sys
from typing import Any

import uvicorn
from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, InputRequiredResult, ListToolsResult, Tool

PAGE = 3
PIXEL = "iVBORw0KGgo="

BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "é", "annotations": {"priority": 0.5}, "_meta": {"a": 1}},
    {"type": "image", "data": PIXEL, "mimeType": "image/png"},
    {"type": "audio", "data": PIXEL, "mimeType": "audio/wav"},
    {"type": "resource_link", "uri": "test://link", "name": "link", "size": 3},
    {"type": "resource", "resource": {"uri": "test://x", "mimeType": "text/plain", "text": "x"}},
]
STRUCTURED: dict[str, Any] = {"none": None, "float": 1.0, "list": [{}], "z": 1, "a": 2}

_OBJECT: dict[str, Any] = {"type": "object"}
_ECHO_ARGUMENTS: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"message": {"type": "string"}, "self": {"type": "integer"}},
    "required": ["message"],
    "additionalProperties": False,
}

ECHO: dict[str, Any] = {
    "name": "echo",
    "title": "Echo",
    "description": "Says it again.",
    "inputSchema": _ECHO_ARGUMENTS,
    "outputSchema": {"type": "object", "properties": {"said": {"type": "string"}}},
    "annotations": {"readOnlyHint": True, "openWorldHint": False},
    "icons": [{"src": "data:image/png;base64,", "mimeType": "image/png"}],
    "_meta": {"example.com/kind": 1},
}

NAMES = [
    *("blocks", "nothing", "fail", "refuse", "hang", "die", "stop", "count", "pid"),
    *("breaks_schema", "reset", "authorization", "silent_death", "ask"),
]

_count = 0


def _text(text: object, **fields: Any) -> CallToolResult:
    block = {"type": "text", "text": str(text)}
    return CallToolResult.model_validate({"content": [block], **fields})


async def _list(_: Any, params: Any) -> ListToolsResult:
    declared = [ECHO, *({"name": name, "inputSchema": _OBJECT} for name in NAMES)]
    next(each for each in declared if each["name"] == "breaks_schema")["outputSchema"] = {
        "type": "object",
        "required": ["n"],
    }
    begin = int(params.cursor) if params and params.cursor else 0
    end = begin + PAGE
    return ListToolsResult(
        tools=[Tool.model_validate(each) for each in declared[begin:end]],
        next_cursor=str(end) if end < len(declared) else None,
    )


async def _call(context: Any, params: Any) -> CallToolResult | InputRequiredResult:
    arguments = params.arguments or {}
    match params.name:
        case "echo":
            message = arguments["message"]
            return _text(message, structuredContent={"said": message})
        case "blocks":
            return CallToolResult.model_validate(
                {"content": BLOCKS, "structuredContent": STRUCTURED, "_meta": {"mine": 1}}
            )
        case "nothing":
            return CallToolResult(content=[])
        case "fail":
            return _text("it broke", isError=True)
        case "refuse":
            raise MCPError(code=-32602, message="not like this")
        case "breaks_schema":
            return _text("no n", structuredContent={})
        case "ask":
            return await _ask(context)
        case "authorization":
            return _text(context.request.headers.get("authorization"))
        case _:
            return await _misbehave(params.name)


async def _ask(context: Any) -> CallToolResult | InputRequiredResult:
    """Ask the person at the client, as the revision has it."""
    form = {"message": "Who are you?", "requestedSchema": {"type": "object", "properties": {}}}
    if context.protocol_version >= "2026-07-28":
        request = {"method": "elicitation/create", "params": {"mode": "form", **form}}
        return InputRequiredResult.model_validate(
            {"resultType": "input_required", "inputRequests": {"who": request}}
        )
    answer = await context.session.elicit_form(*form.values())
    return _text(answer.action)


async def _misbehave(name: str) -> CallToolResult:
    global _count
    match name:
        case "hang":
            await asyncio.sleep(3600)
        case "die":
            os._exit(3)
        case "silent_death":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "count":
            _count += 1
            return _text(_count)
        case "pid":
            return _text(os.getpid())
    return _text(name)


SERVER: Server[Any] = Server("outsider", on_list_tools=_list, on_call_tool=_call)


async def _serve_stdio() -> None:
    async with stdio_server() as (reading, writing):
        await SERVER.run(reading, writing, SERVER.create_initialization_options())


REFUSED = {"old": ((b"mcp-protocol-version", b"2026-07-28"), 400), "locked": (None, 401)}
"""By era: which header is refused (None for every request), with which status.

A server that has not heard of 2026-07-28 refuses it, and its protocol has sessions.
"""


def _refusing(app: Any, unwanted: Any, status: int) -> Any:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        refused = unwanted is None or unwanted in scope.get("headers", [])
        if scope["type"] == "http" and refused:
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return answer


def main(kind: str, port: str = "0", era: str = "new") -> None:
    if kind == "stdio":
        asyncio.run(_serve_stdio())
        return
    app: Any = SERVER.streamable_http_app()
    if era in REFUSED:
        app = _refusing(app, *REFUSED[era])
    uvicorn.run(app, port=int(port), log_level="critical", ws="none")


if __name__ == "__main__":
    main(*sys.argv[1:])
