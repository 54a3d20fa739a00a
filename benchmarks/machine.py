"""What was measured on: processor, versions, commit, and where each rival is installed."""

import functools
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

__all__ = [
    "HOW_TO_INSTALL",
    "LOAD_CORE",
    "MISSING",
    "ROOT",
    "SERVER_CORE",
    "describe",
    "envpool_python",
    "has",
    "original_python",
]

ROOT = Path(__file__).parent.parent
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]
MISSING = "not installed"

_PACKAGES = ["msgspec", "starlette", "uvicorn", "uvloop", "httptools", "websockets", "picows"]
_PACKAGES += ["mcp", "fastmcp", "gymnasium", "numpy"]
_NAMES = ["openenv", "fastapi", "pydantic", "starlette", "uvicorn", "uvloop", "websockets"]
_LIST_VERSIONS = """
import importlib.metadata, sys
known = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
print(*(f"{name} {known.get(name, '(none)')}" for name in sys.argv[1:]), sep=", ")
"""

HOW_TO_INSTALL = {
    "OpenEnv": "a virtual environment .venv-openenv with openenv==0.10.0, or an interpreter that "
    "has it in OPENENV_ORIGINAL_PYTHON; with uvloop and httptools, for a kinder row",
    "EnvPool": "a virtual environment .venv-envpool with envpool and gymnasium, or an interpreter "
    "that has them in ENVPOOL_PYTHON",
}
"""What to do about a missing rival, by the name of its fact in `describe`."""


def has(*packages: str, python: str = sys.executable) -> bool:
    """Whether an interpreter can import all of them."""
    if python == sys.executable:
        return all(importlib.util.find_spec(each) is not None for each in packages)
    command = [python, "-c", f"import {', '.join(packages)}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def original_python() -> str | None:
    """Interpreter that has the original `openenv`, or None."""
    return _interpreter("OPENENV_ORIGINAL_PYTHON", ".venv-openenv")


def envpool_python() -> str | None:
    """Interpreter that has `envpool`, or None."""
    own = sys.executable if has("envpool") else None
    return _interpreter("ENVPOOL_PYTHON", ".venv-envpool") or own


@functools.cache
def _interpreter(variable: str, folder: str) -> str | None:
    given = os.environ.get(variable)
    usual = ROOT / folder / "bin" / "python"
    return given or (str(usual) if usual.exists() else None)


def describe() -> dict[str, str]:
    return {
        "processor": f"{_processor()}, {len(_CORES)} cores",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "commit": _commit(),
        "ours": _versions(sys.executable, _PACKAGES),
        "OpenEnv": _versions(original_python(), _NAMES),
        "EnvPool": _versions(envpool_python(), ["envpool", "gymnasium", "numpy"]),
    }


def _versions(python: str | None, packages: list[str]) -> str:
    return MISSING if python is None else _output(python, "-c", _LIST_VERSIONS, *packages)


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
