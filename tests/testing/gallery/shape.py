"""Mistakes with what is shown, and with the schemas of it."""

import json
from typing import Annotated, Any

import msgspec
from starlette.types import Message

from openenv_lite import Action, Environment, Observation, State
from tests.testing.gallery.exhibit import Exhibit
from tests.testing.gallery.servers import Climb, Climbing, Go, Height, SpoiltServer

__all__ = ["EXHIBITS"]


class ReturnsTextForANumber(Climb):
    """Shows the height with its unit."""

    def seen(self, reward: float) -> Any:
        shown: Any = self.height if self.height < 2 else f"{self.height} m"
        return Height(height=shown, reward=reward, done=abs(self.height) >= 4)


class Average(Observation):
    """The mean height of an episode's steps."""

    mean: float | None = 0.0


class AveragesNothing(Climbing, Environment[Go, Average, State]):
    """The mean of no steps is NaN, as in NumPy."""

    def reset(self, seed: int | None = None) -> Any:
        self.height = 0
        return Average(mean=float("nan"))

    def seen(self, reward: float) -> Any:
        return Average(mean=self.height / 2, reward=reward, done=abs(self.height) >= 4)


class Anything(Observation):
    """Whatever there is to see."""

    view: Any = None


class ShowsItsGenerator(Climbing, Environment[Go, Anything, State]):
    """Shows an object of its own in place of a value."""

    def seen(self, reward: float) -> Any:
        view = self.rng if self.height == 3 else self.height
        return Anything(view=view, reward=reward, done=abs(self.height) >= 4)


class CountsItsEnds(Climb):
    """Passes a count on as `done`."""

    def seen(self, reward: float) -> Any:
        ended: Any = abs(self.height) // 4
        return Height(height=self.height, reward=reward, done=ended)


class CutsOffWithoutAnEnd(Climb):
    """Tells of its time limit as Gymnasium does, beside `terminated`."""

    def seen(self, reward: float) -> Any:
        return Height(height=self.height, reward=reward, truncated=abs(self.height) >= 4)


class Impossible(Action):
    """No number is both."""

    far: Annotated[int, msgspec.Meta(ge=10, le=1)]


class BoundsThatContradict(Environment[Impossible, Height, State]):
    """Mixed the bounds of its action up."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self) -> Height:
        return Height()

    def step(self, action: Impossible) -> Height:
        return Height(height=action.far)


class HidesItsName(Climb):
    """Describes itself in fields of its own."""

    def get_metadata(self) -> dict[str, str]:
        return {"title": "Climb", "summary": "Go up."}


class Path(State):
    """All heights so far."""

    heights: list[int]


class StateWithoutItsPath(Climbing, Environment[Go, Height, Path]):
    """Declares a state and returns the base class's."""


class ServesAnotherSchema(SpoiltServer):
    """Its schema was written by hand, and not kept up."""

    def answer(self, method: str, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        if (path, status) != ("/schema", 200):
            return status, body
        document = json.loads(body)
        document["observation"]["required"] = ["height", "depth"]
        return status, json.dumps(document).encode()


class RefersElsewhere(SpoiltServer):
    """Its schema can only be read by who fetches another."""

    def answer(self, method: str, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        if (path, status) != ("/schema", 200):
            return status, body
        document = json.loads(body)
        document["state"] = {"type": "object", "$ref": "https://example.org/state.json"}
        return status, json.dumps(document).encode()


class SendsNaN(SpoiltServer):
    """Encodes by a library that knows a word for NaN, which JSON does not."""

    def reply(self, frame: str, reply: Message) -> Message:
        if '"far":3' in frame.replace(" ", ""):
            reply["data"]["reward"] = float("nan")
        return reply


class LeavesDoneOut(SpoiltServer):
    """Sends `done` only where it is true."""

    def reply(self, frame: str, reply: Message) -> Message:
        if reply["type"] == "observation" and not reply["data"]["done"]:
            del reply["data"]["done"]
        return reply


class SaysOk(SpoiltServer):
    """Tells of its health in a word that nobody looks for."""

    def answer(self, method: str, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        return status, b'{"status": "ok"}' if (path, status) == ("/health", 200) else body


EXHIBITS = [
    Exhibit(ReturnsTextForANumber, "observations_fit_their_schema"),
    Exhibit(AveragesNothing, "replies_are_json"),
    Exhibit(ShowsItsGenerator, "replies_are_json"),
    Exhibit(CountsItsEnds, "done_is_a_bool"),
    Exhibit(CutsOffWithoutAnEnd, "truncated_means_done"),
    Exhibit(BoundsThatContradict, "some_action_is_legal"),
    Exhibit(HidesItsName, "environment_tells_its_name"),
    Exhibit(StateWithoutItsPath, "states_fit_their_schema"),
    Exhibit(ServesAnotherSchema, "observations_fit_their_schema", is_app=True),
    Exhibit(RefersElsewhere, "schemas_are_json_schema", is_app=True),
    Exhibit(SendsNaN, "replies_are_json", is_app=True),
    Exhibit(LeavesDoneOut, "done_is_a_bool", is_app=True),
    Exhibit(SaysOk, "server_tells_its_health", is_app=True),
]
