"""From what a user names on the command line to something that can be served."""

import contextlib
import functools
import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from starlette.applications import Starlette

from openenv_lite.environment import Environment
from openenv_lite.errors import ConfigurationError
from openenv_lite.originals import is_original
from openenv_lite.server import HTTPEnvServer, create_app
from openenv_lite.signature import call_signature, is_async, return_type
from openenv_lite.types import ServerMode
from openenv_lite.unmodified import our_server_in_place

__all__ = [
    "ASGIApp",
    "Plan",
    "attribute",
    "has_controls",
    "is_asgi",
    "search_in",
    "server_of",
]

ASGIApp = Callable[..., Any]

_APP_LINE = re.compile(r"^app:\s*[\"']?([\w.:]+)", re.MULTILINE)
_ADDRESS = re.compile(r"[\w.-]+:\d+(/.*)?")
_EXTRAS = {"gymnasium": "gym", "numpy": "gym", "PIL": "gym"}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve and how; plain values, so that it can travel to a worker process."""

    target: str
    """`pkg.module`, `pkg.module:name`, or a folder."""
    arguments: dict[str, Any] = {}
    """For the environment's constructor or factory."""
    mode: ServerMode = ServerMode.SIMULATION
    max_concurrent_envs: int | None = None
    blocking: bool | None = None
    control_token: str | None = None
    mcp_token: str | None = None
    allowed_hosts: tuple[str, ...] | None = None
    allowed_origins: tuple[str, ...] | None = None
    record_dir: str | None = None

    def app(self) -> ASGIApp:
        """Find the target and make it an ASGI app.

        Raises:
            ConfigurationError: There is nothing to serve by that name, or not this way.
        """
        with _exported(self):
            found = self.found()
            return self._own(found) if is_asgi(found) else self._served(found)

    def found(self) -> Any:
        """The target itself: an app, or what makes environments, with the arguments put to use.

        Raises:
            ConfigurationError: There is nothing by that name, or the arguments do not fit.
        """
        with our_server_in_place():
            return self._configured(_find(self.target, bool(self.arguments)))

    def _configured(self, found: Any) -> Any:
        if is_asgi(found) and self.arguments:
            raise ConfigurationError(
                f"{self.target} is a ready app and takes no --env: name its environment class"
            )
        if inspect.isroutine(found) and not is_asgi(found):
            return _call_factory(found, self.arguments)
        if self.arguments:
            _check_arguments(found, self.arguments)
            return functools.partial(found, **self.arguments)
        if inspect.isclass(found):
            _check_arguments(found, {})
        return found

    def _own(self, app: ASGIApp) -> ASGIApp:
        if self.mode is ServerMode.PRODUCTION and has_controls(app):
            raise ConfigurationError(
                f"{self.target} fixes its mode and has control routes: leave mode= out of its "
                "create_app, or name its environment class"
            )
        return app

    def _served(self, kind: Callable[..., Any]) -> Starlette:
        return create_app(
            kind,
            mode=self.mode,
            max_concurrent_envs=self.max_concurrent_envs,
            blocking=self.blocking,
            control_token=self.control_token,
            mcp_token=self.mcp_token,
            allowed_hosts=self.allowed_hosts,
            allowed_origins=self.allowed_origins,
            record_dir=self.record_dir,
        )


@contextlib.contextmanager
def _exported(plan: Plan) -> Iterator[None]:
    """Tell apps that call `create_app` themselves, which reads these variables."""
    settings = {
        "OPENENV_MODE": plan.mode.value,
        "MAX_CONCURRENT_ENVS": plan.max_concurrent_envs,
        "OPENENV_BLOCKING": plan.blocking,
        "OPENENV_CONTROL_TOKEN": plan.control_token,
        "OPENENV_MCP_TOKEN": plan.mcp_token,
        "OPENENV_ALLOWED_HOSTS": plan.allowed_hosts and " ".join(plan.allowed_hosts),
        "OPENENV_ALLOWED_ORIGINS": plan.allowed_origins and " ".join(plan.allowed_origins),
        "OPENENV_RECORD_DIR": plan.record_dir,
    }
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in settings.items() if value is not None})
    try:
        yield
    finally:
        for name in settings:
            os.environ.pop(name, None)
        os.environ.update(before)


def server_of(app: ASGIApp) -> HTTPEnvServer | None:
    """The server behind an app that `create_app` made."""
    found = getattr(getattr(app, "state", None), "server", None)
    return found if isinstance(found, HTTPEnvServer) else None


def has_controls(app: ASGIApp) -> bool:
    """Whether the app's own routes let a trainer in."""
    return "/reset" in {getattr(route, "path", None) for route in getattr(app, "routes", ())}


def is_asgi(found: Any) -> bool:
    """Whether it is an app: a coroutine function, or an instance that can be called."""
    if inspect.isclass(found) or isinstance(found, functools.partial):
        return False
    return is_async(found) if inspect.isroutine(found) else callable(found)


def _call_factory(factory: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """What the factory makes, if that is a class or an app; else the factory, bound."""
    _check_arguments(factory, arguments)
    bound = functools.partial(factory, **arguments)
    made = return_type(factory)
    if inspect.isclass(made) and issubclass(made, Environment):
        return bound
    made = bound()
    if inspect.isclass(made) or isinstance(made, functools.partial) or is_asgi(made):
        return made
    if is_async(getattr(made, "close", None)):
        raise ConfigurationError(f"Annotate the return type of {factory.__name__}")
    made.close()
    return bound


def _check_arguments(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Refuse now what would fail in every session."""
    signature = call_signature(function)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        told = "--env does not fit" if arguments else "Give --env KEY=VALUE for"
        raise ConfigurationError(f"{told} {function.__name__}{signature}: {error}") from None


def _find(target: str, with_arguments: bool) -> Any:
    _refuse_servers(target)
    folder = Path(target)
    is_package = (folder / "__init__.py").exists()
    if folder.is_dir() and (folder.name != target or not is_package):
        return _in_folder(folder.resolve(), is_package, with_arguments)
    search_in(Path.cwd())
    module, _, name = target.partition(":")
    return attribute(module, name) if name else _in_module(module)


def _refuse_servers(target: str) -> None:
    if "://" in target:
        raise ConfigurationError(
            f"{target} is a running server's URL: name what is to be run, a folder or a module"
        )
    if _ADDRESS.fullmatch(target):
        raise ConfigurationError(
            f"{target} is no module: a running server is named by its URL, http://{target}"
        )


def _in_folder(folder: Path, is_package: bool, with_arguments: bool) -> Any:
    """The app its `openenv.yaml` names; with arguments, its package's environment."""
    search_in(folder.parent if is_package else folder)
    prefix = f"{folder.name}." if is_package else ""
    app = _named_app(folder)
    if not (app or is_package or (folder / f"{folder.name}.py").exists()):
        raise ConfigurationError(
            f"{folder} is no environment's folder: it has neither openenv.yaml nor server/app.py"
        )
    if app is None or (with_arguments and is_package):
        return _in_module(folder.name)
    return _app(prefix + app)


def _app(named: str) -> Any:
    module, _, name = named.partition(":")
    return attribute(module, name or "app")


def _named_app(folder: Path) -> str | None:
    """What the folder's manifest names, else what stands where OpenEnv's environments have it."""
    manifest = folder / "openenv.yaml"
    match = _APP_LINE.search(manifest.read_text()) if manifest.exists() else None
    if match:
        return match[1]
    return "server.app:app" if (folder / "server" / "app.py").exists() else None


def search_in(folder: Path) -> None:
    """Let modules of the folder be imported, before those of the same name elsewhere."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def attribute(module: str, name: str) -> Any:
    """`name`, which may have dots, of a module.

    Raises:
        ConfigurationError: No such module or name, or importing it failed.
    """
    value = _imported(module)
    for part in name.split("."):
        if not hasattr(value, part):
            raise ConfigurationError(f"{module} has no {name!r}: check the name after the colon")
        value = getattr(value, part)
    return value


def _in_module(name: str) -> Any:
    """The module's function `environment`, its only environment class, or its `app`.

    A package that has none of these may name its app, as one written for OpenEnv does.
    """
    module = _imported(name)
    if inspect.isfunction(getattr(module, "environment", None)):
        return module.environment
    kinds = [kind for kind in vars(module).values() if _is_own_environment(kind, name)]
    if len(kinds) > 1:
        names = " or ".join(f"{name}:{kind.__name__}" for kind in kinds)
        raise ConfigurationError(f"{name} has several environments: name one, {names}")
    found = kinds[0] if kinds else getattr(module, "app", None)
    named = _named_app(Path(module.__path__[0])) if found is None and _is_package(module) else None
    if named is not None:
        return _app(f"{name}.{named}")
    if found is None:
        raise ConfigurationError(
            f"{name} has no environment class and no app: name what to serve as {name}:NAME"
        )
    return found


def _is_package(module: ModuleType) -> bool:
    return bool([*getattr(module, "__path__", ())])


def _is_own_environment(kind: Any, module: str) -> bool:
    own = inspect.isclass(kind) and (issubclass(kind, Environment) or is_original(kind))
    return own and f"{kind.__module__}.".startswith(f"{module}.")


def _imported(name: str) -> Any:
    if name.endswith(".py") and Path(name).is_file():
        raise ConfigurationError(
            f"{name} is a file: name it as `import` does, without .py and with dots for slashes"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(_missing(name, error.name or name)) from error
    except ConfigurationError:
        raise
    except Exception as error:  # whatever an author's module does while it is imported
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = (
            "" if isinstance(error, SyntaxError) else f" ({where.filename}, line {where.lineno})"
        )
        raise ConfigurationError(
            f"{name} cannot be imported: {type(error).__name__}: {error}{place}"
        ) from error


def _missing(wanted: str, absent: str) -> str:
    if f"{wanted}.".startswith(f"{absent}."):
        return f"No module {absent!r}: name a folder, or a module importable from this one"
    package = f"'openenv-lite[{_EXTRAS[absent]}]'" if absent in _EXTRAS else absent
    return f"{wanted} needs {absent}: run pip install {package}"
