"""Tools that look at a screen, point and type; the task is written on the screen."""

from typing import Any

from openenv_lite import Image, MCPEnvironment, Observation, StructBacked

try:
    from ..models import HEIGHT, WIDTH, Key, Screen, Text, X, Y
except ImportError:  # in the container this folder is no package
    from models import HEIGHT, WIDTH, Key, Screen, Text, X, Y

from .drawing import BUTTON, FIELD, is_in, png_of

__all__ = ["MyEnvironment"]

WORDS = ("apple", "bridge", "candle", "desert", "engine", "forest", "guitar", "hammer")


class MyEnvironment(StructBacked[Screen], MCPEnvironment):
    """Fill in a form by looking at it."""

    SUPPORTS_CONCURRENT_SESSIONS = True  # instances share nothing

    def __init__(self) -> None:
        self.world = self._drawn()
        for tool in (self.screenshot, self.move, self.click, self.type_text, self.press_key):
            self.tool(tool)

    def reset(self) -> Observation:
        """Show another form; the seed decides on word and places."""
        self.world = self._drawn()
        return Observation(metadata={"width": WIDTH, "height": HEIGHT})

    def _drawn(self) -> Screen:
        field = self.rng.randrange(WIDTH - FIELD[0]), self.rng.randrange(40, 100)
        button = self.rng.randrange(WIDTH - BUTTON[0]), self.rng.randrange(140, HEIGHT - BUTTON[1])
        return Screen(word=self.rng.choice(WORDS), field=field, button=button)

    def step(self, action: Any, **options: Any) -> Observation:
        """Call a tool; sending the form ends the episode, the right word is rewarded."""
        seen: Observation = super().step(action, **options)
        seen.done = self.world.sent is not None
        seen.reward = float(self.world.sent == self.world.word)
        return seen

    def screenshot(self) -> Image:
        """Look at the screen."""
        return Image(data=png_of(self.world), format="png")

    def move(self, x: X, y: Y) -> Image:
        """Move the pointer, and look."""
        self.world.pointer = (x, y)
        return self.screenshot()

    def click(self, x: X, y: Y) -> Image:
        """Move the pointer, click, and look."""
        screen = self.world
        screen.pointer = (x, y)
        screen.has_focus = is_in(x, y, screen.field, FIELD)
        if is_in(x, y, screen.button, BUTTON):
            screen.sent = screen.text
        return self.screenshot()

    def type_text(self, text: Text) -> Image:
        """Type where the focus is, and look."""
        if self.world.has_focus:
            self.world.text = (self.world.text + text)[-100:]
        return self.screenshot()

    def press_key(self, key: Key) -> Image:
        """Press a key, and look: Enter sends the form, Escape empties the field."""
        screen = self.world
        if screen.has_focus:
            if key == "Enter":
                screen.sent = screen.text
            else:
                screen.text = screen.text[:-1] if key == "Backspace" else ""
        return self.screenshot()
