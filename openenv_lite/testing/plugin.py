"""The pytest plugin: `pytest --openenv my_pkg:MyEnv` makes every law a test of its own.

Hypothesis and the laws are loaded only when the option is given.
"""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from openenv_lite.errors import ConfigurationError
from openenv_lite.printable import printable

__all__ = ["pytest_addoption", "pytest_collection_modifyitems"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("openenv", "contracts of environments")
    group.addoption(
        "--openenv",
        action="append",
        default=[],
        metavar="TARGET",
        help="put the laws to the test on a module:Class, a folder, or the URL of a server",
    )
    group.addoption(
        "--openenv-actions",
        metavar="MODULE:NAME",
        help="a strategy of legal actions, or a function from what was seen last to one",
    )
    group.addoption(
        "--openenv-skip", action="append", default=[], metavar="LAW", help="leave a law out"
    )
    group.addoption(
        "--openenv-seed", type=int, default=0, metavar="N", help="try other examples (0)"
    )


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add one test for each law and target."""
    for target in session.config.getoption("--openenv"):
        items.extend(_Contract.from_parent(session, name=target).collect())


class _Contract(pytest.Collector):
    """The laws of one target."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._check: Any = None
        self.subject: Any = None

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each law."""
        try:
            self._open()
        except ModuleNotFoundError as error:
            raise pytest.UsageError(
                f"--openenv needs {error.name}: run pip install 'openenv-lite[testing]'"
            ) from None
        except ConfigurationError as error:
            raise pytest.UsageError(f"--openenv {self.name}: {error.message}") from None
        for law in importlib.import_module("openenv_lite.testing.laws").LAWS:
            yield _LawItem.from_parent(self, name=law.name, law=law)

    def verdict(self, law: Any) -> Any:
        """What comes of a law."""
        return self._check.verdict(law)

    def _open(self) -> None:
        targets = importlib.import_module("openenv_lite.testing.targets")
        running = importlib.import_module("openenv_lite.testing.running")
        checking = importlib.import_module("openenv_lite.testing.checking")
        option = self.config.getoption
        actions = targets.actions_named(option("--openenv-actions"))
        skip = checking.left_out(option("--openenv-skip"))
        self.subject = targets.subject_named(self.name)
        self.config.add_cleanup(self.subject.close)
        terms = running.Terms(option("--openenv-seed"), actions=actions, skip=skip)
        self._check = running.Check(self.subject, terms)


class _LawItem(pytest.Item):
    """One law on one target."""

    def __init__(self, law: Any, **given: Any) -> None:
        super().__init__(**given)
        self._law = law

    def runtest(self) -> None:
        """Put it to the test."""
        contract = self.parent
        assert isinstance(contract, _Contract)
        verdict = contract.verdict(self._law)
        running = importlib.import_module("openenv_lite.testing.running")
        if isinstance(verdict, running.Skipped):
            pytest.skip(printable(verdict.reason))
        if isinstance(verdict, running.Broken):
            report = importlib.import_module("openenv_lite.testing.report")
            raise _LawBrokenError(report.account_of(contract.subject, self._law, verdict))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The account of a broken law; of all else, a traceback."""
        if isinstance(excinfo.value, _LawBrokenError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, None, str]:
        """Where it stands in the output."""
        assert self.parent is not None
        return self.path, None, f"{self.parent.name}: {self.name}"


class _LawBrokenError(AssertionError):
    """Carries the account."""
