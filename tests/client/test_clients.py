"""Both twins, over TCP and in process, against apps that play a script."""

from typing import Any

import pytest
from pydantic import BaseModel

from openenv_lite.client import (
    EnvClient,
    GenericAction,
    GenericEnvClient,
    MCPToolClient,
    VectorEnvClient,
)
from openenv_lite.errors import (
    CapacityError,
    ConnectionFailedError,
    ConnectionLostError,
    ExecutionError,
    InvalidMessageError,
    OpenEnvError,
    ReplyTimeoutError,
    UnknownSessionError,
)
from openenv_lite.types import Action, CallToolAction, Observation, State, StepResult
from tests.client.conftest import Connect
from tests.client.serving import Peer, playing
from tests.environments import Inline


class Say(Action):
    text: str


class Heard(Observation):
    type: str
    data: dict[str, Any]


class Typed(EnvClient[Say, Heard, State]):
    """Types named, nothing overridden."""


class Hooked(EnvClient[str, str, int]):
    """OpenEnv's three hooks."""

    def _step_payload(self, action: str) -> dict[str, Any]:
        return {"said": action}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Any]:
        return StepResult(payload["observation"]["data"].get("said"), payload["reward"], True)

    def _parse_state(self, payload: dict[str, Any]) -> int:
        return int(payload["step_count"])


class Model(BaseModel):
    text: str


async def echoing(peer: Peer) -> None:
    await peer.accept()
    await peer.echo()


ECHO = playing(echoing)


def test_a_generic_client_speaks_dicts(connect: Connect) -> None:
    env = connect(ECHO)
    assert env.reset(seed=3).observation == {"type": "reset", "data": {"seed": 3}}
    result = env.step({"text": "hi"})
    assert result == StepResult({"type": "step", "data": {"text": "hi"}}, None, False)
    assert (result["reward"], result["done"]) == (None, False)
    assert env.state() == {"episode_id": "e", "step_count": 1, "extra": [1]}


@pytest.mark.parametrize("action", [GenericAction(text="hi"), Model(text="hi")])
def test_a_generic_client_takes_actions_of_other_kinds(connect: Connect, action: Any) -> None:
    assert connect(ECHO).step(action).observation["data"] == {"text": "hi"}


def test_a_tool_action_says_its_type(connect: Connect) -> None:
    data = (
        connect(ECHO).step(CallToolAction(tool_name="add", arguments={"a": 1})).observation["data"]
    )
    assert (data["type"], data["tool_name"], data["arguments"]) == ("call_tool", "add", {"a": 1})


def test_named_types_are_decoded_without_hooks(connect: Connect) -> None:
    env = connect(ECHO, Typed)
    said = {"text": "hi", "metadata": {}}
    assert env.step(Say(text="hi")).observation == Heard(type="step", data=said)
    state = env.state()
    assert isinstance(state, State)
    assert (state.step_count, state.extra) == (1, [1])  # type: ignore[attr-defined]


def test_an_observation_knows_its_reward_and_end(connect: Connect) -> None:
    async def ending(peer: Peer) -> None:
        await peer.accept()
        await peer.request()
        fields = {"type": "step", "data": {}, "metadata": {"m": 1}}
        data = {"observation": fields, "reward": 2.5, "done": True, "metadata": {"m": 1}}
        await peer.send("observation", data)
        await peer.echo()

    result = connect(playing(ending), Typed).reset()
    assert (result.observation.reward, result.observation.done, result.metadata) == (
        2.5,
        True,
        {"m": 1},
    )


def test_hooks_of_the_original_are_called(connect: Connect) -> None:
    env = connect(ECHO, Hooked)
    assert env.step("hi") == StepResult("hi", None, True)
    assert env.state() == 1


def test_headers_and_prefix_reach_the_server(connect: Connect) -> None:
    seen: list[tuple[str, str]] = []

    async def noting(peer: Peer) -> None:
        seen.append((peer.path, peer.headers["authorization"]))
        await echoing(peer)

    connect(playing(noting), headers={"Authorization": "Bearer t"}).reset()
    assert seen == [("/ws", "Bearer t")]


def test_a_refusal_for_capacity_is_typed_and_can_be_retried(connect: Connect) -> None:
    async def full(peer: Peer) -> None:
        await peer.accept()
        await peer.fail("CAPACITY_REACHED", "full", active_sessions=1, max_sessions=1)
        await peer.close()

    env = connect(playing(full, echoing)).connect()
    with pytest.raises(CapacityError) as caught:
        env.reset()
    assert caught.value.details == {"active_sessions": 1, "max_sessions": 1}
    assert env.reset().observation["type"] == "reset"


def test_a_refused_handshake_is_a_failed_connection(connect: Connect) -> None:
    async def refusing(peer: Peer) -> None:
        await peer.close(1008)

    with pytest.raises(ConnectionFailedError):
        connect(playing(refusing)).connect()


def test_an_error_frame_leaves_the_connection_usable(connect: Connect) -> None:
    async def failing_once(peer: Peer) -> None:
        await peer.accept()
        await peer.request()
        await peer.fail("EXECUTION_ERROR", "boom")
        await peer.echo()

    env = connect(playing(failing_once))
    with pytest.raises(ExecutionError, match="boom"):
        env.step({})
    assert env.step({"a": 1}).observation["data"] == {"a": 1}


def test_a_malformed_reply_is_not_taken_for_a_result(connect: Connect) -> None:
    async def nonsense(peer: Peer) -> None:
        await peer.accept()
        await peer.request()
        await peer.send("observation", {"reward": 1})
        await peer.echo()

    with pytest.raises(InvalidMessageError):
        connect(playing(nonsense)).reset()


def test_a_late_reply_is_discarded(connect: Connect) -> None:
    async def late(peer: Peer) -> None:
        await peer.accept()
        first, second = await peer.request(), await peer.request()
        await peer.observe(**first)
        await peer.observe(**second)
        await peer.echo()

    env = connect(playing(late), message_timeout_s=0.5)
    with pytest.raises(ReplyTimeoutError):
        env.step({"n": 1})
    assert env.step({"n": 2}).observation["data"] == {"n": 2}
    assert env.step({"n": 3}).observation["data"] == {"n": 3}


def losing(session: str | None, code: int = 1011) -> Any:
    async def script(peer: Peer) -> None:
        await peer.accept(session)
        await peer.observe(**await peer.request())
        await peer.request()
        await peer.close(code)

    return script


async def resuming(peer: Peer) -> None:
    assert peer.session == "s 1"
    await peer.accept("s 1")
    await peer.echo()


def test_a_named_session_goes_on_after_a_loss(connect: Connect) -> None:
    env = connect(playing(losing("s 1"), resuming))
    env.reset()
    with pytest.raises(ConnectionLostError) as caught:
        env.step({})
    assert caught.value.details["close_code"] == 1011
    assert env.step({"a": 1}).observation["data"] == {"a": 1}


def test_a_nameless_episode_is_lost_and_only_reset_begins_another(connect: Connect) -> None:
    env = connect(playing(losing(None), echoing))
    env.reset()
    with pytest.raises(ConnectionLostError):
        env.step({})
    for call in (env.state, env.connect, lambda: env.step({})):
        with pytest.raises(ConnectionLostError, match=r"call reset\(\)"):
            call()
    assert env.reset().observation["type"] == "reset"
    assert env.state()["step_count"] == 1


async def forgetting(peer: Peer) -> None:
    await peer.accept()
    await peer.fail("SESSION_ERROR", f"Unknown session_id: {peer.session}")
    await peer.close()


def test_a_session_that_cannot_be_resumed_is_said_to_be_unknown(connect: Connect) -> None:
    env = connect(playing(losing("s 1"), forgetting, echoing))
    env.reset()
    with pytest.raises(ConnectionLostError):
        env.step({})
    with pytest.raises(UnknownSessionError):
        env.step({})
    with pytest.raises(ConnectionLostError, match=r"call reset\(\)"):
        env.step({})
    assert env.reset().observation["type"] == "reset"


def test_a_reset_does_not_mind_that_the_old_session_is_gone(connect: Connect) -> None:
    env = connect(playing(losing("s 1"), forgetting, echoing))
    env.reset()
    with pytest.raises(ConnectionLostError):
        env.step({})
    assert env.reset(seed=1).observation["data"] == {"seed": 1}


def test_an_app_that_raises_loses_the_connection(connect: Connect) -> None:
    async def breaking(peer: Peer) -> None:
        await peer.accept()
        await peer.request()
        raise ZeroDivisionError

    with pytest.raises(ConnectionLostError):
        connect(playing(breaking)).reset()


def test_close_says_goodbye_and_a_later_call_begins_anew(connect: Connect) -> None:
    heard: list[str] = []

    async def noting(peer: Peer) -> None:
        await peer.accept("s")
        while (message := await peer.request())["type"] not in ("gone", "close"):
            await peer.observe(session=peer.session)
        heard.append(message["type"])

    env = connect(playing(noting))
    env.reset()
    env.close()
    assert heard == ["close"]
    assert env.step({}).observation == {"session": None}


def test_sessions_of_one_client_are_separate_and_closed_with_it(connect: Connect) -> None:
    heard: list[str] = []

    async def noting(peer: Peer) -> None:
        await echoing(peer)
        heard.append(peer.path)

    env = connect(playing(noting)).connect()
    first, second = env.new_session(), env.new_session()
    assert first.step({"n": 1}).observation["data"] == {"n": 1}
    assert second.step({"n": 2}).observation["data"] == {"n": 2}
    env.close()
    assert heard == ["/ws"] * 3


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "unix://"])
def test_a_url_nobody_can_connect_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        GenericEnvClient(url)


def test_a_client_needs_somewhere_to_connect_to() -> None:
    with pytest.raises(TypeError, match=r"pass app=create_app\(Inline\)"):
        GenericEnvClient(app=Inline)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="base_url or app"):
        GenericEnvClient()


@pytest.mark.parametrize("kind", [GenericEnvClient, MCPToolClient, VectorEnvClient])
def test_with_alone_tells_of_the_two_ways_there_are(kind: Any) -> None:
    told = f"{kind.__name__} is async: write `async with`"
    with pytest.raises(TypeError, match=told), kind("http://host"):
        pass


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="prod"):
        GenericEnvClient("http://host", mode="prod")


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:1", "ws://h:1/ws"),
        ("https://h/a/b/", "wss://h/a/b/ws"),
        ("ws://h", "ws://h/ws"),
        ("wss://h", "wss://h/ws"),
    ],
)
def test_the_websocket_url_follows_from_the_base_url(base: str, url: str) -> None:
    assert GenericEnvClient(base).target.websocket_url() == url


def test_nobody_there_is_a_failed_connection() -> None:
    with pytest.raises(ConnectionFailedError), GenericEnvClient("http://127.0.0.1:9").sync():
        pass


def test_every_failure_is_of_the_one_tree() -> None:
    assert issubclass(ConnectionFailedError, OpenEnvError)
    assert issubclass(ConnectionFailedError, ConnectionError)
