"""Two buttons, one of which is worth pressing; what was called is seen by whoever serves it."""

from typing import Any, ClassVar, Literal

from openenv_lite import MCPEnvironment, Observation

__all__ = ["Buttons"]

PRESSES = 3


class Buttons(MCPEnvironment):
    """Done after `PRESSES`; each of the right button is worth 1."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False
    pressed: ClassVar[list[str]] = []
    begun: ClassVar[list[int | None]] = []

    def __init__(self) -> None:
        self.left = PRESSES

        @self.tool
        def press(button: Literal["left", "right"]) -> str:
            """Press a button."""
            self.pressed.append(button)
            return f"You pressed {button}."

    def reset(self, seed: int | None = None) -> Any:
        self.begun.append(seed)
        self.left = PRESSES
        return Observation()

    def step(self, action: Any, **options: Any) -> Any:
        before = len(self.pressed)
        seen = super().step(action, **options)
        was_pressed = len(self.pressed) > before
        self.left -= was_pressed
        seen.reward = float(was_pressed and self.pressed[-1] == "right")
        seen.done = self.left == 0
        return seen
