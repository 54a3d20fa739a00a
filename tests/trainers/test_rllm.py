"""rLLM is not on a registry, so its published signatures and loops stand here in its place.

Of its repository, rllm/environments/base/base_env.py, rllm/workflows/{workflow,
multi_turn_workflow}.py, rllm/engine/agent_execution_engine.py and rllm/agents/tool_agent.py.
"""

import gc
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from openenv_lite import create_app
from openenv_lite.errors import TransportError
from openenv_lite.trainers.rllm import RllmEnvironment, environment_class
from tests.environments import Toolbox
from tests.server.serving import Served, serving
from tests.trainers.guessing import Guessing, call, emptied


class BaseEnv(Protocol):
    """What rLLM's engines and workflows call."""

    idx: Any

    def reset(self, task: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]: ...

    def step(self, action: Any) -> tuple[Any, float, bool, dict[str, Any]]: ...

    def close(self) -> None: ...

    @classmethod
    def from_dict(cls, info: dict[str, Any]) -> "BaseEnv": ...

    @staticmethod
    def is_multithread_safe() -> bool: ...


@dataclass
class Action:
    """rLLM's, around what an agent made of a model's text."""

    action: Any


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(create_app(Guessing)) as served:
        yield served
        emptied(served)


def tool_call(name: str, arguments: Any, id: str = "1") -> dict[str, Any]:
    """As rLLM's `ToolAgent` makes them."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def guess(number: Any, id: str = "1") -> dict[str, Any]:
    return tool_call("guess", json.dumps({"number": number}), id)


def test_it_has_what_rllm_calls() -> None:
    environment: BaseEnv = environment_class(env=Guessing)()
    environment.idx = 3
    assert environment.is_multithread_safe()
    for name in ("reset", "step", "close", "from_dict"):
        ours = inspect.signature(getattr(RllmEnvironment, name)).parameters
        assert [*ours] == [*inspect.signature(getattr(BaseEnv, name)).parameters]


@pytest.mark.parametrize("place", ["tcp", "app", "env"])
def test_a_trajectory_as_the_engine_plays_it(place: str, server: Served) -> None:
    where: dict[str, Any] = {"base_url": server.http}
    where = {"tcp": where, "app": {"app": server.app}, "env": {"env": Guessing}}[place]
    kind = environment_class(**where)
    assert kind.is_multithread_safe()
    environment = kind.from_dict({"secret": 6, "question": "Which number?", "uid": object()})
    seen, info = environment.reset()
    assert seen == {"question": "Which number?\n\nThe number is from 0 to 9."}
    assert info["secret"] == 6
    assert [tool["function"]["name"] for tool in info["tools"]] == ["guess"]
    told = environment.step([guess(3, "a"), guess(7, "b")])
    assert told == (
        {"tool_outputs": {"a": "It is higher.", "b": "It is lower."}},
        -0.2,
        False,
        {"secret": 6},
    )
    assert environment.step([guess(6)])[1:3] == (1.0, True)
    environment.close()


def test_an_episode_as_a_workflow_plays_it(server: Served) -> None:
    """Which keeps its environment, passes the task to `reset`, and never closes."""
    environment = environment_class(server.http)()
    for secret in (2, 5):
        environment.reset({"secret": secret})
        for number in range(secret):
            assert environment.step(Action([guess(number)]))[2] is False
        assert environment.step(Action([guess(secret)]))[1:3] == (1.0, True)
    assert server.statistics.active == 1
    del environment
    gc.collect()
    emptied(server)


def test_text_is_read_as_hermes_writes_calls(server: Served) -> None:
    environment = environment_class(server.http)({"secret": 6})
    environment.reset()
    seen, reward, done, info = environment.step(call(3))
    assert seen == "<tool_response>\nIt is higher.\n</tool_response>"
    assert (reward, done, info) == (-0.1, False, {"secret": 6})
    assert "There is no tool call" in environment.step("Is it 6?")[0]
    environment.close()


def test_an_agent_that_calls_nothing_has_finished(server: Served) -> None:
    environment = environment_class(server.http)({"secret": 6})
    environment.reset()
    action = [guess(3), tool_call("finish", {"response": "I give up."})]
    assert environment.step(action) == ({}, -0.1, True, {})
    environment.close()


def test_two_calls_of_one_id_both_count(server: Served) -> None:
    environment = environment_class(server.http)({"secret": 6})
    environment.reset()
    seen, reward, *_ = environment.step([guess(3), guess(7)])
    assert seen == {"tool_outputs": {"1": "It is lower."}}
    assert reward == -0.2
    environment.close()


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        (tool_call("guess", "{"), "Error: The tool call cannot be read"),
        (tool_call("guess", "[6]"), "Error: The tool call cannot be read"),
        (tool_call("guess", "[" * 10**6), "Error: The tool call cannot be read"),
        (tool_call("guess", None), "Error: The tool call cannot be read"),
        ({"id": "1", "function": None}, "Error: The tool call cannot be read"),
        ({"id": "1"}, "Error: The tool call cannot be read"),
        (tool_call("reset", {}), "Error: Unknown tool: 'reset'"),
        (guess("six"), "Error: "),
    ],
)
def test_a_model_is_told_what_it_did_wrong(wrong: Any, answer: str) -> None:
    environment = environment_class(env=Guessing)({"secret": 6})
    environment.reset()
    seen, reward, done, _ = environment.step([wrong])
    assert seen["tool_outputs"]["1"].startswith(answer)
    assert (reward, done) == (0.0, False)
    assert environment.step(guess(6))[1:3] == (1.0, True)
    environment.close()


def test_nothing_called_is_nothing_done() -> None:
    environment = environment_class(env=Toolbox)()
    assert environment.reset()[0] == {"question": ""}
    assert environment.step(None) == ({"tool_outputs": {}}, 0.0, False, {})
    environment.close()


def test_a_lost_server_ends_the_run() -> None:
    with serving(create_app(Guessing)) as server:
        environment = environment_class(server.http)()
        environment.reset()
    with pytest.raises(TransportError):
        environment.step([guess(3)])
    environment.close()
