"""A recording played again on the same environment, and on others."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import ServerMode, create_app
from openenv_lite.client import GenericEnvClient, VectorEnvClient
from openenv_lite.recording.reading import stories
from openenv_lite.recording.replaying import Finding, Verdict, verdicts
from tests.environments import Toolbox
from tests.recording.telling import Await, Dice, Guess, Loaded, Thread

EVERY_EXECUTOR = pytest.mark.parametrize("kind", [Dice, Thread, Await])


def replayed(folder: Path, kind: Any, **settings: Any) -> list[Verdict]:
    async def play() -> list[Verdict]:
        app = create_app(kind, **settings)
        found = []
        for story in stories(folder):
            async with GenericEnvClient(app=app) as player:
                found += [verdict async for verdict in verdicts(story, player)]
        return found

    return asyncio.run(play())


def play(folder: Path, kind: Any, *moves: Any) -> None:
    """Make moves: a dict resets with these options, a number is a step."""
    with GenericEnvClient(app=create_app(kind, record_dir=str(folder))).sync() as env:
        for move in moves:
            if isinstance(move, dict):
                env.reset(**move)
            else:
                try_step(env, move)


def try_step(env: Any, number: int) -> None:
    try:
        env.step({"number": number})
    except RuntimeError:
        assert number < 0


@EVERY_EXECUTOR
def test_the_same_environment_does_the_same(kind: Any, tmp_path: Path) -> None:
    play(tmp_path, kind, {"seed": 3, "start": 2}, 1, -1, 2, 3, {"seed": 4}, 5)
    for again in (Dice, Thread, Await):
        assert [each.finding for each in replayed(tmp_path, again)] == ["same", "same"]


def test_another_environment_is_told_where_it_first_differs(tmp_path: Path) -> None:
    play(tmp_path, Dice, {"seed": 3}, 1, 1, 1, {"seed": 4}, 1)
    first, second = replayed(tmp_path, Loaded)
    assert (first.finding, first.step) == (Finding.DIFFERS, 3)
    assert first.difference is not None
    assert first.difference.path == "observation.rolled[3]"
    assert first.difference.expected == first.trajectory.acts[2].observation["rolled"][3]
    assert first.difference.got == 9
    assert second.finding is Finding.SAME


@pytest.mark.parametrize(
    ("told", "path", "expected", "got"),
    [
        ({"reward": 1.5}, "reward", 0.0, 1.5),
        ({"reward": None}, "reward", 0.0, None),
        ({"done": True}, "done", False, True),
        ({"metadata": {"a": 1}}, "observation.metadata.a", "(nothing)", 1),
    ],
)
def test_whatever_is_told_beside_the_observation_is_compared(
    told: dict[str, Any], path: str, expected: Any, got: Any, tmp_path: Path
) -> None:
    class Other(Dice):
        def step(self, action: Guess) -> Any:
            seen = super().step(action)
            for name, value in told.items():
                setattr(seen, name, value)
            return seen

    play(tmp_path, Dice, {"seed": 3}, 0)
    (verdict,) = replayed(tmp_path, Other)
    assert verdict.difference is not None
    shown = repr if expected == "(nothing)" else float
    assert (verdict.difference.path, shown(verdict.difference.expected)) == (path, expected)
    assert verdict.difference.got == got


def test_an_error_in_the_place_of_a_result_is_a_difference_both_ways(tmp_path: Path) -> None:
    class Bold(Dice):
        def step(self, action: Guess) -> Any:
            return super().step(Guess(number=-action.number))

    play(tmp_path, Dice, {"seed": 3}, 1, {"seed": 3}, -1)
    fails, succeeds = replayed(tmp_path, Bold)
    assert fails.difference == (
        "error",
        "none",
        "EXECUTION_ERROR: no such side: -1",
    )
    assert succeeds.difference == (
        "error",
        "EXECUTION_ERROR: ValueError: no such side: -1",
        "none",
    )


def test_without_a_seed_a_difference_tells_nothing_and_no_difference_tells_much(
    tmp_path: Path,
) -> None:
    class Fixed(Dice):
        def reset(self, seed: int | None = None, start: int = 0) -> Any:
            self.rng.seed(1)
            return super().reset(seed, start)

    play(tmp_path, Dice, {}, 1, 2)
    (verdict,) = replayed(tmp_path, Dice)
    assert (verdict.finding, verdict.reason) == (Finding.UNKNOWN, "recorded without a seed")
    play(tmp_path / "fixed", Fixed, {}, 1, 2)
    (verdict,) = replayed(tmp_path / "fixed", Fixed)
    assert verdict.finding is Finding.SAME


def test_the_first_seed_of_a_session_settles_the_episodes_after_it(tmp_path: Path) -> None:
    play(tmp_path, Dice, {}, 1, {"seed": 5}, 1, {}, 1, 2, {}, 3, {"seed": 6}, 1)
    assert [each.finding for each in replayed(tmp_path, Dice)] == [
        "not comparable",
        *["same"] * 4,
    ]


def test_what_follows_a_difference_is_not_held_against_the_environment(tmp_path: Path) -> None:
    class Restless(Dice):
        def step(self, action: Guess) -> Any:
            if action.number == 4:
                self.rng.random()
            return super().step(action)

    play(tmp_path, Dice, {"seed": 5}, 4, 4, {}, 1, 1, {"seed": 5}, 1)
    first, second, third = replayed(tmp_path, Restless)
    assert first.finding is Finding.DIFFERS
    assert (second.finding, second.reason) == (Finding.UNKNOWN, "the episode before it differs")
    assert third.finding is Finding.SAME


def test_an_episode_from_a_snapshot_is_told_and_not_compared(tmp_path: Path) -> None:
    app = create_app(Dice, record_dir=str(tmp_path))
    with VectorEnvClient(app=app, num_envs=1).sync() as envs:
        envs.reset(seeds=3)
        envs.step([{"number": 1}])
        (saved,) = envs.snapshot()
        envs.step([{"number": 1}])
        envs.restore(saved)
        envs.step([{"number": 1}])
        envs.step([{"number": 1}])
        envs.reset()
        envs.reset(seeds=4)
        envs.fork([saved])
        envs.step([{"number": 1}], lanes=[1])
    first, restored, after, seeded, forked = replayed(tmp_path, Dice)
    assert (first.finding, seeded.finding) == (Finding.SAME, Finding.SAME)
    for verdict in (restored, after, forked):
        assert (verdict.finding, verdict.reason) == (Finding.UNKNOWN, "goes on from a snapshot")


class Generous(Dice):
    def step(self, action: Guess, bonus: int = 0, timeout_s: float | None = None) -> Any:
        seen = super().step(action)
        seen.reward = bonus
        return seen


def test_an_action_with_options_of_its_own_is_told_and_not_compared(tmp_path: Path) -> None:
    async def step(**options: Any) -> None:
        pool = create_app(Generous, record_dir=str(tmp_path)).state.server.pool
        session = await pool.open(ServerMode.SIMULATION)
        await session.reset({"seed": 1})
        await session.step(Guess(number=1), options)
        await pool.aclose()

    asyncio.run(step(timeout_s=3.0))
    asyncio.run(step(bonus=7))
    found = {
        verdict.trajectory.acts[0].reward: (verdict.finding, verdict.reason)
        for verdict in replayed(tmp_path, Generous)
    }
    assert found[0.0] == (Finding.SAME, "")
    assert found[7.0] == (Finding.UNKNOWN, "a step had options, which only HTTP carries")


def test_a_call_whose_outcome_nobody_knows_ends_what_can_be_compared(tmp_path: Path) -> None:
    play(tmp_path, Dice, {"seed": 3}, 1, 2, {}, 1, {"seed": 3}, 1)
    (path,) = tmp_path.iterdir()
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"code":""', '"code":"CANCELLED"')
    path.write_text("".join(lines))
    lost, after, seeded = replayed(tmp_path, Dice)
    assert lost.reason == "what came of an action was not recorded"
    assert (after.finding, after.reason) == (Finding.UNKNOWN, lost.reason)
    assert seeded.finding is Finding.SAME


def test_an_episode_with_lines_missing_is_told_and_not_compared(tmp_path: Path) -> None:
    play(tmp_path, Dice, {"seed": 3}, 1, 2, 3)
    (path,) = tmp_path.iterdir()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    (verdict,) = replayed(tmp_path, Dice)
    assert verdict.reason == "lines are missing from the recording"
    path.write_bytes(b"".join(lines[:3])[:-5])
    (verdict,) = replayed(tmp_path, Dice)  # a recording that was cut short is played up to there
    assert (verdict.finding, len(verdict.trajectory.acts)) == (Finding.SAME, 1)


def test_an_agents_calls_are_played_as_steps(tmp_path: Path) -> None:
    class Quick(Toolbox):
        BLOCKING = False

    async def call() -> None:
        app = create_app(Toolbox, record_dir=str(tmp_path))
        session = await app.state.server.pool.open(ServerMode.SIMULATION)
        await session.reset()
        for name, arguments in (("add", {"a": 2}), ("shout", {"text": "a"}), ("add", {"a": "b"})):
            try:
                await session.call_tool(name, arguments)
            except RuntimeError:
                assert arguments == {"a": "b"}
        await app.state.server.aclose()

    asyncio.run(call())
    for kind in (Toolbox, Quick):
        (verdict,) = replayed(tmp_path, kind)
        assert verdict.finding is Finding.SAME, verdict
        assert len(verdict.trajectory.acts) == 3


@given(
    seed=st.integers(0, 2**40),
    moves=st.lists(st.one_of(st.integers(-1, 5), st.just({}), st.just({"start": 3})), max_size=20),
)
def test_whatever_was_played_from_a_seed_is_played_again_alike(
    seed: int, moves: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("played")
    steps = 0
    legal: list[Any] = []
    for move in moves:  # no steps after the end
        steps = 0 if isinstance(move, dict) else steps + (move >= 0)
        legal += [move] if steps <= 4 and not (steps == 4 and move == -1) else []
    play(folder, Dice, {"seed": seed}, *legal)
    assert {each.finding for each in replayed(folder, Thread)} == {Finding.SAME}
