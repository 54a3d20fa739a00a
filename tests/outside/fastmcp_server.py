"""A FastMCP server on stdio, as a process."""

from fastmcp import FastMCP

server = FastMCP("calculator")


@server.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


if __name__ == "__main__":
    server.run(show_banner=False)
