"""What is validated: a running server, or a package that is served for the purpose."""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from openenv_lite.client.target import ConnectionOptions
from openenv_lite.errors import OpenEnvError
from openenv_lite.testing.sessions.fetching import fetched
from openenv_lite.validation.gate import Fault
from openenv_lite.validation.processes import Ended, Program, last_line, serving

__all__ = ["PATIENCE", "Limits", "Package", "Site"]

_DYING_S = 2.0

PATIENCE: ConnectionOptions = {"connect_timeout_s": 20.0, "message_timeout_s": 20.0}
"""Of clients that are to find out whether they are answered."""


class Limits(NamedTuple):
    """How long things may take, in seconds.

    Attributes:
        program_s: An import, the start of a server, a rollout.
        laws_s: All laws together.
    """

    program_s: float = 60.0
    laws_s: float = 12.0


class Site:
    """A server.

    Args:
        target: As it was named: its URL, say.
        limits: For all that is done with it.

    Attributes:
        url: Where it is, without a slash at the end.
        source: What our other commands are to be given for it.
    """

    def __init__(self, target: str, limits: Limits) -> None:
        self.target, self.limits = target, limits
        self.url = self.source = target.rstrip("/")

    def fetch(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One HTTP request; `given` as `httpx` takes it.

        Raises:
            Fault: Nobody answers, or not within bounds.
        """
        return fetch(self.url, method, path, **given)

    def close(self) -> None:
        """End what was started."""


class Package(Site):
    """An environment's folder.

    Args:
        folder: Whatever it holds.
        limits: For all that is done with it.

    Attributes:
        folder: Its absolute path.
        manifest: What its `openenv.yaml` says, as plain values; empty while nothing is known.
        url: Where it is served, once it is.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        super().__init__(str(folder), limits)
        self.folder = folder.resolve()
        self.source = str(self.folder)
        self.manifest: dict[str, Any] = {}
        self._running = contextlib.ExitStack()

    @property
    def app(self) -> tuple[str, str]:
        """Module and name of its app, as in a container."""
        named = self.manifest.get("app")
        module, _, name = (named if isinstance(named, str) else "server.app").partition(":")
        return module, name or "app"

    @property
    def is_package(self) -> bool:
        """Whether it can be imported by its own name."""
        return (self.folder / "__init__.py").is_file()

    def start(self) -> None:
        """Serve it in simulation mode until `close`; raises as `served`."""
        self.url = self._running.enter_context(self.served("simulation"))

    @contextlib.contextmanager
    def served(self, mode: str) -> Iterator[str]:
        """The URL of a server of it in this mode, until the block ends.

        Raises:
            Fault: It did not start.
        """
        words = (self.source, "--mode", mode)
        with serving(words, self.limits.program_s) as (program, url):
            if url is None or not _answers(program, url):
                raise _not_started(self, program.ended())
            yield url

    def close(self) -> None:
        """End the server."""
        self._running.close()


def _answers(program: Program, url: str) -> bool:
    """Whether it runs: who listens has yet to start what it serves, and may die of it."""
    try:
        fetch(url, "GET", "/health")
    except Fault:
        return program.wait(_DYING_S) is None
    return True


def _not_started(package: Package, ended: Ended) -> Fault:
    see = f"see for yourself with `openenv-lite serve {package.target}`"
    if ended.code is None:
        return Fault(
            f"No server after {package.limits.program_s:g} s",
            f"Load what takes long when the first session needs it; {see}, or give --timeout",
            ended.err,
        )
    said = last_line(ended._replace(out="")).removeprefix("openenv-lite: ")
    return Fault(
        f"The server ended with exit code {ended.code}: {said}", f"Mend that; {see}", ended.err
    )


def fetch(url: str, method: str, path: str, **given: Any) -> httpx.Response:
    """One HTTP request to a server; see `Site.fetch`."""

    async def ask() -> httpx.Response:
        options: dict[str, Any] = {"follow_redirects": True, "verify": _trusted()}
        is_here = url.startswith("http://127.0.0.1:")  # where no proxy leads
        async with httpx.AsyncClient(base_url=url, trust_env=not is_here, **options) as client:
            return await fetched(client, method, path, given)

    try:
        return asyncio.run(ask())
    except (OpenEnvError, httpx.HTTPError) as error:
        raise Fault(
            f"{method} {path}: {error}", f"See that a server answers there: `curl {url}{path}`"
        ) from error


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Certificates, which take longer to load than most servers to answer."""
    return httpx.create_ssl_context()
