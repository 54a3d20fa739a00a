import asyncio
import contextlib
import inspect
from typing import Any

import pytest

from openenv_lite import ServerMode
from openenv_lite.errors import UnknownSessionError
from tests.environments import Threaded
from tests.leaks import on_loop, until
from tests.test_pool import SIMULATION, pool_of


@on_loop
async def test_a_session_is_not_to_be_found_from_the_other_mode() -> None:
    pool = pool_of(Threaded)
    session = await pool.open(SIMULATION)
    for look_up in (pool.touch, pool.request_close):
        with pytest.raises(UnknownSessionError):
            await as_coroutine(look_up(session.id, ServerMode.PRODUCTION))
    with pytest.raises(UnknownSessionError):
        pool.attach(session.id, object(), ServerMode.PRODUCTION)
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(UnknownSessionError):
            await stack.enter_async_context(pool.lease(ServerMode.PRODUCTION, session.id))
    await pool.aclose()


async def as_coroutine(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@on_loop
async def test_a_loss_lets_the_next_in_line_in() -> None:
    pool = pool_of(Threaded, queue_timeout_s=60.0)
    first = await pool.open_held(SIMULATION, "first", "socket")
    second = asyncio.create_task(pool.open(SIMULATION))
    await until(lambda: pool.statistics().waiting == 1)
    pool.lose(first.id, "socket")
    assert (await second).is_open
    await pool.aclose()


@on_loop
async def test_metadata_is_told_without_an_instance() -> None:
    pool = pool_of(Threaded)
    await pool.open(SIMULATION)
    assert (await pool.metadata(SIMULATION)).name == "Threaded"
    assert pool.statistics().opened == 1
    await pool.aclose()
