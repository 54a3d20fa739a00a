"""Vector clients of both twins, wherever the lanes are, in both encodings."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from openenv_lite import create_app
from openenv_lite.client import VectorEnvClient
from tests.client.blocking import Blocking
from tests.client.serving import serve

__all__ = ["Player", "player"]

Open = Callable[..., Any]

PLACES = ["tcp", "app", "env"]


class Player(NamedTuple):
    """Makes clients of an environment's class."""

    open: Open
    place: str


@pytest.fixture(
    params=[
        *[f"{twin}-{place}-msgpack" for twin in ("async", "sync") for place in PLACES],
        *["async-tcp-json", "sync-app-json", "sync-env-json"],
    ]
)
def player(request: pytest.FixtureRequest) -> Iterator[Player]:
    """Clients closed after the test."""
    twin, place, encoding = request.param.split("-")
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())

        def open_client(
            env: Any, kind: Any = VectorEnvClient, most: int = 8, **options: Any
        ) -> Any:
            where = _where(stack, place, env, most)
            client = kind(**{**where, "num_envs": 2, "encoding": encoding, **options})
            made = client.sync() if twin == "sync" else Blocking(client, runner)
            stack.callback(made.close)
            return made

        yield Player(open_client, place)


def _where(stack: contextlib.ExitStack, place: str, env: Any, most: int) -> dict[str, Any]:
    if place == "env":
        return {"env": env}
    app = create_app(env, max_concurrent_envs=most)
    if place == "app":
        return {"app": app}
    return {"base_url": stack.enter_context(serve(app))}
