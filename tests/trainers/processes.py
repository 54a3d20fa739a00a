"""The virtual environment that has TRL, made once; in the background, for it takes minutes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = ["VARIABLE", "Installation", "installing", "run"]

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".venv-trl"
PUBLISHED = ROOT / "tests" / "trainers" / "with_trl" / "published"
"""Interfaces of what cannot be installed."""
VARIABLE = "OPENENV_TRL_PYTHON"
TORCH = "torch==2.13.0"
PACKAGES = ("trl==1.16.0", "transformers==5.23.0", "datasets==5.2.0", "hypothesis>=6.140")
"""What is installed after `TORCH`, which must be there first, or pip would take one with CUDA."""

VERL = "verl==0.9.1"
VERL_NEEDS = (
    "ray==2.60.0",
    "tensordict==0.10.0",
    "hydra-core",
    "codetiming",
    "cachetools",
    "fastapi",
    "uvicorn",
    "pillow",
)
"""What of verl's requirements its agent loops import; the rest is for training on GPUs."""

_LONGEST_S = 1200


class Installation:
    """What makes the environment, unless it is there.

    Args:
        process: None where there is nothing to do.
        log: What pip says.
    """

    def __init__(self, process: "subprocess.Popen[str] | None", log: IO[str]) -> None:
        self._process = process
        self._log = log

    def python(self) -> Path:
        """The interpreter, once it is ready.

        Raises:
            RuntimeError: It could not be had; the text holds pip's last words.
        """
        if self._process is not None and self._process.wait(_LONGEST_S) != 0:
            self._log.seek(0)
            raise RuntimeError(f"TRL could not be installed:\n{self._log.read()[-3000:]}")
        return _python()


def _python() -> Path:
    named = os.environ.get(VARIABLE)
    folder = "Scripts" if sys.platform == "win32" else "bin"
    return Path(named) if named else CACHE / folder / "python"


@contextmanager
def installing(log: IO[str]) -> Iterator[Installation]:
    """Begin to make the environment; what is not ready in the end is given up."""
    if os.environ.get(VARIABLE) or (CACHE / "installed").exists():
        yield Installation(None, log)
        return
    with subprocess.Popen(
        [sys.executable, "-m", "tests.trainers.processes"],
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Installation(process, log)
        finally:
            process.terminate()


def install() -> None:
    """Make the environment.

    Raises:
        subprocess.CalledProcessError: A package could not be had.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
    pip = [str(_python()), "-m", "pip", "install", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([*pip, TORCH], check=True)
    subprocess.run([*pip, *PACKAGES, "-e", f"{ROOT}[client]"], check=True)
    subprocess.run([*pip, *VERL_NEEDS], check=True)
    subprocess.run([*pip, "--no-deps", VERL], check=True)
    (CACHE / "installed").touch()


def run(python: Path, module: str, *arguments: str) -> Any:
    """What a module prints at last, as JSON; fails with what it complained of."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, PUBLISHED))),
        "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    done = subprocess.run(
        [python, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    install()
