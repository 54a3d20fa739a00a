"""The class that TRL makes environments of, without TRL: see `test_trl_itself` for the rest."""

import asyncio
import gc
import inspect
import pickle
import subprocess
import sys
import threading
from typing import Any, Literal

import pytest
from PIL import Image as Pictures

from openenv_lite import Image, MCPEnvironment, create_app
from openenv_lite.errors import ConnectionFailedError, ConnectionLostError, InvalidMessageError
from openenv_lite.trainers.trl import TrlEnvironment, environment_class
from tests.client.serving import Peer, playing, serve
from tests.environments import Inline, Toolbox
from tests.leaks import until
from tests.server.serving import serving
from tests.trainers.buttons import Buttons

PROMPT = [{"role": "user", "content": "Play."}]


def public(kind: type) -> set[str]:
    """What TRL takes for tools, and the two methods that it calls itself."""
    members = inspect.getmembers(kind, inspect.isfunction)
    return {name for name, _ in members if not name.startswith("_")}


def test_the_tools_are_the_only_public_methods_but_two() -> None:
    assert public(environment_class(env=Inline)) == {"add", "reset", "get_reward"}
    tools = {"add", "shout", "peek", "fail", "explain", "draw"}
    assert public(environment_class(env=Toolbox)) == tools | {"reset", "get_reward"}


class Odd(MCPEnvironment):
    """Names that Python, TRL or a docstring has other uses for."""

    def __init__(self) -> None:
        for name in ("get_reward", "_hidden", "tool__hidden", "__init__", "two words"):
            self.tool(name=name)(self._answering(name))

    def _answering(self, name: str) -> Any:
        def tool(**arguments: Any) -> str:
            """Answer."""
            return f"{name} {arguments}"

        return tool


def test_a_tool_of_any_name_is_public_and_replaces_nothing() -> None:
    kind = environment_class(env=Odd)
    made = kind()
    made.reset()
    methods = {each: getattr(made, each) for each in public(kind) - {"reset", "get_reward"}}
    names = {"get_reward", "_hidden", "tool__hidden", "__init__", "two words"}
    assert {each.__name__ for each in methods.values()} == names
    for method in methods.values():
        assert method(x=1) == f"{method.__name__} {{'x': 1}}"
    assert made.get_reward() == 0.0


class Typed(MCPEnvironment):
    """One tool, with parameters of many kinds."""

    def __init__(self) -> None:
        @self.tool
        def place(
            row: int, color: Literal["black", "white"] = "black", why: str | None = None
        ) -> str:
            """Place a stone.

            Args:
                row: Which one: from below.
                why: For the record,
                    if there is one.
            """
            return f"{row} {color} {why}"


def test_a_method_has_the_tools_signature_and_docstring() -> None:
    method = environment_class(env=Typed)().place  # type: ignore[attr-defined]
    shown = inspect.signature(method).parameters
    assert {name: each.annotation for name, each in shown.items()} == {
        "row": int,
        "color": Literal["black", "white"],
        "why": str | None,
    }
    assert {name: each.default for name, each in shown.items()} == {
        "row": inspect.Parameter.empty,
        "color": "black",
        "why": None,
    }
    assert inspect.getdoc(method) == (
        'Place a stone.\n\nArgs:\n    color: JSON Schema: {"default":"black"}\n'
        "    row: Which one: from below.\n"
        '    why: For the record, if there is one. JSON Schema: {"default":null}'
    )


def test_a_parameter_that_python_cannot_name_has_another_name_here() -> None:
    class Keyword(MCPEnvironment):
        def __init__(self) -> None:
            schema = {
                "type": "object",
                "properties": {"class": {"type": "string"}, "a-b": {"type": "integer"}, "self": {}},
            }

            @self.tool(input_schema=schema)
            def show(**arguments: Any) -> str:
                """Show what came."""
                return str(arguments)

    made: Any = environment_class(env=Keyword)()
    made.reset()
    assert [*inspect.signature(made.show).parameters] == ["class_", "a_b", "self"]
    assert made.show(class_="c", a_b=1, self=2) == "{'class': 'c', 'a-b': 1, 'self': 2}"


def test_a_row_tells_the_environment_what_it_takes_and_nothing_else() -> None:
    made: Any = environment_class(env=Inline)()
    row = {"prompt": PROMPT, "start": 1, "seed": 3, "answer": "x", "picture": object()}
    assert made.reset(**row) == '\n\n{"total":1}'
    assert made.reset(**{**row, "start": 2}) == '\n\n{"total":2}'
    with pytest.raises(InvalidMessageError):
        made.reset(start="many")


@pytest.mark.parametrize(
    "prompt", [[{"role": "user", "content": ""}], [{"content": "So:\n"}], [{"content": []}], None]
)
def test_what_is_seen_first_is_set_apart_only_from_text(prompt: Any) -> None:
    row = {} if prompt is None else {"prompt": prompt}
    assert environment_class(env=Inline)().reset(**row) == '{"total":0}'


def test_an_environment_that_shows_nothing_leaves_the_prompt_alone() -> None:
    assert environment_class(env=Toolbox)().reset(prompt=PROMPT) is None


def test_the_reward_is_the_sum_of_the_episode_or_its_last() -> None:
    for option, expected in (("sum", 3.0), ("last", 2.0)):
        made: Any = environment_class(env=Inline, reward=option)()  # type: ignore[arg-type]
        assert made.get_reward() == 0.0
        made.reset()
        made.add(amount=1)
        made.add(amount=2)
        assert made.get_reward() == expected
        made.reset()
        assert made.get_reward() == 0.0
    with pytest.raises(ValueError, match="sum"):
        environment_class(env=Inline, reward="mean")  # type: ignore[arg-type]


def test_errors_and_the_end_are_told_and_no_exceptions() -> None:
    made: Any = environment_class(env=Inline)()
    made.reset()
    assert made.add(much=1).startswith("Error: ")
    assert made.add(amount="one").startswith("Error: ")
    assert made.add(amount=3) == '{"total":3}'
    assert made.add(amount=3).startswith("Error: The episode is over")
    assert made.get_reward() == 3.0


def test_a_lost_server_is_told_by_the_reward_too() -> None:
    def answering(requests: int) -> Any:
        async def answer(peer: Peer) -> None:
            await peer.accept()
            for _ in range(requests):
                await peer.request()
                await peer.observe(tools=[{"name": "go", "description": "", "input_schema": {}}])
            await peer.request()

        return answer

    async def never(peer: Peer) -> None:
        await peer.close(1011)

    made: Any = environment_class(app=playing(answering(1), answering(2), never))()
    made.reset()
    made.go()
    with pytest.raises(ConnectionLostError):
        made.go()
    with pytest.raises(ConnectionLostError):
        made.get_reward()


def test_pictures_are_told_as_pictures() -> None:
    class Seeing(MCPEnvironment):
        def __init__(self) -> None:
            @self.tool
            def look() -> list[Any]:
                """Look."""
                return ["see:", Image(data=PNG, format="png")]

    made: Any = environment_class(env=Seeing)()
    made.reset()
    text, picture = made.look()
    assert text == {"type": "text", "text": "see:"}
    assert picture["type"] == "image"
    assert isinstance(picture["image"], Pictures.Image)
    assert picture["image"].size == (1, 1)


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00"
    "010501012718e3660000000049454e44ae426082"
)


def test_the_class_is_told_apart_by_its_name_and_is_pickled_by_what_it_is_made_of() -> None:
    kind = environment_class(env=Inline, name="Sums", reward="last")
    copy = pickle.loads(pickle.dumps(kind))
    assert kind.__name__ == copy.__name__ == "Sums"
    assert public(copy) == public(kind)
    made = copy()
    made.reset()
    made.add(amount=1)
    made.add(amount=0)
    assert made.get_reward() == 0.0
    assert pickle.loads(pickle.dumps(TrlEnvironment)) is TrlEnvironment


def test_a_process_that_was_handed_the_class_plays() -> None:
    code = """
import pickle, sys
made = pickle.load(sys.stdin.buffer)()
made.reset(seed=1)
print(made.press(button="right"), made.get_reward())
"""
    with serve(create_app(Buttons)) as url:
        handed = pickle.dumps(environment_class(url))
        run = [sys.executable, "-c", code]
        told = subprocess.run(run, input=handed, capture_output=True, check=False, timeout=60)
    assert told.stdout.decode() == "You pressed right. 1.0\n", told.stderr.decode()


def test_sessions_last_over_episodes_and_end_with_the_environments() -> None:
    with serving(create_app(Buttons)) as server:
        kind = environment_class(server.http)
        assert server.statistics.active == 0
        made: list[Any] = [kind() for _ in range(3)]
        for _ in range(2):
            for place in range(3):
                made[place].reset()
        assert server.statistics.active == 3
        assert server.statistics.opened == 4  # one to look at the tools
        made.clear()
        gc.collect()
        asyncio.run(until(lambda: server.statistics.active == 0))


def test_an_environment_that_may_exist_once_is_free_after_its_tools_were_looked_at() -> None:
    class Lonely(Toolbox):
        SUPPORTS_CONCURRENT_SESSIONS = False

    with serve(create_app(Lonely)) as url:
        made: Any = environment_class(url)()
        assert made.reset() is None
        assert made.add(a=1) == "2"


def test_environments_are_played_on_threads_side_by_side() -> None:
    rewards: dict[int, float] = {}

    def play(made: Any, amount: int) -> None:
        for _ in range(20):
            made.reset()
            made.add(amount=amount)
            made.add(amount=-amount)
            made.add(amount=amount)
        rewards[amount] = made.get_reward()

    with serve(create_app(Inline)) as url:
        kind = environment_class(url)
        made = [kind() for _ in range(4)]
        threads = [
            threading.Thread(target=play, args=(each, amount)) for amount, each in enumerate(made)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        made.clear()
    assert rewards == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}


@pytest.mark.parametrize("where", [{}, {"base_url": "http://x", "env": Inline}])
def test_one_place_must_be_named(where: Any) -> None:
    with pytest.raises(ValueError, match="one of base_url, app and env"):
        environment_class(**where)


def test_nobody_there_is_said_when_the_class_is_made() -> None:
    with pytest.raises(ConnectionFailedError):
        environment_class("http://127.0.0.1:9")


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError):
        environment_class(env=Inline, patience=3)  # type: ignore[call-arg]
