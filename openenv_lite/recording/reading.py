"""From files back to episodes, session by session: what sessions did at the same time is untangled.

Only places in the files are held in memory, so that they may be larger than it.
"""

import array
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from openenv_lite.errors import ConfigurationError
from openenv_lite.recording.events import Event, Kind
from openenv_lite.recording.trajectory import Trajectory, begun_by, check

__all__ = ["Story", "events_in", "files_of", "load", "stories"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_BEGINNINGS = (Kind.BEGIN, Kind.RESTORE)
_decode_event = msgspec.json.Decoder(Event).decode


def _decode(line: bytes) -> Event:
    event = _decode_event(line)
    check(event)
    return event


class _Whose(msgspec.Struct):
    session: str


_decode_whose = msgspec.json.Decoder(_Whose).decode


class Story(NamedTuple):
    """All that is told of one session."""

    file: Path
    session: str
    places: "array.array[int]"
    """Where its lines begin in the file, in bytes."""

    def events(self) -> Iterator[Event]:
        """Event after event, without lines that are none."""
        with self.file.open("rb") as file:
            for place in self.places:
                file.seek(place)
                event = _read(_decode, self.file, place, file.readline())
                if event is not None:
                    yield event

    def trajectories(self) -> Iterator[Trajectory]:
        """Its episodes, one after the other, each when all of it is read."""
        current: Trajectory | None = None
        for event in self.events():
            if current is None and event.event is Kind.SNAPSHOT:
                continue  # of an environment in which no episode had begun
            if current is None or event.event in _BEGINNINGS or event.episode != current.episode:
                if current is not None:
                    yield current
                current = begun_by(event)
            current.add(event)
        if current is not None:
            yield current


def load(path: str | os.PathLike[str]) -> list[Trajectory]:
    """All episodes of a recording, those of one session together and in their order.

    Args:
        path: A file, or a folder of files that end in `.jsonl`.

    Raises:
        ConfigurationError: Nothing was recorded there.
    """
    return [each for story in stories(path) for each in story.trajectories()]


def stories(path: str | os.PathLike[str]) -> list[Story]:
    """The sessions in a recording; the arguments are those of `load`.

    Raises:
        ConfigurationError: Nothing was recorded there.
    """
    found = [story for file in files_of(path) for story in _stories_in(file)]
    if not found:
        raise ConfigurationError(
            f"{path} holds no events: name a file that `openenv-lite serve --record` or a "
            "client's record= has written"
        )
    return found


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """The files of a recording.

    Raises:
        ConfigurationError: There are none.
    """
    given = Path(path)
    found = sorted(given.glob("*.jsonl")) if given.is_dir() else [given]
    if not found or not found[0].exists():
        raise ConfigurationError(f"{path} is neither a file nor a folder of .jsonl files")
    return found


def events_in(path: Path) -> Iterator[Event]:
    """The events of a file in the order in which they were written.

    Raises:
        ConfigurationError: It cannot be read.
    """
    for place, line in _lines(path):
        event = _read(_decode, path, place, line)
        if event is not None:
            yield event


def _stories_in(path: Path) -> Iterator[Story]:
    found: dict[str, Story] = {}
    for place, line in _lines(path):
        whose = _read(_decode_whose, path, place, line)
        if whose is None:
            continue
        if whose.session not in found:
            found[whose.session] = Story(path, whose.session, array.array("Q"))
        found[whose.session].places.append(place)
    return iter(found.values())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    place = 0
    try:
        with path.open("rb") as file:
            for line in file:
                yield place, line
                place += len(line)
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror or error}") from None


def _read(decode: Callable[[bytes], T], path: Path, place: int, line: bytes) -> T | None:
    """What the line says; nothing where it was cut short, or written by something else."""
    try:
        return decode(line)
    except (ValueError, RecursionError):
        log.warning("%s: the line at byte %d is no event and is left out", path, place)
        return None
