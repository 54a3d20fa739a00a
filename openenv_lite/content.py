"""What an author returns, as the content blocks that a model sees.

A block is MCP's: camelCase, without nulls. `openenv_result` gives OpenEnv's form of the same.
"""

import base64
from pathlib import Path
from typing import Any, Literal

import msgspec

from openenv_lite import codec

__all__ = [
    "Audio",
    "Content",
    "EmbeddedResource",
    "Image",
    "Message",
    "Outcome",
    "ResourceLink",
    "ToolResult",
    "blocks_of",
    "failed_outcome",
    "from_openenv_result",
    "messages_of",
    "openenv_result",
    "outcome_of",
    "present",
]

_PLAIN = (str, int, float, bool, dict, type(None))
_BLOCK_KINDS = frozenset({"text", "image", "audio", "resource", "resource_link"})
_FOREIGN_BLOCKS = frozenset(
    {"TextContent", "ImageContent", "AudioContent", "EmbeddedResource", "ResourceLink"}
)


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Something other than plain values, which knows its own block."""

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        raise NotImplementedError


class _Media(Content, frozen=True, kw_only=True):
    """Bytes of a medium, given as `data` or as a `path` to read them from."""

    data: bytes | None = None
    path: str | Path | None = None
    format: str | None = None
    annotations: dict[str, Any] | None = None

    def read(self) -> bytes:
        """The bytes of the medium."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise ValueError(f"{type(self).__name__} needs `data=` or `path=`")
        return Path(self.path).read_bytes()

    def _block(self, kind: str, default: str) -> dict[str, Any]:
        suffix = Path(self.path).suffix.lstrip(".") if self.path is not None else ""
        return present(
            type=kind,
            data=_base64(self.read()),
            mimeType=f"{kind}/{self.format or suffix or default}",
            annotations=self.annotations,
        )


class Image(_Media, frozen=True, kw_only=True):
    """An image for the model to look at: `Image(data=png_bytes, format="png")`."""

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        return self._block("image", "png")


class Audio(_Media, frozen=True, kw_only=True):
    """Sound for the model to hear: `Audio(data=wav_bytes, format="wav")`."""

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        return self._block("audio", "wav")


class ResourceLink(Content, frozen=True, kw_only=True):
    """Tells the model of a resource that it may read."""

    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    """Bytes, before any encoding."""
    annotations: dict[str, Any] | None = None
    icons: list[dict[str, Any]] | None = None

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        return present(
            type="resource_link",
            uri=self.uri,
            name=self.name,
            title=self.title,
            description=self.description,
            mimeType=self.mime_type,
            size=self.size,
            annotations=self.annotations,
            icons=self.icons,
        )


class EmbeddedResource(Content, frozen=True, kw_only=True):
    """A resource itself, as `text` or as the bytes of a `blob`."""

    uri: str
    text: str | None = None
    blob: bytes | None = None
    mime_type: str | None = None
    annotations: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if (self.text is None) is (self.blob is None):
            raise ValueError("EmbeddedResource needs either `text=` or `blob=`")

    def contents(self) -> dict[str, Any]:
        """The resource as `resources/read` shows it."""
        return present(
            uri=self.uri,
            mimeType=self.mime_type,
            text=self.text,
            blob=None if self.blob is None else _base64(self.blob),
        )

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        return present(type="resource", resource=self.contents(), annotations=self.annotations)


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool returns to decide all of its reply itself.

    Attributes:
        content: Any value, or a list with a block for each; an MCP block may be given as a dict.
        structured_content: For programs, as the tool's output schema describes it: an object;
            only clients of 2026-07-28 take other values.
        is_error: The model is told that the call failed, and sees the content.
        meta: `_meta` of the reply, for the client and not the model.
    """

    content: Any = None
    structured_content: Any = None
    is_error: bool = False
    meta: dict[str, Any] | None = None


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation: `Message("assistant", "How can I help?")`."""

    role: Literal["user", "assistant"]
    content: Any


class Outcome(msgspec.Struct):
    """What a tool call gave, before any dialect gives it its form.

    Attributes:
        content: Blocks.
        structured: An object, or None where there is none (nothing returned, or media). Only a
            `ToolResult` may make it another value.
        data: The plain return value; None for media.
        is_error: The tool told the model that it failed.
        meta: `_meta` of the reply.
    """

    content: list[dict[str, Any]]
    structured: Any = None
    data: Any = None
    is_error: bool = False
    meta: dict[str, Any] | None = None


def present(**fields: Any) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def outcome_of(value: Any) -> Outcome:
    """What a tool's return value says to the model."""
    if type(value) is str:  # by far the most frequent, and nothing to look into
        return Outcome([{"type": "text", "text": value}], {"result": value}, value)
    if isinstance(value, ToolResult):
        return _outcome_of_result(value)
    media = _media_in(value)
    if any(media):
        return Outcome(_mixed(value, media))
    data = codec.to_builtins(value)
    return Outcome(_texts(value), _structured(data), data)


def _outcome_of_result(result: ToolResult) -> Outcome:
    blocks = [block for part in _parts(result.content) for block in _ready_blocks(part)]
    structured = codec.to_builtins(result.structured_content)
    data = _text_of(blocks) if structured is None else structured
    if isinstance(structured, dict) and structured.keys() == {"result"}:
        data = structured["result"]  # stands there alone because it is no object itself
    return Outcome(blocks, structured, data, result.is_error, result.meta)


def _ready_blocks(part: Any) -> list[dict[str, Any]]:
    """A dict that is a block already stays as it is."""
    is_ready = isinstance(part, dict) and part.get("type") in _BLOCK_KINDS
    return [part] if is_ready else blocks_of(part)


def _text_of(blocks: list[dict[str, Any]]) -> str | None:
    plain = bool(blocks) and all(block["type"] == "text" for block in blocks)
    return "\n".join(block["text"] for block in blocks) if plain else None


def blocks_of(value: Any) -> list[dict[str, Any]]:
    """One block for each medium in the value, and text for the rest; nothing for None."""
    media = _media_in(value)
    return _mixed(value, media) if any(media) else _texts(value)


def messages_of(value: Any) -> list[dict[str, Any]]:
    """MCP messages `{"role", "content": block}`, one a block; what names no role is the user's.

    Args:
        value: A `Message`, text or anything else that can be content, or a list of these.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    return [message for part in parts for message in _messages(part)]


def _messages(part: Any) -> list[dict[str, Any]]:
    message = part if isinstance(part, Message) else Message("user", part)
    blocks = [block for each in _parts(message.content) for block in blocks_of(each)]
    return [{"role": message.role, "content": block} for block in blocks]


def openenv_result(outcome: Outcome) -> dict[str, Any]:
    """The outcome in OpenEnv's form.

    Returns:
        `content` (blocks, with null for what they lack), `structured_content` (an object, or None
        for media), `data` (the plain value, or None for media), `is_error` and `meta`.
    """
    return {
        "content": [_with_nulls(block) for block in outcome.content],
        "structured_content": outcome.structured,
        "meta": outcome.meta,
        "data": outcome.data,
        "is_error": outcome.is_error,
    }


def _with_nulls(block: dict[str, Any]) -> dict[str, Any]:
    shown = {**block, "annotations": block.get("annotations"), "meta": block.get("_meta")}
    shown.pop("_meta", None)
    return shown


def _structured(data: Any) -> Any:
    return data if isinstance(data, dict) or data is None else {"result": data}


def _parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _media_in(value: Any) -> list[dict[str, Any] | None]:
    """For each part its block, or None where it is plain."""
    if type(value) in _PLAIN:
        return []
    return [_medium(part) for part in _parts(value)]


def _medium(part: Any) -> dict[str, Any] | None:
    if type(part) in _PLAIN:
        return None
    if isinstance(part, Content):
        return part.block()
    if type(part).__name__ in _FOREIGN_BLOCKS and hasattr(part, "model_dump"):
        return _dumped(part)
    for method in ("to_image_content", "to_audio_content"):  # FastMCP's own `Image` and `Audio`
        convert = getattr(part, method, None)
        if convert is not None:
            return _dumped(convert())
    return None


def _dumped(block: Any) -> dict[str, Any]:
    """A block of the `mcp` package's."""
    dumped: dict[str, Any] = block.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


def _mixed(value: Any, media: list[dict[str, Any] | None]) -> list[dict[str, Any]]:
    pairs = zip(media, _parts(value), strict=True)
    return [block or _text_block(part) for block, part in pairs]


def _texts(value: Any) -> list[dict[str, Any]]:
    return [] if value is None else [_text_block(value)]


def _text_block(value: Any) -> dict[str, Any]:
    text = value if isinstance(value, str) else codec.encode(value).decode()
    return {"type": "text", "text": text}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def failed_outcome(text: str) -> Outcome:
    """What a model is told in place of a result."""
    return Outcome(content=[_text_block(text)], structured=None, data=None, is_error=True)


def from_openenv_result(result: Any) -> Outcome:
    """The outcome that `openenv_result` gave this form."""
    if not isinstance(result, dict) or "content" not in result:
        return outcome_of(result)
    content = [
        {
            ("_meta" if key == "meta" else key): each
            for key, each in block.items()
            if each is not None
        }
        for block in result["content"]
    ]
    return Outcome(
        content=content,
        structured=result.get("structured_content"),
        data=result.get("data"),
        is_error=bool(result.get("is_error")),
        meta=result.get("meta"),
    )
