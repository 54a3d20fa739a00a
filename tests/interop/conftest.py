"""Both servers and the original's clients, each started once a session."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.processes import Driver, Fleet, open_driver, open_fleet
from tests.venvs import OPENENV

HERE = Path(__file__).parent

collect_ignore = ["original"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("interop")


@pytest.fixture(scope="session")
def original_python(openenv_python: Path) -> Path:
    check = "import importlib.metadata as m; print('openenv==' + m.version('openenv'))"
    run = subprocess.run([openenv_python, "-c", check], capture_output=True, text=True, check=False)
    wanted = OPENENV.installs[0][0]
    if run.stdout.strip() != wanted:
        pytest.fail(f"{openenv_python} has no {wanted}: mend {OPENENV.variable}.\n{run.stderr}")
    return openenv_python


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
