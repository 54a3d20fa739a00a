"""Tools of MCP servers outside this process, mounted in an environment as if they were its own."""

try:
    from openenv_lite.outside.source import OutsideServer
except ModuleNotFoundError as error:
    if error.name != "mcp":
        raise
    raise ModuleNotFoundError(
        "Outside servers need mcp: install openenv-lite[outside]", name=error.name
    ) from error

__all__ = ["OutsideServer"]
