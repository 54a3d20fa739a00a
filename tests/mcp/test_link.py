"""What a process's pipes and a WebSocket have in common: one connection for all messages."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from openenv_lite import create_app
from tests.cli.process import attending
from tests.mcp.fixture import Everything
from tests.mcp.talking import Socket, Talker, text_of
from tests.server.serving import Served, serving

LEGACY = pytest.mark.parametrize(
    "revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(create_app(Everything, mode="production")) as running:
        yield running


@pytest.fixture(params=["stdio", "socket"])
def client(request: pytest.FixtureRequest) -> Iterator[Talker]:
    with contextlib.ExitStack() as stack:
        if request.param == "stdio":
            yield stack.enter_context(attending("tests.mcp.fixture:Everything"))
        else:
            running: Served = request.getfixturevalue("served")
            yield Socket(stack.enter_context(connect(running.ws("/mcp"))))


@LEGACY
def test_every_revision_with_a_handshake_is_spoken(client: Talker, revision: str) -> None:
    assert client.begin(revision)["protocolVersion"] == revision
    client.call("test_simple_text", 1)
    assert client.hear_text() == "This is a simple text response for testing."
    client.say("resources/read", {"uri": "test://static-text"}, id=2)
    assert client.hear()["result"]["contents"][0]["uri"] == "test://static-text"
    client.say("no/such", id=3)
    assert client.hear_error() == (3, -32601)
    client.say("ping", id="4")
    assert client.hear() == {"jsonrpc": "2.0", "id": "4", "result": {}}


def test_the_stateless_revision_is_spoken_without_a_handshake(client: Talker) -> None:
    client.say_alone("server/discover", 1)
    assert "2026-07-28" in client.hear()["result"]["supportedVersions"]
    client.say_alone("tools/list", 2)
    listed = client.hear()["result"]
    assert listed["resultType"] == "complete"
    assert "openenv_open_session" not in {each["name"] for each in listed["tools"]}
    client.call_alone("test_simple_text", 3)
    assert client.hear_text() == "This is a simple text response for testing."
    client.say_alone("ping", 4)
    assert client.hear_error() == (4, -32601)
    client.say_alone("tools/list", 5, protocolVersion="1999-01-01")
    assert client.hear_error() == (5, -32022)


def test_progress_and_log_come_before_the_answer(client: Talker) -> None:
    client.begin()
    params = {"name": "test_tool_with_progress", "_meta": {"progressToken": "p"}}
    client.say("tools/call", params, id=1)
    told = [client.hear()["params"] for _ in range(3)]
    assert [(each["progressToken"], each["progress"]) for each in told] == [
        ("p", 0),
        ("p", 50),
        ("p", 100),
    ]
    assert client.hear_text() == "Reached 100 of 100."
    client.call("test_tool_with_logging", 2)
    assert [client.hear()["method"] for _ in range(3)] == ["notifications/message"] * 3
    assert client.hear_text() == "Logged three times."


def test_the_stateless_revision_logs_only_where_it_is_wanted(client: Talker) -> None:
    params = {"name": "test_logging_tool"}
    client.say_alone("tools/call", 1, params, logLevel="warning")
    assert client.hear()["params"]["level"] == "warning"
    assert client.hear_text() == "Logged twice."
    client.say_alone("tools/call", 2, params)
    assert client.hear_text() == "Logged twice."


def test_several_requests_are_answered_as_they_are_ready(client: Talker) -> None:
    client.begin()
    client.call("test_tool_with_progress", 1)
    for identity in ("2", 3):
        client.say("ping", id=identity)
    client.call("test_simple_text", 4)
    assert [client.hear()["id"] for _ in range(4)] == ["2", 3, 1, 4]


def test_a_request_taken_back_is_never_answered(client: Talker) -> None:
    client.begin()
    client.call("test_tool_with_progress", 1)
    client.say("notifications/cancelled", {"requestId": 1})
    client.call("test_simple_text", 2)
    assert client.hear()["id"] == 2
    client.say("notifications/cancelled", {"requestId": "nothing"})
    client.say("ping", id=3)
    assert client.hear()["id"] == 3


def test_a_stateless_request_is_taken_back_likewise(client: Talker) -> None:
    client.call_alone("test_tool_with_progress", 1)
    client.say("notifications/cancelled", {"requestId": 1})
    client.call_alone("test_simple_text", 2)
    assert client.hear()["id"] == 2


def test_a_tool_asks_the_person_and_waits(client: Talker) -> None:
    client.begin(elicitation={})
    client.call("test_elicitation", 1, message="Who?")
    asked = client.hear()
    assert (asked["method"], asked["params"]["message"]) == ("elicitation/create", "Who?")
    content = {"username": "ada", "email": "ada@example.com"}
    answer = {"action": "accept", "content": content}
    client.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}).encode())
    assert "action=accept" in client.hear_text()


def test_a_client_that_cannot_be_asked_is_told_so(client: Talker) -> None:
    client.begin()
    client.call("test_elicitation", 1, message="Who?")
    assert client.hear()["result"]["isError"] is True


def test_on_the_stateless_revision_the_call_comes_again_with_the_answer(client: Talker) -> None:
    tool = "test_input_required_result_elicitation"
    client.call_alone(tool, 1)
    asked = client.hear()["result"]
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"]["user_name"]["method"] == "elicitation/create"
    answers = {"user_name": {"action": "accept", "content": {"name": "Ada"}}}
    again = {"inputResponses": answers, "requestState": asked["requestState"]}
    client.call_alone(tool, 2, **again)
    assert client.hear_text() == "Hello, Ada!"
    client.call_alone(tool, 3, **{**again, "requestState": asked["requestState"] + "x"})
    assert client.hear_error() == (3, -32602)


def test_a_change_of_the_tools_is_told(client: Talker) -> None:
    client.begin()
    client.call("test_trigger_tool_change", 1)
    heard = [client.hear(), client.hear()]
    assert {"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {}} in heard


def test_the_stateless_revision_listens_for_changes(client: Talker) -> None:
    client.say_alone("subscriptions/listen", 1, {"notifications": {"toolsListChanged": True}})
    assert client.hear()["method"] == "notifications/subscriptions/acknowledged"
    client.call_alone("test_trigger_tool_change", 2)
    heard = [client.hear(), client.hear()]
    told = {each.get("method") for each in heard}
    assert "notifications/tools/list_changed" in told
    client.say("notifications/cancelled", {"requestId": 1})
    client.call_alone("test_trigger_tool_change", 3)
    assert text_of(client.hear()) == "The tools have changed."


BROKEN: list[tuple[bytes, int, Any]] = [
    (b"garbage", -32700, None),
    (b"{", -32700, None),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": ' + b"[" * 5000, -32700, None),
    (b"{}", -32600, None),
    (b"[]", -32600, None),
    (b'[{"jsonrpc": "2.0", "id": 7, "method": "ping"}]', -32600, None),
    (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600, None),
    (b'{"jsonrpc": "1.0", "id": 7, "method": "ping"}', -32600, 7),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": []}', -32602, 7),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": 1}}', -32602, 7),
]


def test_what_is_no_message_is_refused_and_the_talk_goes_on(client: Talker) -> None:
    client.begin()
    for message, code, identity in BROKEN:
        client.write(message)
        assert client.hear_error() == (identity, code), message
        client.say("ping", id="on")
        assert client.hear()["id"] == "on"


def test_there_is_one_handshake(client: Talker) -> None:
    client.begin()
    client.say("initialize", {"protocolVersion": "2025-06-18"}, id=2)
    assert client.hear_error() == (2, -32600)


def test_a_batch_is_answered_as_one_where_the_revision_has_it(client: Talker) -> None:
    client.begin("2025-03-26")
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "test_simple_text"},
        },
    ]
    client.write(json.dumps(batch).encode())
    assert [each["id"] for each in client.hear()] == [1, 2]


def test_too_many_requests_at_once_are_refused(client: Talker) -> None:
    client.begin(elicitation={})
    for identity in range(64):
        client.call("test_elicitation", identity, message="Who?")
    client.say("ping", id="one more")
    heard = [client.hear(), client.hear()]
    (refused,) = (each for each in heard if each.get("id") == "one more")
    assert "requests at once" in refused["error"]["message"]
    for identity in reversed(range(64)):
        client.say("notifications/cancelled", {"requestId": identity})
    client.say("ping", id="now")
    assert client.hear()["result"] == {}


def test_openenvs_dialect_stands_beside(client: Talker) -> None:
    client.say("tools/list", id=1)
    assert client.hear()["result"]["tools"][0]["execution"] is None
    client.call("test_simple_text", 2)
    assert client.hear()["result"]["is_error"] is False
    client.write(b"garbage")
    assert client.hear_error() == (None, -32700)
