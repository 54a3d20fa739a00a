"""Mistakes with rewards."""

from typing import Annotated, Any

import msgspec
from starlette.types import Message

from openenv_lite import Environment, State
from tests.testing.gallery.exhibit import Exhibit
from tests.testing.gallery.servers import Climb, Climbing, Go, Height, SpoiltServer

__all__ = ["EXHIBITS"]


class RewardsWithABool(Climb):
    """Passes a comparison on as it is."""

    def seen(self, reward: float) -> Any:
        return Height(height=self.height, reward=self.height >= 2, done=abs(self.height) >= 4)


class DividesByNothing(Climb):
    """Catches a division by zero with a NaN."""

    def seen(self, reward: float) -> Any:
        share = 1 / self.height if self.height else float("nan")
        return Height(height=self.height, reward=share, done=abs(self.height) >= 4)


class PaysWithoutEnd(Climb):
    """Gives an infinite punishment for leaving the board."""

    def seen(self, reward: float) -> Any:
        is_out = self.height <= -4
        paid = float("-inf") if is_out else reward
        return Height(height=self.height, reward=paid, done=abs(self.height) >= 4)


class Scored(Height):
    """A height, and a reward that never exceeds 1."""

    reward: Annotated[float, msgspec.Meta(ge=-1, le=1)] = 0.0


class PaysABonus(Climbing, Environment[Go, Scored, State]):
    """Adds a bonus that its bounds leave no room for."""

    def seen(self, reward: float) -> Any:
        bonus = 1.5 if self.height >= 4 else 0.0
        return Scored(height=self.height, reward=bonus, done=abs(self.height) >= 4)


class RewardsInWords(SpoiltServer):
    """Grades."""

    def reply(self, frame: str, reply: Message) -> Message:
        if reply["type"] == "observation":
            reply["data"]["reward"] = "good" if reply["data"]["reward"] > 0 else "bad"
        return reply


EXHIBITS = [
    Exhibit(RewardsWithABool, "rewards_are_finite_numbers"),
    Exhibit(DividesByNothing, "rewards_are_finite_numbers"),
    Exhibit(PaysWithoutEnd, "rewards_are_finite_numbers"),
    Exhibit(PaysABonus, "rewards_keep_their_bounds"),
    Exhibit(RewardsInWords, "rewards_are_finite_numbers", is_app=True),
]
