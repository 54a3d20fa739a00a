"""Where the official SDK's server (2.3.0) departs from the specification, ours does not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from openenv_lite import create_app
from openenv_lite.mcp.revisions import REVISIONS
from tests.mcp.decorated import Decorated
from tests.mcp.posting import Client, request
from tests.server.serving import Served, serving

STATELESS = "2026-07-28"
EVERY_REVISION = pytest.mark.parametrize("revision", REVISIONS)


@pytest.fixture(scope="module", params=["simulation", "production"])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    app = create_app(Decorated, mode=request.param, mcp_page_size=7)
    with serving(app, http="httptools") as running:
        yield running


MALFORMED: list[Any] = [
    {"jsonrpc": "2.0", "id": None, "method": "ping"},
    {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
    {"jsonrpc": "2.0", "id": True, "method": "ping"},
    {"jsonrpc": "2.0", "id": [1], "method": "ping"},
    {"jsonrpc": "2.0", "id": 1, "method": 5},
    {"jsonrpc": "1.0", "id": 1, "method": "ping"},
    {"id": 1, "method": "ping"},
    {"jsonrpc": "2.0", "id": 1},
    {"jsonrpc": "2.0"},
    {},
    5,
    "ping",
    None,
]


@EVERY_REVISION
def test_a_malformed_envelope_is_an_invalid_request(server: Served, revision: str) -> None:
    client = Client(server.port, revision)
    for message in MALFORMED:
        reply = client.send(message, [("mcp-method", "ping")])
        assert reply.refusal == (400, -32600), message
        identity = message.get("id") if isinstance(message, dict) else None
        usable = isinstance(identity, int | str) and not isinstance(identity, bool)
        assert reply.message.get("id", "none") == (identity if usable else "none")


@EVERY_REVISION
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": ' + b"[" * 9000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}',
        b"\xef\xbb\xbf{}",
    ],
    ids=["empty", "cut", "utf-16", "deep array", "deep object", "NaN", "BOM"],
)
def test_what_is_no_json_is_a_parse_error(server: Served, revision: str, body: bytes) -> None:
    client = Client(server.port, revision)
    assert client.send(body, [("mcp-method", "ping")]).refusal == (400, -32700)


def test_a_batch_is_received_on_2025_03_26(server: Served) -> None:
    client = Client(server.port, "2025-03-26")
    note = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}
    call = request("tools/call", "c", name="count", arguments={"upto": 2})
    answered = batch(client, [request(identity=1), note, call, request("no/such", 3)])
    assert [each["id"] for each in answered] == [1, "c", 3]
    assert answered[0]["result"] == {}
    assert json.loads(answered[1]["result"]["content"][0]["text"]) == [0, 1]
    assert answered[2]["error"]["code"] == -32601


def test_a_batch_without_requests_is_taken_without_a_word(server: Served) -> None:
    client = Client(server.port, "2025-03-26")
    note = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}
    response = {"jsonrpc": "2.0", "id": "asked-1", "result": {}}
    reply = client.send([note, response, note])
    assert (reply.status, reply.body) == (202, b"")


def test_each_member_of_a_batch_that_is_none_is_refused_by_itself(server: Served) -> None:
    client = Client(server.port, "2025-03-26")
    answered = batch(client, [1, {}, request(identity=2), request(identity=None), []])
    codes = [each.get("error", {}).get("code") for each in answered]
    assert codes == [-32600, -32600, None, -32600, -32600]
    assert [each.get("id") for each in answered] == [None, None, 2, None, None]


def batch(client: Client, messages: list[Any]) -> Any:
    """The array that answers an array."""
    reply = client.send(messages)
    assert reply.status == 200
    return reply.message


@EVERY_REVISION
def test_an_empty_batch_is_no_request(server: Served, revision: str) -> None:
    reply = Client(server.port, revision).send([], [("mcp-method", "ping")])
    assert reply.refusal == (400, -32600)


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-06-18", "2025-11-25", STATELESS])
def test_no_other_revision_has_batches(server: Served, revision: str) -> None:
    reply = Client(server.port, revision).send([request()], [("mcp-method", "ping")])
    assert reply.refusal == (400, -32600)


@EVERY_REVISION
def test_an_unknown_tool_or_prompt_is_a_protocol_error(server: Served, revision: str) -> None:
    client = Client(server.port, revision)
    status = 400 if revision == STATELESS else 200
    assert client.call("no_such_tool").refusal == (status, -32602)
    assert client.ask("prompts/get", {"name": "no_such"}).refusal == (status, -32602)
    assert client.ask("no/such").refusal == (404 if revision == STATELESS else 200, -32601)


@EVERY_REVISION
def test_an_unknown_resource_has_the_code_of_its_revision(server: Served, revision: str) -> None:
    reply = Client(server.port, revision).ask("resources/read", {"uri": "test://no-such"})
    assert reply.refusal == ((400, -32602) if revision == STATELESS else (200, -32002))
    assert reply.message["error"]["data"]["uri"] == "test://no-such"


LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]


@EVERY_REVISION
@pytest.mark.parametrize("method", LISTS)
def test_a_cursor_that_is_none_of_ours_is_refused(
    server: Served, revision: str, method: str
) -> None:
    client = Client(server.port, revision)
    foreign = client.ask("tools/list").result["nextCursor"]
    others = [foreign] if method != "tools/list" else [foreign + "x", foreign[:-2]]
    for cursor in ["", "x", "7", "MTA=", "ü", *others]:
        reply = client.ask(method, {"cursor": cursor})
        assert reply.message["error"]["code"] == -32602, cursor


@EVERY_REVISION
def test_pages_hold_everything_once(server: Served, revision: str) -> None:
    client = Client(server.port, revision)
    names: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = client.ask("tools/list", cursor).result
        names += [tool["name"] for tool in page["tools"]]
        if "nextCursor" not in page:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert len(names) == len({*names}) > 14
    assert {"link", "count", "test_simple_text"} < {*names}


@EVERY_REVISION
def test_a_notification_is_accepted_without_a_word(server: Served, revision: str) -> None:
    client = Client(server.port, revision)
    for name in ("notifications/initialized", "notifications/no/such", "tools/call"):
        note = {"jsonrpc": "2.0", "method": name}
        reply = client.send(note, [("mcp-method", name)])
        assert (reply.status, reply.body) == (202, b"")


@EVERY_REVISION
@pytest.mark.parametrize("arguments", [{}, {"upto": "many"}, {"upto": 1, "more": 2}])
def test_who_reads_of_faulty_arguments_depends_on_the_revision(
    server: Served, revision: str, arguments: dict[str, Any]
) -> None:
    reply = Client(server.port, revision).call("count", **arguments)
    assert reply.status == 200
    if revision in ("2025-11-25", STATELESS):
        assert reply.result["isError"] is True
        assert reply.result["content"][0]["text"]
    else:
        assert reply.refusal == (200, -32602)


def everything(client: Client, method: str, key: str) -> dict[str, Any]:
    """All entries of a list by name."""
    found: dict[str, Any] = {}
    cursor: dict[str, Any] = {}
    while True:
        page = client.ask(method, cursor).result
        found.update({each["name"]: each for each in page[key]})
        if "nextCursor" not in page:
            return found
        cursor = {"cursor": page["nextCursor"]}


@EVERY_REVISION
def test_what_a_revision_does_not_know_is_not_sent(server: Served, revision: str) -> None:
    client = Client(server.port, revision)
    tools = everything(client, "tools/list", "tools")
    has_structure = revision >= "2025-06-18"
    has_icons = revision >= "2025-11-25"
    assert ("title" in tools["link"]) is has_structure
    assert ("outputSchema" in tools["count"]) is has_structure
    assert ("icons" in tools["link"]) is has_icons
    assert ("annotations" in tools["link"]) is (revision >= "2025-03-26")
    for method, key, name in (
        ("prompts/list", "prompts", "decorated"),
        ("resources/list", "resources", "link"),
    ):
        entry = everything(client, method, key)[name]
        assert ("title" in entry) is has_structure
        assert ("icons" in entry) is has_icons
    result = client.call("count", upto=2).result
    assert result.get("structuredContent") == ({"result": [0, 1]} if has_structure else None)
    assert json.loads(result["content"][0]["text"]) == [0, 1]


@EVERY_REVISION
def test_a_link_in_a_result_is_shown_as_the_revision_can(server: Served, revision: str) -> None:
    (block,) = Client(server.port, revision).call("link").result["content"]
    if revision < "2025-06-18":
        assert block == {"type": "text", "text": "test://static-text"}
        return
    assert (block["type"], block["uri"], block["title"]) == (
        "resource_link",
        "test://static-text",
        "Static",
    )
    assert ("icons" in block) is (revision >= "2025-11-25")
