"""The real `skyrl_gym` makes, plays and measures our environments, as SkyRL's generator does."""

import gc
import inspect
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import skyrl_gym
from hypothesis import given
from hypothesis import strategies as st
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
from skyrl_gym.metrics import aggregate_for_environment

from openenv_lite import create_app
from openenv_lite.errors import ConnectionFailedError, TransportError
from openenv_lite.trainers.skyrl import SkyRLEnvironment, environment_class
from tests.environments import Threaded, Toolbox
from tests.leaks import on_loop
from tests.server.serving import Served, serving
from tests.trainers.guessing import Guessing, call, emptied

ID = "guessing-tested"
PROMPT = [{"role": "user", "content": "Guess a number."}]


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(create_app(Guessing)) as served:
        yield served
        emptied(served)


@pytest.fixture
def registered() -> Iterator[None]:
    yield
    if ID in skyrl_gym.registry:
        skyrl_gym.envs.deregister(ID)


def made(where: dict[str, Any], **extras: Any) -> Any:
    """As the generator makes one."""
    if ID not in skyrl_gym.registry:
        skyrl_gym.register(ID, environment_class(**where))
    row = {"max_turns": 4, "reward_spec": {"ground_truth": None}, "data_source": object(), **extras}
    return skyrl_gym.make(ID, env_config={}, extras=row)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("place", ["tcp", "app", "env"])
def test_an_episode_as_the_generator_plays_it(place: str, server: Served) -> None:
    where = {"tcp": {"base_url": server.http}, "app": {"app": server.app}, "env": {"env": Guessing}}
    environment = made(where[place], secret=6)
    prompt, metadata = environment.init(PROMPT)
    assert metadata == {"secret": 6}
    system, user = prompt
    assert '"name":"guess"' in system["content"]
    assert user["content"] == "Guess a number.\n\nThe number is from 0 to 9."
    assert PROMPT == [{"role": "user", "content": "Guess a number."}]

    told = environment.step(f"<think>{call(6)}</think>Let me see. {call(3)}")
    shown = "<tool_response>\nIt is higher.\n</tool_response>"
    assert told["observations"] == [{"role": "user", "content": shown}]
    assert (told["reward"], told["done"]) == (-0.1, False)
    assert told["metadata"] == {"secret": 6, "truncated": False}
    assert told.keys() == BaseTextEnvStepOutput.__annotations__.keys()

    told = environment.step(call(6))
    assert (told["observations"], told["reward"], told["done"]) == ([], 1.0, True)
    assert environment.get_metrics() == {"return": 0.9, "turns": 2, "mistakes": 0}
    environment.close()
    environment.close()
    mean = aggregate_for_environment(ID, [{"return": 1.0, "turns": 2}, {"return": 0.0, "turns": 4}])
    assert mean == {"return": 0.5, "turns": 3.0}


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It is 6.", "There is no tool call."),
        ("<tool_call>guess 6</tool_call>", "The tool call cannot be read"),
        ('<tool_call>{"name": "guess", "arguments": [6]}</tool_call>', "cannot be read"),
        (f"<tool_call>{'[' * 100_000}</tool_call>", "cannot be read"),
        (call('"six"'), "Error: "),
        (call(6, "reset"), "Unknown tool: 'reset'"),
    ],
)
def test_a_model_is_told_how_to_call_and_goes_on(server: Served, text: str, answer: str) -> None:
    with made({"base_url": server.http}, secret=6) as environment:
        environment.init(PROMPT)
        told = environment.step(text)
        (message,) = told["observations"]
        assert answer in message["content"]
        assert (told["reward"], told["done"]) == (0.0, False)
        assert environment.get_metrics()["mistakes"] == 1
        assert environment.step(call(6))["reward"] == 1.0


@pytest.mark.usefixtures("registered")
def test_calls_of_one_message_are_carried_out_until_the_end(server: Served) -> None:
    with made({"base_url": server.http}, secret=6) as environment:
        environment.init(PROMPT)
        told = environment.step(call(1) + call(2))
        assert told["reward"] == -0.2
        assert told["observations"][0]["content"].count("It is higher.") == 2
        told = environment.step(call(6) + call(1))
        assert (told["reward"], told["done"]) == (1.0, True)


@pytest.mark.usefixtures("registered")
def test_it_ends_after_as_many_turns_as_the_trainer_allows(server: Served) -> None:
    with made({"base_url": server.http}, max_turns=2) as environment:
        environment.init(PROMPT)
        assert not environment.step("?")["done"]
        told = environment.step("?")
        assert (told["observations"], told["done"]) == ([], True)


@pytest.mark.usefixtures("registered")
def test_nothing_for_the_trainer_is_shown_to_the_model(server: Served) -> None:
    with made({"base_url": server.http}, secret=6) as environment:
        prompt, _ = environment.init(PROMPT)
        seen = [*prompt, *environment.step(call(3))["observations"]]
    text = "".join(message["content"] for message in seen)
    assert "reset" not in text
    assert "reward" not in text
    assert "secret" not in text


@pytest.mark.usefixtures("registered")
def test_many_episodes_in_threads_keep_to_their_own(server: Served) -> None:
    made({"base_url": server.http})

    def play(secret: int) -> list[float]:
        environment = made({}, secret=secret)
        environment.init(PROMPT)
        rewards = [environment.step(call(number))["reward"] for number in range(secret + 1)]
        environment.close()
        return rewards

    with ThreadPoolExecutor(8) as pool:
        for secret, rewards in enumerate(pool.map(play, range(4))):
            assert rewards == [-0.1] * secret + [1.0]


@pytest.mark.usefixtures("registered")
def test_one_that_is_dropped_in_the_midst_ends_its_session(server: Served) -> None:
    environment = made({"base_url": server.http})
    environment.init(PROMPT)
    assert server.statistics.active == 1
    del environment
    gc.collect()
    emptied(server)


@pytest.mark.usefixtures("registered")
def test_one_played_here_leaves_no_thread() -> None:
    before = threading.active_count()
    environment = made({"env": Threaded})
    environment.init(PROMPT)
    assert threading.active_count() > before
    del environment
    gc.collect()
    assert threading.active_count() == before
    assert not Threaded.alive


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("place", ["tcp", "env"])
def test_one_may_be_collected_where_an_event_loop_runs(place: str, server: Served) -> None:
    environment = made({"base_url": server.http} if place == "tcp" else {"env": Threaded})
    environment.init(PROMPT)
    dropped = [environment]
    del environment

    @on_loop
    async def collect() -> None:
        dropped.clear()
        gc.collect()

    collect()
    assert not Threaded.alive


@pytest.mark.usefixtures("registered")
def test_tools_are_offered_in_place_of_the_action() -> None:
    with serving(create_app(Toolbox)) as server, made({"base_url": server.http}) as environment:
        prompt, _ = environment.init([{"role": "system", "content": "Be kind."}, *PROMPT])
        assert prompt[0]["content"].startswith("Be kind.\n\n# Tools")
        assert prompt[1:] == PROMPT
        assert '"name":"shout"' in prompt[0]["content"]
        said = '<tool_call>{"name": "shout", "arguments": {"text": "hi"}}'  # cut off at a stop word
        assert "HI" in environment.step(said)["observations"][0]["content"]


@pytest.mark.usefixtures("registered")
def test_a_lost_server_ends_the_run_and_not_the_episode() -> None:
    with serving(create_app(Guessing)) as server:
        environment = made({"base_url": server.http})
        environment.init(PROMPT)
    with pytest.raises(TransportError):
        environment.step(call(3))
    environment.close()
    with pytest.raises(ConnectionFailedError):
        environment_class(server.http)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
said = st.one_of(
    st.text(),
    anything.map(lambda each: f"<tool_call>{json.dumps(each)}</tool_call>"),
    st.builds(
        lambda name, given: (
            f"<tool_call>{json.dumps({'name': name, 'arguments': given})}</tool_call>"
        ),
        st.sampled_from(["guess", "reset", "step", "close", ""]) | st.text(),
        anything,
    ),
    anything.map(lambda each: call(json.dumps(each))),
)


@given(st.lists(said, min_size=1, max_size=5))
def test_whatever_a_model_says_is_answered(texts: list[str]) -> None:
    with environment_class(env=Guessing)(extras={"secret": 6}) as environment:
        environment.init(PROMPT)
        for text in texts:
            told = environment.step(text)
            (message,) = told["observations"] or [{"content": ""}]
            assert "secret" not in message["content"] or "secret" in text
            assert told["reward"] in (0.0, -0.1, 1.0)
        assert environment.step(call(6))["done"]


def test_our_methods_take_what_the_base_class_says() -> None:
    for name in ("init", "step", "get_metrics", "close"):
        ours = inspect.signature(getattr(SkyRLEnvironment, name)).parameters
        assert [*ours] == [*inspect.signature(getattr(BaseTextEnv, name)).parameters]
