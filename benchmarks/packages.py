"""Environments written for OpenEnv, unmodified, on its server and on ours, each with its client.

Then what its author gains by each further change, up to many lanes of one connection.
"""

import contextlib
import functools
from collections.abc import Mapping

from benchmarks.drives.batches import MSGPACK
from benchmarks.drives.exchange import Sample
from benchmarks.figures import Bench, absent, measure, rates, ratio
from benchmarks.machine import has, original_python
from benchmarks.processes import Load, Running, Server, awake, loading, serving
from benchmarks.servers import USUAL, original, served

__all__ = ["CHANGES", "run_packages"]

TIMES_STEP, TIMES_TOOL = 3.0, 10.0
LANES = 64
OURS, QUICK, PORTED = "ours", "ours, --no-blocking", "ours, ported"
HALF = "our server, OpenEnv's client"
MANY, MANY_PORTED = f"{OURS}, {LANES} lanes", f"{PORTED}, {LANES} lanes"
CHANGES = {
    HALF: "the server: `openenv-lite serve my_env`",
    OURS: "and the client: `from openenv_lite.client import EnvClient`",
    QUICK: "and no threads, where no method waits: `--no-blocking`",
    PORTED: "and the types: `from openenv_lite import Action, Environment, Observation, State`",
    MANY: f"the server, and {LANES} environments on one connection: `VectorEnvClient`",
    MANY_PORTED: f"all of these, and {LANES} environments on one connection",
}
"""What an author changes, by the contestant who has done it."""
PLAIN = "A step of an OpenEnv package, its server and client or ours"
TOOLS = "A tool step of an OpenEnv package, its server and client or ours"

Pairs = Mapping[str, tuple[Load[Sample], Running]]


def run_packages(seconds: float, rounds: int) -> list[Bench]:
    python = original_python()
    if python is None or not has("openenv", "openenv_lite", python=python):
        return [_plain({}, seconds, rounds), _tools({}, seconds, rounds)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(awake())
        return [
            _plain(_plain_pairs(stack, python), seconds, rounds),
            _tools(_tool_pairs(stack, python), seconds, rounds),
        ]


def _plain(pairs: Pairs, seconds: float, rounds: int) -> Bench:
    bench = _measured("package", PLAIN, pairs, seconds, rounds)
    bench.figures += absent(each for each in (USUAL, *CHANGES) if each not in pairs)
    bars = {OURS: TIMES_STEP, QUICK: TIMES_STEP}
    bench.ratios = [ratio(bench, each, [USUAL], bar=bars.get(each)) for each in CHANGES]
    return bench


def _tools(pairs: Pairs, seconds: float, rounds: int) -> Bench:
    bench = _measured("package-tools", TOOLS, pairs, seconds, rounds)
    bench.figures += absent(each for each in (USUAL, OURS) if each not in pairs)
    bench.ratios = [ratio(bench, OURS, [USUAL], bar=TIMES_TOOL)]
    return bench


def _measured(name: str, title: str, pairs: Pairs, seconds: float, rounds: int) -> Bench:
    runs = {
        each: functools.partial(load.run, server, seconds) for each, (load, server) in pairs.items()
    }
    return Bench(name, title, "steps/s", rates(measure(runs, rounds)))


def _plain_pairs(stack: contextlib.ExitStack, python: str) -> Pairs:
    start = stack.enter_context
    theirs = start(serving(original("plain_app", "packages")[USUAL]))
    plain = start(serving(_ours(python, "plain_app")))
    quick = start(serving(_ours(python, "plain_app", "--no-blocking")))
    client = functools.partial(loading, "benchmarks.drives.client")
    ported = start(serving(served("benchmarks.apps.ours:Inline")))
    original_client = start(client("openenv.core", "sync", python=python))
    ours = start(client("openenv_lite.client", "sync"))
    lanes = start(loading("benchmarks.drives.lanes", MSGPACK, str(LANES), "async"))
    return {
        USUAL: (original_client, theirs),
        HALF: (original_client, plain),
        OURS: (ours, plain),
        QUICK: (ours, quick),
        PORTED: (ours, ported),
        MANY: (lanes, plain),
        MANY_PORTED: (lanes, ported),
    }


def _tool_pairs(stack: contextlib.ExitStack, python: str) -> Pairs:
    start = stack.enter_context
    theirs = start(serving(original("tools_app", "packages")[USUAL]))
    ours = start(serving(_ours(python, "tools_app")))
    client = functools.partial(loading, "benchmarks.drives.tool_steps")
    return {
        USUAL: (start(client("openenv.core", python=python)), theirs),
        OURS: (start(client("openenv_lite.client")), ours),
    }


def _ours(python: str, app: str, *options: str) -> Server:
    """Our server beside an installed `openenv`, with the same app that OpenEnv's own serves."""
    named = f"benchmarks.original.packages:{app}"
    return Server((python, "-m", "openenv_lite", "serve", named, *options))
