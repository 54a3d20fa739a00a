"""Virtual environments for packages too heavy for the tests' own: made once, while others run.

A test asks for one by the fixture `<name>_python`, which is the interpreter there.
"""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Set
from pathlib import Path
from typing import NamedTuple

from tests.turns import one_at_a_time

__all__ = ["OPENENV", "TRL", "VENVS", "Venv", "begin", "end_unfinished", "interpreter"]

ROOT = Path(__file__).parents[1]
MARK = "installed"


class Venv(NamedTuple):
    """What is installed where.

    Attributes:
        name: The folder in the repository is `.venv-<name>`.
        installs: Arguments of each `pip install`, in order.
        variable: The environment variable that may name another interpreter, which has it all.
    """

    name: str
    installs: tuple[tuple[str, ...], ...]
    variable: str

    @property
    def folder(self) -> Path:
        """Kept from run to run; remade where `installs` has changed."""
        return ROOT / f".venv-{self.name}"

    @property
    def python(self) -> Path:
        """The interpreter, be it there or not."""
        named = os.environ.get(self.variable)
        return Path(named) if named else self.folder / "bin" / "python"

    @property
    def is_ready(self) -> bool:
        """Whether there is nothing to install."""
        mark = self.folder / MARK
        is_made = mark.exists() and mark.read_text() == repr(self.installs)
        return self.variable in os.environ or is_made


OPENENV = Venv(
    "openenv", (("openenv==0.10.0",), ("-e", ".[testing,server]")), "OPENENV_ORIGINAL_PYTHON"
)

TRL = Venv(
    "trl",
    (
        ("torch==2.13.0",),
        ("trl==1.16.0", "transformers==5.23.0", "datasets==5.2.0", "hypothesis>=6.140"),
        ("-e", ".[client]", "fastapi", "uvicorn", "pillow"),
        ("ray==2.60.0", "tensordict==0.10.0", "hydra-core", "codetiming", "cachetools"),
        ("--no-deps", "verl==0.9.1"),
    ),
    "OPENENV_TRL_PYTHON",
)
"""PyTorch comes first, or pip would take one with CUDA. Of what verl requires, its agent loops
import no more than this; the rest is for training on GPUs."""

VENVS = {each.name: each for each in (OPENENV, TRL)}

_UNDER_WAY: list["subprocess.Popen[str]"] = []


def begin(names: Set[str]) -> None:
    """Begin to make those of these names, in the order of `VENVS`."""
    for name, venv in VENVS.items():
        if name in names and not venv.is_ready:
            _begun(name)


def interpreter(venv: Venv) -> Path:
    """The interpreter that has it all, as soon as it does.

    Raises:
        LookupError: It could not be made; says why.
    """
    if not venv.is_ready:
        process = _begun(venv.name)
        said, _ = process.communicate()
        if process.returncode:
            raise LookupError(f"{venv.folder} could not be made:\n{said}")
    return venv.python


@functools.cache
def _begun(name: str) -> "subprocess.Popen[str]":
    """A process that makes it, politer than the tests."""
    process = subprocess.Popen(
        ["nice", sys.executable, "-m", "tests.venvs", name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _UNDER_WAY.append(process)
    return process


def end_unfinished() -> None:
    """End what nobody waits for any more."""
    for process in _UNDER_WAY:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def make(venv: Venv) -> None:
    """Make it unless it is there, when nobody else makes any.

    Raises:
        subprocess.CalledProcessError: The environment or a package could not be had.
    """
    with one_at_a_time(__file__):
        if venv.is_ready:
            return
        run: Callable[..., object] = functools.partial(subprocess.run, cwd=ROOT, check=True)
        run([sys.executable, "-m", "venv", "--clear", venv.folder])
        for arguments in venv.installs:
            run([venv.python, "-m", "pip", "install", "-qq", "--no-compile", *arguments])
        (venv.folder / MARK).write_text(repr(venv.installs))


if __name__ == "__main__":
    make(VENVS[sys.argv[1]])
