"""`/mcp` as a WebSocket, over a real socket: the door, the frames, and the end."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from openenv_lite import create_app
from openenv_lite.server.authorization import Principal
from tests.cli.noisy import Noisy
from tests.mcp.fixture import Everything
from tests.mcp.talking import Socket
from tests.server.serving import Served, serving

TOKEN = "a token nobody guesses"
ALICE, BOB = "the token of alice", "the token of bob"
LIMIT = 100_000


@contextlib.contextmanager
def talking(server: Served, query: str = "", **options: Any) -> Iterator[Socket]:
    with connect(server.ws(f"/mcp{query}"), **options) as connection:
        yield Socket(connection)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status(server: Served, headers: dict[str, str], **options: Any) -> int:
    """Of the handshake; 101 is what a WebSocket begins with."""
    try:
        with talking(server, additional_headers=headers, **options):
            return 101
    except InvalidStatus as refused:
        assert json.loads(refused.response.body)["error"]["message"]
        return refused.response.status_code


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    app = create_app(Everything, mode="production", max_message_bytes=LIMIT)
    with serving(app) as running:
        yield running


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    app = create_app(
        Everything,
        mode="production",
        mcp_token=TOKEN,
        allowed_hosts=["127.0.0.1", "tools.example.com"],
        allowed_origins=["https://app.example.com"],
        verify_token={ALICE: Principal("alice"), BOB: Principal("bob")}.get,
    )
    with serving(app) as running:
        yield running


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 101),
        ("http://localhost:3000", 101),
        ("http://evil.example.com", 403),
        ("null", 403),
    ],
)
def test_web_pages_from_elsewhere_are_kept_out(
    server: Served, origin: str | None, expected: int
) -> None:
    assert status(server, {}, origin=origin) == expected


def test_on_the_loopback_only_loopback_names_are_known(server: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, named("evil.example.com", server):
        pass
    assert refused.value.response.status_code == 421
    with named("localhost", server) as client:
        assert client.begin()["protocolVersion"] == "2025-11-25"


@contextlib.contextmanager
def named(host: str, server: Served) -> Iterator[Socket]:
    """A client that calls the server by a name of its own."""
    uri = f"ws://{host}:{server.port}/mcp"
    sock = socket.create_connection(("127.0.0.1", server.port))
    with connect(uri, sock=sock) as connection:
        yield Socket(connection)


@pytest.mark.parametrize(
    ("headers", "origin", "expected"),
    [
        (bearer(TOKEN), None, 101),
        (bearer(ALICE), "https://app.example.com", 101),
        (bearer(TOKEN), "https://other.example.com", 403),
        (bearer("a token somebody guessed"), None, 401),
        ({"Authorization": "Basic x"}, None, 401),
        ({}, None, 401),
    ],
)
def test_a_token_is_wanted_before_the_handshake(
    guarded: Served, headers: dict[str, str], origin: str | None, expected: int
) -> None:
    assert status(guarded, headers, origin=origin) == expected
    assert guarded.statistics.waiting == 0


def test_a_token_in_the_url_does_not_count(guarded: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, talking(guarded, f"?token={quote(TOKEN)}"):
        pass
    assert refused.value.response.status_code == 401
    challenge = refused.value.response.headers["www-authenticate"]
    assert "resource_metadata=" in challenge


def test_a_session_is_for_its_owner_alone(guarded: Served) -> None:
    with talking(guarded, additional_headers=bearer(ALICE)) as alice:
        query = f"?session_id={session_of(alice)}"
        with talking(guarded, query, additional_headers=bearer(BOB)) as bob:
            assert "Unknown session_id" in bob.hear()["error"]["message"]
            with pytest.raises(ConnectionClosed):
                bob.hear()
        alice.begin()


def session_of(client: Socket) -> str:
    response = client.connection.response
    assert response is not None
    return response.headers["x-openenv-session-id"]


def test_each_connection_has_an_environment_of_its_own(server: Served) -> None:
    def tools(client: Socket) -> int:
        client.say("tools/list", id=1)
        return len(client.hear()["result"]["tools"])

    with talking(server) as one, talking(server) as other:
        one.begin()
        other.begin("2025-06-18")
        before = tools(other)
        one.call("test_trigger_tool_change", 2)
        assert {one.hear().get("method"), one.hear().get("method")} == {
            None,
            "notifications/tools/list_changed",
        }
        assert (tools(one), tools(other)) == (before + 1, before)


def test_an_agent_acts_in_the_session_that_the_trainer_names() -> None:
    with serving(create_app(Everything)) as server:
        trainers = httpx.post(
            f"{server.http}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"},
        ).json()["result"]["session_id"]
        with talking(server, f"?session_id={trainers}") as agent:
            assert session_of(agent) == trainers
            agent.begin()
            agent.call("test_simple_text", 1)
            assert agent.hear()["id"] == 1
            assert server.statistics.active == 1
        state = httpx.get(f"{server.http}/state", params={"session_id": trainers})
        assert state.json()["step_count"] == 1


def test_a_frame_that_is_too_long_or_not_text_is_refused_and_the_talk_goes_on(
    server: Served,
) -> None:
    with talking(server) as client:
        client.begin()
        client.write(b" " * (LIMIT + 1))
        assert "characters" in client.hear()["error"]["message"]
        client.connection.send(b"{}")
        assert client.hear()["error"]["code"] == -32700
        client.say("ping", id=1)
        assert client.hear()["id"] == 1


LEAVING: list[Callable[[ClientConnection], None]] = [
    lambda connection: connection.close(),
    lambda connection: connection.socket.close(),
]


@pytest.mark.parametrize("leave", LEAVING, ids=["close", "break"])
@pytest.mark.parametrize("stateless", [False, True], ids=["handshake", "stateless"])
def test_a_client_that_leaves_ends_its_calls(
    leave: Callable[[ClientConnection], None], stateless: bool
) -> None:
    app = create_app(Noisy, mode="production", resume_grace_s=0.05)
    with serving(app) as server:
        with talking(server) as client:
            if stateless:
                params = {"name": "wait"}
                client.say_alone("tools/call", 1, params, logLevel="info")
            else:
                client.begin()
                client.call("wait", 1)
            assert client.hear()["params"]["data"] == "waiting"
            leave(client.connection)
        with talking(server) as another:
            assert another.begin()


def test_a_stopping_server_ends_its_clients() -> None:
    with serving(create_app(Noisy, mode="production")) as server, talking(server) as client:
        client.begin()
        client.call("wait", 1)
        assert client.hear()["params"]["data"] == "waiting"
        server.stop()
        with pytest.raises(ConnectionClosed):
            client.hear()
