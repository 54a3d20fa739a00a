"""A check of a server that nobody vouches for ends, in bounded time and memory, with one line."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from openenv_lite.errors import ConfigurationError
from openenv_lite.testing import check_environment
from openenv_lite.testing.sessions import fetching
from openenv_lite.testing.sessions.fetching import MOST_BYTES
from openenv_lite.testing.strategies import valid
from tests.client.serving import serve

Answer = Callable[[], Response]


def app_that_answers(schema: Answer, openapi: Answer = lambda: JSONResponse({})) -> Starlette:
    async def tell_schema(request: Request) -> Response:
        return schema()

    async def tell_openapi(request: Request) -> Response:
        return openapi()

    return Starlette(routes=[Route("/schema", tell_schema), Route("/openapi.json", tell_openapi)])


def endless() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4 * MOST_BYTES // 65536):  # enough to be refused
            yield b"x" * 65536

    return StreamingResponse(parts())


def dripping() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


def bomb() -> Response:
    packed = gzip.compress(b" " * (4 * MOST_BYTES))
    return Response(packed, headers={"content-encoding": "gzip"})


def saying(value: Any) -> Answer:
    return lambda: JSONResponse(value)


@pytest.mark.parametrize(
    ("schema", "openapi", "said"),
    [
        (endless, saying({}), "more than 8,388,608 bytes"),
        (dripping, saying({}), "not answered within 0.5 s"),
        (bomb, saying({}), "more than 8,388,608 bytes"),
        (lambda: Response("[" * 200_000), saying({}), "/schema"),
        (saying([1, 2]), saying({}), "no JSON object"),
        (saying({"action": "x"}), saying({}), "action is no object"),
        (saying({}), saying({"paths": [1, 2]}), "paths is no object"),
        (lambda: Response(b"\xff\xfe"), saying({}), "/schema"),
    ],
    ids=["endless", "dripping", "bomb", "deep", "list", "text", "paths", "not UTF-8"],
)
def test_an_answer_that_is_none_is_refused(
    schema: Answer, openapi: Answer, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_LONGEST_S", 0.5 if schema is dripping else 20.0)
    with (
        serve(app_that_answers(schema, openapi)) as url,
        pytest.raises(ConfigurationError, match=said),
    ):
        check_environment(url)


def test_a_schema_that_only_refers_to_itself_is_refused() -> None:
    loop = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    with pytest.raises(ConfigurationError, match="refers to itself"):
        valid(loop)
