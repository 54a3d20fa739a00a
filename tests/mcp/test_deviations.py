"""Where the official SDK's server (2.3.0) departs from the specification, ours does not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from openenv_lite import ResourceLink, create_app
from tests.mcp.fixture import Everything
from tests.mcp.posting import META, Client, Reply, exchange, fields_of_2026
from tests.server.serving import Served, serving

LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
STATELESS = "2026-07-28"
SUPPORTED = [*LEGACY, STATELESS]
LIMIT = 20_000
ICON = {"src": "https://example.com/icon.png"}

EVERY_REVISION = pytest.mark.parametrize("revision", SUPPORTED)
WITH_HANDSHAKE = pytest.mark.parametrize("revision", LEGACY)


class Decorated(Everything):
    """The fixture, and a tool, a resource and a prompt that say all there is to say of them."""

    def __init__(self) -> None:
        super().__init__()
        self.tool(title="A link", icons=[ICON], annotations={"readOnlyHint": True})(link)
        self.tool(count)
        self.resource("test://decorated", title="Decorated", icons=[ICON])(link)
        self.prompt(title="Decorated", icons=[ICON])(decorated)


def link() -> ResourceLink:
    """Points to a resource."""
    return ResourceLink(uri="test://static-text", name="static", title="Static", icons=[ICON])


def count(upto: int) -> list[int]:
    """Counts."""
    return [*range(upto)]


def decorated() -> str:
    """Says hello."""
    return "Hello"


@pytest.fixture(scope="module", params=["simulation", "production"])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    app = create_app(Decorated, mode=request.param, max_message_bytes=LIMIT, mcp_page_size=7)
    with serving(app, http="httptools") as running:
        yield running


@pytest.fixture
def legacy(server: Served) -> Iterator[Client]:
    with_session = Client(server.port)
    yield with_session
    assert with_session.end() == 200


@pytest.fixture
def modern(server: Served) -> Client:
    return Client(server.port, STATELESS)


def request(method: str = "ping", identity: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def meta(revision: Any = STATELESS) -> dict[str, Any]:
    return {f"{META}protocolVersion": revision, f"{META}clientCapabilities": {}}


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


@pytest.mark.parametrize("bogus", ["1999-01-01", "2025-11-26", "x", "2025-11-25, 2025-11-25"])
def test_a_version_that_does_not_exist_is_refused_with_those_that_do(
    legacy: Client, bogus: str
) -> None:
    session = legacy.fields[1]
    messages = [request(), request("initialize", protocolVersion="2025-11-25", capabilities={})]
    for message in messages:
        reply = exchange(
            legacy.port, json.dumps(message).encode(), [("mcp-protocol-version", bogus), session]
        )
        assert reply.refusal == (400, -32022)
        assert reply.message["error"]["data"] == {"supported": SUPPORTED, "requested": bogus}
        assert reply.message["id"] == 1


def test_that_holds_for_notifications_and_streams_too(legacy: Client) -> None:
    fields = [("mcp-protocol-version", "1999-01-01"), legacy.fields[1]]
    note = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}'
    for reply in (
        exchange(legacy.port, note, fields),
        exchange(legacy.port, b"", fields, "GET"),
        exchange(legacy.port, b"", fields, "DELETE"),
    ):
        assert reply.status == 400
    assert legacy.ask("ping").result == {}


def test_a_body_of_2026_07_28_without_its_header_is_refused(server: Served) -> None:
    for method in ("server/discover", "tools/list", "tools/call", "no/such"):
        body = json.dumps(request(method, name="count", _meta=meta())).encode()
        reply = exchange(server.port, body, [("mcp-method", method), ("mcp-name", "count")])
        assert reply.refusal == (400, -32020)
        assert reply.message["id"] == 1


@pytest.mark.parametrize(
    ("revision", "header", "expected"),
    [
        (STATELESS, "1999-01-01", -32020),
        ("1999-01-01", STATELESS, -32020),
        ("1999-01-01", "1999-01-01", -32022),
        (5, STATELESS, -32020),
        ("2025-11-25", STATELESS, -32020),
    ],
)
def test_header_and_body_must_name_the_same_revision(
    server: Served, revision: Any, header: str, expected: int
) -> None:
    body = json.dumps(request("tools/list", _meta=meta(revision))).encode()
    fields = [("mcp-protocol-version", header), ("mcp-method", "tools/list")]
    reply = exchange(server.port, body, fields)
    assert reply.refusal == (400, expected)
    if expected == -32022:
        assert reply.message["error"]["data"] == {"supported": SUPPORTED, "requested": revision}


def test_all_revisions_served_are_named_to_who_discovers(modern: Client) -> None:
    assert modern.ask("server/discover").result["supportedVersions"] == SUPPORTED


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
        ("application/json; charset=utf-8", 200),
        ("APPLICATION/JSON", 200),
    ],
)
@EVERY_REVISION
def test_a_body_must_say_that_it_is_json(
    server: Served, revision: str, kind: str, expected: int
) -> None:
    client = Client(server.port, revision)
    body = json.dumps(request("tools/list", _meta=meta())).encode()
    fields = [*client.fields, ("mcp-method", "tools/list"), ("content-type", kind)]
    reply = exchange(server.port, body, fields)
    assert reply.status == expected
    assert ("error" in reply.message) is (expected == 415)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", 406),
        ("text/event-stream", 406),
        ("text/html", 406),
        ("application/json, text/event-stream", 200),
        ("text/event-stream;q=0.5,application/json;q=0.9", 200),
        ("*/*", 200),
        ("application/*, text/*", 200),
        ("", 200),
    ],
)
@EVERY_REVISION
def test_a_client_must_accept_both_forms_of_an_answer(
    server: Served, revision: str, accept: str, expected: int
) -> None:
    client = Client(server.port, revision)
    body = json.dumps(request("tools/list", _meta=meta())).encode()
    fields = [*client.fields, ("mcp-method", "tools/list"), ("accept", accept)]
    assert exchange(server.port, body, fields).status == expected


def test_what_is_accepted_may_come_in_two_headers(modern: Client) -> None:
    body = json.dumps(request("tools/list", _meta=meta())).encode()
    kinds = [("accept", "application/json"), ("accept", "text/event-stream")]
    for order in (kinds, kinds[::-1]):
        fields = [*fields_of_2026("tools/list"), *order]
        assert exchange(modern.port, body, fields).status == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("revision", [None, *SUPPORTED])
def test_without_a_session_there_is_nothing_to_get_or_end(
    server: Served, method: str, revision: str | None
) -> None:
    conversations = vars(server.app.state.server._services[0].conversations)["_all"]
    before = (len(conversations), server.statistics)
    fields = [] if revision is None else [("mcp-protocol-version", revision)]
    reply = exchange(server.port, b"", fields, method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert "mcp-session-id" not in reply.headers
    assert (len(conversations), server.statistics) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"])
def test_other_methods_are_not_allowed(legacy: Client, method: str) -> None:
    reply = exchange(legacy.port, b"", legacy.fields, method)
    assert reply.status == 405
    assert "POST" in reply.headers["allow"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_2026_07_28_knows_no_session(legacy: Client, method: str) -> None:
    fields = [("mcp-protocol-version", STATELESS), legacy.fields[1]]
    reply = exchange(legacy.port, b"", fields, method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert legacy.ask("ping").result == {}


@WITH_HANDSHAKE
def test_a_session_ends_once(server: Served, revision: str) -> None:
    client = Client(server.port, revision)
    assert client.call("count", upto=1).result["content"]
    assert (client.end(), client.end()) == (200, 404)
    assert client.ask("ping").status == 404
    assert exchange(server.port, b"", client.fields, "GET").status == 404


@pytest.mark.parametrize("blanks", [" {} ", "\t{}", "{}\t \t", "  {}"])
def test_blanks_around_a_header_do_not_count(modern: Client, blanks: str) -> None:
    body = json.dumps(
        request("tools/call", name="test_x_mcp_header", arguments={"region": "a b"}, _meta=meta())
    ).encode()
    fields = [
        *fields_of_2026("tools/call", "test_x_mcp_header"),
        ("mcp-param-region", "a b"),
    ]
    spaced = [(name, blanks.format(value)) for name, value in fields]
    assert exchange(modern.port, body, spaced).result["content"]


def test_blanks_do_not_count_with_a_session_either(legacy: Client) -> None:
    fields = [(name, f"\t{value!s} ") for name, value in legacy.fields]
    body = json.dumps(request()).encode()
    assert exchange(legacy.port, body, fields).result == {}
    assert exchange(legacy.port, b"", fields, "GET").status == 200


@pytest.mark.parametrize(
    ("value", "argument", "accepted"),
    [
        ("Hello", "Hello", True),
        ("hello", "Hello", False),
        ("=?base64?SGVsbG8=?=", "Hello", True),
        ("=?base64?w7w=?=", "ü", True),
        ("=?base64?SGVsbG8?=", "Hello", False),
        ("=?base64?SGVs!!!bG8=?=", "Hello", False),
        ("=?base64?/w==?=", "Hello", False),
        ("SGVsbG8=", "SGVsbG8=", True),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8=", True),
        ("ü".encode(), "ü", False),
        ("", "Hello", False),
    ],
)
def test_a_header_that_repeats_an_argument_says_the_same(
    modern: Client, value: str | bytes, argument: str, accepted: bool
) -> None:
    call = request("tools/call", name="test_x_mcp_header", arguments={"region": argument})
    call["params"]["_meta"] = meta()
    fields = [*fields_of_2026("tools/call", "test_x_mcp_header"), ("mcp-param-region", value)]
    reply = exchange(modern.port, json.dumps(call).encode(), fields)
    if accepted:
        assert reply.result["content"][0]["text"] == f"Region: {argument}"
    else:
        assert reply.refusal == (400, -32020)


@pytest.mark.parametrize("twice", ["mcp-protocol-version", "mcp-method", "mcp-name"])
@pytest.mark.parametrize("other", ["same", "another"])
def test_a_header_of_mcp_that_comes_twice_is_refused(
    modern: Client, twice: str, other: str
) -> None:
    fields = dict(fields_of_2026("tools/call", "count"))
    body = request("tools/call", name="count", arguments={"upto": 1}, _meta=meta())
    second = fields[twice] if other == "same" else "another"
    for order in ([(twice, second), *fields.items()], [*fields.items(), (twice, second)]):
        reply = exchange(modern.port, json.dumps(body).encode(), order)
        assert reply.refusal == (400, -32020)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("host", "evil.example.com")], 421),
        ([("host", "127.0.0.1.evil.example.com")], 421),
        ([("host", "localhost")], 200),
        ([("host", "[::1]:80")], 200),
        ([("origin", "http://evil.example.com")], 403),
        ([("origin", "null")], 403),
        ([("origin", "http://localhost:3000")], 200),
    ],
)
@EVERY_REVISION
def test_a_web_page_from_elsewhere_is_kept_out(
    server: Served, revision: str, fields: list[tuple[str, str]], expected: int
) -> None:
    client = Client(server.port, revision)
    body = json.dumps(request("tools/list", _meta=meta())).encode()
    given = [*client.fields, ("mcp-method", "tools/list"), *fields]
    for method in ("POST", "GET", "DELETE") if expected != 200 else ("POST",):
        assert exchange(server.port, body, given, method).status == expected


@pytest.mark.parametrize("in_chunks", [False, True])
@EVERY_REVISION
def test_a_body_that_is_too_long_is_refused(server: Served, revision: str, in_chunks: bool) -> None:
    client = Client(server.port, revision)
    padding = b" " * 1000

    def posted(blanks: int) -> Reply:
        body = json.dumps(request("tools/list", _meta=meta())).encode()
        whole = body + padding * (blanks // 1000) + b" " * (blanks % 1000 - len(body))
        parts = [whole[at : at + 4096] for at in range(0, len(whole), 4096)]
        fields = [*client.fields, ("mcp-method", "tools/list")]
        return exchange(server.port, parts if in_chunks else whole, fields)

    assert posted(LIMIT + 999).status == 413
    assert "longer than" in posted(LIMIT + 999).message["error"]["message"]
    assert posted(LIMIT - 1).status == 200


@EVERY_REVISION
def test_a_notification_is_accepted_without_a_word(server: Served, revision: str) -> None:
    client = Client(server.port, revision)
    for name in ("notifications/initialized", "notifications/no/such", "tools/call"):
        note = {"jsonrpc": "2.0", "method": name}
        reply = client.send(note, [("mcp-method", name)])
        assert (reply.status, reply.body) == (202, b"")


def test_2026_07_28_takes_no_responses(modern: Client, legacy: Client) -> None:
    response = {"jsonrpc": "2.0", "id": "asked-1", "result": {}}
    assert modern.send(response).refusal == (400, -32600)
    assert legacy.send(response).status == 202


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
