"""Mistakes with what is legal, and with what is not."""

import json
from typing import Any

from pydantic import BaseModel, Field
from starlette.types import Message

from openenv_lite import Environment, State
from tests.testing.gallery.exhibit import Exhibit
from tests.testing.gallery.servers import (
    Climb,
    Climbing,
    Go,
    Height,
    SpoiltServer,
    error,
    observation,
)

__all__ = ["EXHIBITS"]


class FailsBelowTheGround(Climb):
    """Allows an action that it cannot carry out."""

    def step(self, action: Go) -> Any:
        if self.height + action.far < 0:
            raise ValueError("you cannot dig")
        return super().step(action)


class ForgetsToReturn(Climb):
    """Returns an observation on one path only."""

    def step(self, action: Go) -> Any:
        if action.far:
            return super().step(action)
        return None


class Leap(BaseModel):
    """Far enough, but not too far: only the document says so."""

    far: int = Field(json_schema_extra={"minimum": -3, "maximum": 3})


class PromisesABound(Climbing, Environment[Leap, Height, State]):
    """Its schema has a bound that its type does not check."""


class DropsBadActions(SpoiltServer):
    """Lets what validation raises end the connection."""

    def reply(self, frame: str, reply: Message) -> Message | None:
        is_bad = reply["data"].get("code") == "VALIDATION_ERROR"
        return None if is_bad and '"step"' in frame else reply


class CallsBadActionsFailures(SpoiltServer):
    """Answers a bad action as if the environment had failed."""

    def reply(self, frame: str, reply: Message) -> Message:
        is_bad = reply["data"].get("code") == "VALIDATION_ERROR"
        return error("EXECUTION_ERROR") if is_bad else reply


class CountsBadActions(SpoiltServer):
    """Counts a step before it looks at the action."""

    def __init__(self) -> None:
        super().__init__()
        self.bad = 0

    def reply(self, frame: str, reply: Message) -> Message:
        if '"reset"' in frame:
            self.bad = 0
        self.bad += reply["type"] == "error" and '"step"' in frame
        if reply["type"] == "state":
            reply["data"]["step_count"] += self.bad
        return reply


class GivesUpOnBadActions(SpoiltServer):
    """Takes a bad action for the end of the episode."""

    def __init__(self) -> None:
        super().__init__()
        self.has_given_up = False

    def reply(self, frame: str, reply: Message) -> Message:
        self.has_given_up = self.has_given_up and '"reset"' not in frame
        if self.has_given_up and '"step"' in frame:
            return error("RESET_REQUIRED")
        if reply["type"] == "error" and '"step"' in frame:
            self.has_given_up = True
        return reply


class HangsUpOnStrangers(SpoiltServer):
    """Ends the connection at a message that it does not know."""

    def reply(self, frame: str, reply: Message) -> Message | None:
        is_strange = reply["data"].get("code") in ("INVALID_JSON", "UNKNOWN_TYPE")
        return None if is_strange else reply


class LooksForTypesInLists(SpoiltServer):
    """Takes all JSON for an object, and dies of what is none, as OpenEnv does."""

    def reply(self, frame: str, reply: Message) -> Message | None:
        try:
            json.loads(frame).get("type")
        except AttributeError:
            return None
        except ValueError:
            pass
        return reply


class AnswersEveryMethod(SpoiltServer):
    """Its routes do not look at the method."""

    def answer(self, method: str, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        return (200, b"{}") if status == 405 else (status, body)


class FailsAtBadBodies(SpoiltServer):
    """Lets what reading a body raises become the server's own failure."""

    def answer(self, method: str, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        is_bad = status == 422 and path == "/step"
        return (500, b"Internal Server Error") if is_bad else (status, body)


class TakesAnyStep(SpoiltServer):
    """Carries out whatever it is sent, as well as it can."""

    def reply(self, frame: str, reply: Message) -> Message:
        is_bad = reply["data"].get("code") == "VALIDATION_ERROR"
        return observation() if is_bad and '"step"' in frame else reply


EXHIBITS = [
    Exhibit(FailsBelowTheGround, "legal_calls_succeed"),
    Exhibit(ForgetsToReturn, "legal_calls_succeed"),
    Exhibit(PromisesABound, "faulty_actions_are_refused"),
    Exhibit(DropsBadActions, "faulty_actions_are_refused", is_app=True),
    Exhibit(CallsBadActionsFailures, "faulty_actions_are_refused", is_app=True),
    Exhibit(TakesAnyStep, "faulty_actions_are_refused", is_app=True),
    Exhibit(CountsBadActions, "refused_actions_do_no_harm", is_app=True),
    Exhibit(GivesUpOnBadActions, "refused_actions_do_no_harm", is_app=True),
    Exhibit(HangsUpOnStrangers, "unknown_messages_are_refused", is_app=True),
    Exhibit(LooksForTypesInLists, "any_json_is_answered", is_app=True),
    Exhibit(AnswersEveryMethod, "wrong_methods_are_refused", is_app=True),
    Exhibit(FailsAtBadBodies, "http_bodies_are_checked", is_app=True),
]
