"""A Dockerfile's steps, carried out in a folder by the interpreter at hand."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["Image", "without_ours"]

_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def without_ours() -> dict[str, str]:
    """The process's environment, with its interpreter first and no path of imports."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PATH": _PATH}


class Image:
    """What a Dockerfile's last stage holds.

    Args:
        source: The folder of the Dockerfile.
        folder: Takes the place of the image's working directory.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        self.source, self.folder = source, folder
        lines = (source / "Dockerfile").read_text().splitlines()
        words = [line.partition(" ") for line in lines if line and not line.startswith("#")]
        self.steps = [(word, rest) for word, _, rest in words]
        self.stages = [rest for word, rest in self.steps if word == "FROM"]

    def given(self, word: str) -> list[str]:
        """What stands after an instruction, each time."""
        return [rest for step, rest in self.steps if step == word]

    def build(self) -> None:
        """Copy and run, in the order of the file."""
        self.folder.mkdir(parents=True)
        for word, rest in self.steps:
            if word == "COPY" and not rest.startswith("--from"):
                self._copy(rest.split())
            elif word == "RUN" and not re.match("useradd|python -m venv", rest):
                self._run(rest)

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        for name in sources:
            source, place = self.source / name, self.folder / target
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place / name if target.endswith("/") else place)

    def _run(self, command: str) -> None:
        if "pip install" in command:
            _find_installed(command, (self.folder / "requirements.txt").read_text())
        else:
            _do(command, self.folder)

    def command(self, word: str, url: str) -> list[str]:
        """The words of CMD or HEALTHCHECK, for a server at another address."""
        (found,) = (rest[rest.index("[") :] for rest in self.given(word))
        host, port = url.removeprefix("http://").split(":")
        words: list[str] = json.loads(found)
        moved = {"0.0.0.0": host, "8000": port}
        return [moved.get(each, each).replace("http://127.0.0.1:8000", url) for each in words]


@functools.cache
def _find_installed(command: str, requirements: str) -> None:
    """As in the image, except that pip finds everything here already; once for the same words."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "requirements.txt").write_text(requirements)
        offline = f"{sys.executable} -m pip install --no-index --dry-run"
        _do(command.replace("pip install", offline), Path(folder))


def _do(command: str, folder: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=without_ours(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
