"""What tools take, and what the screen knows."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = ["HEIGHT", "WIDTH", "Key", "Screen", "Text", "X", "Y"]

WIDTH, HEIGHT = 320, 240

# Bounds are told to the model, and checked before a tool runs.
X = Annotated[int, Meta(ge=0, lt=WIDTH, description="Pixels from the left edge.")]
Y = Annotated[int, Meta(ge=0, lt=HEIGHT, description="Pixels from the upper edge.")]
Text = Annotated[str, Meta(max_length=100, description="What to type.")]
Key = Literal["Enter", "Backspace", "Escape"]


class Screen(Struct):
    """All that the environment knows; snapshots hold this. Places are left and upper edges."""

    word: str
    field: tuple[int, int]
    button: tuple[int, int]
    pointer: tuple[int, int] = (0, 0)
    has_focus: bool = False
    text: str = ""
    sent: str | None = None
