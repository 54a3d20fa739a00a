"""A process that serves pages and one that visits them, both where Gradio is installed."""

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.interop.processes import ROOT, Fleet, open_fleet

collect_ignore = ["inside"]


class RefusedError(Exception):
    """What a visitor was told in place of a result."""


class Browsers:
    """Clients of Gradio's own, each a visitor with a tab."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._turn = threading.Lock()

    def tell(self, order: str, *details: Any) -> Any:
        """What came of an order, for which see `inside.visit`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps([order, *details]) + "\n")
            self._process.stdin.flush()
            saw, refused = json.loads(self._process.stdout.readline())
        if refused is not None:
            raise RefusedError(refused)
        return saw


class Tab:
    """One visitor's."""

    def __init__(self, browsers: Browsers, url: str, headers: dict[str, str]) -> None:
        self._browsers = browsers
        self.number = browsers.tell("open", url, headers)

    def call(self, name: str, *given: Any) -> Any:
        """What a function of the page gives to whoever presses its button."""
        return self._browsers.tell("call", self.number, f"/{name}", *given)

    def close(self) -> None:
        """As a browser does."""
        self._browsers.tell("close", self.number)


class Pages:
    """The apps of `inside.serve`, and who looks at their pages."""

    def __init__(self, fleet: Fleet, browsers: Browsers) -> None:
        self.urls = fleet.urls
        self._browsers = browsers

    @contextlib.contextmanager
    def tab(self, app: str, path: str = "/web", **headers: str) -> Iterator[Tab]:
        """A visitor, until the block ends."""
        tab = Tab(self._browsers, self.urls[app] + path, headers)
        try:
            yield tab
        finally:
            tab.close()

    def together(self, *calls: tuple[Tab, str, Any]) -> Any:
        """What each call gives, all made at once: the tab, the function and its argument."""
        orders = [(tab.number, f"/{name}", given) for tab, name, given in calls]
        return self._browsers.tell("together", *orders)

    def active(self, app: str) -> int:
        """Sessions that there are."""
        return int(httpx.get(f"{self.urls[app]}/active").text)


@pytest.fixture(scope="session")
def pages(openenv_python: Path) -> Iterator[Pages]:
    with contextlib.ExitStack() as stack:
        fleet = stack.enter_context(open_fleet(openenv_python, "tests.web.inside.serve"))
        visiting = stack.enter_context(
            subprocess.Popen(
                [openenv_python, "-m", "tests.web.inside.visit"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(visiting.kill)
        yield Pages(fleet, Browsers(visiting))
