"""A vector of lanes is to Gymnasium what its own vectors are, number for number."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gym_env import environment
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from openenv_lite import Action, Environment, Observation, State, create_app
from openenv_lite.errors import (
    CapacityError,
    ConfigurationError,
    ConnectionFailedError,
    EpisodeDoneError,
    InvalidMessageError,
)
from openenv_lite.gym import GymVectorEnv
from tests.client.serving import serve
from tests.envs.medley import ID as MEDLEY
from tests.gym.pictures import ID as PICTURES

LANES = 3
PLACES = ("env", "app", "tcp")


@contextlib.contextmanager
def lanes(place: str, kind: type[Any], **options: Any) -> Iterator[GymVectorEnv]:
    """A vector of lanes in this process, of an app in it, or of a server."""
    with contextlib.ExitStack() as stack:
        if place == "env":
            options["env"] = kind
        elif place == "app":
            options["app"] = create_app(kind)
        else:
            options["base_url"] = stack.enter_context(serve(create_app(kind)))
        yield stack.enter_context(contextlib.closing(GymVectorEnv(num_envs=LANES, **options)))


def gymnasiums(id: str, mode: AutoresetMode, **options: Any) -> VectorEnv[Any, Any, Any]:
    made: VectorEnv[Any, Any, Any] = gym.make_vec(
        id, LANES, "sync", vector_kwargs={"autoreset_mode": mode}, **options
    )
    return made


def same(ours: Any, theirs: Any) -> None:
    assert data_equivalence(ours, theirs, exact=True), (ours, theirs)


def restarting(done: Any, mode: AutoresetMode) -> bool:
    return mode is AutoresetMode.DISABLED and bool(done.any())


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize(
    ("id", "place", "encoding", "options"),
    [
        ("CartPole-v1", "env", "msgpack", {"max_episode_steps": 12}),
        ("CartPole-v1", "app", "json", {"max_episode_steps": 12}),
        ("CartPole-v1", "tcp", "msgpack", {"max_episode_steps": 12}),
        ("Pendulum-v1", "tcp", "json", {"max_episode_steps": 7}),
        ("Blackjack-v1", "env", "json", {}),
        (MEDLEY, "env", "msgpack", {"max_episode_steps": 5}),  # which is where it ends by itself
        (PICTURES, "tcp", "msgpack", {"max_episode_steps": 4}),
        (PICTURES, "env", "json", {"max_episode_steps": 4}),
    ],
)
def test_trajectories_are_gymnasiums_own(
    id: str, place: str, encoding: Any, options: dict[str, Any], mode: AutoresetMode
) -> None:
    told = {"info": True} if id == PICTURES else {}
    with (
        contextlib.closing(gymnasiums(id, mode, **options)) as theirs,
        lanes(
            place, environment(id, **told, **options), autoreset_mode=mode, encoding=encoding
        ) as ours,
    ):
        assert ours.observation_space == theirs.observation_space
        assert ours.action_space == theirs.action_space
        ours.action_space.seed(7)
        a, b = ours.reset(seed=7), theirs.reset(seed=7)
        same(a[0], b[0])
        ends = 0
        for _ in range(60):
            action = ours.action_space.sample()
            a, b = ours.step(action), theirs.step(action)  # type: ignore[assignment]
            same(comparable(a), comparable(b))
            done = a[2] | a[3]  # type: ignore[misc]
            ends += int(done.sum())
            if restarting(done, mode):
                masked = {"reset_mask": done}
                same(ours.reset(options=masked)[0], theirs.reset(options={**masked})[0])
        assert ends > LANES


def comparable(told: Any) -> Any:
    """Medley is served without its info, which holds a lock, and gives back what it got."""
    *columns, infos = told
    if "lock" in infos or "lock" in infos.get("final_info", {}):
        kept = {key: infos[key] for key in ("final_obs", "_final_obs") if key in infos}
        final = {"final_info": {}, "_final_info": infos["_final_info"]} if kept else {}
        infos = {**kept, **final}
    if "final_obs" in infos:
        infos["final_obs"] = [plain(each) for each in infos["final_obs"]]
    return (*columns, infos)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasiums_wrappers_work_over_it(mode: AutoresetMode) -> None:
    def statistics(env: VectorEnv[Any, Any, Any]) -> list[tuple[float, int]]:
        played = RecordEpisodeStatistics(env)
        played.reset(seed=1)
        rng = np.random.default_rng(1)
        found = []
        for _ in range(80):
            *_, infos = played.step(rng.integers(0, 2, LANES))
            if "episode" in infos:
                told = infos["_episode"]
                found += [
                    *zip(infos["episode"]["r"][told], infos["episode"]["l"][told], strict=True)
                ]
        return found

    with (
        contextlib.closing(gymnasiums("CartPole-v1", mode)) as theirs,
        lanes("env", environment("CartPole-v1"), autoreset_mode=mode) as ours,
    ):
        expected = statistics(theirs)
        assert statistics(ours) == expected
        assert len(expected) > 3


def test_flags_and_rewards_have_gymnasiums_types() -> None:
    with lanes("env", environment("CartPole-v1")) as env:
        env.reset()
        observations, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
    assert (observations.dtype, observations.shape) == (np.float32, (LANES, 4))
    kinds = [each.dtype.name for each in (rewards, terminated, truncated)]
    assert kinds == ["float64", "bool", "bool"]
    assert infos == {}
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


@pytest.mark.parametrize("blocking", [False, True])
def test_what_was_given_back_stays_as_it_is(blocking: bool) -> None:
    with lanes("env", environment(PICTURES, reuse=True, blocking=blocking)) as env:
        first, _ = env.reset(seed=0)
        kept = first.copy()
        second, *_ = env.step(env.action_space.sample())
        assert (first == kept).all()
        assert (first != second).any()
        first[:] = 0


def test_seeds_count_up_or_are_given_one_by_one() -> None:
    with lanes("env", environment("CartPole-v1")) as env:
        counted, _ = env.reset(seed=4)
        listed, _ = env.reset(seed=[4, 5, 6])
        assert (counted == listed).all()
        with pytest.raises(ValueError, match="2 seeds for 3 lanes"):
            env.reset(seed=[1, 2])


def test_options_reach_the_environment() -> None:
    with lanes("env", environment("CartPole-v1")) as env:
        seen, _ = env.reset(seed=0, options={"low": 0.01, "high": 0.02})
    assert ((seen >= 0.01) & (seen <= 0.02)).all()


@pytest.mark.parametrize("mask", [[True] * LANES, np.ones(2, bool), np.zeros(LANES, bool)])
def test_a_mask_that_is_none_is_refused(mask: Any) -> None:
    with lanes("env", environment("CartPole-v1")) as env:
        env.reset()
        with pytest.raises(ValueError, match="reset_mask must"):
            env.reset(options={"reset_mask": mask})


@pytest.mark.parametrize("place", PLACES)
def test_the_error_of_a_lane_is_raised_and_costs_the_others_nothing(place: str) -> None:
    with lanes(place, environment("CartPole-v1")) as env:
        env.reset(seed=0)
        with pytest.raises(InvalidMessageError) as caught:
            env.step(np.array([0, 5, 0]))
        assert "lane 1" in caught.value.__notes__[0]
        observations, *_ = env.step(np.array([0, 0, 0]))
        assert observations.shape == (LANES, 4)


def test_without_autoreset_a_step_after_the_end_is_refused() -> None:
    kind = environment("CartPole-v1", max_episode_steps=1)
    with lanes("env", kind, autoreset_mode="Disabled") as env:
        env.reset()
        env.step([0, 0, 0])
        with pytest.raises(EpisodeDoneError):
            env.step([0, 0, 0])


def test_close_ends_the_lanes_and_may_come_twice() -> None:
    app = create_app(environment("CartPole-v1"), max_concurrent_envs=2)
    with serve(app) as url:
        for _ in range(2):
            env = GymVectorEnv(url, num_envs=2)
            with pytest.raises(CapacityError):
                GymVectorEnv(url, num_envs=1)
            env.close()
            env.close()


def test_who_is_not_there_or_tells_nothing_is_an_error() -> None:
    with pytest.raises(ConnectionFailedError, match="schema"):
        GymVectorEnv("http://127.0.0.1:9", num_envs=2)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body"})

    with pytest.raises(ConfigurationError, match="tells no schemas"):
        GymVectorEnv(app=silent)


class Move(Action):
    left: bool
    by: float


class Seen(Observation):
    place: float
    moves: int


class Walk(Environment[Move, Seen, State]):
    """Types of several fields; a start can be chosen."""

    BLOCKING = False
    SUPPORTS_CONCURRENT_SESSIONS = True

    def reset(self, start: float = 0.0) -> Seen:
        self.place, self.moves = start, 0
        return Seen(place=self.place, moves=0, metadata={"start": start})

    def step(self, action: Move) -> Seen:
        self.moves += 1
        self.place += -action.by if action.left else action.by
        return Seen(place=self.place, moves=self.moves, done=abs(self.place) > 1)


@pytest.mark.parametrize("place", PLACES)
def test_types_of_several_fields_are_dicts(place: str) -> None:
    with lanes(place, Walk) as env:
        assert isinstance(env.single_observation_space, spaces.Dict)
        assert [*env.single_action_space.spaces] == ["by", "left"]  # type: ignore[attr-defined]
        seen, infos = env.reset(options={"start": 0.5})
        assert (seen["place"] == 0.5).all()
        assert infos["start"].tolist() == [0.5] * LANES
        action = {"left": np.array([0, 1, 0]), "by": np.array([0.25, 0.25, 0.75])}
        seen, rewards, terminated, *_ = env.step(action)
        assert seen["place"].tolist() == [0.75, 0.25, 1.25]
        assert terminated.tolist() == [False, False, True]
        assert np.isnan(rewards).all()


class Named(Observation):
    name: str


class Greeter(Environment[Move, Named, State]):
    def reset(self) -> Named:
        return Named(name="Ann")

    def step(self, action: Move) -> Named:
        return Named(name="Bob")


def test_a_space_that_no_type_tells_is_for_the_caller_to_give() -> None:
    made: Callable[..., GymVectorEnv] = lambda **given: GymVectorEnv(env=Greeter, **given)  # noqa: E731
    with pytest.raises(ConfigurationError, match="pass observation_space"):
        made()
    with contextlib.closing(made(observation_space=spaces.Text(9))) as env:
        assert env.reset()[0] == ("Ann",)
        assert env.step(env.action_space.sample())[0] == ("Bob",)


def test_a_space_that_does_not_fit_the_type_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fields, which are place, moves"):
        GymVectorEnv(env=Walk, observation_space=spaces.Box(-1, 1))


class Count(Observation):
    count: int


class Counting(Environment[Move, Count, State]):
    """Promises a Struct, and gives a dict in its stead."""

    BLOCKING = False

    def reset(self) -> Any:
        self.count = 0
        return {"count": self.count}

    def step(self, action: Move) -> Any:
        self.count += 1
        return {"count": self.count, "metadata": {"left": action.left}}


def test_the_only_field_of_a_type_is_the_observation_however_it_is_given() -> None:
    with lanes("env", type("Many", (Counting,), {"SUPPORTS_CONCURRENT_SESSIONS": True})) as env:
        assert env.reset()[0].tolist() == [0] * LANES
        for count in (1, 2):
            seen, *_, infos = env.step({"left": [True] * LANES, "by": [0.0] * LANES})
            assert seen.tolist() == [count] * LANES
        assert infos["left"].tolist() == [True] * LANES
