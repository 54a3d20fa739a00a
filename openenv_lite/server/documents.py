"""What the server says about itself: `/openapi.json` and `/docs`, read off its own route list."""

import html
import inspect
from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

__all__ = ["docs_page", "openapi"]

_STYLE = "body{font:16px sans-serif;margin:3em}td,th{padding:.3em 1em;text-align:left}"


def openapi(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """An OpenAPI document of the HTTP routes; a route that is not there cannot be in it."""
    shown = [route for route in routes if isinstance(route, Route) and route.include_in_schema]
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenEnv Environment HTTP API", "version": "1.0.0"},
        "paths": {route.path: _operations(route) for route in shown},
    }


def _operations(route: Route) -> dict[str, Any]:
    summary = (inspect.getdoc(route.endpoint) or "").partition("\n")[0]
    operation = {"summary": summary, "responses": {"200": {"description": "Success"}}}
    return {method.lower(): operation for method in sorted((route.methods or set()) - {"HEAD"})}


def docs_page(name: str, document: dict[str, Any]) -> str:
    """A page for people: one table, no script, nothing loaded from elsewhere."""
    rows = "".join(
        f"<tr><td>{method.upper()}</td><td><code>{path}</code></td>"
        f"<td>{html.escape(operation['summary'])}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    title = html.escape(name)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        "<p>Sessions live on the WebSocket <code>/ws</code>; agents call tools on "
        "<code>/mcp</code>. <a href=schema>Schemas</a>, <a href=openapi.json>OpenAPI</a>.</p>"
        f"<table><tr><th>Method<th>Path<th>What it does</tr>{rows}</table></html>"
    )
