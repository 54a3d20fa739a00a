"""What the official conformance suite expects a server to have, written as any author would.

The names, texts and schemas are the suite's. Serve it by hand with
`openenv-lite serve tests.mcp.fixture:Everything`.
"""

from typing import Any

from msgspec import Struct

from openenv_lite import Context, Elicit, EmbeddedResource, Image, MCPEnvironment, create_app
from openenv_lite.prompts import Prompt
from openenv_lite.tools import Tool
from tests.mcp.answering import ANSWERING, CONTACT, PNG, TELLING, json_schema_2020_12_tool
from tests.mcp.asking import ASKING, ASKING_AGAIN

__all__ = ["Everything", "app"]


class Everything(MCPEnvironment):
    """Every feature of a server, each under the name by which the suite asks for it."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        for function in (*ANSWERING, *TELLING, *ASKING, *ASKING_AGAIN):
            self.tool(function)
        self.tool(input_schema=CONTACT)(json_schema_2020_12_tool)
        self.tool(self.test_trigger_tool_change)
        self.tool(self.test_trigger_prompt_change)
        self._declare_resources()
        for prompt in PROMPTS:
            self.prompt(prompt)
        self.prompt(complete={"arg1": ["test", "testing"]})(test_prompt_with_arguments)

    def _declare_resources(self) -> None:
        self.resource("test://static-text", mime_type="text/plain")(static_text)
        self.resource("test://static-binary", mime_type="image/png")(static_binary)
        self.resource("test://watched-resource", mime_type="text/plain")(watched)
        self.resource("test://template/{id}/data", mime_type="application/json")(template)

    def test_trigger_tool_change(self) -> str:
        """Adds a tool, or takes it away again."""
        if any(tool.name == test_comes_and_goes.__name__ for tool in self.list_tools()):
            self.tools.remove(test_comes_and_goes.__name__)
        else:
            self.tools.add(Tool(test_comes_and_goes))
        return "The tools have changed."

    def test_trigger_prompt_change(self) -> str:
        """Adds a prompt, or takes it away again."""
        name = test_comes_and_goes.__name__
        if any(prompt["name"] == name for prompt in self.prompts.prompts()):
            self.prompts.remove(name)
        else:
            self.prompts.add(Prompt(test_comes_and_goes))
        return "The prompts have changed."


def test_comes_and_goes() -> str:
    """Is there at times."""
    return "I am here."


def static_text() -> str:
    """A text that never changes."""
    return "This is the content of the static text resource."


def static_binary() -> bytes:
    """A picture."""
    return PNG


def watched() -> str:
    """A text that a client can subscribe to."""
    return "Watched resource content"


def template(id: str) -> dict[str, Any]:
    """One of many."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


class Topic(Struct):
    """What a prompt is about."""

    context: str


def test_simple_prompt() -> str:
    """A prompt without arguments."""
    return "This is a simple prompt for testing."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two arguments.

    Args:
        arg1: First test argument.
        arg2: Second test argument.
    """
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:  # noqa: N803  the suite's
    """A prompt about a resource."""
    text = "Embedded resource content for testing."
    return [
        EmbeddedResource(uri=resourceUri, mime_type="text/plain", text=text),
        "Please process the embedded resource above.",
    ]


def test_prompt_with_image() -> list[Any]:
    """A prompt about a picture."""
    return [Image(data=PNG, format="png"), "Please analyze the image above."]


async def test_input_required_result_prompt(context: Context) -> str:
    """A prompt that asks the person what it shall be about."""
    question = Elicit("What context should the prompt use?", Topic)
    answers = await context.ask(user_context=question)
    return f"Speak about {answers['user_context'].content.context}."


PROMPTS = (
    test_simple_prompt,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
    test_input_required_result_prompt,
)

app = create_app(Everything)
