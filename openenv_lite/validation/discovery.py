"""What an agent finds: tools over both ways to them, or typed actions."""

from collections.abc import Mapping
from typing import Any

from openenv_lite.client import GenericEnvClient, MCPToolClient
from openenv_lite.errors import OpenEnvError
from openenv_lite.tools import is_reserved
from openenv_lite.validation.endpoints import CONTROLS, json_of, paths_of
from openenv_lite.validation.gate import Fault, gate
from openenv_lite.validation.site import PATIENCE, Package, Site

__all__ = ["is_simulation", "tool_discovery"]

_LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@gate(
    "a client and `/mcp` list the same tools; or actions are typed, and their schema says how",
    after=("server_start", "schema_endpoint", "mode_endpoint_consistency"),
)
def tool_discovery(site: Site) -> str:
    """No control is among them, and all that the manifest declares are."""
    fields = json_of(site, "GET", "/schema")["action"].get("properties")
    if not isinstance(fields, dict) or "tool_name" not in fields:
        return f"typed actions: {_named(fields or {})}"
    seen, over_mcp = _seen_by_client(site), _seen_over_mcp(site)
    if seen != over_mcp:
        raise Fault(
            f"A client sees {_names(seen)}, and /mcp lists {_names(over_mcp)}",
            "Register tools in the constructor, so that every session has them",
        )
    _check(site, seen)
    return f"tools: {_names(seen)}"


def is_simulation(site: Site) -> bool:
    """Whether a trainer can reset and step there; raises as `paths_of`."""
    return CONTROLS.keys() <= paths_of(site).keys()


def _named(fields: Any) -> str:
    if not isinstance(fields, dict):
        raise Fault("/schema does not tell the action's fields", "Give it a JSON Schema of them")
    told = (f"{name} ({_kind(kind)})" for name, kind in fields.items() if name != "metadata")
    return ", ".join(told) or "no fields"


def _kind(schema: Any) -> str:
    told = schema.get("type", "several types") if isinstance(schema, dict) else "anything"
    return str(told)


def _seen_by_client(site: Site) -> set[str]:
    try:
        if not is_simulation(site):
            with MCPToolClient(site.url, **PATIENCE).sync() as agent:
                return {tool.name for tool in agent.list_tools()}
        with GenericEnvClient(site.url, **PATIENCE).sync() as env:
            listed = env.step({"type": "list_tools"})
            return {tool["name"] for tool in listed.observation["tools"]}
    except (OpenEnvError, LookupError, TypeError) as error:
        raise Fault(
            f"A client that asks for the tools gets {type(error).__name__}: {error}",
            "Look at what the server logs at that moment: its constructor may have failed",
        ) from error


def _seen_over_mcp(site: Site) -> set[str]:
    told = json_of(site, "POST", "/mcp", json=_LIST)
    try:
        return {tool["name"] for tool in told["result"]["tools"]}
    except (LookupError, TypeError):
        raise Fault(
            f"tools/list on /mcp answers {str(told)[:200]}",
            "Look at what the server logs at that moment: its constructor may have failed",
        ) from None


def _check(site: Site, names: set[str]) -> None:
    reserved = {name for name in names if is_reserved(name)}
    if reserved:
        raise Fault(
            f"{_names(reserved)}: a control of the trainer's, offered to the model",
            "Give the tool another name, and let it not do what only a trainer may",
        )
    declared = _declared(site.manifest) if isinstance(site, Package) else set()
    if declared and declared != names:
        raise Fault(
            f"The manifest declares {_names(declared)}, and there are {_names(names)}",
            "Mend `validation.capabilities.declared_tools` in openenv.yaml",
        )


def _declared(manifest: Mapping[str, Any]) -> set[str]:
    found: Any = manifest
    for name in ("validation", "capabilities", "declared_tools"):
        found = found.get(name) if isinstance(found, dict) else None
    return {str(name) for name in found} if isinstance(found, list) else set()


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
