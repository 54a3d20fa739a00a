"""What an ASGI scope tells of a request."""

from urllib.parse import parse_qs

from starlette.types import Scope

from openenv_lite.batches import FORMATS, Format
from openenv_lite.mcp.headers import Headers

__all__ = ["form_of", "headers_of", "query"]


def headers_of(scope: Scope) -> Headers:
    """The headers by name, with all parts of `accept`; MCP's that came twice then fit nothing."""
    headers = dict(scope["headers"])
    if len(headers) < len(scope["headers"]):
        for name in headers:
            if name.startswith(b"mcp-") or name == b"accept":
                headers[name] = b", ".join(v for n, v in scope["headers"] if n == name)
    return headers


def query(scope: Scope, name: str) -> str | None:
    """A parameter of the URL."""
    text = scope["query_string"]
    values = parse_qs(text.decode("latin-1")).get(name) if text else None
    return values[0] if values else None


def form_of(scope: Scope) -> Format | None:
    """The encoding in which a WebSocket's peer asks for our subprotocol, if it does."""
    offered = scope.get("subprotocols", ())
    return next((form for name, form in FORMATS.items() if name in offered), None)
