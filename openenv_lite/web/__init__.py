"""A page at `/web` on which a person plays an environment.

It is made with Gradio, which the other modules of this room import, and these only for a page that
somebody asked for.
"""

import importlib
import importlib.util
from typing import Any, Protocol

import msgspec
from starlette.types import Receive, Scope, Send

from openenv_lite.errors import ConfigurationError
from openenv_lite.pool import Pool
from openenv_lite.workers import here

__all__ = ["IN_ONE_PROCESS", "Page", "PageSettings", "page_of"]

IN_ONE_PROCESS = (
    "The page at /web lives in one process: serve with --workers 1, or set "
    "ENABLE_WEB_INTERFACE=false"
)


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows; the names are OpenEnv's."""

    env_name: str | None = None
    gradio_builder: Any = None
    custom_tab_name: str = "Custom"
    custom_tab_primary: bool = False
    show_default_tab: bool = True
    title_override: str | None = None


class Page(Protocol):
    """An ASGI app for `/web/` and what lies below; it starts with its first request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

    def let_go(self) -> None:
        """End the streams that a graceful stop would wait for."""

    async def aclose(self) -> None:
        """End what serves the page; not the sessions, which are the pool's."""


def page_of(pool: Pool, settings: PageSettings) -> Page:
    """A page whose visitors have sessions of the pool.

    Raises:
        ConfigurationError: Gradio is not installed, there are several processes, or the author's
            builder returns something else than it should.
    """
    if here() is not None:
        raise ConfigurationError(IN_ONE_PROCESS)
    if importlib.util.find_spec("gradio") is None:
        raise ConfigurationError(
            "The page at /web needs gradio: run pip install 'openenv-lite[gradio]', or set "
            "ENABLE_WEB_INTERFACE=false"
        )
    page: Page = importlib.import_module("openenv_lite.web.page").GradioPage(pool, settings)
    return page
