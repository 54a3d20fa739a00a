"""What each method takes, as types; fields that a revision adds are optional, others ignored."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from openenv_lite.context import LogLevel
from openenv_lite.errors import InvalidArgumentsError

__all__ = [
    "PREFIX",
    "CallTool",
    "Cancelled",
    "Complete",
    "Decoder",
    "Filter",
    "GetPrompt",
    "Initialize",
    "Listen",
    "Meta",
    "Page",
    "Params",
    "ReadResource",
    "Retry",
    "SetLevel",
    "Subscribe",
]

PREFIX = "io.modelcontextprotocol/"


class Unread(msgspec.Struct):
    """An object of whatever fields, of which nothing depends."""


class Meta(msgspec.Struct, frozen=True):
    """What every request may say about itself; on 2026-07-28 revision and capabilities must be."""

    progress_token: int | str | UnsetType = field(default=UNSET, name="progressToken")
    revision: Any = field(default=UNSET, name=f"{PREFIX}protocolVersion")
    capabilities: dict[str, Any] | UnsetType = field(
        default=UNSET, name=f"{PREFIX}clientCapabilities"
    )
    client: Unread | UnsetType = field(default=UNSET, name=f"{PREFIX}clientInfo")
    log_level: LogLevel | UnsetType = field(default=UNSET, name=f"{PREFIX}logLevel")


_NO_META = Meta()


class Params(msgspec.Struct, rename="camel"):
    """The part that all methods share."""

    meta: Meta = field(default=_NO_META, name="_meta")


class Retry(Params):
    """Of a request that may come again with the answers to what it was asked."""

    input_responses: dict[str, Any] | None = None
    request_state: str | UnsetType = UNSET


class Page(Params):
    """One page of a list."""

    cursor: str | None = None


class CallTool(Retry, kw_only=True):
    """Call a tool."""

    name: str
    arguments: dict[str, Any] = {}


class ReadResource(Retry, kw_only=True):
    """Read a resource."""

    uri: str


class GetPrompt(Retry, kw_only=True):
    """Fill in a prompt."""

    name: str
    arguments: dict[str, str] = {}


class Subscribe(Params, kw_only=True):
    """Follow a resource, or no longer."""

    uri: str


class SetLevel(Params, kw_only=True):
    """Choose which log messages come."""

    level: LogLevel


class Initialize(Params, kw_only=True):
    """Begin a session."""

    protocol_version: str
    capabilities: dict[str, Any] = {}
    client_info: dict[str, Any] = {}


class Cancelled(Params, kw_only=True):
    """Take back a request."""

    request_id: int | str


class Reference(msgspec.Struct):
    """A prompt by its name, or a resource template by its URI."""

    type: Literal["ref/prompt", "ref/resource"]
    name: str = ""
    uri: str = ""


class Argument(msgspec.Struct):
    """What has been typed so far."""

    name: str
    value: str


class Given(msgspec.Struct):
    """Arguments that are settled already."""

    arguments: dict[str, str] = {}


class Complete(Params, kw_only=True):
    """Complete an argument."""

    ref: Reference
    argument: Argument
    context: Given = field(default_factory=Given)


class Filter(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a listener wants to hear of."""

    tools_list_changed: bool = False
    prompts_list_changed: bool = False
    resources_list_changed: bool = False
    resource_subscriptions: list[str] = []


class Listen(Params, kw_only=True):
    """Listen to changes."""

    notifications: Filter


class Decoder:
    """From the bytes of `params` to one type; built once a method."""

    def __init__(self, kind: type[Params]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def __call__(self, raw: msgspec.Raw) -> Any:
        """The parameters.

        Raises:
            InvalidArgumentsError: They do not fit.
        """
        try:
            return self._decode(raw)
        except (ValueError, RecursionError) as error:
            raise InvalidArgumentsError(f"Invalid params: {error}") from None
