"""The floor: bare ASGI apps that answer a tool call with the bytes that ours does, and no more.

They take id and message out of the body and check nothing; what opens a session is answered as if
it were a call.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

__all__ = ["legacy_app", "modern_app"]


class Arguments(msgspec.Struct, frozen=True):
    message: str = ""


class Params(msgspec.Struct, frozen=True):
    arguments: Arguments = Arguments()


class Call(msgspec.Struct):
    id: int = 0
    params: Params = Params()


class Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class Structured(msgspec.Struct):
    result: str


class Result(msgspec.Struct, rename="camel"):
    content: list[Text]
    structured_content: Structured


class ModernResult(Result, rename="camel"):
    _meta: msgspec.Raw
    result_type: str


class Reply(msgspec.Struct):
    jsonrpc: str
    id: int
    result: Result


decode = msgspec.json.Decoder(Call).decode
encode = msgspec.json.Encoder().encode

SERVER = {"io.modelcontextprotocol/serverInfo": {"name": "Echo", "version": "1.0.0"}}
META = msgspec.Raw(encode(SERVER))
TYPE = b"content-type", b"application/json"


def legacy_result(message: str) -> Result:
    return Result([Text(message)], Structured(message))


def modern_result(message: str) -> Result:
    return ModernResult([Text(message)], Structured(message), META, "complete")


def serving(result: Callable[[str], Result]) -> Callable[..., Awaitable[None]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        event = await receive()
        text = event["body"]
        while event["more_body"]:
            event = await receive()
            text += event["body"]
        body = reply(text)
        headers = [TYPE, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def reply(text: bytes) -> bytes:
        call = decode(text)
        return encode(Reply("2.0", call.id, result(call.params.arguments.message)))

    return app


legacy_app, modern_app = serving(legacy_result), serving(modern_result)
