"""One environment to an adapter: the same on a server, in an app, and with neither."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import Struct

from openenv_lite import Environment, MCPEnvironment, Observation, State, create_app
from openenv_lite.errors import (
    CapacityError,
    ConfigurationError,
    ConnectionFailedError,
    ConnectionLostError,
    InvalidMessageError,
)
from openenv_lite.trainers import Episodes
from tests.client.serving import Peer, playing, serve
from tests.environments import Awaiting, Inline, Secretive, Threaded, Toolbox
from tests.trainers.buttons import Buttons

PLACES = pytest.mark.parametrize("place", ["env", "app", "tcp", "unix"])


@contextlib.contextmanager
def placed(place: str, kind: Callable[[], Any], folder: Any = None) -> Iterator[dict[str, Any]]:
    """Where the environment is, as an adapter is told."""
    with contextlib.ExitStack() as stack:
        if place == "env":
            yield {"env": kind}
        elif place == "app":
            yield {"app": create_app(kind)}
        else:
            path = str(folder / "env.sock") if place == "unix" else None
            yield {"base_url": stack.enter_context(serve(create_app(kind), path))}


@PLACES
@pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])
def test_an_action_is_the_only_tool_of_an_environment_that_has_none(
    place: str, kind: type[Inline], tmp_path: Any
) -> None:
    with placed(place, kind, tmp_path) as where, Episodes(**where) as episodes:
        (tool,) = episodes.tools
        assert (tool.name, tool.description) == ("add", "How much to add.")
        assert tool.input_schema["properties"] == {"amount": {"type": "integer"}}
        assert tool.input_schema["required"] == ["amount"]
        assert episodes.reset(seed=1, start=1, unknown=[1]).text == '{"total":1}'
        assert episodes.call("add", {"amount": 1}).text == '{"total":2}'


@PLACES
def test_tools_are_found_and_called(place: str, tmp_path: Any) -> None:
    with placed(place, Toolbox, tmp_path) as where, Episodes(**where) as episodes:
        names = ["add", "shout", "peek", "fail", "explain", "draw"]
        assert [tool.name for tool in episodes.tools] == names
        assert episodes.reset().content == []
        assert episodes.call("add", {"a": 1, "b": 2}).text == "3"
        assert episodes.call("shout", {"text": "hi"}).text == "HI"
        drawn = episodes.call("draw", {})
        assert drawn.content == [{"type": "image", "data": "cG5n", "mimeType": "image/png"}]
        assert drawn.text == "[image]"


@PLACES
def test_the_model_is_told_what_it_did_wrong_and_goes_on(place: str, tmp_path: Any) -> None:
    with placed(place, Toolbox, tmp_path) as where, Episodes(**where) as episodes:
        episodes.reset()
        for name, arguments, text in [
            ("add", {"a": "one"}, "Error: Invalid argument 'a'"),
            ("add", {}, "Error: Invalid argument 'a'"),
            ("nobody", {}, "Error: Unknown tool: 'nobody'"),
            ("explain", {}, "Error: try another day"),
            ("fail", {}, "Error: "),
        ]:
            outcome = episodes.call(name, arguments)
            assert outcome.is_error
            assert not outcome.done
            assert outcome.text.startswith(text)
        assert episodes.call("add", {"a": 1}).text == "2"


@PLACES
def test_a_wrong_action_is_told_too(place: str, tmp_path: Any) -> None:
    with placed(place, Inline, tmp_path) as where, Episodes(**where) as episodes:
        episodes.reset()
        for name, arguments in [
            ("add", {"much": 1}),
            ("add", {}),
            ("add", [1]),
            ("step", {"amount": 1}),
        ]:
            outcome = episodes.call(name, arguments)
            assert outcome.is_error
            assert outcome.text.startswith("Error: ")
        assert episodes.call("add", {"amount": 2}).reward == 2


@PLACES
def test_reward_and_metadata_are_beside_what_the_model_sees(place: str, tmp_path: Any) -> None:
    with placed(place, Inline, tmp_path) as where, Episodes(**where) as episodes:
        first = episodes.reset(seed=3)
        assert set(first.metadata) == {"draw"}
        assert first.reward is None
        last = episodes.call("add", {"amount": 5})
        assert (last.reward, last.done, last.truncated) == (5, True, False)
        assert last.text == '{"total":5}'
        assert episodes.reset(seed=3).metadata == first.metadata


@PLACES
def test_after_the_end_nothing_is_sent_and_a_reset_begins_anew(place: str, tmp_path: Any) -> None:
    Buttons.pressed.clear()
    with placed(place, Buttons, tmp_path) as where, Episodes(**where) as episodes:
        for _ in range(2):
            episodes.reset()
            outcomes = [episodes.call("press", {"button": "right"}) for _ in range(5)]
            assert [each.done for each in outcomes] == [False, False, True, True, True]
            assert [each.reward for each in outcomes] == [1, 1, 1, None, None]
            assert outcomes[3].text == outcomes[4].text
            assert outcomes[3].text.startswith("Error: The episode is over")
    assert len(Buttons.pressed) == 6


def test_a_toolbox_found_before_is_used_without_looking() -> None:
    with Episodes(env=Inline) as episodes:
        toolbox = episodes.toolbox

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nobody was to ask")

    with Episodes(app=refusing, toolbox=toolbox) as other:
        assert [tool.name for tool in other.tools] == ["add"]


def test_an_environment_that_may_exist_once_is_looked_at_and_played_by_one_session() -> None:
    class Lonely(Toolbox):
        SUPPORTS_CONCURRENT_SESSIONS = False

    with serve(create_app(Lonely)) as url, Episodes(url) as episodes:
        assert episodes.tools
        assert episodes.reset().content == []
        assert episodes.call("add", {"a": 1}).text == "2"
        with Episodes(url) as second, pytest.raises(CapacityError):
            second.reset()


def test_each_environment_is_another_session() -> None:
    with placed("tcp", Inline) as where, Episodes(**where) as one, Episodes(**where) as other:
        one.reset(start=0)
        other.reset(start=2)
        assert one.call("add", {"amount": 0}).text == '{"total":0}'
        assert other.call("add", {"amount": 0}).text == '{"total":2}'


@PLACES
def test_it_may_be_called_from_one_thread_after_another(place: str, tmp_path: Any) -> None:
    texts: list[str] = []
    with placed(place, Threaded, tmp_path) as where, Episodes(**where) as episodes:
        calls: list[Callable[[], Any]] = [
            episodes.reset,
            lambda: episodes.call("add", {"amount": 1}),
            lambda: episodes.call("add", {"amount": 1}),
        ]
        for call in calls:
            thread = threading.Thread(target=lambda call=call: texts.append(call().text))
            thread.start()
            thread.join(20)
    assert texts == ['{"total":0}', '{"total":1}', '{"total":2}']


def test_an_authors_failing_step_is_told_and_a_failing_reset_raised() -> None:
    class Failing(Inline):
        def step(self, action: Any, bonus: int = 0) -> Any:
            raise ValueError("that piece cannot move there")

    with Episodes(env=Failing) as episodes:
        episodes.reset()
        assert "cannot move there" in episodes.call("add", {"amount": 1}).text
    with Episodes(env=Secretive) as episodes, pytest.raises(RuntimeError):
        episodes.reset()


def test_options_that_do_not_fit_are_the_trainers_to_mend() -> None:
    with Episodes(env=Inline) as episodes, pytest.raises(InvalidMessageError):
        episodes.reset(start="one")


def test_a_server_that_is_lost_with_its_sessions_is_not_the_models_to_mend() -> None:
    async def once(peer: Peer) -> None:
        await peer.accept()
        await peer.request()
        await peer.observe(total=0)
        await peer.request()

    async def never(peer: Peer) -> None:
        await peer.close(1011)

    with Episodes(env=Inline) as episodes:
        toolbox = episodes.toolbox
    with Episodes(app=playing(once, never), toolbox=toolbox) as episodes:
        episodes.reset()
        with pytest.raises(ConnectionLostError):
            episodes.call("add", {"amount": 1})


def test_nobody_there_is_said_at_the_first_look() -> None:
    with Episodes("http://127.0.0.1:9") as episodes, pytest.raises(ConnectionFailedError):
        episodes.tools  # noqa: B018


@pytest.mark.parametrize("place", ["env", "app"])
def test_in_a_notebook_who_has_no_server_is_told_what_to_do(place: str) -> None:
    async def notebook(where: Any) -> None:
        with pytest.raises(ConfigurationError, match="pass base_url"):
            Episodes(**where).reset()

    with placed(place, Inline) as where:
        asyncio.run(notebook(where))


def test_in_a_notebook_a_server_is_played_on() -> None:
    async def notebook(url: str) -> str:
        with Episodes(url) as episodes:
            assert episodes.tools
            return episodes.reset().text

    with serve(create_app(Inline)) as url:
        assert asyncio.run(notebook(url)) == '{"total":0}'


@pytest.mark.parametrize("where", [{}, {"base_url": "http://x", "env": Inline}])
def test_one_place_must_be_named(where: Any) -> None:
    with pytest.raises(ValueError, match="one of base_url, app and env"):
        Episodes(**where)


class Shown(Observation):
    """Has one text."""

    story: str = ""


class Said(Struct):
    """An action that is no class of ours."""

    words: str


class Story(Environment[Said, Shown, State]):
    """Tells a story of several lines."""

    def reset(self) -> Any:
        return Shown(story="You are in a room.\nIt is dark.")

    def step(self, action: Any) -> Any:
        return Shown(story=action.words, reward=1.0)


def test_one_text_is_shown_as_it_is() -> None:
    with Episodes(env=Story) as episodes:
        assert episodes.reset().text == "You are in a room.\nIt is dark."
        assert episodes.call("said", {"words": "Go \n on"}).text == "Go \n on"


class Silent(MCPEnvironment):
    """Would take tool calls, and has no tools."""

    def reset(self) -> Any:
        return Observation(metadata={"secret": 1})


def test_an_environment_that_could_have_tools_and_has_none_offers_nothing() -> None:
    with Episodes(env=Silent) as episodes:
        assert episodes.tools == ()
        assert episodes.reset().content == []


def test_a_connection_lost_while_the_model_thought_is_made_again() -> None:
    sessions: list[str | None] = []

    async def breaking(peer: Peer) -> None:
        sessions.append(peer.session)
        await peer.accept("s1")
        await peer.request()
        await peer.observe(total=0)
        await peer.close(1011)

    async def going_on(peer: Peer) -> None:
        sessions.append(peer.session)
        await peer.accept()
        await peer.request()
        await peer.observe(total=1)
        await peer.request()

    with Episodes(env=Inline) as episodes:
        toolbox = episodes.toolbox
    with Episodes(app=playing(breaking, going_on), toolbox=toolbox) as episodes:
        assert episodes.reset().text == '{"total":0}'
        assert episodes.call("add", {"amount": 1}).text == '{"total":1}'
    assert sessions == [None, "s1"]


def test_a_tool_that_is_named_like_a_control_is_refused() -> None:
    async def intruding(peer: Peer) -> None:
        await peer.accept()
        await peer.request()
        tool = {"name": "reset", "description": "", "input_schema": {"type": "object"}}
        await peer.observe(tools=[tool])
        await peer.request()

    with (
        Episodes(app=playing(intruding)) as episodes,
        pytest.raises(ConfigurationError, match="rename it"),
    ):
        episodes.tools  # noqa: B018
