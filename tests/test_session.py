import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from openenv_lite import (
    CallToolAction,
    Environment,
    ListToolsAction,
    Observation,
    ServerMode,
    State,
)
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    EpisodeDoneError,
    ExecutionError,
    InvalidMessageError,
    ResetRequiredError,
    SessionClosedError,
    ToolsUnsupportedError,
    UnknownToolError,
)
from openenv_lite.protocol import Phase
from openenv_lite.session import Session
from tests.environments import LIMIT, Add, Awaiting, Count, Inline, Threaded, Toolbox
from tests.leaks import on_loop, until

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
SIMULATION, PRODUCTION = ServerMode.SIMULATION, ServerMode.PRODUCTION


@asynccontextmanager
async def session(kind: Any, mode: ServerMode = SIMULATION) -> AsyncIterator[Session]:
    made = Session("s", Blueprint(kind), mode)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@ALL
@on_loop
async def test_an_episode_runs_to_its_end(kind: Any) -> None:
    async with session(kind) as one:
        assert (await one.reset()).observation.total == 0
        result = None
        for _ in range(LIMIT):
            result = await one.step(Add(amount=1))
        assert result is not None
        assert result.done
        assert one.phase is Phase.DONE
        assert (await one.reset()).done is False
    assert not kind.alive


@ALL
@on_loop
async def test_a_step_out_of_turn_is_refused_and_the_author_never_runs(kind: Any) -> None:
    ran: list[str] = []

    class Watched(kind):  # type: ignore[misc]
        def step(self, action: Any) -> Any:
            ran.append("step")
            return super().step(action)

    async with session(Watched) as one:
        for _ in range(2):
            with pytest.raises(ResetRequiredError):
                await one.step(Add(amount=1))
        await one.reset()
        await one.step(Add(amount=LIMIT)) if kind is not Awaiting else None
        ran.clear()
        one.phase = Phase.DONE
        with pytest.raises(EpisodeDoneError):
            await one.step(Add(amount=1))
    assert ran == []


@pytest.mark.parametrize("action", [ListToolsAction(), CallToolAction(tool_name="x")], ids=repr)
@on_loop
async def test_a_tool_action_is_a_step_like_any_other_where_there_are_no_tools(
    action: Any,
) -> None:
    ran: list[Any] = []

    class Plain(Environment):  # type: ignore[type-arg]
        BLOCKING = False

        def reset(self) -> Any:
            return Observation()

        def step(self, action: Any) -> Any:
            ran.append(action)
            return Observation(done=True)

    async with session(Plain) as one:
        with pytest.raises(ResetRequiredError):
            await one.step(action)
        await one.reset()
        await one.step(action)
        with pytest.raises(EpisodeDoneError):
            await one.step(action)
    assert ran == [action]


@on_loop
async def test_an_async_tool_that_takes_too_long_is_cut_off() -> None:
    cut: list[bool] = []

    class Slow(Toolbox):
        TOOL_TIMEOUT_S = 0.01

        def __init__(self) -> None:
            @self.tool
            async def wait() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    cut.append(True)

    async with session(Slow) as one:
        seen = await one.step(CallToolAction(tool_name="wait"))
        assert seen.observation.error.error_type == "timeout"
        assert cut == [True]


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("way", ["step", "async step", "step_async"])
@pytest.mark.parametrize("tool", ["add", "shout"])
def test_a_step_overridden_to_act_around_tools_never_hangs(
    way: str, tool: str, blocking: bool
) -> None:
    class Around(Toolbox):
        BLOCKING = blocking

        if way == "step":

            def step(self, action: Any, **options: Any) -> Any:
                return super().step(action, **options)

        elif way == "async step":

            async def step(self, action: Any, **options: Any) -> Any:  # type: ignore[misc]
                return super().step(action, **options)

        else:

            async def step_async(self, action: Any, **options: Any) -> Any:
                return await super().step_async(action, **options)

    @on_loop
    async def story() -> None:
        async with session(Around) as one:
            arguments = {"a": 1} if tool == "add" else {"text": "x"}
            try:
                result = await one.step(CallToolAction(tool_name=tool, arguments=arguments))
            except ExecutionError as refusal:
                assert "step_async" in refusal.message  # the remedy
            else:
                error = result.observation.error
                assert error is None or "step_async" in error.message
                assert error is None or (tool, way) != ("shout", "step_async")

    caller = threading.Thread(target=story, daemon=True)
    caller.start()
    caller.join(10)
    assert not caller.is_alive(), "the event loop hangs"


@on_loop
async def test_tools_are_alive_before_the_first_reset_and_end_with_the_episode() -> None:
    class Ending(Toolbox):
        def step(self, action: Any, **options: Any) -> Any:
            seen = super().step(action, **options)
            seen.done = True
            return seen

    async with session(Ending) as one:
        assert (await one.step(ListToolsAction())).done
        with pytest.raises(EpisodeDoneError):
            await one.call_tool("add", {"a": 1})
        with pytest.raises(EpisodeDoneError):
            await one.step(CallToolAction(tool_name="add"))
        assert one.list_tools()


@on_loop
async def test_tools_where_there_are_none_are_a_typed_error() -> None:
    async with session(Inline) as one:
        with pytest.raises(ToolsUnsupportedError):
            one.list_tools()
        with pytest.raises(ToolsUnsupportedError):
            await one.call_tool("add", {})
    async with session(Toolbox) as one:
        with pytest.raises(UnknownToolError):
            await one.call_tool("nowhere", {})


@on_loop
async def test_one_thread_from_constructor_to_close() -> None:
    seen: list[Any] = []

    class Watched(Threaded):
        @property
        def state(self) -> Any:
            self.threads.add(threading.get_ident())
            return State()

        def get_metadata(self) -> Any:
            self.threads.add(threading.get_ident())
            return super().get_metadata()

        def close(self) -> None:
            super().close()
            seen.extend(self.threads)

    async with session(Watched) as one:
        await one.reset()
        await one.step(Add(amount=1))
        await one.state()
        await one.metadata()
    assert len(seen) == 1
    assert seen != [threading.get_ident()]


@on_loop
async def test_calls_of_one_session_never_overlap() -> None:
    inside: list[int] = []

    class Slow(Awaiting):
        async def step(self, action: Add) -> Any:
            assert not inside
            inside.append(1)
            await asyncio.sleep(0.001)
            inside.clear()
            return Count()

    async with session(Slow) as one:
        await one.reset()
        await asyncio.gather(*(one.step(Add(amount=1)) for _ in range(10)), one.state())


@on_loop
async def test_an_inline_step_waits_for_an_async_state() -> None:
    inside: list[int] = []

    class Half(Inline):
        async def state(self) -> Any:
            inside.append(1)
            await asyncio.sleep(0.005)
            inside.clear()
            return State()

        def step(self, action: Add, bonus: int = 0) -> Any:
            assert not inside
            return Count()

    async with session(Half) as one:
        await one.reset()
        reading = asyncio.create_task(one.state())
        await asyncio.sleep(0)
        await one.step(Add(amount=1))
        await reading


@on_loop
async def test_sessions_do_not_wait_for_each_other(gate: None) -> None:
    async with session(Threaded) as slow, session(Threaded) as fast:
        await slow.reset()
        await fast.reset()
        stuck = asyncio.create_task(slow.step(Add(amount=-1)))
        await until(Threaded.entered.is_set)
        assert (await fast.step(Add(amount=1))).observation.total == 1
        assert slow.is_busy
        Threaded.gate.set()
        await stuck


@on_loop
async def test_a_cancelled_step_on_a_thread_ends_before_the_next_call_begins(gate: None) -> None:
    async with session(Threaded) as one:
        await one.reset()
        stuck = asyncio.create_task(one.step(Add(amount=-1)))
        await until(Threaded.entered.is_set)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        Threaded.gate.set()
        assert (await one.step(Add(amount=1))).observation.total == 0


@on_loop
async def test_a_constructor_whose_caller_was_cancelled_is_closed(gate: None) -> None:
    class Slow(Threaded):
        def __init__(self) -> None:
            self.entered.set()
            self.gate.wait(10)
            super().__init__()

    made = Session("s", Blueprint(Slow), SIMULATION)
    opening = asyncio.create_task(made.open())
    await until(Threaded.entered.is_set)
    opening.cancel()
    closing = asyncio.create_task(made.close())
    Threaded.gate.set()
    await closing
    assert not Threaded.alive


@on_loop
async def test_after_close_everything_is_refused() -> None:
    async with session(Toolbox) as one:
        pass
    for call in (
        one.reset,
        one.state,
        lambda: one.step(ListToolsAction()),
        lambda: one.call_tool("add", {"a": 1}),
    ):
        with pytest.raises(SessionClosedError):
            await call()
    with pytest.raises(SessionClosedError):
        one.list_tools()


@on_loop
async def test_extra_attributes_of_a_state_are_sent() -> None:
    class Rich(Inline):
        @property
        def state(self) -> Any:
            made = State(episode_id="e", step_count=2)
            made.board = [1, 2]  # type: ignore[attr-defined]
            return made

    async with session(Rich) as one:
        assert await one.state() == {"episode_id": "e", "step_count": 2, "board": [1, 2]}


@on_loop
async def test_an_episode_is_not_called_by_a_name_without_end() -> None:
    """It stands in each line of a recording."""
    async with session(Inline) as one:
        await one.reset({"episode_id": "e" * 255})
        with pytest.raises(InvalidMessageError, match="Invalid"):
            await one.reset({"episode_id": "e" * 256})
        assert (await one.state())["episode_id"] == "e" * 255


@on_loop
async def test_a_slow_inline_step_names_the_class(caplog: pytest.LogCaptureFixture) -> None:
    class Ponderous(Inline):
        def step(self, action: Add, bonus: int = 0) -> Any:
            time.sleep(0.06)
            return Count()

    async with session(Ponderous) as one:
        await one.reset()
        await one.step(Add(amount=1))
    assert any("Ponderous.step held the event loop" in r.message for r in caplog.records)
