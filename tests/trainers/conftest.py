"""TRL, which needs PyTorch, lives in an environment of its own, made while other tests run."""

import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.processes import Installation, installing

HERE = Path(__file__).parent
INSTALLATION = pytest.StashKey[Installation]()

collect_ignore = ["with_trl"]


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """Begin with the installation before the first test."""
    is_wanted = any("trl_python" in getattr(item, "fixturenames", ()) for item in session.items)
    if not is_wanted or session.config.option.collectonly:
        return (yield)
    with tempfile.TemporaryFile("w+") as log, installing(log) as installation:
        session.config.stash[INSTALLATION] = installation
        return (yield)


@pytest.fixture(scope="session")
def trl_python(pytestconfig: pytest.Config) -> Path:
    """The interpreter that has TRL."""
    try:
        return pytestconfig.stash[INSTALLATION].python()
    except RuntimeError as error:
        pytest.fail(str(error))
