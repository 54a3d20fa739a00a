"""Tools that work on a folder of the session's own, and a task to do there."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openenv_lite import DirectoryBacked, MCPEnvironment, Observation
from openenv_lite.errors import ToolFailedError

try:
    from ..models import LONGEST_TEXT, Name, Text
except ImportError:  # in the container this folder is no package
    from models import LONGEST_TEXT, Name, Text

__all__ = ["MyEnvironment"]

TASK = "Add up the numbers in numbers.txt and write the sum to answer.txt."
MOST_ENTRIES = 100
"""Files and folders, before another one is refused."""


class MyEnvironment(DirectoryBacked, MCPEnvironment):
    """Read and write files in a folder that nobody else has."""

    SUPPORTS_CONCURRENT_SESSIONS = True  # each has a folder of its own

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.directory = Path(self._folder.name).resolve()
        self._begin()
        for tool in (self.task, self.list_files, self.read_file, self.write_file, self.delete):
            self.tool(tool)

    def reset(self) -> Observation:
        """Empty the folder and set the task with other numbers."""
        self._begin()
        return Observation(metadata={"task": TASK})

    def _begin(self) -> None:
        for path in self.directory.iterdir():
            _remove(path)
        numbers = [self.rng.randrange(100) for _ in range(5)]
        self._given.write_text("".join(f"{each}\n" for each in numbers))

    @property
    def _given(self) -> Path:
        return self.directory / "numbers.txt"

    def step(self, action: Any, **options: Any) -> Observation:
        """Call a tool; the right answer is rewarded and ends the episode."""
        seen: Observation = super().step(action, **options)
        seen.done = self._is_solved()
        seen.reward = float(seen.done)
        return seen

    def _is_solved(self) -> bool:
        answer = self.directory / "answer.txt"
        expected = sum(map(int, self._given.read_text().split()))
        return answer.is_file() and answer.read_bytes().strip() == str(expected).encode()

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    def task(self) -> str:
        """Tell what is to be done."""
        return TASK

    def list_files(self) -> list[str]:
        """List the paths of all files."""
        files = (path for path in self.directory.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.directory).as_posix() for path in files)

    def read_file(self, path: Name) -> str:
        """Read a file."""
        with self._told(path) as place:
            return place.read_text("utf-8")[:LONGEST_TEXT]

    def write_file(self, path: Name, text: Text) -> str:
        """Write a file in the place of what was there; folders are made as needed."""
        with self._told(path, changes=True) as place:
            if not place.exists() and len([*self.directory.rglob("*")]) >= MOST_ENTRIES:
                raise ToolFailedError("There are too many files and folders: delete one first.")
            content = text.encode()
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return f"Wrote {len(content)} bytes."

    def delete(self, path: Name) -> str:
        """Delete a file, or a folder with all that is in it."""
        with self._told(path, changes=True) as place:
            _remove(place)
        return "Deleted."

    @contextlib.contextmanager
    def _told(self, path: str, changes: bool = False) -> Iterator[Path]:
        """The place of a path; what goes wrong there is told to the model."""
        try:
            place = (self.directory / path).resolve()
            if not place.is_relative_to(self.directory):
                raise ToolFailedError(f"{path!r} is outside of your folder.")
            if changes and place in (self.directory, self._given):
                raise ToolFailedError(f"{path!r} is part of the task and stays as it is.")
            yield place
        except OSError as error:
            raise ToolFailedError(f"{path!r}: {error.strerror}.") from error
        except ValueError as error:  # no text, or no path
            raise ToolFailedError(f"{path!r} cannot be used: {type(error).__name__}.") from error


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
