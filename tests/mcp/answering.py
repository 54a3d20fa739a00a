"""Tools of the fixture that answer of themselves; some tell the client how they get on."""

import asyncio
import json
import time
from base64 import b64decode
from typing import Annotated, Any

from msgspec import Meta

from openenv_lite import Audio, Context, EmbeddedResource, Image

__all__ = ["ANSWERING", "CONTACT", "PNG", "TELLING", "json_schema_2020_12_tool"]

PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJg"
    "gg=="
)
WAV = b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=")

PAUSE_S = 0.05
"""The suite wants to see messages arrive one after the other."""


CONTACT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def test_simple_text() -> str:
    """Gives a text."""
    return "This is a simple text response for testing."


def test_image_content() -> Image:
    """Gives a picture."""
    return Image(data=PNG, format="png")


def test_audio_content() -> Audio:
    """Gives a sound."""
    return Audio(data=WAV, format="wav")


def test_embedded_resource() -> EmbeddedResource:
    """Gives a resource itself."""
    return EmbeddedResource(
        uri="test://embedded-resource",
        mime_type="text/plain",
        text="This is an embedded resource content.",
    )


def test_multiple_content_types() -> list[str | Image | EmbeddedResource]:
    """Gives a text, a picture and a resource."""
    return [
        "Multiple content types test:",
        Image(data=PNG, format="png"),
        EmbeddedResource(
            uri="test://mixed-content-resource",
            mime_type="application/json",
            text=json.dumps({"test": "data", "value": 123}),
        ),
    ]


def test_error_handling() -> str:
    """Fails, always."""
    raise ValueError("This tool intentionally returns an error for testing")


def test_x_mcp_header(
    region: Annotated[str, Meta(extra_json_schema={"x-mcp-header": "Region"})],
) -> str:
    """Takes an argument that clients repeat in a header."""
    return f"Region: {region}"


def json_schema_2020_12_tool(**contact: Any) -> str:
    """Takes arguments that only a full JSON Schema can describe."""
    return json.dumps(contact)


ANSWERING = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_x_mcp_header,
)


def test_tool_with_logging(context: Context) -> str:
    """Logs three times while it works, from the thread of its session."""
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        context.log(text)
        time.sleep(PAUSE_S)
    return "Logged three times."


async def test_logging_tool(context: Context) -> str:
    """Logs at every level."""
    context.log("What a developer wants to know", "debug")
    context.log({"what": "anybody may want to know"}, "warning", logger="fixture")
    return "Logged twice."


async def test_tool_with_progress(context: Context) -> str:
    """Tells of its progress."""
    for progress in (0, 50, 100):
        context.progress(progress, 100, f"{progress} of 100")
        await asyncio.sleep(PAUSE_S)
    return "Reached 100 of 100."


async def test_reconnection(context: Context) -> str:
    """Closes the client's stream, and answers on the one that it comes back with."""
    context.log("Before disconnect")
    context.disconnect()
    await asyncio.sleep(4 * PAUSE_S)
    context.log("After reconnect")
    return "Reconnection test completed."


TELLING = (
    test_tool_with_logging,
    test_logging_tool,
    test_tool_with_progress,
    test_reconnection,
)
