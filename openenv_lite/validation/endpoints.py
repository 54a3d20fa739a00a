"""The six checks by which `openenv validate --url` judges a running server, under its names."""

from collections.abc import Mapping
from typing import Any

import httpx

from openenv_lite.validation.gate import Fault, gate
from openenv_lite.validation.site import Site

__all__ = [
    "CONTROLS",
    "health_endpoint",
    "json_of",
    "mcp_endpoint",
    "metadata_endpoint",
    "mode_endpoint_consistency",
    "openapi_version_available",
    "paths_of",
    "schema_endpoint",
]

CONTROLS = {"/reset": "POST", "/step": "POST", "/state": "GET"}
"""A trainer's paths, with their methods."""

_OK = 200
_STARTED = ("server_start",)


@gate("`/openapi.json` tells the version of the interface", after=_STARTED)
def openapi_version_available(site: Site) -> str:
    """`info.version` is text."""
    info = _object_of(site, "/openapi.json").get("info")
    version = info.get("version") if isinstance(info, dict) else None
    if not isinstance(version, str):
        raise _wanting("/openapi.json", "`info.version` as text")
    return f"version {version}"


@gate("`/health` says healthy", after=_STARTED)
def health_endpoint(site: Site) -> str:
    """To the word: load balancers look for it."""
    status = _object_of(site, "/health").get("status")
    if status != "healthy":
        raise _wanting("/health", f'`"status": "healthy"`, not {status!r}')
    return "healthy"


@gate("`/metadata` tells name and description", after=_STARTED)
def metadata_endpoint(site: Site) -> str:
    """Both are text."""
    told = _object_of(site, "/metadata")
    for name in ("name", "description"):
        if not isinstance(told.get(name), str):
            raise _wanting("/metadata", f"`{name}` as text")
    return str(told["name"])


@gate("`/schema` tells what actions, observations and states are", after=_STARTED)
def schema_endpoint(site: Site) -> str:
    """Three JSON Schemas."""
    told = _object_of(site, "/schema")
    for name in ("action", "observation", "state"):
        if not isinstance(told.get(name), dict):
            raise _wanting("/schema", f"`{name}` as an object")
    return ", ".join(str(told[name].get("title", name)) for name in ("action", "observation"))


@gate("`/mcp` answers in JSON-RPC, whatever it is sent", after=_STARTED)
def mcp_endpoint(site: Site) -> str:
    """Even an empty object has an answer."""
    told = json_of(site, "POST", "/mcp", json={})
    if not isinstance(told, dict) or told.get("jsonrpc") != "2.0":
        raise _wanting("/mcp", '`"jsonrpc": "2.0"` for every request')
    return "JSON-RPC 2.0"


@gate(
    "`/reset`, `/step` and `/state` are all there, or in production none",
    after=(*_STARTED, "openapi_version_available"),
)
def mode_endpoint_consistency(site: Site) -> str:
    """A single control without the others is neither mode."""
    paths = paths_of(site)
    there = [path for path in CONTROLS if path in paths]
    if not paths or len(there) not in (0, len(CONTROLS)):
        raise Fault(
            f"/openapi.json lists {', '.join(there) or 'no paths'}",
            "Serve all of /reset, /step and /state to train, and none of them in production",
        )
    return "simulation" if there else "production"


def paths_of(site: Site) -> Mapping[str, Any]:
    """What the OpenAPI document lists, by path.

    Raises:
        Fault: There is no such document.
    """
    paths = _object_of(site, "/openapi.json").get("paths")
    return paths if isinstance(paths, dict) else {}


def json_of(site: Site, method: str, path: str, **given: Any) -> Any:
    """What is answered, as plain values; `given` as `httpx` takes it.

    Raises:
        Fault: It is no success, or no JSON.
    """
    response = site.fetch(method, path, **given)
    if response.status_code != _OK:
        raise Fault(
            f"{method} {path} answers {response.status_code}: {_start_of(response)}",
            f"Let it answer 200; {site.url} is to be where /health is",
        )
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise _wanting(path, f"JSON, not {_start_of(response)!r}") from None


def _object_of(site: Site, path: str) -> dict[str, Any]:
    told = json_of(site, "GET", path)
    if not isinstance(told, dict):
        raise _wanting(path, "a JSON object")
    return told


def _wanting(path: str, what: str) -> Fault:
    return Fault(f"{path} does not answer as it should", f"Let it answer with {what}")


def _start_of(response: httpx.Response) -> str:
    return response.text[:100]
