"""What is asked of a page where Gradio is not installed, as in the tests' own environment."""

import importlib.util
import logging
import subprocess
import sys
from typing import Any

import pytest
from starlette.testclient import TestClient

from openenv_lite import create_app
from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import has_controls
from tests.environments import Inline

ASKED = [{"web_interface": True}, {"gradio_builder": print}]


@pytest.fixture(autouse=True)
def without_gradio(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "gradio" else find(name, *rest),
    )


@pytest.mark.parametrize("asked", ASKED)
def test_a_page_that_was_asked_for_says_what_to_install(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"pip install 'openenv-lite\[gradio\]'"):
        create_app(Inline, **asked)


def test_the_variable_asks_too_and_an_argument_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENABLE_WEB_INTERFACE", "true")
    with pytest.raises(ConfigurationError, match="openenv-lite"):
        create_app(Inline)
    assert create_app(Inline, web_interface=False).state.server.page is None
    monkeypatch.setenv("ENABLE_WEB_INTERFACE", "perhaps")
    with pytest.raises(ConfigurationError, match="ENABLE_WEB_INTERFACE='perhaps' is not yes or no"):
        create_app(Inline)


def test_what_may_be_left_out_is_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        app = create_app(Inline, web_interface="if possible")
    assert has_controls(app)
    assert TestClient(app).get("/web/").status_code == 404
    [said] = [each.getMessage() for each in caplog.records]
    assert said.startswith(
        "Served without the page at /web. The page at /web needs gradio: run pip"
    )


@pytest.mark.parametrize("asked", ASKED)
def test_production_neither_has_a_page_nor_misses_one(asked: dict[str, Any]) -> None:
    app = create_app(Inline, mode="production", **asked)
    assert app.state.server.page is None
    assert TestClient(app).get("/web/").status_code == 404


def test_nobody_imports_gradio_who_did_not_ask_for_a_page() -> None:
    program = """
import sys
from openenv_lite import create_app
from tests.environments import Inline
create_app(Inline)
assert not {"gradio", "openenv_lite.web.page"} & {*sys.modules}, "imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_several_processes_have_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openenv_lite.web.here", object)
    with pytest.raises(ConfigurationError, match="lives in one process: serve with --workers 1"):
        create_app(Inline, web_interface=True)
    assert create_app(Inline, web_interface="if possible").state.server.page is None
