"""The floor: a bare ASGI WebSocket app that decodes and encodes the messages, and no more."""

from typing import Any

import msgspec

__all__ = ["app", "reply"]


class Reset(msgspec.Struct, tag_field="type", tag="reset"):
    data: dict[str, Any] = {}


class EchoAction(msgspec.Struct):
    message: str


class Step(msgspec.Struct, tag_field="type", tag="step"):
    data: EchoAction


class EchoObservation(msgspec.Struct):
    metadata: dict[str, Any]
    echoed: str
    length: int


class Result(msgspec.Struct):
    observation: EchoObservation
    reward: float
    done: bool


class Reply(msgspec.Struct, tag_field="type", tag="observation"):
    data: Result


decode = msgspec.json.Decoder(Reset | Step).decode
encode = msgspec.json.Encoder().encode


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": reply(event["text"]).decode()})


def reply(text: str | memoryview) -> bytes:
    message = decode(text)
    echoed = message.data.message if isinstance(message, Step) else ""
    observation = EchoObservation({}, echoed, len(echoed))
    return encode(Reply(Result(observation, float(len(echoed)), False)))
