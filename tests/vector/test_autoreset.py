"""Autoreset, compared with Gymnasium's own vector of the same environments."""

import asyncio
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_lite import Action, Environment, Observation, State
from openenv_lite.batches import Autoreset, Reset, Step
from openenv_lite.errors import EpisodeDoneError, ExecutionError, ResetRequiredError
from tests.leaks import on_loop
from tests.vector.speaking import lanes_of

COUNT = 3
NEVER = 10**6


class Walk:
    """A walk on a line: ends beyond 4, is cut off after 5 steps, and draws what it shows."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.place = self.steps = 0

    def begin(self, seed: int | None) -> int:
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.steps = 0
        self.place = int(self.random.integers(3))
        return self.place

    def move(self, by: int) -> tuple[int, float, bool, bool]:
        self.steps += 1
        self.place += by + int(self.random.integers(2))
        return self.place, self.place / 2, self.place > 4, self.steps >= 5


class GymWalk(gymnasium.Env[int, int]):
    """As Gymnasium has it."""

    observation_space = gymnasium.spaces.Discrete(100)  # type: ignore[assignment]
    action_space = gymnasium.spaces.Discrete(3)  # type: ignore[assignment]

    def __init__(self) -> None:
        self.walk = Walk()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.walk.begin(seed), {}

    def step(self, action: int) -> Any:
        return *self.walk.move(int(action)), {}


class Move(Action):
    """How far."""

    by: int


class Seen(Observation):
    """Where it stands."""

    place: int = 0


class OurWalk(Environment[Move, Seen, State]):
    """As we have it."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING: ClassVar[bool] = False

    def __init__(self) -> None:
        self.walk = Walk()

    def reset(self, seed: int | None = None) -> Any:
        return Seen(place=self.walk.begin(seed))

    def step(self, action: Move) -> Any:
        place, reward, terminated, truncated = self.walk.move(action.by)
        cut = truncated and not terminated
        return Seen(place=place, reward=reward, done=terminated or truncated, truncated=cut)


class ThreadedWalk(OurWalk):
    """On a thread."""

    BLOCKING: ClassVar[bool] = True


class AsyncWalk(OurWalk):
    """Awaited."""

    async def step(self, action: Move) -> Any:
        await asyncio.sleep(0)
        return super().step(action)


KINDS = [OurWalk, ThreadedWalk, AsyncWalk]
MODES = {
    Autoreset.NEXT_STEP: AutoresetMode.NEXT_STEP,
    Autoreset.SAME_STEP: AutoresetMode.SAME_STEP,
}


def of_gymnasium(mode: AutoresetMode, seeds: list[int], moves: list[list[int]]) -> list[Any]:
    """For each step: observations, rewards, terminated, truncated, and what ended."""
    vector = SyncVectorEnv([GymWalk] * COUNT, autoreset_mode=mode)
    first, _ = vector.reset(seed=seeds)  # type: ignore[arg-type]
    story: list[Any] = [first.tolist()]
    for each in moves:
        seen, rewards, terminated, truncated, infos = vector.step(np.array(each))
        final = infos.get("final_obs", [None] * COUNT)
        story.append(
            (
                seen.tolist(),
                rewards.tolist(),
                terminated.tolist(),
                # Where an episode ended by its rules, it was not cut off, in our words.
                (truncated & ~terminated).tolist(),
                [None if obs is None else int(obs) for obs in final],
            )
        )
    vector.close()
    return story


async def of_ours(
    kind: Any, mode: Autoreset, seeds: list[int], moves: list[list[int]]
) -> list[Any]:
    async with lanes_of(kind, COUNT, mode) as lanes:
        first = await lanes.do(Reset(id=1, seeds=[*seeds]))
        story: list[Any] = [places(first)]
        for each in moves:
            results = await lanes.do(Step(id=2, actions=[Move(by=by) for by in each]))
            assert not results.errors
            cut = [lane in results.truncated for lane in range(COUNT)]
            ended = [done and not cut[lane] for lane, done in enumerate(results.done)]
            final = results.final
            last = [place(final[n].observation) if n in final else None for n in range(COUNT)]
            story.append((places(results), results.rewards, ended, cut, last))
        return story


def places(results: Any) -> list[int]:
    return [place(seen) for seen in results.observations]


def place(seen: Any) -> int:
    return int(seen["place"] if isinstance(seen, dict) else seen.place)


PLAY = st.lists(st.lists(st.integers(0, 2), min_size=COUNT, max_size=COUNT), max_size=14)
SEEDS = st.lists(st.integers(0, 100), min_size=COUNT, max_size=COUNT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=25)
@given(seeds=SEEDS, moves=PLAY)
def test_it_is_what_gymnasium_does(
    kind: Any, mode: Autoreset, seeds: list[int], moves: list[list[int]]
) -> None:
    ours = asyncio.run(of_ours(kind, mode, seeds, moves))
    assert ours == of_gymnasium(MODES[mode], seeds, moves)


@pytest.mark.parametrize("kind", KINDS)
@on_loop
async def test_disabled_it_waits_for_a_reset_and_so_does_gymnasium(kind: Any) -> None:
    vector = SyncVectorEnv([GymWalk], autoreset_mode=AutoresetMode.DISABLED)
    vector.reset(seed=[1])
    async with lanes_of(kind, 1) as lanes:
        await lanes.do(Reset(id=1, seeds=[1]))
        for _ in range(5):
            seen, reward, terminated, truncated, _ = vector.step(np.array([0]))
            results = await lanes.do(Step(id=2, actions=[Move(by=0)]))
            assert (places(results), results.rewards) == (seen.tolist(), reward.tolist())
            assert results.done == (terminated | truncated).tolist()
        assert results.done == [True]
        over = await lanes.do(Step(id=3, actions=[Move(by=0)]))
        assert isinstance(over.errors[0], EpisodeDoneError)
        began, _ = vector.reset(options={"reset_mask": np.array([True])})
        assert places(await lanes.do(Reset(id=4))) == began.tolist()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
@on_loop
async def test_before_the_first_reset_nothing_begins_by_itself(kind: Any, mode: Autoreset) -> None:
    async with lanes_of(kind, 1, mode) as lanes:
        early = await lanes.do(Step(id=2, actions=[Move(by=0)]))
        assert isinstance(early.errors[0], ResetRequiredError)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("base", KINDS)
@on_loop
async def test_a_reset_that_fails_is_told_of_its_lane_and_can_be_made_good(
    base: Any, mode: Autoreset
) -> None:
    class Once(base):  # type: ignore[misc]
        resets = 0

        def reset(self, seed: int | None = None) -> Any:
            self.resets += 1
            if self.resets == 2:
                raise ValueError("not again")
            return super().reset(seed)

    async with lanes_of(Once, 2, mode) as lanes:
        await lanes.do(Reset(id=1, seeds=[1, 1]))
        moves = [Step(id=2, actions=[Move(by=5), Move(by=0)]) for _ in range(2)]
        told = [await lanes.do(each) for each in moves]
        failed = told[1] if mode is Autoreset.NEXT_STEP else told[0]
        assert isinstance(failed.errors[0], ExecutionError)
        assert 1 not in failed.errors
        if mode is Autoreset.SAME_STEP:  # the episode's last reward is told all the same
            assert failed.rewards[0] == failed.final[0].reward is not None
            assert failed.done[0] is True
        after = await lanes.do(Step(id=3, actions=[Move(by=0), Move(by=0)]))
        assert isinstance(after.errors[0], ResetRequiredError)
        assert (await lanes.do(Reset(id=4, lanes=[0]))).done == [False]
