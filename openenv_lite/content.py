"""What a tool returns, as the content blocks that a model sees."""

import base64
from pathlib import Path
from typing import Any

import msgspec

from openenv_lite import codec

__all__ = ["Audio", "Image", "blocks_of", "call_result"]


class _Media(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a medium, given as `data` or as a `path` to read them from."""

    data: bytes | None = None
    path: str | Path | None = None
    format: str | None = None

    def read(self) -> bytes:
        """The bytes of the medium."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise ValueError(f"{type(self).__name__} needs `data=` or `path=`")
        return Path(self.path).read_bytes()

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        raise NotImplementedError

    def _subtype(self, default: str) -> str:
        suffix = Path(self.path).suffix.lstrip(".") if self.path is not None else ""
        return self.format or suffix or default


class Image(_Media, frozen=True, kw_only=True):
    """An image for the model to look at: `Image(data=png_bytes, format="png")`."""

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        return _media_block("image", self.read(), f"image/{self._subtype('png')}")


class Audio(_Media, frozen=True, kw_only=True):
    """Sound for the model to hear: `Audio(data=wav_bytes, format="wav")`."""

    def block(self) -> dict[str, Any]:
        """The MCP content block."""
        return _media_block("audio", self.read(), f"audio/{self._subtype('wav')}")


def _media_block(kind: str, data: bytes, mime_type: str) -> dict[str, Any]:
    return _block(kind, base64.b64encode(data).decode(), mime_type)


def _block(kind: str, data: str, mime_type: str) -> dict[str, Any]:
    return {"type": kind, "data": data, "mimeType": mime_type, "annotations": None, "meta": None}


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "annotations": None, "meta": None}


def _foreign_block(value: Any) -> dict[str, Any] | None:
    """FastMCP's own `Image` and `Audio`, which know how to become blocks."""
    for method in ("to_image_content", "to_audio_content"):
        convert = getattr(value, method, None)
        if convert is not None:
            block = convert()
            mime_type = getattr(block, "mime_type", None) or block.mimeType
            return _block(block.type, block.data, mime_type)
    return None


def _media(value: Any) -> dict[str, Any] | None:
    return value.block() if isinstance(value, _Media) else _foreign_block(value)


def blocks_of(value: Any) -> list[dict[str, Any]]:
    """One block for each medium in the value, and text for the rest; nothing for None."""
    if value is None:
        return []
    parts = list(value) if isinstance(value, list | tuple) else [value]
    media = [_media(part) for part in parts]
    if not any(media):
        return [_text_block(_text(value))]
    return [block or _text_block(_text(part)) for block, part in zip(media, parts, strict=True)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else codec.encode(value).decode()


def call_result(value: Any) -> dict[str, Any]:
    """A tool's return value in OpenEnv's form.

    Returns:
        `content` (blocks), `structured_content` (an object, or None for media), `data` (the plain
        value, or None for media), `is_error` and `meta`.
    """
    blocks = blocks_of(value)
    plain = all(block["type"] == "text" for block in blocks)
    data = codec.to_builtins(value) if plain else None
    structured = data if isinstance(data, dict) or data is None else {"result": data}
    return {
        "content": blocks,
        "structured_content": structured,
        "meta": None,
        "data": data,
        "is_error": False,
    }
