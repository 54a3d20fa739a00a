"""Mistakes by which a model has a control for a tool, or learns what is the trainer's."""

from typing import Any

from openenv_lite import CallToolAction, MCPEnvironment, Observation
from openenv_lite.tools import Tool
from tests.testing.gallery.exhibit import Exhibit

__all__ = ["EXHIBITS", "Board"]


class Board(MCPEnvironment):
    """Nothing is wrong with it: a board that can be looked at and moved on."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self.place = 0
        self.tool(self.look)
        self.tool(self.move)

    def reset(self, seed: int | None = None) -> Observation:
        """Begin at the beginning."""
        self.place = 0
        return Observation()

    def look(self) -> int:
        """Where you are."""
        return self.place

    def move(self, ahead: bool) -> str:
        """Go one place ahead, or back."""
        self.place += 1 if ahead else -1
        return "moved"


class NamesAToolReset(Board):
    """Puts a tool into the registry by hand, past the check of its name."""

    def __init__(self) -> None:
        super().__init__()
        self.tools._entries["Reset"] = {None: Tool(self.look, name="Reset")}


class LearnsToStep(Board):
    """Adds a tool while the model plays, past the check of its name."""

    def move(self, ahead: bool) -> str:
        """Go ahead, and learn to do so in another way."""
        self.tools._entries["step"] = {None: Tool(self.look, name="step")}
        return super().move(ahead)


class HidesALetter(Board):
    """Gives a tool a name in which every reader sees `close`, for one character has no width."""

    def __init__(self) -> None:
        super().__init__()
        self.tools._entries["cl\u200bose"] = {None: Tool(self.look, name="cl\u200bose")}


class TellsTheReward(Board):
    """Tells the model in the result what the step is worth."""

    async def step_async(self, action: Any, **options: Any) -> Any:
        """Call the tool; every move ahead is worth two."""
        seen = await super().step_async(action, **options)
        if isinstance(action, CallToolAction) and action.tool_name == "move" and not seen.error:
            seen.reward = 2.0 if action.arguments["ahead"] else 0.0
            seen.result["structured_content"] = {"result": "moved", "reward": seen.reward}
        return seen


class ReturnsTheEnvelope(Board):
    """Has a tool that returns what a trainer's step would."""

    def __init__(self) -> None:
        self.place = 0
        self.tool(self.push)

    def push(self) -> dict[str, Any]:
        """Go ahead."""
        self.place += 1
        return {"place": self.place, "reward": None, "done": False}


class TellsTheSeed(Board):
    """Shows in a text from which seed everything follows."""

    def reset(self, seed: int | None = None) -> Observation:
        """Begin, and remember the seed."""
        self.seed = seed
        return super().reset()

    def look(self) -> int:
        """Where you are."""
        return self.place

    def move(self, ahead: bool) -> str:
        """Go one place ahead, or back."""
        return f"{super().move(ahead)} on board {self.seed}"


class DeclaresThroughTheClass(Board):
    """Declares a method through its class, so that the model is asked for `self`."""

    def __init__(self) -> None:
        self.tool(DeclaresThroughTheClass.turn)

    def turn(self, left: bool) -> str:
        """Turn round."""
        return "left" if left else "right"


class ForgetsWhatAContextIs(Board):
    """Leaves the context without its annotation, so that the model is asked for it."""

    def __init__(self) -> None:
        self.tool(self.turn)

    def turn(self, left: bool, context=None) -> str:  # type: ignore[no-untyped-def]
        """Turn round."""
        return "left" if left else "right"


EXHIBITS = [
    *(Exhibit(each, "no_control_is_a_tool") for each in (NamesAToolReset, LearnsToStep)),
    Exhibit(HidesALetter, "no_control_is_a_tool"),
    Exhibit(TellsTheReward, "models_learn_no_rewards"),
    Exhibit(ReturnsTheEnvelope, "models_learn_no_rewards"),
    Exhibit(TellsTheSeed, "models_learn_no_rewards"),
    Exhibit(DeclaresThroughTheClass, "hidden_parameters_stay_hidden"),
    Exhibit(ForgetsWhatAContextIs, "hidden_parameters_stay_hidden"),
]
