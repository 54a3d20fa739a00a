"""Settings and the few fixtures that every folder of tests may use."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.environments import Awaiting, Inline, Secretive, Threaded, Toolbox
from tests.spreading import ByFolder, stands_alone
from tests.venvs import OPENENV, TRL, VENVS, Venv, begin, end_unfinished, interpreter

for profile, examples in (("house", 60), ("night", 2000)):  # `--hypothesis-profile=night`
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
settings.load_profile("house")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders that wait for a virtual environment come late; what fills the last gaps, last."""
    late = {item.path.parent for item in items if _venvs(item)}
    items.sort(key=lambda item: (stands_alone(item.nodeid), item.path.parent in late))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    return ByFolder(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        begin({name for item in session.items for name in _venvs(item)})
        session.config.add_cleanup(end_unfinished)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Half characters, which some tests log, cannot be told from process to process."""
    report = yield
    report.sections = [(name, _whole(text)) for name, text in report.sections]
    return report


def _whole(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _venvs(item: pytest.Item) -> set[str]:
    """Those whose fixtures the test asks for."""
    return {name for name in VENVS if f"{name}_python" in getattr(item, "fixturenames", ())}


def _python(venv: Venv) -> Path:
    try:
        return interpreter(venv)
    except LookupError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def openenv_python() -> Path:
    return _python(OPENENV)


@pytest.fixture(scope="session")
def trl_python() -> Path:
    return _python(TRL)


@pytest.fixture
def gate() -> Iterator[None]:
    """`Threaded` waits in a negative step until the test, or at last this fixture, opens it."""
    Threaded.gate.clear()
    Threaded.entered.clear()
    yield
    Threaded.gate.set()


@pytest.fixture(autouse=True)
def _nobody_is_alive() -> None:
    """Each test counts its own environments."""
    for kind in (Inline, Threaded, Awaiting, Toolbox, Secretive):
        kind.alive.clear()
    Awaiting.cancelled.clear()
