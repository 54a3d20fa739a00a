"""The contestants' servers, by the name of their row.

The rival that bars are set against is OpenEnv as its package installs and its users run it. Two
kinder ones are shown beside it: its environment written with `step_async`, and that under our
uvicorn options too. No bar is set against those: bare ASGI itself is only about twice the kindest.
"""

from benchmarks.machine import original_python
from benchmarks.processes import FAST, Server

__all__ = ["BARE", "INLINE", "THEIRS", "THREADED", "USUAL", "original_servers", "own_servers"]

BARE, INLINE, THREADED = "bare ASGI", "ours, inline", "ours, threaded"
USUAL = "OpenEnv"
THEIRS = (USUAL, "OpenEnv, async def", "OpenEnv, async def, our uvicorn options")

# Plain `uvicorn app:app` among what `pip install openenv` brings: no uvloop, no httptools. Named,
# so that an interpreter which happens to have them measures the same.
_AS_INSTALLED = ("--loop", "asyncio", "--http", "h11")


def own_servers() -> dict[str, Server]:
    return {
        INLINE: Server("benchmarks.apps.ours:inline_app"),
        BARE: Server("benchmarks.apps.bare:app"),
        "ours, async def": Server("benchmarks.apps.ours:async_app"),
        THREADED: Server("benchmarks.apps.ours:threaded_app"),
    }


def original_servers() -> dict[str, Server]:
    """OpenEnv as its users run it, then twice in kinder ways; empty if not installed."""
    python = original_python()
    if python is None:
        return {}
    ordinary, kinder = "benchmarks.original.app:sync_app", "benchmarks.original.app:async_app"
    servers = (
        Server(ordinary, python, _AS_INSTALLED),
        Server(kinder, python, _AS_INSTALLED),
        Server(kinder, python, FAST),
    )
    return dict(zip(THEIRS, servers, strict=True))
