"""Determinism: a seed and the actions decide all that follows."""

import collections
import functools
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from openenv_lite import codec
from openenv_lite.client.vector_client import VectorEnvClient
from openenv_lite.errors import CapacityError
from openenv_lite.testing.comparing.contrast import (
    MOST_ACTIONS,
    Staging,
    by_turns,
    contrast,
    explored,
    here,
    whole,
)
from openenv_lite.testing.law import Need, Unmet, Violation, law
from openenv_lite.testing.sessions.elsewhere import HASH_SEEDS
from openenv_lite.testing.sessions.performing import Part, perform, stirred, written
from openenv_lite.testing.sessions.seen import Seen, difference, plain
from openenv_lite.testing.trial import Episode, Trial

__all__ = [
    "lanes_play_as_single_sessions_do",
    "other_processes_agree",
    "other_sessions_change_nothing",
    "same_seed_same_episode",
    "seeds_make_a_difference",
    "unseeded_resets_follow_the_seed",
]

_FEW, _MANY = 8, 64
"""Episodes that show whether there is chance at all, and that tell it from an accident."""

_LANES = 4


@law(
    "The same seed and the same actions give the same episode, to its end.",
    after=("global_random_is_left_alone", "instances_share_nothing"),
    check_id="runtime.episode_determinism",
    cause="The environment draws from a generator that `reset(seed=...)` does not seed, or looks "
    "at the time or at an `id`, or shares state with other instances.",
    remedy="Draw from `self.rng`, which each seeded reset seeds, and from nothing else.",
)
def same_seed_same_episode(trial: Trial) -> None:
    """Play an episode, then again in a session of its own."""
    one = trial.open()
    episode = trial.explore(one, trial.seed())
    one.close()
    memory = stirred()
    trial.replay(trial.open(), episode, "played again")
    memory.clear()


@law(
    "After a seeded reset, resets without a seed are the same each time, too.",
    after=("same_seed_same_episode", "an_episode_leaves_nothing_behind"),
    cause="A reset without a seed makes a new generator, `self.dice = random.Random(seed)`.",
    remedy="Draw from `self.rng`, which goes on where no seed is given; seed a generator of your "
    "own only if the seed is not None.",
)
def unseeded_resets_follow_the_seed(trial: Trial) -> None:
    """Play an episode with a seed and one without, then both again in a session of their own."""
    one = trial.open()
    first = trial.explore(one, trial.seed(), most=MOST_ACTIONS)
    second = trial.explore(one, None, most=MOST_ACTIONS)
    one.close()
    again = trial.open()
    trial.replay(again, first, "played again")
    trial.replay(again, second, "played again without a seed")


@law(
    "Where an environment draws at random, another seed gives another episode.",
    after=("same_seed_same_episode", "an_episode_leaves_nothing_behind"),
    check_id="runtime.seed_control",
    cause="`reset` seeds by a constant, or by what becomes of the seed: `bool(seed)`, `seed or 0`.",
    remedy="Leave the seeding to the base class, and draw from `self.rng`.",
)
def seeds_make_a_difference(trial: Trial) -> None:
    """Play the same actions without a seed, and with many."""
    player = trial.open()
    seed = trial.seed()
    episode = trial.explore(player, seed, most=MOST_ACTIONS // 2)
    player.close()
    varied = functools.partial(_varied, trial, episode.actions)
    if len(varied([None] * _FEW)) == 1:
        raise Unmet("anything that comes out differently without a seed")
    if len(varied(range(seed, seed + _FEW))) > 1:
        return
    unseeded = varied([None] * _MANY)
    if unseeded.most_common(1)[0][1] > _MANY * 3 // 4:
        raise Unmet("chance that shows itself often enough")
    if len(varied(range(seed, seed + _MANY))) == 1:
        _write_seeds(trial, seed, episode.actions)
        raise Violation(
            f"without a seed {len(unseeded)} different episodes in {_MANY}, "
            f"with {_MANY} different seeds one"
        )


def _varied(
    trial: Trial, actions: Sequence[Any], seeds: Iterable[int | None]
) -> collections.Counter[bytes]:
    """The different episodes that come of the seeds, each with how often it does."""
    steps = [Part(0, "step", action) for action in actions]
    return collections.Counter(
        codec.encode(perform(trial.subject.open, [Part(0, "open"), Part(0, "reset", seed), *steps]))
        for seed in seeds
    )


def _write_seeds(trial: Trial, seed: int, actions: Sequence[Any]) -> None:
    trial.lines.clear()
    for session, each in enumerate([seed, seed + 1, None, None]):
        steps = [Part(session, "step", action) for action in actions]
        parts = [Part(session, "open"), Part(session, "reset", each), *steps]
        outcomes = perform(trial.subject.open, parts)
        trial.lines += [*written(parts, outcomes, trial.subject.expression)]


@law(
    "Another process gives the same episode, whatever its PYTHONHASHSEED.",
    needs=(Need.EPISODES, Need.ELSEWHERE),
    after=("same_seed_same_episode",),
    check_id="hub.cross_host_determinism",
    cause="The environment depends on `hash` of a text, on the order of a set of texts, on the "
    "process's id or on its own environment variables.",
    remedy="Sort a set before it is gone through, and use `zlib.crc32` or `hashlib` for `hash`.",
)
def other_processes_agree(trial: Trial) -> None:
    """Play an episode here, and in processes with other hash seeds."""
    episode = explored(trial)
    parts = whole(0, episode)
    hash_seed = trial.draw(st.sampled_from(HASH_SEEDS))
    there = Staging(trial.subject.elsewhere(hash_seed).play, parts)
    lines = [*trial.lines]
    try:
        contrast(trial, Staging(here(trial), parts), there, f"with PYTHONHASHSEED={hash_seed}")
    except Violation:
        told = [[each.session, each.call, each.argument] for each in parts]
        trial.lines[:] = [*lines, f"played({trial.subject.expression}, {hash_seed!r}, {told!r})"]
        raise


@law(
    "An episode is the same beside the episodes of other sessions as alone.",
    needs=(Need.EPISODES, Need.SEVERAL),
    after=("same_seed_same_episode", "instances_share_nothing"),
    check_id="runtime.episode_isolation",
    cause="State is kept on the class, in a global of the module, or in a file or service that all "
    "instances use.",
    remedy="Keep state on `self`; give each instance a file or name of its own.",
)
def other_sessions_change_nothing(trial: Trial) -> None:
    """Play an episode alone, and by turns with one in another session."""
    one, other = explored(trial), explored(trial)
    alone = Staging(here(trial), whole(0, one))
    beside = Staging(here(trial), by_turns(whole(0, one), whole(1, other)))
    contrast(trial, alone, beside, "beside another session")


@law(
    "Lanes, which are stepped together, play as single sessions do.",
    needs=(Need.EPISODES, Need.LANES),
    after=(
        "same_seed_same_episode",
        "other_sessions_change_nothing",
        "replies_are_json",
        "done_is_a_bool",
        "rewards_are_finite_numbers",
    ),
    cause="Instances beyond the first few share something: a pool of boards or ports that is "
    "handed out by turns.",
    remedy="Make for each instance what it needs, or hand out only what nobody else has.",
)
def lanes_play_as_single_sessions_do(trial: Trial) -> None:
    """Play episodes one by one, then all of them together."""
    count = _LANES if trial.subject.offers(Need.SEVERAL) else 1
    episodes = [explored(trial) for _ in range(count)]
    client, run = trial.subject.lanes(count), trial.subject.run
    try:
        run(_play_lanes(trial, client, episodes))
    except CapacityError as error:
        raise Unmet(f"room for {count} sessions: {error.message}") from None
    finally:
        run(client.close())


async def _play_lanes(
    trial: Trial, client: VectorEnvClient[Any, Any, Any], episodes: Sequence[Episode]
) -> None:
    _write_lanes(trial, episodes)
    result = await client.reset(seeds=[each.seed for each in episodes])
    _compare(episodes, 0, result)
    for number in range(1, max(len(each.seen) for each in episodes)):
        lanes = [lane for lane, each in enumerate(episodes) if number < len(each.seen)]
        actions = [episodes[lane].actions[number - 1] for lane in lanes]
        result = await client.step(actions, lanes=lanes)
        trial.lines.append(f"    lanes.step({actions!r}, lanes={lanes!r})")
        _compare(episodes, number, result)


def _write_lanes(trial: Trial, episodes: Sequence[Episode]) -> None:
    seeds = [each.seed for each in episodes]
    place = f"{_keyword(trial)}{trial.subject.expression}"
    trial.lines += [
        "from openenv_lite import VectorEnvClient",
        f"with VectorEnvClient({place}, num_envs={len(episodes)}).sync() as lanes:",
        f"    lanes.reset(seeds={seeds!r})",
    ]


def _keyword(trial: Trial) -> str:
    """Under which a vector client takes the target."""
    if trial.subject.offers(Need.OBJECTS):
        return "env="
    return "app=" if trial.subject.expression == "app" else ""


def _compare(episodes: Sequence[Episode], number: int, result: Any) -> None:
    where = f"step {number}" if number else "the reset"
    for place, lane in enumerate(result.lanes):
        seen = plain(Seen.of(result[place]))
        found = difference(plain(episodes[lane].seen[number]), seen)
        if found is not None:
            raise Violation(f"lane {lane}, {where}: {found}")
