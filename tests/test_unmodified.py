"""Our server's names in the place of OpenEnv's, on a package that stands where `openenv` would."""

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import Plan, has_controls
from openenv_lite.server import HTTPEnvServer
from openenv_lite.unmodified import our_server_in_place

STAND_IN = {
    "openenv/__init__.py": "",
    "openenv/core/__init__.py": "",
    "openenv/core/env_server/__init__.py": """
        from .http_server import HTTPEnvServer, create_app, create_fastapi_app
    """,
    "openenv/core/env_server/http_server.py": """
        class HTTPEnvServer:
            theirs = True

        def create_app(*args, **kwargs):
            return "their app"

        def create_fastapi_app(*args, **kwargs):
            return "their app"
    """,
}
APP = """
    from openenv.core.env_server import HTTPEnvServer, create_app
    from openenv.core.env_server.http_server import create_fastapi_app
    from openenv_lite import Environment, Observation

    class Idle(Environment):
        SUPPORTS_CONCURRENT_SESSIONS = True

        def reset(self):
            return Observation()

        def step(self, action):
            return Observation()

    {last}
"""


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules of the test leave with it."""
    write(tmp_path, STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("MAX_CONCURRENT_ENVS", raising=False)
    before = {*sys.modules}
    real = {name: sys.modules.pop(name) for name in before if is_theirs(name)}
    yield
    for name in {*sys.modules} - before | {each for each in sys.modules if is_theirs(each)}:
        del sys.modules[name]
    sys.modules.update(real)


def is_theirs(name: str) -> bool:
    return name.partition(".")[0] == "openenv"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))


def load(folder: Path, last: str) -> Any:
    write(folder, {"idle_app.py": APP.format(last=last)})
    with our_server_in_place():
        return importlib.import_module("idle_app")


def server(name: str = "openenv.core.env_server") -> Any:
    return importlib.import_module(name)


def assert_theirs() -> None:
    for module in (server(), server("openenv.core.env_server.http_server")):
        assert module.create_app() == module.create_fastapi_app() == "their app"
        assert module.HTTPEnvServer.theirs


def test_an_app_is_ours_and_their_names_are_back_afterwards(tmp_path: Path) -> None:
    app = load(tmp_path, "app = create_app(Idle, env_name='idle', max_concurrent_envs=3)").app
    assert isinstance(app, Starlette)
    assert app.state.server.settings.max_concurrent_envs == 3
    assert_theirs()


def test_names_imported_before_are_exchanged_too(tmp_path: Path) -> None:
    assert server().create_app() == "their app"
    assert isinstance(
        load(tmp_path, "app = create_fastapi_app(Idle, None, None, 2)").app, Starlette
    )
    assert_theirs()


def test_names_are_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        load(tmp_path, "1 / 0")
    assert_theirs()


def test_a_server_object_of_theirs_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load(tmp_path, "server = HTTPEnvServer(Idle, None, None, 2)").server
    assert isinstance(made, HTTPEnvServer)
    app, other = Starlette(), Starlette()
    made.register_routes(app)
    assert has_controls(app)
    monkeypatch.setenv("OPENENV_MODE", "production")
    made.register_routes(other)
    assert not has_controls(other)


def test_what_is_set_for_the_process_wins_over_what_the_app_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_ENVS", "7")
    app = load(tmp_path, "app = create_app(Idle, max_concurrent_envs=1, gradio_builder=print)").app
    assert app.state.server.settings.max_concurrent_envs == 7


@pytest.mark.parametrize("word", ["True", "yes", "false", ""])
def test_its_page_is_asked_for_as_openenv_asks_and_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    monkeypatch.setenv("ENABLE_WEB_INTERFACE", word)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    last = "app = create_app(Idle, gradio_builder=print, custom_tab_name='Mine')"
    app = load(tmp_path, last).app
    assert has_controls(app)
    assert app.state.server.settings.custom_tab_name == "Mine"
    told = [each.message for each in caplog.records if "without the page" in each.message]
    assert len(told) == (word in ("True", "yes"))


def test_a_time_limit_of_sessions_is_kept(tmp_path: Path) -> None:
    last = """
    class Config:
        max_concurrent_envs = 2
        session_timeout = 60.0

    app = create_app(Idle, None, None, 'idle', concurrency_config=Config())
    """
    settings = load(tmp_path, last).app.state.server.settings
    assert (settings.max_concurrent_envs, settings.idle_timeout_s) == (2, 60.0)


def test_theirs_is_not_imported_where_nobody_asks_for_it() -> None:
    with our_server_in_place():
        importlib.import_module("textwrap")
    assert not any(map(is_theirs, sys.modules))


def test_a_package_is_found_by_its_name_and_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = APP.format(last="app = create_app(Idle)")
    write(tmp_path / "work", {"idle_package/__init__.py": "", "idle_package/server/app.py": app})
    monkeypatch.chdir(tmp_path / "work")
    by_name, by_folder = (Plan(target=each).found() for each in ("idle_package", "./idle_package"))
    assert isinstance(by_name, Starlette)
    assert by_name is by_folder
    with pytest.raises(ConfigurationError, match="name its environment class"):
        Plan(target="idle_package", arguments={"a": 1}).found()
