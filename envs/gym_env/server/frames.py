"""Pixels as PNG."""

import io
from typing import Any

from PIL import Image

__all__ = ["png"]


def png(pixels: Any) -> bytes:
    """The bytes of a PNG file.

    Args:
        pixels: Array of height x width x 3, 8 bits a channel, as `render` of Gymnasium gives it.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
