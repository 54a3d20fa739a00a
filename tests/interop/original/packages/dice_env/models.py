from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field


class Throw(Action):
    bet: int = Field(..., ge=2, le=12, description="The sum of both dice")


class Dice(Observation):
    thrown: list[int] = Field(default_factory=list)
    truncated: bool = False


class Table(State):
    sides: int = 6
    last_rubric: dict[str, float | None] = Field(default_factory=dict)
