"""What somebody does who has read the README and has nothing installed, command by command."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

__all__ = ["SHOP", "Journey", "Step", "made_wheels", "travelled"]

ROOT = Path(__file__).parents[2]
SHOP = """
class Shop:
    \"\"\"Sells what it has.\"\"\"

    def __init__(self, stock: int = 3) -> None:
        self._stock = stock

    @property
    def stock(self) -> int:
        return self._stock

    def buy(self, count: int = 1) -> str:
        \"\"\"Buy so many.\"\"\"
        if not 0 < count <= self._stock:
            raise ValueError("We have not so many")
        self._stock -= count
        return "Thank you"

    def look(self) -> int:
        \"\"\"See how many there are.\"\"\"
        return self._stock
"""
"""An author's class, in a distribution of its own."""

NEEDED = ("openenv-lite[validate]", "pytest>=8", "pillow>=10.1", "setuptools>=68")
"""What packages want of the index; fetched once for all."""

PATIENCE_S = 120


class Step(NamedTuple):
    """One command and what came of it."""

    command: str
    code: int
    out: str
    err: str


class Journey(NamedTuple):
    """Every step, by its first words; and the line that the server printed."""

    steps: Mapping[str, Step]
    serving: str


def made_wheels(place: Path) -> Path:
    """A folder with wheels of this project, of `SHOP`, and of all that is needed."""
    shop, wheels = place / "shop", place / "wheels"
    shop.mkdir()
    (shop / "pyproject.toml").write_text("[project]\nname = 'shop-rules'\nversion = '1'\n")
    (shop / "shop_rules.py").write_text(SHOP)
    pip = [sys.executable, "-m", "pip"]
    for words in (
        [*pip, "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT), str(shop)],
        [*pip, "download", "-q", "-d", str(wheels), "-f", str(wheels), *NEEDED],
    ):
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return wheels


def travelled(home: Path, name: str, options: str, wheels: "Future[Path]") -> Journey:
    """From an empty folder to a validated package.

    Args:
        home: The folder.
        name: Of the package.
        options: Of `openenv-lite new`.
        wheels: All that pip may install, as soon as it is there.
    """
    home.mkdir()
    variables = {
        "PATH": f"{home / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    venv = _done(f"{shlex.quote(sys.executable)} -m venv .venv", home, variables)
    variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels.result())}
    wrapped = " shop-rules" if "--wrap" in options else ""
    steps = [
        venv,
        _done(f"pip install -q 'openenv-lite[cli]'{wrapped}", home, variables),
        _done(f"openenv-lite new {name} {options}", home, variables),
    ]
    folder = home / name
    install, serve, rollout, _, validate = _commands_of(folder / "README.md")
    steps.append(_done(install, folder, variables))
    with subprocess.Popen(
        shlex.split(serve),
        cwd=folder,
        env={**variables, "PORT": "0"},
        executable=home / ".venv" / "bin" / "openenv-lite",
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            url = line.strip().rpartition(" ")[2]
            steps.append(_done(rollout, folder, {**variables, "ENV_URL": url}))
            steps.append(_done(f"{validate} --budget 1", folder, variables))
        finally:
            server.terminate()
    return Journey({step.command: step for step in steps}, line)


def _commands_of(readme: Path) -> list[str]:
    """Those that it tells its readers to run."""
    block = re.search(r"^```sh\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    return [line.partition("  #")[0].strip() for line in block[1].splitlines()]


def _done(command: str, folder: Path, variables: Mapping[str, str]) -> Step:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    words = " ".join(shlex.split(command)[:2])
    return Step(words, done.returncode, done.stdout, done.stderr)
