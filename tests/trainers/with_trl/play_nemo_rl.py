"""Rollouts as NeMo-RL's `run_multi_turn_rollout` makes them; a policy of ours speaks.

Of its repository, nemo_rl/experience/rollouts.py: rows are repeated with one metadata object, the
environment sees only those that are not done, metadata that are None are not kept, and a row that
grows too long is dropped with nobody told. Prints as JSON what came of it.

python -m tests.trainers.with_trl.play_nemo_rl GUESSING_URL
"""

import inspect
import json
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

import ray
import torch
from nemo_rl.environments.interfaces import EnvironmentInterface, EnvironmentReturn

from openenv_lite.errors import OpenEnvError
from openenv_lite.trainers.nemo_rl import NemoRLEnvironment
from tests.trainers.guessing import Guessing, call
from tests.trainers.with_trl.readme import examples

Policy = Callable[[int, list[Any]], str]
ROW = {"role": "user", "content": "Guess."}


def rollout(
    environment: Any, rows: list[dict[str, Any]], policy: Policy, turns: int = 9, longest: int = 99
) -> dict[str, Any]:
    """All conversations to their ends; the batch that remains, and what each step gave."""
    logs: list[list[Any]] = [[ROW] for _ in rows]
    infos, total = [*rows], torch.zeros(len(rows))
    active, steps = torch.arange(len(rows)), []
    for turn in range(turns):
        if len(active) == 0:
            break
        for row in active.tolist():
            logs[row].append({"role": "assistant", "content": policy(turn, logs[row])})
        told = environment.step([logs[row] for row in active], [infos[row] for row in active])
        steps.append(checked(told, len(active)))
        total[active] += told.rewards
        for place, row in enumerate(active.tolist()):
            logs[row].append(told.observations[place])
            if told.metadata[place] is not None:
                infos[row] = told.metadata[place]
        is_long = torch.tensor([len(logs[row]) > longest for row in active])
        active = active[~(told.terminateds | is_long)]
    return {"logs": logs, "total_reward": total, "extra_env_info": infos, "steps": steps}


def checked(told: EnvironmentReturn, rows: int) -> list[Any]:
    """One entry for each row, of the published types."""
    assert type(told) is EnvironmentReturn
    assert told.rewards.shape == told.terminateds.shape == (rows,)
    assert (told.rewards.dtype, told.terminateds.dtype) == (torch.float32, torch.bool)
    assert told.next_stop_strings == told.answers == [None] * rows
    assert {each["role"] for each in told.observations} == {"environment"}
    ended = [each is None for each in told.metadata]
    assert ended == told.terminateds.tolist()
    pickle.dumps(told.metadata)
    return [round(each, 4) for each in told.rewards.tolist()]


def upwards(turn: int, log: list[Any]) -> str:
    return f"Perhaps this. {call(turn)}"


def clumsily(turn: int, log: list[Any]) -> str:
    """Each kind of mistake, then two calls in one message."""
    mistakes = ["What?", call('"six"'), call(1, "reset"), call(1) + call(2) + call(3)]
    return mistakes[turn] if turn < len(mistakes) else call(6) + call(6)


def shown(batch: dict[str, Any]) -> dict[str, Any]:
    texts = [
        [each["content"] for each in log if each["role"] == "environment"] for log in batch["logs"]
    ]
    total = [round(each, 4) for each in batch["total_reward"].tolist()]
    return {"steps": batch["steps"], "total": total, "texts": texts}


def played(url: str) -> dict[str, Any]:
    environment = NemoRLEnvironment(url, template="<{}>")
    row = {"secret": 2, "tensor": torch.zeros(1), "nothing": None}
    seen: dict[str, Any] = {"signatures": signatures()}
    seen["prompt"] = environment.prompt([ROW], secret=2)
    seen["upwards"] = shown(rollout(environment, [row] * 3 + [{"secret": 4}], upwards))
    seen["clumsily"] = shown(rollout(environment, [{"secret": 6}], clumsily))
    cut_off = rollout(environment, [{"secret": 9}] * 4, upwards, longest=4)
    seen["cut off"] = shown(cut_off)
    seen["again"] = shown(rollout(environment, cut_off["extra_env_info"], upwards, turns=1))
    kept, metrics = environment.global_post_process_and_metrics(cut_off)
    seen["metrics"] = [kept is cut_off, metrics, environment.global_post_process_and_metrics({})[1]]
    seen["refused"] = refused(environment, url)
    seen["readme"] = as_the_readme_says(url)
    environment.shutdown()
    seen["here"] = shown(rollout(NemoRLEnvironment(env=Guessing), [{"secret": 1}], upwards))
    return seen


def signatures() -> list[bool]:
    """Whether what is published can be called on ours."""
    fitting = []
    for name in ("step", "global_post_process_and_metrics"):
        published, ours = (
            [*inspect.signature(getattr(kind, name)).parameters.values()]
            for kind in (EnvironmentInterface, NemoRLEnvironment)
        )
        same = [each.name for each in ours[: len(published)]] == [each.name for each in published]
        fitting.append(
            same and all(each.default is not each.empty for each in ours[len(published) :])
        )
    return fitting


def refused(environment: Any, url: str) -> list[str]:
    """Metadata of another worker, of an episode that has ended, and of two rows at once."""
    other = NemoRLEnvironment(url)
    log = [ROW, {"role": "assistant", "content": call(1)}]
    (info,) = other.step([log], [{"secret": 5}]).metadata
    longer = [*log, *log]
    reasons = [reason(environment, [longer], [info]), reason(other, [longer] * 2, [info] * 2)]
    other.shutdown()
    return [*reasons, reason(other, [longer], [info])]


def reason(environment: Any, logs: list[Any], infos: list[Any]) -> str:
    try:
        environment.step(logs, infos)
    except OpenEnvError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def as_the_readme_says(url: str) -> list[Any]:
    """Its actor and row: what the row's prompt ends in, and the reward of a guess and a hit."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    light = {"num_cpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
    ray.init(**light, log_to_driver=False)
    names: dict[str, Any] = {}
    exec(examples("py", url)[1], names)
    actor, row = names["environment"], names["row"]
    logs = [[*row["message_log"], {"role": "assistant", "content": call(4)}]] * 2
    told = ray.get(actor.step.remote(logs, [row["extra_env_info"], {"secret": 4}]))
    ray.get(actor.shutdown.remote())
    ray.shutdown()
    return [logs[0][-2]["content"], told.rewards.tolist(), told.terminateds.tolist()]


if __name__ == "__main__":
    print(json.dumps(played(*sys.argv[1:])))
