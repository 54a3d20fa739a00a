import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import ServerMode, create_app
from openenv_lite.errors import ExecutionError, ToolFailedError
from openenv_lite.server.connection import MOST_UNANSWERED
from tests.environments import LIMIT, Awaiting, Inline, Secretive, Threaded, Toolbox
from tests.leaks import on_loop, until
from tests.manual_clock import ManualClock
from tests.peer import Peer
from tests.test_codec import BROKEN
from tests.test_protocol import MESSAGES

ALL = pytest.mark.parametrize("kind", [Inline, Threaded, Awaiting])


TOKEN = "a trainer's long secret"


DEEP = "[" * 100_000 + "]" * 100_000


def served(kind: Any, **settings: Any) -> Any:
    """An app, and its pool's figures as `app.state.server.statistics()`."""
    return create_app(kind, **{"max_concurrent_envs": 3, "clock": ManualClock(), **settings})


def active(app: Any) -> int:
    found: int = app.state.server.statistics().active
    return found


@ALL
@on_loop
async def test_an_episode_over_a_socket(kind: Any) -> None:
    app = served(kind)
    async with Peer(app) as peer:
        assert (await peer.ask("reset", {"seed": 1}))["observation"]["total"] == 0
        for total in range(1, LIMIT + 1):
            reply = await peer.ask("step", {"amount": 1})
            assert reply["observation"]["total"] == total
        assert reply["done"] is True
        assert (await peer.ask("step", {"amount": 1}))["code"] == "EPISODE_DONE"
        assert (await peer.ask("reset"))["done"] is False
        assert (await peer.ask("state"))["step_count"] == 0
        assert active(app) == 1
    assert active(app) == 0
    assert not kind.alive


@ALL
@on_loop
async def test_close_is_answered_by_a_close_once_the_slot_is_free(kind: Any) -> None:
    app = served(kind)
    async with Peer(app) as peer:
        await peer.ask("reset")
        peer.say("close")
        assert await peer.closed() == 1000
        assert active(app) == 0
        assert not peer.unheard


def _is_text(frame: bytes) -> bool:
    return not frame.count(b"\xff") and not frame.count(b"\xc3\x28")


BAD: list[tuple[str | bytes, str]] = [
    *((text.decode(), "INVALID_JSON") for text in BROKEN if text.strip() and _is_text(text)),
    ("", "INVALID_JSON"),
    (b"", "INVALID_JSON"),
    (b'{"type":"reset"}', "INVALID_JSON"),
    (b"\xff\x00", "INVALID_JSON"),
    ("{}", "UNKNOWN_TYPE"),
    ("[]", "UNKNOWN_TYPE"),
    ("null", "UNKNOWN_TYPE"),
    ('"reset"', "UNKNOWN_TYPE"),
    ('{"type":null}', "UNKNOWN_TYPE"),
    ('{"type":"RESET"}', "UNKNOWN_TYPE"),
    ('{"type":["reset"]}', "UNKNOWN_TYPE"),
    ('{"type":"reset","data":5}', "VALIDATION_ERROR"),
    ('{"type":"reset","data":null}', "VALIDATION_ERROR"),
    ('{"type":"reset","data":{"start":"x"}}', "VALIDATION_ERROR"),
    ('{"type":"reset","extra":1}', "VALIDATION_ERROR"),
    ('{"type":"step"}', "VALIDATION_ERROR"),
    ('{"type":"step","data":{}}', "VALIDATION_ERROR"),
    ('{"type":"step","data":[]}', "VALIDATION_ERROR"),
    ('{"type":"step","data":{"amount":"x"}}', "VALIDATION_ERROR"),
    ('{"type":"step","data":{"amount":1.5}}', "VALIDATION_ERROR"),
    ('{"type":"step","data":{"amount":1e400}}', "INVALID_JSON"),
    ('{"type":"step","data":{"amount":NaN}}', "INVALID_JSON"),
    ('{"type":"step","data":{"amount":1,"more":1}}', "VALIDATION_ERROR"),
    ('{"type":"step","data":{"amount":1},"id":1}', "VALIDATION_ERROR"),
    ('{"type":"step","data":{"amount":' + DEEP + "}}", "INVALID_JSON"),
    ('{"type":"state","data":{}}', "VALIDATION_ERROR"),
    ('{"type":"mcp"}', "VALIDATION_ERROR"),
    ('{"type":"mcp","data":"x"}', "VALIDATION_ERROR"),
    ('{"type":"close","data":1}', "VALIDATION_ERROR"),
    ('{"type":"reset","data":"' + "a" * 2_000_000 + '"}', "MESSAGE_TOO_LARGE"),
]


@ALL
@pytest.mark.parametrize(("frame", "code"), BAD, ids=lambda each: repr(each)[:40])
@on_loop
async def test_a_bad_message_costs_an_error_never_the_episode(
    kind: Any, frame: str | bytes, code: str
) -> None:
    app = served(kind, max_message_bytes=1_000_000)
    async with Peer(app) as peer, Peer(app) as other:
        for each in (peer, other):
            await each.ask("reset")
            await each.ask("step", {"amount": 1})
        peer.send(frame)
        refusal = await peer.hear()
        assert refusal["type"] == "error"
        assert refusal["data"]["code"] in (code, "MESSAGE_TOO_LARGE")
        for each in (peer, other):
            assert (await each.ask("step", {"amount": 1}))["observation"]["total"] == 2
    assert active(app) == 0
    assert not kind.alive


@given(
    st.sampled_from([Inline, Toolbox, Awaiting]),
    st.lists(MESSAGES.map(json.dumps) | st.text() | st.binary(), max_size=8),
)
def test_any_frames_get_one_reply_each_and_leave_nothing(
    kind: Any, frames: list[str | bytes]
) -> None:
    kind.alive.clear()

    @on_loop
    async def story() -> None:
        app = served(kind)
        async with Peer(app) as peer:
            for frame in frames:
                peer.send(frame)
                if _says_goodbye(frame):
                    return
                reply = await peer.hear()
                assert reply["type"] in ("observation", "state", "mcp", "error")
            assert peer.close_code is None
        assert active(app) == 0

    story()
    assert not kind.alive


def _says_goodbye(frame: str | bytes) -> bool:
    try:
        return isinstance(frame, str) and msgspec.json.decode(frame) == {"type": "close"}
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


@pytest.mark.parametrize("depth", range(100, 1300, 25))
@on_loop
async def test_no_depth_is_read_that_cannot_be_answered(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    async with Peer(served(Inline)) as peer:
        await peer.ask("reset")
        for frame in (
            f'{{"type":"step","data":{{"amount":{nested}}}}}',
            f'{{"type":"step","data":{{"amount":0,"metadata":{{"a":{nested}}}}}}}',
            f'{{"type":"reset","data":{{"start":{nested}}}}}',
            f'{{"type":{nested}}}',
            f'{{"type":"mcp","data":{{"a":{nested}}}}}',
        ):
            peer.send(frame)
            await peer.hear()
        assert "observation" in await peer.ask("reset")


@ALL
@on_loop
async def test_capacity_is_refused_in_openenvs_words_and_the_socket_closed(kind: Any) -> None:
    app = served(kind, max_concurrent_envs=1)
    async with Peer(app) as first:
        await first.ask("reset")
        async with Peer(app) as second:
            refusal = await second.hear()
            assert refusal["data"]["code"] == "CAPACITY_REACHED"
            assert refusal["data"]["message"] == (
                "Server at capacity: 1/1 sessions active. Cannot accept new connections."
            )
            assert (refusal["data"]["active_sessions"], refusal["data"]["max_sessions"]) == (1, 1)
            assert await second.closed() == 1000
        assert "observation" in await first.ask("reset")
    async with Peer(app) as third:
        assert "observation" in await third.ask("reset")


@on_loop
async def test_a_factory_that_fails_is_told_and_leaves_no_slot() -> None:
    class Doomed(Threaded):
        def __init__(self) -> None:
            raise ValueError("secret-1234")

    app = served(Doomed, max_concurrent_envs=1)
    for _ in range(3):
        async with Peer(app) as peer:
            refusal = await peer.hear()
            assert refusal["data"]["code"] == "FACTORY_ERROR"
            assert refusal["data"]["factory_name"] == "Doomed"
            assert "secret" not in str(refusal)
            assert await peer.closed() == 1000
    assert active(app) == 0


@on_loop
async def test_one_socket_at_a_time_holds_a_session_that_http_made() -> None:
    app = served(Inline)
    session = await app.state.server.pool.open(ServerMode.SIMULATION)
    query = f"session_id={session.id}"
    async with Peer(app, query=query) as peer, Peer(app, query=query) as second:
        assert "already has an attached WebSocket" in (await second.hear())["data"]["message"]
        assert "observation" in await peer.ask("reset")
    await app.state.server.aclose()


@on_loop
async def test_a_client_is_back_before_the_server_noticed_that_it_had_gone() -> None:
    app = served(Inline)
    async with Peer(app) as peer:
        await peer.ask("reset")
        await peer.ask("step", {"amount": 3})
        async with Peer(app, query=f"session_id={peer.session_id}") as again:
            assert (await again.ask("state"))["step_count"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "session_id=a%0d%0aX-Evil:%201",
        "session_id=%00",
        "session_id=%ff",
        "session_id=" + "a" * 9000,
    ],
    ids=lambda query: query[:20],
)
@on_loop
async def test_a_session_id_of_a_strangers_is_never_put_into_a_header(query: str) -> None:
    async with Peer(served(Inline), query=query) as peer:
        told = peer.headers.get("x-openenv-session-id", "")
        assert told.isascii()
        assert told.isprintable()
        assert len(told) < 200
        assert (await peer.hear())["data"]["code"] == "SESSION_ERROR"


@pytest.mark.parametrize(
    ("headers", "trusted"),
    [
        ({}, False),
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"Bearer {TOKEN}x"}, False),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, False),
        ({"authorization": "Bearer "}, False),
        ({"authorization": "Bearer"}, False),
        ({"authorization": TOKEN}, False),
        ({"authorization": f"Basic {TOKEN}"}, False),
        ({"authorization": "é"}, False),
        ({"x-authorization": f"Bearer {TOKEN}"}, False),
    ],
    ids=lambda each: str(each)[:45],
)
@on_loop
async def test_production_knows_the_controls_only_for_who_shows_the_token(
    headers: dict[str, str], trusted: bool
) -> None:
    app = served(Inline, mode="production", control_token=TOKEN)
    async with Peer(app, headers=headers) as peer:
        for kind, data in (("reset", {}), ("step", {"amount": 1}), ("step", {"bad": 1})):
            reply = await peer.ask(kind, data)
            assert (reply.get("code") == "UNKNOWN_TYPE") is not trusted
        peer.say("state")
        assert ((await peer.hear())["type"] == "state") is trusted


@pytest.mark.parametrize("query", ["token=" + TOKEN, "authorization=Bearer " + TOKEN, ""])
@on_loop
async def test_without_a_token_set_nothing_opens_the_controls(query: str) -> None:
    app = served(Inline, mode="production")
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer None"}):
        async with Peer(app, query=query, headers=headers) as peer:
            for kind in ("reset", "state"):
                assert (await peer.ask(kind))["code"] == "UNKNOWN_TYPE"
    assert not Inline.alive


@pytest.mark.parametrize("mode", ["simulation", "production"])
@on_loop
async def test_the_authors_text_leaves_in_simulation_only(mode: str) -> None:
    app = served(Secretive, mode=mode, control_token=TOKEN)
    async with Peer(app, headers={"authorization": f"Bearer {TOKEN}"}) as peer:
        replies = [await peer.ask("reset"), await peer.ask("state")]
        await peer.ask("reset", {"fail": False})
        replies.append(await peer.ask("step", {"amount": 1}))
        for reply in replies:
            assert reply["code"] == "EXECUTION_ERROR"
            assert ("secret" in reply["message"]) is (mode == "simulation")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("file \udcff"),
        ExecutionError("file \udcff"),
        ToolFailedError("x", detail=object()),
        ToolFailedError("x", detail="\udcff"),
        SystemExit(1),
        KeyError(object()),
    ],
)
@ALL
@on_loop
async def test_no_error_of_an_author_breaks_the_connection(kind: Any, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    async with Peer(served(type("Failing", (kind,), {"reset": fail}))) as peer:
        for _ in range(2):
            assert "code" in await peer.ask("reset")


@ALL
@on_loop
async def test_a_result_that_cannot_be_sent_is_an_error_frame(kind: Any) -> None:
    class Odd(Inline):
        def reset(self, seed: int | None = None, start: int = 0) -> Any:
            return {"board": object() if start else "\udcff"}

    async with Peer(served(Odd)) as peer:
        for start in (0, 1):
            assert (await peer.ask("reset", {"start": start}))["code"] == "EXECUTION_ERROR"
        assert (await peer.ask("mcp", {}))["error"]["code"] == -32600


@on_loop
async def test_messages_sent_ahead_are_answered_in_order() -> None:
    for kind in (Inline, Threaded, Awaiting):
        async with Peer(served(kind)) as peer:
            peer.say("reset")
            for _ in range(60):
                peer.say("step", {"amount": 0})
            peer.say("state")
            kinds = [(await peer.hear())["type"] for _ in range(62)]
            assert kinds == ["observation"] * 61 + ["state"]


@ALL
@on_loop
async def test_a_flood_leaves_turns_to_others(kind: Any) -> None:
    async with Peer(served(kind)) as peer:
        await peer.ask("reset")
        many = 1000 if kind is Inline else MOST_UNANSWERED
        for _ in range(many):
            peer.say("step", {"amount": 0})
        turns = 0
        while peer.unheard < many:
            await asyncio.sleep(0)
            turns += 1
        assert turns > many // 100


@pytest.mark.parametrize("kind", [Threaded, Awaiting])
@on_loop
async def test_who_sends_on_and_on_without_a_reply_is_sent_away(kind: Any, gate: None) -> None:
    app = served(kind)
    async with Peer(app) as peer:
        await peer.ask("reset")
        for _ in range(1000):
            peer.say("step", {"amount": -1})
        await peer.closed()
        Threaded.gate.set()  # nobody can stop a step on a thread
        await until(lambda: active(app) == 0)
    assert active(app) == 0
