"""An app written for OpenEnv, imported with our server in the place of its own.

Such an app calls `create_app` of the `openenv` package while it is imported. For that time the name
is ours, wherever in that package it stands, so FastAPI is told nothing and the runtime is ours.
"""

import contextlib
import importlib.abc
import importlib.machinery
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from starlette.applications import Starlette

from openenv_lite import server
from openenv_lite.server import ServerSettings
from openenv_lite.server.app import StraightToMcp
from openenv_lite.types import ServerMode

__all__ = ["our_server_in_place"]

log = logging.getLogger(__name__)

_PACKAGE = "openenv"
_MODULES = ("openenv.core.env_server.http_server", "openenv.core.env_server.web_interface")
"""Where what we replace is defined."""


@contextlib.contextmanager
def our_server_in_place() -> Iterator[None]:
    """While this lasts, what is imported finds our `create_app` where it looks for OpenEnv's.

    OpenEnv is not imported for it; afterwards its own names are in their places again.
    """
    found: dict[str, Any] = {}
    finder = _Finder(found)
    for module in sys.modules.keys() & _MODULES:
        _replace(sys.modules[module], found)
    _exchange({theirs: _OURS[name] for name, theirs in found.items()})
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _exchange({_OURS[name]: theirs for name, theirs in found.items()})


class _Finder(importlib.abc.MetaPathFinder):
    """Sees OpenEnv's server being imported, and replaces what it defines before anybody asks."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module as it is, and our names in it once it has run."""
        if fullname not in _MODULES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader)
        return spec

    def _follow(self, loader: importlib.abc.Loader) -> None:
        run = loader.exec_module

        def run_and_replace(module: ModuleType) -> None:
            run(module)
            _replace(module, self._found)

        loader.exec_module = run_and_replace  # type: ignore[method-assign]  # of this one only


def _replace(module: ModuleType, found: dict[str, Any]) -> None:
    for name in _OURS:
        theirs = vars(module).get(name)
        if getattr(theirs, "__module__", None) == module.__name__:
            found[name] = theirs
            setattr(module, name, _OURS[name])


def _exchange(others: dict[Any, Any]) -> None:
    """Put one thing for another wherever a module of the package has it under a name."""
    for name, module in [*sys.modules.items()]:
        if f"{name}.".startswith(f"{_PACKAGE}."):
            for attribute, value in [*vars(module).items()]:
                for before, after in others.items():
                    if value is before:
                        setattr(module, attribute, after)


def _create_app(
    env: Callable[[], Any],
    action_cls: Any = None,
    observation_cls: Any = None,
    env_name: str | None = None,
    max_concurrent_envs: int | None = None,
    concurrency_config: Any = None,
    **others: Any,
) -> Starlette:
    """OpenEnv's `create_app` as its authors call it."""
    mode = others.pop("mode", None)
    settings = _settings(max_concurrent_envs, concurrency_config, others)
    mode = getattr(mode, "value", mode)
    return _extensible(
        server.create_app(
            env, action_cls, observation_cls, mode=mode, env_name=env_name, **settings
        )
    )


def _extensible(app: Starlette) -> Starlette:
    """The same routes on an app of FastAPI's, to which authors add their own as they know it."""
    fastapi = sys.modules.get("fastapi")
    if fastapi is None:
        return app
    kind: Any = type("App", (StraightToMcp, fastapi.FastAPI), {})
    theirs: Starlette = kind(docs_url=None, redoc_url=None, openapi_url=None)
    theirs.state = app.state
    theirs.exception_handlers.update(app.exception_handlers)
    theirs.router.routes[:] = app.router.routes
    theirs.router.lifespan_context = app.router.lifespan_context
    theirs.router.redirect_slashes = app.router.redirect_slashes
    return theirs


def _create_fastapi_app(
    env: Callable[[], Any],
    action_cls: Any = None,
    observation_cls: Any = None,
    max_concurrent_envs: int | None = None,
    concurrency_config: Any = None,
    **others: Any,
) -> Starlette:
    """OpenEnv's `create_fastapi_app` as its authors call it."""
    settings = {"max_concurrent_envs": max_concurrent_envs, **others}
    return _create_app(
        env, action_cls, observation_cls, concurrency_config=concurrency_config, **settings
    )


def _create_web_interface_app(*args: Any, **others: Any) -> Starlette:
    """OpenEnv's `create_web_interface_app` as its authors call it."""
    return _create_app(*args, **others)


class _HTTPEnvServer(server.HTTPEnvServer):
    """OpenEnv's `HTTPEnvServer` as its authors make one."""

    def __init__(
        self,
        env: Callable[[], Any],
        action_cls: Any = None,
        observation_cls: Any = None,
        max_concurrent_envs: int | None = None,
        concurrency_config: Any = None,
        **others: Any,
    ) -> None:
        settings = _settings(max_concurrent_envs, concurrency_config, others)
        super().__init__(env, action_cls, observation_cls, **settings)

    def register_routes(self, app: Any, mode: Any = None) -> None:
        """Put our routes on their app, in the mode that is served where it names none."""
        told = getattr(mode, "value", mode) or os.environ.get("OPENENV_MODE")
        super().register_routes(app, told or ServerMode.SIMULATION)


def _settings(most: int | None, config: Any, others: dict[str, Any]) -> dict[str, Any]:
    """OpenEnv's settings as ours; who serves the app has the last word on how many."""
    told = os.environ.get("MAX_CONCURRENT_ENVS")
    settings = {
        "max_concurrent_envs": int(told) if told else most or _of(config, "max_concurrent_envs"),
        "idle_timeout_s": _of(config, "session_timeout"),
        "web_interface": "if possible" if _wants_page() else False,
        **{name: others[name] for name in others if name in _KNOWN},
    }
    for name in others.keys() - _KNOWN:
        log.info("%s is OpenEnv's own and does nothing here", name)
    return {name: value for name, value in settings.items() if value is not None}


def _wants_page() -> bool:
    """As OpenEnv reads it: a `gradio_builder` alone asks for nothing."""
    return os.environ.get("ENABLE_WEB_INTERFACE", "").lower() in ("true", "1", "yes")


def _of(config: Any, name: str) -> Any:
    return getattr(config, name, None)


_KNOWN = {*ServerSettings.__struct_fields__, "state_cls"}
_OURS: dict[str, Any] = {
    "HTTPEnvServer": _HTTPEnvServer,
    "create_app": _create_app,
    "create_fastapi_app": _create_fastapi_app,
    "create_web_interface_app": _create_web_interface_app,
}
