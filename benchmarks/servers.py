"""The contestants' servers, by the name of their row.

The rival that bars are set against is OpenEnv as its package installs and its users run it. Two
kinder ones are shown beside it: its environment written with `step_async`, and that under our
uvicorn options too. No bar is set against those: bare ASGI itself is only about twice the kindest.
"""

import sys
from pathlib import Path

from benchmarks.machine import has, original_python
from benchmarks.processes import Server, module, uvicorn

__all__ = [
    "BARE",
    "INLINE",
    "PICOWS",
    "THEIRS",
    "THREADED",
    "USUAL",
    "original",
    "original_servers",
    "own_servers",
    "served",
]

BARE, INLINE, THREADED = "bare ASGI", "ours, inline", "ours, threaded"
PICOWS = "bare picows"
USUAL = "OpenEnv"
THEIRS = (USUAL, "OpenEnv, async def", "OpenEnv, async def, our uvicorn options")

CAPACITY = "20000"

# Plain `uvicorn app:app` among what `pip install openenv` brings: no uvloop, no httptools. Named,
# so that an interpreter which happens to have them measures the same.
_AS_INSTALLED = ("--loop", "asyncio", "--http", "h11")


def own_servers() -> dict[str, Server]:
    return {
        INLINE: uvicorn("benchmarks.apps.ours:inline_app"),
        BARE: uvicorn("benchmarks.apps.bare:app"),
        PICOWS: module("benchmarks.apps.bare_picows"),
        "ours, async def": uvicorn("benchmarks.apps.ours:async_app"),
        THREADED: uvicorn("benchmarks.apps.ours:threaded_app"),
    }


def served(target: str, *options: str) -> Server:
    """An environment of ours as its users run it."""
    program = str(Path(sys.executable).parent / "openenv-lite")
    return Server((program, "serve", target, "--max-concurrent-envs", CAPACITY, *options))


def original_servers() -> dict[str, Server]:
    """OpenEnv as its users run it, then twice in kinder ways; empty if not installed."""
    python = original_python()
    if python is None:
        return {}
    kinder = "benchmarks.original.app:async_app"
    servers = [uvicorn(kinder, python, _AS_INSTALLED)]
    if has("uvloop", "httptools", python=python):
        servers.append(uvicorn(kinder, python))
    return original("sync_app") | dict(zip(THEIRS[1:], servers, strict=False))


def original(app: str, module: str = "app") -> dict[str, Server]:
    """An app of `benchmarks.original` as OpenEnv's users run it; empty if not installed."""
    python = original_python()
    if python is None:
        return {}
    return {USUAL: uvicorn(f"benchmarks.original.{module}:{app}", python, _AS_INSTALLED)}
