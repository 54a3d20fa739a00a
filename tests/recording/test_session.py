"""Sessions that are recorded, whatever they run on and whoever plays."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import MCPEnvironment, Observation
from openenv_lite.blueprint import Blueprint
from openenv_lite.context import InputRequired
from openenv_lite.errors import (
    EpisodeDoneError,
    ExecutionError,
    InvalidArgumentsError,
    InvalidMessageError,
    ResetRequiredError,
    ToolFailedError,
)
from openenv_lite.recording import load
from openenv_lite.recording.recorder import Recorder
from openenv_lite.recording.session import RecordedSession
from openenv_lite.types import CallToolAction, ListToolsAction, ServerMode
from tests.environments import Add, Awaiting, Threaded, Toolbox
from tests.recording.telling import Await, Dice, Guess, Thread, events, told

EVERY_EXECUTOR = pytest.mark.parametrize("kind", [Dice, Thread, Await])


@asynccontextmanager
async def recorded(
    folder: Path, kind: Any, mode: ServerMode = ServerMode.SIMULATION, name: str = "s"
) -> AsyncIterator[RecordedSession]:
    recorder = Recorder.in_folder(folder, "test")
    session = RecordedSession(recorder, name, Blueprint(kind), mode)
    await session.open()
    try:
        yield session
    finally:
        await session.close()


@EVERY_EXECUTOR
def test_a_file_tells_what_the_caller_was_told(kind: Any, tmp_path: Path) -> None:
    async def play() -> list[Any]:
        async with recorded(tmp_path, kind) as session:
            first = await session.reset({"seed": 5, "start": 2})
            results = [first.observation.rolled[:]]
            for number in range(4):
                results.append((await session.step(Guess(number=number))).observation.rolled[:])
            return results

    seen = asyncio.run(play())
    (episode,) = load(tmp_path)
    assert [episode.observation["rolled"]] + [
        act.observation["rolled"] for act in episode.acts
    ] == (seen)
    assert [act.action["number"] for act in episode.acts] == [0, 1, 2, 3]
    assert (episode.seed, episode.options, episode.session) == (5, {"start": 2}, "s")
    assert (episode.version, episode.mode) == ("1", "simulation")
    assert episode.environment == f"tests.recording.telling:{kind.__name__}"
    assert episode.metadata == {"first": pytest.approx(0.6229016948897019)}
    assert episode.is_over
    assert episode.acts[-1].done
    assert [act.reward for act in episode.acts] == [float(act.reward or 0) for act in episode.acts]
    assert episode.total == sum(act.reward or 0 for act in episode.acts)


@EVERY_EXECUTOR
def test_one_line_an_event_with_the_same_keys_on_each(kind: Any, tmp_path: Path) -> None:
    async def play() -> None:
        async with recorded(tmp_path, kind) as session:
            await session.reset()
            await session.step(Guess(number=1))
            await session.reset()

    asyncio.run(play())
    assert told(tmp_path, "event", "step", "done") == [
        ("begin", 0, False),
        ("step", 1, False),
        ("end", 1, False),
        ("begin", 0, False),
        ("end", 0, False),
    ]
    lines = events(tmp_path)
    assert len({tuple(line) for line in lines}) == 1
    first, second = ({line["episode"] for line in lines[part]} for part in (slice(3), slice(3, 5)))
    assert len(first) == len(second) == 1
    assert first != second


@EVERY_EXECUTOR
def test_the_episode_is_called_what_the_state_calls_it(kind: Any, tmp_path: Path) -> None:
    async def play() -> Any:
        async with recorded(tmp_path, kind) as session:
            await session.reset({"episode_id": "mine"})
            await session.reset()
            return await session.state()

    state = asyncio.run(play())
    episodes = load(tmp_path)
    assert [episode.episode for episode in episodes] == ["mine", state["episode_id"]]
    assert episodes[0].options == {"episode_id": "mine"}


@EVERY_EXECUTOR
def test_a_failure_is_told_in_full_even_where_the_peer_is_not(kind: Any, tmp_path: Path) -> None:
    async def play() -> None:
        async with recorded(tmp_path, kind, ServerMode.PRODUCTION) as session:
            await session.reset()
            with pytest.raises(ExecutionError, match="the server's log tells why"):
                await session.step(Guess(number=-3))
            await session.step(Guess(number=3))

    asyncio.run(play())
    (episode,) = load(tmp_path)
    failed, went_on = episode.acts
    assert (failed.code, failed.error) == ("EXECUTION_ERROR", "ValueError: no such side: -3")
    assert failed.observation is None
    assert went_on.observation is not None


@EVERY_EXECUTOR
def test_what_is_refused_did_not_happen(kind: Any, tmp_path: Path) -> None:
    async def play() -> None:
        async with recorded(tmp_path, kind) as session:
            with pytest.raises(ResetRequiredError):
                await session.step(Guess(number=1))
            with pytest.raises(InvalidMessageError):
                await session.reset({"start": "many"})
            await session.reset()
            for _ in range(4):
                await session.step(Guess(number=1))
            with pytest.raises(EpisodeDoneError):
                await session.step(Guess(number=1))

    asyncio.run(play())
    assert [line["event"] for line in events(tmp_path)] == ["begin", *["step"] * 4, "end"]


def test_a_reset_that_fails_is_an_episode_that_did_not_begin(tmp_path: Path) -> None:
    class Stuck(Dice):
        def reset(self, seed: int | None = None, start: int = 0) -> Any:
            raise OSError("no dice")

    async def play() -> None:
        async with recorded(tmp_path, Stuck) as session:
            with pytest.raises(ExecutionError):
                await session.reset({"seed": 3})

    asyncio.run(play())
    (episode,) = load(tmp_path)
    assert (episode.seed, episode.error, episode.is_over) == (3, "OSError: no dice", True)


def test_what_cannot_be_sent_is_told_as_such(tmp_path: Path) -> None:
    class Odd(Dice):
        def step(self, action: Guess) -> Any:
            return {"thing": object()}

    async def play() -> None:
        async with recorded(tmp_path, Thread) as session:
            await session.reset({"seed": 2**70})  # fits no column
            session._blueprint = Blueprint(Odd)
            session._environment = Odd()
            with pytest.raises(ExecutionError):
                await session.step(Guess(number=1))

    asyncio.run(play())
    (episode,) = load(tmp_path)
    assert "object" in episode.acts[0].error
    assert (episode.seed, episode.acts[0].code) == (None, "EXECUTION_ERROR")


def test_a_call_that_is_called_off_is_told_as_lost(tmp_path: Path) -> None:
    async def play() -> None:
        async with recorded(tmp_path, Awaiting) as session:
            await session.reset()
            step = asyncio.create_task(session.step(Add(amount=-1)))
            await asyncio.sleep(0.01)
            step.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step

    asyncio.run(play())
    (episode,) = load(tmp_path)
    assert [act.code for act in episode.acts] == ["CANCELLED"]


@pytest.mark.parametrize("call", ["reset", "step", "restore"])
def test_a_call_that_is_called_off_before_its_turn_did_not_happen(
    tmp_path: Path, call: str
) -> None:
    async def play() -> None:
        async with recorded(tmp_path, Await) as session:
            await session.reset({"seed": 5})
            saved = await session.snapshot()
            given = {"reset": {"seed": 6}, "step": Guess(number=2), "restore": saved}[call]
            async with session._turn:
                waiting = asyncio.create_task(getattr(session, call)(given))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
            await session.step(Guess(number=1))

    asyncio.run(play())
    (episode,) = load(tmp_path)
    assert episode.is_whole
    assert [act.action["number"] for act in episode.acts] == [1]


@pytest.mark.usefixtures("gate")
def test_waiting_for_ones_turn_is_not_the_calls_own_time(tmp_path: Path) -> None:
    async def play() -> None:
        async with recorded(tmp_path, Threaded) as session:
            await session.reset()
            slow = asyncio.create_task(session.step(Add(amount=-1)))
            quick = asyncio.create_task(session.step(Add(amount=1)))
            assert await asyncio.to_thread(Threaded.entered.wait, 20)
            await asyncio.sleep(0.1)
            Threaded.gate.set()
            await asyncio.gather(slow, quick)

    asyncio.run(play())
    (episode,) = load(tmp_path)
    slow, quick = episode.acts
    assert [act.action["amount"] for act in episode.acts] == [-1, 1]
    assert slow.seconds > 0.09 > quick.seconds


def test_what_the_author_changes_afterwards_is_not_told(tmp_path: Path) -> None:
    class Changing(Dice):
        def step(self, action: Guess) -> Any:
            seen = super().step(action)
            action.number = 99
            action.metadata["mine"] = True
            return seen

    async def play() -> None:
        async with recorded(tmp_path, Changing) as session:
            await session.reset({"seed": 1})
            for _ in range(3):
                await session.step(Guess(number=1))

    asyncio.run(play())
    (episode,) = load(tmp_path)
    assert [act.action for act in episode.acts] == [{"number": 1, "metadata": {}}] * 3
    assert [len(act.observation["rolled"]) for act in episode.acts] == [2, 3, 4]


@pytest.mark.parametrize("mode", list(ServerMode))
def test_an_agents_calls_are_told_as_the_steps_that_they_would_be(
    mode: ServerMode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    async def play() -> None:
        async with recorded(tmp_path, Toolbox, mode) as session:
            await session.call_tool("add", {"a": 2})
            await session.call_tool("shout", {"text": "hey"})
            with pytest.raises(InvalidArgumentsError):
                await session.call_tool("add", {"a": "two"})
            with pytest.raises(ToolFailedError):
                await session.call_tool("fail", {})

    asyncio.run(play())
    (episode,) = load(tmp_path)
    added, loud, wrong, failed = episode.acts
    assert {act.kind for act in episode.acts} == {"call"}
    assert added.action["tool_name"] == "add"
    assert added.action["arguments"] == {"a": 2}
    assert added.observation["result"]["data"] == 3
    assert loud.observation["result"]["data"] == "HEY"
    assert wrong.observation["error"]["error_type"] == "invalid_args"
    assert (failed.code, failed.error) == ("TOOL_FAILED", "ValueError: secret-1234")
    is_hidden = "secret" not in failed.observation["error"]["message"]
    assert is_hidden == (mode is ServerMode.PRODUCTION)
    assert not episode.is_reset


def test_a_call_that_only_asks_is_told_when_it_comes_again(tmp_path: Path) -> None:
    answers: list[str] = []

    class Asking(MCPEnvironment):
        def __init__(self) -> None:
            self.tool(self.ask)
            self.tool(self.wonder)

        async def ask(self) -> list[str]:
            """Needs an answer."""
            if not answers:
                raise InputRequired({})
            return answers

        def wonder(self) -> list[str]:
            """The same, plain."""
            if not answers:
                raise InputRequired({})
            return answers

    async def play() -> None:
        async with recorded(tmp_path, Asking) as session:
            for name in ("ask", "wonder"):
                with pytest.raises(InputRequired):
                    await session.call_tool(name, {})
            answers.append("yes")
            await session.call_tool("ask", {})

    asyncio.run(play())
    (episode,) = load(tmp_path)
    assert [act.observation["result"]["data"] for act in episode.acts] == [["yes"]]


def test_a_trainers_tool_steps_and_an_agents_calls_look_alike(tmp_path: Path) -> None:
    async def play() -> None:
        async with recorded(tmp_path, Toolbox) as session:
            await session.step(ListToolsAction())  # looks, and does nothing
            await session.reset()
            await session.step(CallToolAction(tool_name="add", arguments={"a": 2}))
            await session.call_tool("add", {"a": 2})

    asyncio.run(play())
    (episode,) = load(tmp_path)
    step, call = episode.acts
    assert (step.kind, call.kind) == ("step", "call")
    assert (step.action, step.observation) == (call.action, call.observation)


class Paid(MCPEnvironment):
    """Tool calls that are worth something, and end the episode."""

    BLOCKING = False

    def __init__(self) -> None:
        @self.tool
        def buy(item: str) -> str:
            """Buy something."""
            return item

    def step(self, action: Any, *args: Any, **kwargs: Any) -> Any:
        seen = super().step(action)
        return Observation(
            reward=2.5, done=action.arguments["item"] == "tea", metadata={"tool": seen.tool_name}
        )


def test_what_a_call_earned_stands_in_the_file_and_nowhere_else(tmp_path: Path) -> None:
    async def play() -> Any:
        async with recorded(tmp_path, Paid) as session:
            await session.reset()
            await session.call_tool("buy", {"item": "jam"})
            outcome = await session.call_tool("buy", {"item": "tea"})
            with pytest.raises(EpisodeDoneError):
                await session.call_tool("buy", {"item": "tea"})
            return outcome

    outcome = asyncio.run(play())
    assert "2.5" not in repr(outcome)
    (episode,) = load(tmp_path)
    assert [act.reward for act in episode.acts] == [2.5, 2.5]
    assert [act.done for act in episode.acts] == [False, True]
    assert episode.acts[0].metadata == {"tool": "buy"}
    assert episode.is_over


@EVERY_EXECUTOR
def test_snapshots_are_told_and_a_restored_episode_says_where_it_is_from(
    kind: Any, tmp_path: Path
) -> None:
    async def play() -> None:
        async with recorded(tmp_path, kind) as session:
            await session.reset({"seed": 3, "episode_id": "e"})
            await session.step(Guess(number=1))
            saved = await session.snapshot()
            await session.step(Guess(number=2))
            await session.restore(saved)
            await session.step(Guess(number=3))

    asyncio.run(play())
    kinds = [line["event"] for line in events(tmp_path)]
    assert kinds == ["begin", "step", "snapshot", "step", "end", "restore", "step", "end"]
    original, branch = load(tmp_path)
    (name,) = {line["snapshot"] for line in events(tmp_path)} - {""}
    assert (original.restored, branch.restored) == ("", name)
    assert {original.episode, branch.episode} == {"e"}
    assert original.acts[1].observation["rolled"] == branch.acts[0].observation["rolled"]
    assert branch.is_whole


@EVERY_EXECUTOR
def test_a_restore_of_what_cannot_be_read_ends_no_episode(kind: Any, tmp_path: Path) -> None:
    class Misdeclared(kind):  # type: ignore[misc]
        def restore(self, saved: list[int]) -> None:
            raise AssertionError("nothing was read")

        def snapshot(self) -> list[int]:
            return ["no number"]  # type: ignore[list-item]

    async def play() -> None:
        async with recorded(tmp_path, Misdeclared) as session:
            await session.reset({"seed": 3})
            saved = await session.snapshot()
            with pytest.raises(ExecutionError):
                await session.restore(saved)
            await session.step(Guess(number=3))

    asyncio.run(play())
    kinds = [line["event"] for line in events(tmp_path)]
    assert kinds == ["begin", "snapshot", "step", "end"]
    (episode,) = load(tmp_path)
    assert episode.is_whole


MOVES = st.lists(
    st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(-1, 5))), max_size=40
)


@given(moves=MOVES)
def test_sessions_at_the_same_time_are_told_in_one_file_and_not_mixed(
    moves: list[tuple[int, int | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("recorded")
    recorder = Recorder.in_folder(folder, "test")
    expected: dict[str, list[list[Any]]] = {"0": [], "1": [], "2": []}

    async def play() -> None:
        sessions = [
            RecordedSession(recorder, str(number), Blueprint(kind), ServerMode.SIMULATION)
            for number, kind in enumerate((Dice, Thread, Await))
        ]
        await asyncio.gather(*(session.open() for session in sessions))
        for number, move in moves:
            await make(sessions[number], move, expected[str(number)])
        await asyncio.gather(*(session.close() for session in sessions))

    asyncio.run(play())
    if not recorder.path.exists():
        assert not any(expected.values())
        return
    found: dict[str, list[list[Any]]] = {"0": [], "1": [], "2": []}
    for episode in load(folder):
        assert episode.is_whole
        assert episode.is_over
        seen = [act.observation and act.observation["rolled"] for act in episode.acts]
        found[episode.session].append([episode.observation["rolled"], *seen])
    assert found == expected


async def make(session: RecordedSession, move: int | None, episodes: list[list[Any]]) -> None:
    """A reset or a step, and what the caller was told of it."""
    try:
        if move is None:
            result = await session.reset()
            episodes.append([])
        else:
            result = await session.step(Guess(number=move))
        episodes[-1].append([*result.observation.rolled])
    except (ResetRequiredError, EpisodeDoneError):
        return
    except ExecutionError:
        episodes[-1].append(None)
