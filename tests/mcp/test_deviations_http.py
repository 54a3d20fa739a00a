"""As `test_deviations`, where HTTP itself matters: headers, methods, kinds and sizes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from openenv_lite import create_app
from tests.mcp.decorated import Decorated
from tests.mcp.posting import Client, Reply, exchange, fields_of_2026, meta, request
from tests.server.serving import Served, serving

LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
STATELESS = "2026-07-28"
SUPPORTED = [*LEGACY, STATELESS]
LIMIT = 20_000

EVERY_REVISION = pytest.mark.parametrize("revision", SUPPORTED)
WITH_HANDSHAKE = pytest.mark.parametrize("revision", LEGACY)


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
    before = server.statistics
    fields = [] if revision is None else [("mcp-protocol-version", revision)]
    reply = exchange(server.port, b"", fields, method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert "mcp-session-id" not in reply.headers
    assert server.statistics == before


def test_who_only_looks_is_not_remembered() -> None:
    with serving(create_app(Decorated, max_mcp_sessions=1), http="httptools") as only:
        for method in ("GET", "GET", "DELETE"):
            exchange(only.port, b"", [("mcp-protocol-version", "2025-11-25")], method)
        assert Client(only.port).ask("ping").result == {}
        assert exchange(only.port, b"", [], "GET").status == 405


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


def test_2026_07_28_takes_no_responses(modern: Client, legacy: Client) -> None:
    response = {"jsonrpc": "2.0", "id": "asked-1", "result": {}}
    assert modern.send(response).refusal == (400, -32600)
    assert legacy.send(response).status == 202
