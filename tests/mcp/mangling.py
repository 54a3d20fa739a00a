"""Requests to `/mcp` that are nearly right, or not at all: what Hypothesis makes of them."""

import base64
import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from openenv_lite.mcp.methods import METHODS
from openenv_lite.mcp.revisions import REVISIONS
from tests.mcp.posting import META
from tests.test_codec import BROKEN, JSON

__all__ = ["BODIES", "FRAMES", "SESSION", "Request", "may_last", "requests"]

SESSION = b"{session}"
"""Stands for the id of a session that exists; whoever sends the request puts it in."""

OTHER_METHODS = ["notifications/cancelled", "notifications/initialized", "openenv/session/close"]
SAID = [*METHODS, *OTHER_METHODS, "tools/call", "tools/call", "no/such"]
VERSIONS = [*REVISIONS, "1999-01-01"]


def usually(usual: Any, other: Any = JSON, odds: int = 12) -> Any:
    """What belongs there; once in so many draws something else."""
    unlucky = odds // 2 + 1  # Hypothesis prefers the ends of a range
    return st.integers(1, odds).flatmap(lambda drawn: other if drawn == unlucky else usual)


CAPABILITIES = st.fixed_dictionaries(
    {}, optional={"elicitation": st.just({}), "sampling": st.just({}), "roots": JSON}
)
OWN_META = {
    f"{META}protocolVersion": usually(st.just("2026-07-28"), st.sampled_from(VERSIONS) | JSON),
    f"{META}clientCapabilities": usually(CAPABILITIES),
}
MORE_META = {
    f"{META}logLevel": usually(st.sampled_from(["debug", "info", "loud"])),
    f"{META}clientInfo": JSON,
    "progressToken": usually(st.integers() | st.text(max_size=3)),
}
METAS = usually(
    st.fixed_dictionaries(OWN_META, optional=MORE_META),
    st.fixed_dictionaries({}, optional={**OWN_META, **MORE_META}),
    6,
)
ANSWERS = st.dictionaries(
    st.sampled_from(["1", "2", "other"]),
    usually(st.just({"action": "accept", "content": {"name": "Ada"}})),
    max_size=3,
)
TEXTS = st.fixed_dictionaries({}, optional={"text": usually(st.text(max_size=4))})
RETRIES = {"inputResponses": usually(ANSWERS), "requestState": JSON}
TOOLS = ["shout", "tell", "ask", "route", "openenv_open_session", "openenv_close_session"]


def params(required: dict[str, Any] | None = None, **optional: Any) -> Any:
    """Parameters that usually fit a method, and usually a `_meta`."""
    fitting = {name: usually(each) for name, each in (required or {}).items()}
    mistaken = {"name": JSON, "uri": JSON, "cursor": JSON, "session_id": JSON, "_meta": JSON}
    return usually(
        st.fixed_dictionaries({"_meta": METAS, **fitting}, optional=optional),
        st.fixed_dictionaries({}, optional={**mistaken, **fitting, **optional}) | JSON,
        10,
    )


URIS = st.sampled_from(["note://total", "page://1", "page://x", "no://such"])
REFERENCES = st.sampled_from(
    [{"type": "ref/prompt", "name": "hello"}, {"type": "ref/resource", "uri": "page://{number}"}]
)
FITTING: dict[str, Any] = {
    "initialize": params(
        {"protocolVersion": st.sampled_from(VERSIONS), "capabilities": CAPABILITIES}
    ),
    "tools/call": params(
        {"name": st.sampled_from(TOOLS)},
        arguments=usually(TEXTS),
        **RETRIES,
    ),
    "resources/read": params({"uri": URIS}, **RETRIES),
    "resources/subscribe": params({"uri": URIS}),
    "prompts/get": params({"name": st.just("hello")}, arguments=usually(TEXTS), **RETRIES),
    "completion/complete": params(
        {"ref": REFERENCES, "argument": st.just({"name": "text", "value": "a"})}
    ),
    "logging/setLevel": params({"level": st.sampled_from(["debug", "error", "loud"])}),
    "subscriptions/listen": params({"notifications": st.just({"toolsListChanged": True})}),
    "notifications/cancelled": params({"requestId": st.integers(0, 5)}),
    "openenv/session/close": params({"session_id": st.text(max_size=3)}),
}


@st.composite
def _envelopes(draw: st.DrawFn) -> Any:
    """A message with what its method takes."""
    method = draw(st.sampled_from(SAID))
    message = {
        "jsonrpc": "2.0",
        "method": method,
        "id": draw(IDENTITIES),
        "params": draw(FITTING.get(method, params())),
    }
    slip = draw(usually(st.none(), st.sampled_from(["jsonrpc", "method", "id", "params"]), 10))
    if slip is not None and draw(st.booleans()):
        del message[slip]
    elif slip is not None:
        message[slip] = draw(JSON)
    return message


IDENTITIES = usually(st.integers(0, 5) | st.sampled_from(["", "a", 2**70, -1]))
RESPONSES = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": st.integers(1, 5).map("ask-{}".format),
        "result": usually(st.just({"action": "accept", "content": {"name": "Ada"}})),
    },
    optional={"error": JSON},
)
ENVELOPES: Any = usually(_envelopes(), RESPONSES)

WEDGES = [b"", b"1e999", b'"\\ud800"', b"NaN", b"\xff", b"[" * 2000, b"null", b'"', b"\x00", b"-0"]


def may_last(body: bytes) -> bool:
    """Whether the answer may be a stream that only the client ends."""
    return b"subscriptions" in body or b'"ask"' in body


@st.composite
def _wedged(draw: st.DrawFn) -> bytes:
    """An envelope, some of whose bytes something else has taken the place of."""
    body = json.dumps(draw(ENVELOPES)).encode()
    start = draw(st.integers(0, len(body)))
    end = start + draw(st.integers(0, 6))
    return body[:start] + draw(st.sampled_from(WEDGES)) + body[end:]


BODIES: Any = usually(
    ENVELOPES.map(lambda each: json.dumps(each).encode()),
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(BROKEN),
        JSON.map(lambda each: json.dumps(each).encode()),
        st.lists(ENVELOPES, max_size=4).map(lambda each: json.dumps(each).encode()),
        _wedged(),
    ),
    6,
)
FRAMES: Any = usually(
    BODIES.map(lambda body: body.decode("utf-8", "replace")), st.binary(max_size=5)
)


class Request(NamedTuple):
    """One HTTP request; `{session}` in a value stands for a session's id."""

    method: str
    query: str
    fields: list[tuple[str, bytes]]
    body: bytes


@st.composite
def _mangled(draw: st.DrawFn, value: bytes) -> bytes:
    """The value, perhaps in other clothes, perhaps another."""
    wrapped = b"=?base64?" + base64.b64encode(value) + b"?="
    forms = [b" " + value + b"\t", wrapped, wrapped[:-3], value.upper()]
    others = [b"=?base64?!!?=", b"=?base64?/w==?=", "ü".encode(), b"\xff\xfe", value * 400]
    return draw(st.sampled_from(forms) | st.sampled_from(others) | _VALUES)


_VALUES = st.binary(max_size=8).map(lambda each: bytes(b for b in each if b > 31 and b != 127))


@st.composite
def requests(draw: st.DrawFn, methods: tuple[str, ...]) -> Request:
    """A request, usually a POST, whose headers usually have something to do with its body."""
    body = draw(BODIES)
    stateless = [("mcp-protocol-version", b"2026-07-28"), *_repeated(body)]
    with_session = [
        ("mcp-protocol-version", b"2025-11-25"),
        ("mcp-session-id", SESSION),
        ("last-event-id", draw(st.sampled_from([b"0_0", b"1_0", b"1_1", b"2_9", b"x"]))),
    ]
    chosen = draw(
        usually(
            st.sampled_from([stateless, with_session, with_session[1:2], []]),
            st.lists(st.sampled_from([*stateless, *with_session, *OTHERS]), max_size=8),
            3,
        )
    )
    slips = usually(st.just(False), st.just(True), 8)
    fields = [
        (name, draw(_mangled(value)) if draw(slips) else value)
        for name, value in [*chosen, ("mcp-param-region", b"hey")]
    ]
    return Request(
        draw(usually(st.just("POST"), st.sampled_from(methods), 8)),
        draw(usually(st.just(""), st.sampled_from(["?session_id=x", "?session_id=%ff&a", "?=&;"]))),
        fields,
        body,
    )


OTHERS = [
    ("mcp-session-id", b"dead"),
    ("mcp-protocol-version", b"1999-01-01"),
    ("accept", b"*/*"),
    ("accept", b"application/json"),
    ("content-type", b"application/json"),
    ("content-type", b"text/plain"),
]


def _repeated(body: bytes) -> list[tuple[str, bytes]]:
    """The headers that would repeat this body, as far as it has what they repeat."""
    try:
        message = json.loads(body)
        params = message["params"]
        named = {"mcp-method": message["method"], "mcp-name": params.get("name", params.get("uri"))}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return []
    return [
        (header, value.encode())
        for header, value in named.items()
        if isinstance(value, str) and value.isascii() and value.isprintable()
    ]
