"""What was measured on: processor, versions, commit, and where the original is installed."""

import functools
import os
import platform
import subprocess
import sys
from pathlib import Path

__all__ = ["LOAD_CORE", "ROOT", "SERVER_CORE", "describe", "original_python"]

ROOT = Path(__file__).parent.parent
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]

_PACKAGES = ["msgspec", "starlette", "uvicorn", "uvloop", "httptools", "websockets", "picows"]
_PACKAGES += ["mcp", "fastmcp"]
_NAMES = ["openenv", "fastapi", "pydantic", "starlette", "uvicorn", "uvloop", "websockets"]
_LIST_VERSIONS = """
import importlib.metadata, sys
known = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
print(*(f"{name} {known.get(name, '(none)')}" for name in sys.argv[1:]), sep=", ")
"""


@functools.cache
def original_python() -> str | None:
    """Interpreter that has the original `openenv`, or None."""
    given = os.environ.get("OPENENV_ORIGINAL_PYTHON")
    usual = ROOT / ".venv-openenv" / "bin" / "python"
    return given or (str(usual) if usual.exists() else None)


def describe() -> dict[str, str]:
    python = original_python()
    return {
        "processor": f"{_processor()}, {len(_CORES)} cores",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "commit": _commit(),
        "ours": _output(sys.executable, "-c", _LIST_VERSIONS, *_PACKAGES),
        "original": _output(python, "-c", _LIST_VERSIONS, *_NAMES) if python else "not installed",
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str:
    changed = "" if not _output("git", "status", "--porcelain") else " with local changes"
    return _output("git", "rev-parse", "--short", "HEAD") + changed


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
