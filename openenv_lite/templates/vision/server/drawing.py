"""The screen as a picture. Only this file knows how things look."""

import io

from PIL import Image, ImageDraw, ImageFont

try:
    from ..models import HEIGHT, WIDTH, Screen
except ImportError:  # in the container this folder is no package
    from models import HEIGHT, WIDTH, Screen

__all__ = ["BUTTON", "FIELD", "is_in", "png_of"]

FIELD, BUTTON = (180, 28), (80, 28)
"""Widths and heights in pixels."""

_FONT = ImageFont.load_default(16)
_SHOWN = 18
"""Characters that the field has room for; of longer texts the end is seen."""


def is_in(x: int, y: int, place: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a point lies in a box."""
    return 0 <= x - place[0] < size[0] and 0 <= y - place[1] < size[1]


def png_of(screen: Screen) -> bytes:
    """The screen as a PNG file."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((10, 10), f"Type {screen.word} and press OK", "black", _FONT)
    _box(draw, screen.field, FIELD, "royalblue" if screen.has_focus else "gray")
    _label(draw, screen.field, screen.text[-_SHOWN:])
    _box(draw, screen.button, BUTTON, "black")
    _label(draw, screen.button, "OK")
    x, y = screen.pointer
    draw.polygon([(x, y), (x + 9, y + 9), (x, y + 13)], "crimson")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _box(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], size: tuple[int, int], color: str
) -> None:
    (x, y), (width, height) = place, size
    draw.rectangle((x, y, x + width - 1, y + height - 1), outline=color, width=2)


def _label(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str) -> None:
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    draw.text((place[0] + 8, place[1] + 4), shown, "black", _FONT)
