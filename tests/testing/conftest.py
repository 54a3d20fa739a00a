"""Long lists of checks, begun before the first test in processes of their own.

Most tests keep one core busy, so the lists are through by the time they are asked for.
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import pytest

from tests.testing.examining import Finding, broken_laws_of, examined

Findings = dict[str, "Future[Finding]"]
Alarms = dict[tuple[int, int], "Future[list[str]]"]

FINDINGS = pytest.StashKey[Findings]()
ALARMS = pytest.StashKey[Alarms]()


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    processes, stash = _processes(session.config), session.config.stash
    exhibits = [given["exhibit"] for given in _parameters(session, "findings")]
    stash[FINDINGS] = {each: processes.submit(examined, each) for each in exhibits}
    sounds = [(given["place"], given["seed"]) for given in _parameters(session, "alarms")]
    stash[ALARMS] = {each: processes.submit(broken_laws_of, *each) for each in sounds}


def _parameters(session: pytest.Session, fixture: str) -> Iterator[dict[str, Any]]:
    """Of each test that asks for the fixture."""
    for item in session.items:
        if isinstance(item, pytest.Function) and fixture in item.fixturenames:
            yield item.callspec.params


def _processes(config: pytest.Config) -> ProcessPoolExecutor:
    """Started with the first task, and politer than the tests."""
    processes = ProcessPoolExecutor(
        max(1, (os.cpu_count() or 1) - 1), multiprocessing.get_context("spawn"), os.nice, (10,)
    )
    config.add_cleanup(lambda: processes.shutdown(cancel_futures=True))
    return processes


@pytest.fixture
def findings(pytestconfig: pytest.Config) -> Any:
    """What comes of each exhibit that is tested."""
    return pytestconfig.stash[FINDINGS]


@pytest.fixture
def alarms(pytestconfig: pytest.Config) -> Any:
    """The laws that correct environments break, by place and seed."""
    return pytestconfig.stash[ALARMS]
