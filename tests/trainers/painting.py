"""A tool whose parameters have all that JSON Schema can say, and whose result is a picture."""

import io
from typing import Annotated, Any, Literal

import msgspec
from PIL import Image as Picture

from openenv_lite import Image, MCPEnvironment

__all__ = ["Painting"]


class Spot(msgspec.Struct):
    """Where to begin."""

    x: Annotated[int, msgspec.Meta(ge=0, lt=8)]
    y: int = 0


class Painting(MCPEnvironment):
    """Paints a square of one colour."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        @self.tool
        def paint(
            spot: Spot,
            size: int | None = None,
            colour: Literal["red", "blue"] = "red",
            note: Any = 0,
        ) -> Any:
            """Paint a square."""
            drawn = io.BytesIO()
            Picture.new("RGB", (size or 2, size or 2), colour).save(drawn, "PNG")
            return ["Done.", Image(data=drawn.getvalue(), format="png")]
