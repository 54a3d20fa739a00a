"""A sound server of a sound environment, and a way to spoil what it says."""

import json
from typing import Annotated, Any

import msgspec
from starlette.types import Message, Receive, Send

from openenv_lite import Action, Environment, Observation, State, create_app

__all__ = [
    "Climb",
    "Climbing",
    "Go",
    "Height",
    "SpoiltServer",
    "error",
    "observation",
]


class Go(Action):
    """How far up, or down."""

    far: Annotated[int, msgspec.Meta(ge=-3, le=3)]


class Height(Observation):
    """How high one is."""

    height: int = 0


class Climbing:
    """What a climb is, for environments of any types."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self.height = 0

    def reset(self, seed: int | None = None) -> Any:
        self.height = 0
        return self.seen(0.0)

    def step(self, action: Any) -> Any:
        self.height += action.far
        return self.seen(float(action.far))

    def seen(self, reward: float) -> Any:
        return Height(height=self.height, reward=reward, done=abs(self.height) >= 4)


class Climb(Climbing, Environment[Go, Height, State]):
    """Sound: an episode ends 4 above or below the place where it began."""


def observation(height: int = 0, done: bool = False) -> Message:
    """A reply to a step."""
    return {
        "type": "observation",
        "data": {"observation": {"height": height}, "reward": 0.0, "done": done},
    }


def error(code: str) -> Message:
    """A reply that refuses."""
    return {"type": "error", "data": {"message": "No", "code": code}}


class SpoiltServer:
    """A sound server until a subclass overrides what it says; it knows OpenEnv's protocol only."""

    environment: type[Climb] = Climb

    def __init__(self) -> None:
        self._app = create_app(self.environment)
        self.routes = self._app.routes

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.converse({**scope, "subprotocols": []}, receive, send)
        elif scope["type"] == "http":
            await self.respond(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def converse(self, scope: Any, receive: Receive, send: Send) -> None:
        """One WebSocket: each reply passes through `reply`, with the frame that it answers."""
        frame = ""
        is_over = False

        async def hear() -> Message:
            nonlocal frame
            message = await receive()
            frame = message.get("text", frame)
            return message

        async def say(message: Message) -> None:
            nonlocal is_over
            if is_over:
                return
            if message["type"] == "websocket.send" and scope["path"] == "/ws":
                spoilt = self.reply(frame, json.loads(message["text"]))
                is_over = spoilt is None
                message = {"type": "websocket.send", "text": json.dumps(spoilt)}
            await send({"type": "websocket.close", "code": 1011} if is_over else message)

        await self._app(scope, hear, say)

    async def respond(self, scope: Any, receive: Receive, send: Send) -> None:
        """One HTTP request: each answer passes through `answer`."""
        start: Message = {}

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            asked = scope["method"], scope["path"]
            status, body = self.answer(*asked, start["status"], message.get("body", b""))
            headers = [(name, text) for name, text in start["headers"] if name != b"content-length"]
            length = (b"content-length", str(len(body)).encode())
            await send({**start, "status": status, "headers": [*headers, length]})
            await send({**message, "body": body})

        await self._app(scope, receive, say)

    def reply(self, frame: str, reply: Message) -> Message | None:
        """What is said to a frame; None hangs up."""
        return reply

    def answer(self, method: str, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        """What is answered to a request."""
        return status, body
