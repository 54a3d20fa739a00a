"""`tools/call` per second by `POST /mcp` at 16 connections, on two revisions of MCP.

The server has one core, the load another; counted twice, as in `benchmarks.load`. All answer in
JSON, and none logs its requests. Ours is what `openenv-lite serve` runs; ours under plain uvicorn,
as bare ASGI is, is shown beside it. Bars are set against the faster revision of each rival without
sessions; those with sessions are shown beside them.
"""

import contextlib
import functools

from benchmarks.drives.wires import LEGACY, MODERN, REVISIONS, example
from benchmarks.figures import Bench, Figures, absent, core_rates, measure, rates, ratio
from benchmarks.machine import has
from benchmarks.processes import FAST, Running, Server, loading, serving, uvicorn
from benchmarks.servers import served

__all__ = ["run_mcp"]

CONNECTIONS = 16
OF_BARE, TIMES_FASTMCP, TIMES_SDK = 0.8, 20.0, 8.0
QUIET = (*FAST, "--no-access-log")

OURS, PLAIN, BARE, FASTMCP, SDK = (
    tuple(f"{name}, {revision}" for revision in REVISIONS)
    for name in ("ours", "ours under plain uvicorn", "bare ASGI", "FastMCP", "mcp")
)
FASTMCP_SESSIONS, SDK_SESSIONS = f"{FASTMCP[0]}, sessions", f"{SDK[0]}, sessions"

SERVED = "our_tools:Echo"

# Which revision each row is asked on, and what app answers; rows of one app share its server.
ROWS = {
    OURS[0]: (LEGACY, SERVED),
    BARE[0]: (LEGACY, "bare_tools:legacy_app"),
    PLAIN[0]: (LEGACY, "our_tools:app"),
    OURS[1]: (MODERN, SERVED),
    BARE[1]: (MODERN, "bare_tools:modern_app"),
    PLAIN[1]: (MODERN, "our_tools:app"),
    FASTMCP[0]: (LEGACY, "fastmcp_tools:stateless_app"),
    FASTMCP[1]: (MODERN, "fastmcp_tools:stateless_app"),
    FASTMCP_SESSIONS: (LEGACY, "fastmcp_tools:session_app"),
    SDK[0]: (LEGACY, "sdk_tools:stateless_app"),
    SDK[1]: (MODERN, "sdk_tools:stateless_app"),
    SDK_SESSIONS: (LEGACY, "sdk_tools:session_app"),
}


PACKAGES = {"fastmcp_tools": "fastmcp", "sdk_tools": "mcp"}
"""What an app needs that is a rival's."""


def run_mcp(seconds: float, rounds: int) -> list[Bench]:
    rows = {row: each for row, each in ROWS.items() if has(*_needed(each[1]))}
    with contextlib.ExitStack() as stack:
        servers = {
            app: stack.enter_context(serving(_server(app)))
            for app in dict.fromkeys(app for _, app in rows.values())
        }
        for ours, bare in zip(OURS, BARE, strict=True):
            _compare(ROWS[ours][0], servers[ROWS[ours][1]], servers[ROWS[bare][1]])
        drive = functools.partial(loading, "benchmarks.drives.posts", str(CONNECTIONS))
        loads = {revision: stack.enter_context(drive(revision)) for revision in REVISIONS}
        runs = {
            row: functools.partial(loads[revision].run, servers[app], seconds)
            for row, (revision, app) in rows.items()
        }
        samples = measure(runs, rounds)
    title = f"tools/call at {CONNECTIONS} connections, server on one core"
    return [
        _judged("mcp", title, rates(samples)),
        _judged("mcp-core", f"{title}, by its time on the core", core_rates(samples)),
    ]


def _server(app: str) -> Server:
    target = f"benchmarks.apps.{app}"
    if app == SERVED:
        return served(target, "--mode", "production")
    return uvicorn(target, options=QUIET)


def _needed(app: str) -> list[str]:
    return [package for module, package in PACKAGES.items() if app.startswith(module)]


def _compare(revision: str, ours: Running, bare: Running) -> None:
    """The bare app is a floor only while it answers with the same bytes."""
    bodies = [example(f"127.0.0.1:{each.port}", revision).body for each in (ours, bare)]
    if bodies[0] != bodies[1]:
        raise ValueError(f"On {revision} ours answers {bodies[0]!r}, bare ASGI {bodies[1]!r}")


def _judged(name: str, title: str, figures: list[Figures]) -> Bench:
    known = {each.name for each in figures}
    figures += absent(each for each in ROWS if each not in known)
    bench = Bench(name, title, "calls/s", figures)
    for ours, plain, bare in zip(OURS, PLAIN, BARE, strict=True):
        bench.ratios += [
            ratio(bench, ours, [bare], bar=OF_BARE),
            ratio(bench, plain, [bare]),
            ratio(bench, ours, FASTMCP, bar=TIMES_FASTMCP, rivals="FastMCP"),
            ratio(bench, ours, SDK, bar=TIMES_SDK, rivals="mcp"),
            ratio(bench, ours, [FASTMCP_SESSIONS]),
            ratio(bench, ours, [SDK_SESSIONS]),
        ]
    return bench
