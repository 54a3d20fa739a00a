import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from openenv_lite import CallToolAction, ServerMode
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import ExecutionError, FactoryError, SessionClosedError, ToolFailedError
from openenv_lite.session import Session
from tests.environments import Add, Inline, Secretive, Threaded, Toolbox
from tests.leaks import on_loop
from tests.test_session import session

Failure = Callable[[], BaseException]
SIMULATION = ServerMode.SIMULATION


class Panic(BaseException):
    """What a native library may raise."""


EXITS: list[Failure] = [
    lambda: ValueError("x"),
    lambda: ValueError("file \udcff"),
    lambda: StopIteration(1),
    StopAsyncIteration,
    lambda: SystemExit(3),
    asyncio.CancelledError,
    RecursionError,
    MemoryError,
    TimeoutError,
    lambda: Panic("deep"),
    lambda: SessionClosedError("the author's own"),
]


def shown(error: Failure) -> str:
    """The error, to name a test after."""
    return repr(error())


def raising(error: Failure, member: str, kind: type = Inline) -> Any:
    def fail(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise error()

    return type("Raising", (kind,), {member: property(fail) if member == "state" else fail})


@pytest.mark.parametrize("kind", [Inline, Threaded], ids=["loop", "thread"])
@pytest.mark.parametrize("member", ["reset", "step", "state", "get_metadata"])
@pytest.mark.parametrize("error", EXITS, ids=shown)
@on_loop
async def test_whatever_the_author_raises_is_typed_and_the_session_lives(
    error: Failure, member: str, kind: Any
) -> None:
    made = raising(error, member, kind)
    async with session(made) as one:
        if member != "reset":
            await one.reset()
        calls = {
            "reset": one.reset,
            "step": lambda: one.step(Add(amount=1)),
            "state": one.state,
            "get_metadata": one.metadata,
        }
        for _ in range(2):
            with pytest.raises(ExecutionError) as caught:
                await calls[member]()
            msgspec.json.encode(caught.value.message)
            assert caught.value.message
    assert not kind.alive


@pytest.mark.parametrize("kind", [Inline, Threaded], ids=["loop", "thread"])
@pytest.mark.parametrize("error", EXITS, ids=shown)
@on_loop
async def test_a_constructor_that_fails_is_a_factory_error(error: Failure, kind: Any) -> None:
    made = Session("s", Blueprint(raising(error, "__init__", kind)), SIMULATION)
    with pytest.raises(FactoryError) as caught:
        await made.open()
    assert caught.value.details == {"factory_name": "Raising"}
    await made.close()


@pytest.mark.parametrize("kind", [Inline, Threaded], ids=["loop", "thread"])
@pytest.mark.parametrize("error", EXITS, ids=shown)
@on_loop
async def test_a_close_that_fails_ends_the_session_all_the_same(error: Failure, kind: Any) -> None:
    kind.alive.clear()
    async with session(raising(error, "close", kind)) as one:
        await one.reset()
    kind.alive.clear()
    assert not one.is_open


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("mode", ServerMode)
@pytest.mark.parametrize("error", [*EXITS[:10], lambda: ToolFailedError("told")], ids=shown)
@on_loop
async def test_whatever_a_tool_raises_is_typed(error: Failure, mode: ServerMode, way: str) -> None:
    class Failing(Toolbox):
        def __init__(self) -> None:
            super().__init__()
            if way == "sync":

                @self.tool(name="it")
                def it() -> None:
                    raise error()
            else:

                @self.tool(name="it")
                async def it_async() -> None:
                    raise error()

    async with session(Failing, mode) as one:
        with pytest.raises(ToolFailedError):
            await one.call_tool("it", {})
        seen = await one.step(CallToolAction(tool_name="it"))
        assert seen.observation.error.error_type in ("execution_error", "timeout")
        assert (await one.call_tool("add", {"a": 1})).data == 2


@pytest.mark.parametrize("mode", ServerMode)
@on_loop
async def test_the_authors_text_stays_out_of_production(mode: ServerMode) -> None:
    async with session(Secretive, mode) as one:
        told = []
        calls = (one.reset, one.state, one.metadata, lambda: one.step(Add(amount=1)))
        for call in calls:
            if call is calls[-1]:
                await one.reset({"fail": False})
            with pytest.raises(ExecutionError) as caught:
                await call()
            told.append(caught.value.message)
        assert all(("secret" in text) is (mode is SIMULATION) for text in told)


@pytest.mark.parametrize("state", [object(), {"a": object()}, {1, object()}, type, "\udcff"])
@on_loop
async def test_a_state_that_cannot_be_sent_is_a_typed_error(state: Any) -> None:
    class Odd(Inline):
        @property
        def state(self) -> Any:
            return state

    async with session(Odd) as one:
        try:
            msgspec.json.encode(await one.state())
        except (ExecutionError, UnicodeEncodeError):
            return
        assert state == "\udcff"


@pytest.mark.parametrize("returned", [None, 5, "x", object(), [1], {"done": object()}])
@on_loop
async def test_an_observation_that_is_none_is_a_typed_error(returned: Any) -> None:
    class Odd(Inline):
        def step(self, action: Add, bonus: int = 0) -> Any:
            return returned

    async with session(Odd) as one:
        await one.reset()
        with pytest.raises(ExecutionError):
            await one.step(Add(amount=1))
        assert (await one.reset()).done is False
