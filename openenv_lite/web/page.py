"""A page of Gradio's, built, watched over and served."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import gradio as gr
import msgspec
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from openenv_lite import codec
from openenv_lite.environment import described
from openenv_lite.errors import ConfigurationError
from openenv_lite.pool import Pool
from openenv_lite.web import PageSettings
from openenv_lite.web.form import action_fields
from openenv_lite.web.playground import playground
from openenv_lite.web.rehearsal import Rehearsal
from openenv_lite.web.stand_in import SessionWanted, WebManager
from openenv_lite.web.visits import Visits, visitor

__all__ = ["GradioPage"]

_QUICK_START = """### Connect to this environment

```python
from openenv_lite import GenericEnvClient

with GenericEnvClient(base_url="http://localhost:8000").sync() as env:
    print(env.reset())
```
"""


class GradioPage:
    """See `openenv_lite.web.Page`.

    Gradio looks for work a thousand times a second: it begins with the first request.
    """

    def __init__(self, pool: Pool, settings: PageSettings) -> None:
        self._visits = Visits(pool)
        self._blocks = _built(pool, self._visits, settings)
        with self._blocks:
            self._blocks.unload(self._leave)
        self._process = self._blocks.process_api
        self._blocks.process_api = self._process_with_session
        without = {"ssr_mode": False, "mcp_server": False, "enable_monitoring": False}
        self._app = gr.mount_gradio_app(Starlette(), self._blocks, "/web", **without)
        self._served = self._app.routes[0].app
        self._starting = asyncio.Lock()
        self._running: contextlib.AsyncExitStack | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        async with self._starting:
            if self._running is None:
                self._served.stop_event = asyncio.Event()
                asyncio.get_running_loop().set_default_executor(_Threads())
                running = contextlib.AsyncExitStack()
                await running.enter_async_context(self._app.router.lifespan_context(self._app))
                self._running = running
        await self._app(scope, receive, send)

    def let_go(self) -> None:
        """End the streams that tell whether a tab is open."""
        if self._running is not None:
            self._served.stop_event.set()
            self._blocks.close(verbose=False)

    async def aclose(self) -> None:
        """Let Gradio end."""
        self.let_go()
        if self._running is not None:
            await self._running.aclose()
            self._running = None

    async def _process_with_session(self, *args: Any, **kwargs: Any) -> Any:
        """Call an event's function, and once more if it could not do without a session."""
        try:
            return await self._process(*args, **kwargs)
        except SessionWanted as wanted:
            await self._visits.enter(wanted.visitor)
            return await self._process(*args, **kwargs)

    async def _leave(self) -> None:
        await self._visits.leave(visitor())


class _Threads(ThreadPoolExecutor):
    """Threads that know whose event they work for, as those of `asyncio.to_thread` do."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function in the context that this one is called in."""
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


def _built(pool: Pool, visits: Visits, settings: PageSettings) -> Any:
    """What the author's builder makes, beside the page that any environment has."""
    about = pool.blueprint.described or described(pool.blueprint.kind)
    metadata = msgspec.structs.replace(about, name=settings.env_name or about.name)
    title = settings.title_override or metadata.name
    with Rehearsal(pool.blueprint) as rehearsal:
        manager = WebManager(visits, pool.blueprint, metadata, rehearsal)
        tabs = {"Playground": playground(manager, metadata, title)}
        if settings.gradio_builder is not None:
            fields = action_fields(codec.json_schema(pool.blueprint.action_type))
            custom = settings.gradio_builder(manager, fields, metadata, False, title, _QUICK_START)
            tabs = _arranged(tabs, custom, settings)
        manager.open_to_visitors()
    blocks = [*tabs.values()]
    whole = blocks[0] if len(blocks) == 1 else gr.TabbedInterface(blocks, [*tabs])
    whole.title = title
    return whole


def _arranged(tabs: dict[str, Any], custom: Any, settings: PageSettings) -> dict[str, Any]:
    if not isinstance(custom, gr.Blocks):
        raise ConfigurationError(
            f"gradio_builder must return gr.Blocks, not {type(custom).__name__}"
        )
    own = {settings.custom_tab_name: custom}
    if not settings.show_default_tab:
        return own
    return {**own, **tabs} if settings.custom_tab_primary else {**tabs, **own}
