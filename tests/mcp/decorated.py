"""The fixture with a tool, a resource and a prompt that say all there is to say of them."""

from openenv_lite import ResourceLink
from tests.mcp.fixture import Everything

__all__ = ["Decorated"]

ICON = {"src": "https://example.com/icon.png"}


class Decorated(Everything):
    """The fixture, and a tool, a resource and a prompt that say all there is to say of them."""

    def __init__(self) -> None:
        super().__init__()
        self.tool(title="A link", icons=[ICON], annotations={"readOnlyHint": True})(link)
        self.tool(count)
        self.resource("test://decorated", title="Decorated", icons=[ICON])(link)
        self.prompt(title="Decorated", icons=[ICON])(decorated)


def link() -> ResourceLink:
    """Points to a resource."""
    return ResourceLink(uri="test://static-text", name="static", title="Static", icons=[ICON])


def count(upto: int) -> list[int]:
    """Counts."""
    return [*range(upto)]


def decorated() -> str:
    """Says hello."""
    return "Hello"
