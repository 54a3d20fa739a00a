"""A Dockerfile's steps, carried out in a folder by the interpreter at hand."""

import contextlib
import fnmatch
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Image", "without_ours"]

_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

_HEALTH_OPTIONS = r"(--(interval|timeout|start-period)=\d+s |--retries=\d+ )*CMD "


def without_ours() -> dict[str, str]:
    """The process's environment, with its interpreter first and no path of imports."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PATH": _PATH}


class Stage:
    """One image of those that a Dockerfile makes.

    Args:
        source: The folder of the Dockerfile.
        root: Takes the place of the image's root.
    """

    def __init__(self, source: Path, root: Path) -> None:
        self.source, self.root = source, root
        self.folder: Path | None = None
        self.variables: dict[str, str] = {}
        self.made: set[str] = set()
        """Virtual environments, by their paths in the image."""
        self.users: set[str] = set()
        lines = (source / ".dockerignore").read_text().split()
        self._ignored = [line.removeprefix("**/") for line in lines]

    def work_in(self, place: str) -> None:
        """WORKDIR."""
        self.folder = self.root / place.removeprefix("/")
        self.folder.mkdir(parents=True, exist_ok=True)

    def set(self, words: str) -> None:
        """ENV."""
        pairs = (pair.partition("=") for pair in shlex.split(words))
        self.variables.update({name: value for name, _, value in pairs})

    def run(self, command: str) -> None:
        """RUN; users and virtual environments are only noted."""
        if command.startswith("python -m venv "):
            self.made.add(command.split()[-1])
        elif command.startswith("useradd "):
            self.users.add(command.split()[-1])
        elif "pip install" in command:
            assert self.has_packages(), "pip would install into the system"
            _find_installed(command, (self._here() / "requirements.txt").read_text())
        else:
            _do(command, self._here())

    def has_packages(self) -> bool:
        """Whether the interpreter that is found first is that of a virtual environment."""
        first = self.variables.get("PATH", "").partition(":")[0]
        return first.removesuffix("/bin") in self.made

    def copy(self, words: list[str]) -> None:
        """COPY from the folder of the Dockerfile, of what `.dockerignore` leaves."""
        *sources, target = words
        for name in sources:
            assert not self._is_ignored(name), f"{name} is in .dockerignore"
            source, place = self.source / name, self._here() / target
            if source.is_dir():
                ignored = shutil.ignore_patterns(*self._ignored, "__pycache__")
                shutil.copytree(source, place, ignore=ignored)
            else:
                shutil.copy(source, place / name if target.endswith("/") else place)

    def _is_ignored(self, name: str) -> bool:
        return any(fnmatch.fnmatch(name, pattern) for pattern in self._ignored)

    def _here(self) -> Path:
        assert self.folder is not None, "no WORKDIR"
        return self.folder


class Image:
    """What a Dockerfile's last stage holds.

    Args:
        source: The folder of the Dockerfile.
        place: An empty folder, for the stages.
    """

    def __init__(self, source: Path, place: Path) -> None:
        self.source, self._place = source, place
        lines = (source / "Dockerfile").read_text().splitlines()
        words = [line.partition(" ") for line in lines if line and not line.startswith("#")]
        self.steps = [(word, rest) for word, _, rest in words]
        self.stages = [rest for word, rest in self.steps if word == "FROM"]
        self.folder = place

    def given(self, word: str) -> list[str]:
        """What stands after an instruction, each time."""
        return [rest for step, rest in self.steps if step == word]

    def build(self) -> None:
        """Carry every step out, in the order of the file."""
        stages: dict[str, Stage] = {}
        for word, rest in self.steps:
            if word == "FROM":
                stage = Stage(self.source, self._place / str(len(stages)))
                stages[rest.partition(" AS ")[2]] = stage
            else:
                self._carry_out(stages, stage, word, rest)
        assert stage.has_packages(), "the last stage has no packages"
        assert stage.folder is not None
        self.folder = stage.folder

    def _carry_out(self, stages: dict[str, Stage], stage: Stage, word: str, rest: str) -> None:
        match word:
            case "WORKDIR":
                stage.work_in(rest)
            case "ENV":
                stage.set(rest)
            case "RUN":
                stage.run(rest)
            case "COPY" if rest.startswith("--from="):
                other, source, target = rest.removeprefix("--from=").split()
                assert source in stages[other].made, f"{other} has no {source}"
                stage.made.add(target)
            case "COPY":
                stage.copy(rest.split())
            case "USER":
                assert rest in stage.users, f"there is no user {rest}"
            case "EXPOSE" | "HEALTHCHECK" | "CMD":
                pass
            case _:
                raise AssertionError(f"no such instruction: {word}")

    def health_check(self, url: str) -> list[str]:
        """The words of HEALTHCHECK, for a server at another address."""
        (found,), (port,) = self.given("HEALTHCHECK"), self.given("EXPOSE")
        told = re.fullmatch(rf"{_HEALTH_OPTIONS}(.*)", found)
        assert told is not None, found
        home = f"http://127.0.0.1:{port}/"
        assert home in told[3]
        words: list[str] = json.loads(told[3].replace(home, f"{url}/"))
        return words

    def _command(self) -> list[str]:
        """The words of CMD, which serves everybody at the port that is exposed; here, at any."""
        (found,), (port,) = self.given("CMD"), self.given("EXPOSE")
        words: list[str] = json.loads(found)
        for option, told, here in (("--host", "0.0.0.0", "127.0.0.1"), ("--port", port, "0")):
            place = words.index(option) + 1
            assert words[place] == told
            words[place] = here
        return words

    @contextlib.contextmanager
    def started(self, variables: dict[str, str]) -> Iterator[str]:
        """Run CMD, with nothing to import but what was copied; the URL."""
        with subprocess.Popen(
            [sys.executable, "-m", *self._command()],
            cwd=self.folder,
            env={**without_ours(), **variables},
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stderr is not None
                lines = []
                for line in process.stderr:
                    lines.append(line)
                    if found := re.search(r"running on (http://\S+)", line):
                        yield found[1]
                        return
                raise AssertionError("".join(lines))
            finally:
                process.terminate()


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
