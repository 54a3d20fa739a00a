"""Both servers and the original's clients, each started once a session."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.processes import (
    VARIABLE,
    VERSION,
    Driver,
    Fleet,
    find_original,
    install_original,
    open_driver,
    open_fleet,
)

HERE = Path(__file__).parent

collect_ignore = ["original"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("interop")


def pytest_runtestloop(session: pytest.Session) -> None:
    """Install the original before the first test, outside any test's time limit."""
    wanted = any(HERE in item.path.parents for item in session.items)
    if not wanted or session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        try:
            install_original()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"\nopenenv could not be installed: {error}", flush=True)


@pytest.fixture(scope="session")
def original_python() -> Path:
    python = find_original()
    check = "import importlib.metadata as m; print(m.version('openenv'))"
    try:
        run = subprocess.run([python, "-c", check], capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.fail(f"The original openenv is not there ({error}); see tests/interop/processes.py")
    if run.stdout.strip() != VERSION:
        pytest.fail(
            f"{python} has no openenv {VERSION}. Where it was to be installed, pip's words at the "
            f"start of this run say why; else mend {VARIABLE}."
        )
    return python


@pytest.fixture(scope="session")
def original(original_python: Path) -> Iterator[Fleet]:
    with open_fleet(original_python, "tests.interop.original.serve") as fleet:
        yield fleet


@pytest.fixture(scope="session")
def ours() -> Iterator[Fleet]:
    with open_fleet(Path(sys.executable), "tests.interop.ours") as fleet:
        yield fleet


@pytest.fixture(scope="session")
def driver(original_python: Path) -> Iterator[Driver]:
    with open_driver(original_python) as driver:
        yield driver
