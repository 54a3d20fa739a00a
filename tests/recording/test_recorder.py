"""The file: where it cannot be, what is in it after a crash, and when the disk is full."""

import logging
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.errors import ConfigurationError
from openenv_lite.recording.events import Event, Kind
from openenv_lite.recording.reading import events_in
from openenv_lite.recording.recorder import Recorder
from tests.cli.process import ROOT


def event(step: int, text: str = "") -> Event:
    return Event(
        event=Kind.STEP, session="s", episode="e", step=step, time=0.0, observation=f'"{text}"'
    )


def steps_in(path: Path) -> list[int]:
    return [each.step for each in events_in(path)]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As where the disk is full: what is beyond is not written, and the rest is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="choose a folder that files can be made in"):
        Recorder.in_folder(tmp_path / "file", "x")
    with pytest.raises(ConfigurationError, match="Cannot record in /proc/here"):
        Recorder.in_folder("/proc/here", "x")


def test_a_file_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Is a directory\): choose another file"):
        Recorder.to_file(tmp_path)
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        Recorder.to_file(tmp_path / "nowhere" / "file")


def test_a_pipe_that_nobody_reads_is_told_at_the_start_and_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="choose another file"):
        Recorder.to_file(tmp_path / "pipe")


def test_a_folder_is_made_and_its_file_only_when_something_happens(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "runs"
    recorder = Recorder.in_folder(folder, "my env/2")
    assert [*folder.iterdir()] == []
    recorder.join()
    recorder.write([event(1)])
    recorder.leave()
    (path,) = folder.iterdir()
    assert path == recorder.path
    assert path.name.startswith("my_env_2-")
    assert path.suffix == ".jsonl"


def test_each_start_has_a_file_of_its_own(tmp_path: Path) -> None:
    paths = {Recorder.in_folder(tmp_path, "x").path for _ in range(20)}
    assert len(paths) == 20


def test_the_file_is_open_only_while_somebody_records(tmp_path: Path) -> None:
    recorder = Recorder.to_file(tmp_path / "f")
    open_files = Path("/proc/self/fd")
    before = len([*open_files.iterdir()])
    for _ in range(2):
        recorder.join()
        recorder.join()
        recorder.write([event(1)])
        assert len([*open_files.iterdir()]) == before + 1
        recorder.leave()
        recorder.write([event(2)])
        recorder.leave()
        assert len([*open_files.iterdir()]) == before
    assert steps_in(recorder.path) == [1, 2, 1, 2]


@pytest.mark.parametrize("cut", range(1, 40, 13))
def test_half_a_line_takes_no_other_with_it(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "f"
    for step in (1, 2):
        recorder = Recorder.to_file(path)
        recorder.join()
        recorder.write([event(step)])
        recorder.leave()
        if step == 1:
            path.write_bytes(path.read_bytes() * 2)
            path.write_bytes(path.read_bytes()[:-cut])
    assert steps_in(path) == ([1, 1, 2] if cut == 1 else [1, 2])


def test_several_append_to_one_file_without_mixing_lines(tmp_path: Path) -> None:
    path = tmp_path / "f"
    recorders = [Recorder.to_file(path) for _ in range(3)]
    for recorder in recorders:
        recorder.join()
    for step in range(300):
        recorders[step % 3].write([event(step, "x" * (step * 7 % 5000))])
    for recorder in recorders:
        recorder.leave()
    assert steps_in(path) == [*range(300)]


KILLED = """
import os, signal, sys
from pathlib import Path
from openenv_lite.recording.recorder import Recorder
from tests.recording.test_recorder import event
recorder = Recorder(Path(sys.argv[1]))
recorder.join()
for step in range(1000):
    recorder.write([event(step)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_has_lost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f"
    found = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], cwd=ROOT, timeout=50, check=False
    )
    assert found.returncode == -9
    assert steps_in(path) == [*range(1000)]


def test_a_full_disk_stops_nobody_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder.to_file(tmp_path / "f")
    recorder.join()
    recorder.write([event(0)])
    line = recorder.path.stat().st_size
    with files_of_at_most(line * 2 + line // 2):
        for step in range(1, 6):
            recorder.write([event(step)])
    recorder.write([event(6)])
    recorder.leave()
    assert recorder.path.read_bytes().count(b"\n") == 3
    assert steps_in(recorder.path) == [0, 1, 6]
    failed, went_on = caplog.records
    assert failed.levelno == logging.ERROR
    assert "Nobody is stopped" in failed.getMessage()
    assert "4 events are missing" in went_on.getMessage()


def test_a_device_that_takes_nothing_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Path("/dev/full"))
    recorder.join()
    recorder.write([event(0)])
    recorder.write([event(1)])
    recorder.leave()
    assert len(caplog.records) == 1
    assert "No space left" in caplog.text


def test_a_folder_that_goes_away_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder.in_folder(tmp_path / "runs", "x")
    (tmp_path / "runs").rmdir()
    recorder.join()
    recorder.write([event(0)])
    (tmp_path / "runs").mkdir()
    recorder.write([event(1)])
    recorder.leave()
    assert steps_in(recorder.path) == [1]
    assert "1 events are missing" in caplog.text


@given(limit=st.integers(1, 2000), sizes=st.lists(st.integers(0, 400), min_size=1, max_size=12))
def test_wherever_the_disk_is_full_every_line_is_whole(
    limit: int, sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    recorder = Recorder.to_file(tmp_path_factory.mktemp("full") / "f")
    logging.getLogger("openenv_lite.recording").disabled = True
    recorder.join()
    with files_of_at_most(limit):
        for step, size in enumerate(sizes):
            recorder.write([event(step, "x" * size)])
    recorder.write([event(len(sizes))])
    recorder.leave()
    found = steps_in(recorder.path)
    assert found == sorted(found)
    assert found[-1] == len(sizes)
    assert recorder.path.read_bytes().count(b"\n") == len(found)
