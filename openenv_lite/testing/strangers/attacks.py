"""Ways in which somebody may try to reach a control on a server that gives nobody control.

A way is what one example of a law tries: a handful of attempts of one kind. Nothing here knows
whether an attempt succeeded.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from openenv_lite.batches import TABLE
from openenv_lite.protocol import TABLE as EPISODE_TABLE
from openenv_lite.tools import RESERVED_TOOL_NAMES

__all__ = [
    "CONTROLS",
    "EVENTS",
    "NONSENSE",
    "RPC_NAMES",
    "TOOL_NAMES",
    "Attempt",
    "Frames",
    "http_ways",
    "lane_messages",
    "mounts_of",
    "pairs",
    "rpc_request",
    "socket_ways",
    "spelled",
]

PREFIXES = (
    *("/web", "/api", "/v1", "/api/v1", "/env", "/environment", "/openenv", "/sim", "/simulation"),
    *("/train", "/trainer", "/control", "/admin", "/internal", "/debug", "/dev", "/test"),
    *("/mcp", "/ws", "/health"),
)

PATHS: dict[str, tuple[str, ...]] = {
    "as it is": ("/{name}",),
    "slashes": ("/{name}/", "//{name}", "/{name}//", "/\\{name}", "/{name}/{name}"),
    "case": ("/{Name}", "/{NAME}"),
    "encoded": ("/{hex}", "/{name}%2f", "/%2f{name}", "/{name}%20", "/{name}%00", "/{name}%0a"),
    "dots": ("/./{name}", "/health/../{name}", "/health/%2e%2e/{name}", "/%2e/{name}", "/{name}/."),
    "tails": ("/{name};v=1", "/{name}.json", "/{name}:", "/{name}?mode=simulation", "/{name}?a=/"),
}

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "QUERY", "post")

CONTROLS = {"reset": "POST", "step": "POST", "state": "GET"}
"""OpenEnv's controls over HTTP, and the method of each."""

EVENTS = tuple(str(event) for event, row in EPISODE_TABLE.items() if not row.in_production)
"""What only a trainer may ask of an environment."""

OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")

REWRITES = ("x-original-url", "x-rewrite-url", "x-forwarded-uri", "x-forwarded-path")

HEADERS: tuple[dict[str, str], ...] = (
    {"x-openenv-mode": "simulation"},
    {"openenv-mode": "simulation"},
    {"x-mode": "simulation"},
    {"x-forwarded-prefix": "/simulation"},
    {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"},
    {"authorization": "Bearer control"},
    {"authorization": "Bearer "},
    {"authorization": "Bearer null"},
    {"authorization": "Basic Y29udHJvbDpjb250cm9s"},
    {"x-openenv-control": "1", "x-control-token": "control"},
)
"""What no server may take for permission."""

SOCKET_PATHS = ("/ws?mode=simulation", "/ws?control=1", "/ws?token=control", "/ws/", "//ws", "/WS")


class Attempt(NamedTuple):
    """One HTTP request; `body` is sent as JSON, None for nothing."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = {}

    def __str__(self) -> str:
        """As an argument list."""
        shown = f"{self.method!r}, {self.path!r}"
        if self.body is not None or self.headers:
            shown = f"{shown}, {self.body!r}"
        return f"{shown}, {dict(self.headers)!r}" if self.headers else shown


class Frames(NamedTuple):
    """One WebSocket, and what is said on it."""

    path: str
    messages: Sequence[Any]
    headers: Mapping[str, str] = {}

    def __str__(self) -> str:
        """As an argument list."""
        said = ", ".join(repr(each) for each in (self.path, *self.messages))
        return f"{said}, headers={dict(self.headers)!r}" if self.headers else said


def spelled(pattern: str, name: str) -> str:
    """A name in one of the spellings: `{name}`, `{Name}`, `{NAME}`, `{wide}`, or `{hex}`."""
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in name if letter.isalpha())
    first = f"%{ord(name[0]):02x}{name[1:]}"
    return pattern.format(name=name, Name=name.title(), NAME=name.upper(), wide=wide, hex=first)


def mounts_of(app: Any, prefix: str = "") -> Iterator[str]:
    """Where an app of this process has other apps mounted, and theirs."""
    for route in getattr(app, "routes", None) or ():
        if hasattr(route, "routes") and hasattr(route, "path"):
            yield prefix + route.path
            yield from mounts_of(route, prefix + route.path)


def http_ways(prefixes: Sequence[str], action: Any) -> list[list[Attempt]]:
    """Requests that might reach a control.

    Args:
        prefixes: Where something of the server's is known to be.
        action: A legal one.
    """
    bodies = {"reset": {}, "step": {"action": action}, "state": None}

    def plain(path: str, name: str, method: str | None = None, **headers: str) -> Attempt:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return Attempt(method or CONTROLS[name], path, bodies[name], named)

    ways = [[plain(spelled(p, n), n) for p in few for n in CONTROLS] for few in PATHS.values()]
    every = [pattern for few in PATHS.values() for pattern in few]
    ways += [[plain(at + spelled(p, n), n) for p in every for n in CONTROLS] for at in prefixes]
    guesses = [each for each in PREFIXES if each not in prefixes]
    ways += [[plain(f"{at}/{n}", n) for at in pair for n in CONTROLS] for pair in pairs(guesses)]
    ways += [[plain(f"/{n}", n, method) for method in METHODS for n in CONTROLS]]
    ways += [[_with(plain(f"/{n}", n), each) for each in HEADERS for n in CONTROLS]]
    ways += [[_overridden(name, bodies[name], header) for header in OVERRIDES for name in CONTROLS]]
    ways += [[_rewritten(name, bodies[name], header) for header in REWRITES for name in CONTROLS]]
    return ways


def pairs(values: Sequence[str]) -> list[Sequence[str]]:
    """Two by two."""
    return [values[place : place + 2] for place in range(0, len(values), 2)]


def _with(attempt: Attempt, headers: Mapping[str, str]) -> Attempt:
    return attempt._replace(headers={**attempt.headers, **headers})


def _overridden(name: str, body: Any, header: str) -> Attempt:
    """Another method on the line than in the header."""
    said = "GET" if CONTROLS[name] == "POST" else "POST"
    return Attempt(said, f"/{name}", body, {header: CONTROLS[name]})


def _rewritten(name: str, body: Any, header: str) -> Attempt:
    """Another path on the line than in the header."""
    return Attempt(CONTROLS[name], "/health", body, {header: f"/{name}"})


FRAME_SHAPES: tuple[Any, ...] = (
    *({"type": pattern} for pattern in ("{name}", "{Name}", "{NAME}", " {name} ", "{wide}")),
    *({"type": f"{at}{{name}}"} for at in ("openenv/", "openenv.", "env_", "control.", "_")),
    *({key: "{name}"} for key in ("command", "action", "op", "method", "event", "kind", "message")),
    {"type": "message", "data": {"type": "{name}"}},
    {"type": ["{name}"]},
    [{"type": "{name}"}],
    '{{"type": "mcp", "type": "{name}", "data": {{}}}}',
)
"""Messages that a server might take for the control of a name; text goes out as it is."""


def frames_of(shape: Any, action: Any) -> list[Any]:
    """The messages of one shape, for each control in turn."""
    return [_filled(shape, name, action) for name in EVENTS]


def _filled(shape: Any, name: str, action: Any) -> Any:
    if isinstance(shape, str):
        return spelled(shape, name)
    if isinstance(shape, list):
        return [_filled(each, name, action) for each in shape]
    named = {key: _named(value, name) for key, value in shape.items()}
    data = action if name == "step" else {}
    return named if name == "state" or "data" in named else {**named, "data": data}


def _named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _named(each, name) for key, each in value.items()}
    return (
        [spelled(each, name) for each in value] if isinstance(value, list) else spelled(value, name)
    )


def socket_ways(prefixes: Sequence[str], action: Any) -> list[list[Frames]]:
    """Conversations over `/ws`, or what might be one, that might reach a control."""
    plain = frames_of(FRAME_SHAPES[0], action)
    ways = [[Frames("/ws", frames_of(shape, action))] for shape in FRAME_SHAPES]
    ways += [[Frames(f"{at}/ws", plain)] for at in prefixes]
    guesses = [each for each in PREFIXES if each not in prefixes]
    ways += [[Frames(f"{at}/ws", plain) for at in guesses]]
    ways += [[Frames(path, plain) for path in (*SOCKET_PATHS, "/mcp")]]
    ways += [[Frames("/ws", plain, headers) for headers in HEADERS]]
    return ways


def lane_messages(action: Any) -> list[dict[str, Any]]:
    """Every message of our subprotocol that production must not know, for a lane that is open."""
    fields: dict[str, dict[str, Any]] = {
        "step": {"actions": [action]},
        "receive": {"wait": 1},
        "restore": {"snapshots": ["0"]},
        "fork": {"snapshots": ["0"]},
        "export": {"snapshots": ["0"]},
        "import": {"data": [""]},
        "discard": {"snapshots": ["0"]},
    }
    names = [name for name, row in TABLE.items() if not row.in_production]
    return [{"type": name, **fields.get(name, {})} for name in names]


RPC_NAMES = (
    *("{name}", "{Name}", "openenv/{name}", "openenv.{name}", "openenv/session/{name}"),
    *("session/{name}", "env/{name}", "environment/{name}", "control/{name}", "tools/{name}"),
    *("simulation/{name}", "notifications/{name}", "_{name}"),
)
"""Methods that a server might take for the control of a name."""


TOOL_NAMES = tuple(
    spelled(pattern, name)
    for name in sorted(RESERVED_TOOL_NAMES)
    for pattern in ("{name}", "{Name}", "{NAME}", " {name}", "{wide}", "_{name}", "{name}_async")
)
"""Names by which a model might reach a control."""


def rpc_request(name: str, method: str, action: Any) -> dict[str, Any]:
    """A JSON-RPC request that might be the control of a name."""
    params = {"action": action} if name == "step" else {}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


_DEEP = 100_000

_METHODS: tuple[Any, ...] = (None, {}, 1)
_TYPES: tuple[Any, ...] = (None, {}, [], 1, "mcp")

NONSENSE: tuple[Attempt | Frames, ...] = (
    *(
        Attempt("POST", "/mcp", body)
        for body in (b"{", b"\xff\xfe", b"[" * _DEEP, b"1e999", b"null")
    ),
    *(Attempt("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": each}) for each in _METHODS),
    Attempt("POST", "/mcp", {"jsonrpc": "2.0", "id": {}, "method": "tools/call", "params": []}),
    Attempt("POST", "/mcp", {}, {"mcp-session-id": "none", "mcp-protocol-version": "none"}),
    Attempt("DELETE", "/mcp", None, {"mcp-session-id": "none"}),
    Attempt("GET", f"/{'a' * 10_000}"),
    Attempt("GET", "/%ff%fe%00"),
    Attempt("GET", "/ws"),
    Attempt("POST", "/health", b"{"),
    *(
        Frames("/ws", [text])
        for text in ("", "{", "null", "[]", '"x"', "[" * _DEEP, "x" * 1_000_000)
    ),
    *(Frames("/ws", [{"type": each}]) for each in _TYPES),
    Frames("/ws", [{"type": "mcp", "data": None}]),
    Frames("/ws", ['{"type": "\\ud800"}']),
    Frames("/ws?session_id=none", ["{}"]),
    *(Frames("/mcp", [text]) for text in ("", "{", "null", "[" * _DEEP)),
)
"""What cannot be read, or says nothing."""
