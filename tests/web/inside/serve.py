"""Environments with pages, each an app; run where Gradio and OpenEnv are installed."""

import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

os.environ |= {"GRADIO_HEARTBEAT_INTERVAL": "0.1", "GRADIO_ANALYTICS_ENABLED": "False"}

import gradio as gr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from openenv_lite import MCPEnvironment, create_app
from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import Plan
from tests.environments import Awaiting, Inline, Threaded, Toolbox
from tests.interop.serving import serve

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "tests" / "interop" / "original" / "packages" / "painter_env"


def counted(app: Any) -> Any:
    """The app, and how many sessions it has."""

    async def active(request: Request) -> Response:
        return PlainTextResponse(str(app.state.server.statistics().active))

    app.router.routes.append(Route("/active", active))
    return app


def page(env: Any, **settings: Any) -> Any:
    return counted(create_app(env, **{"web_interface": True, **settings}))


def mounted(app: Any) -> Starlette:
    """The app below another, which does not run its lifespan, and closes it as the README says."""

    @contextlib.asynccontextmanager
    async def lifespan(outer: Any) -> AsyncIterator[None]:
        yield
        await app.state.server.aclose()

    return Starlette(routes=[Mount("/below", app=app)], lifespan=lifespan)


def bare(*args: Any, **kwargs: Any) -> gr.Blocks:
    """As the skill's builder, which knows of no manager and has an environment of its own."""
    with gr.Blocks() as blocks:
        gr.Button("Hello").click(
            lambda: Inline().reset(start=7).total, outputs=gr.Number(), api_name="hello"
        )
    return blocks


class Parrot(MCPEnvironment):
    """Says what it is told."""

    def __init__(self) -> None:
        @self.tool
        def say(text: str) -> str:
            """Say it."""
            return text


def wrong() -> Any:
    """Tells what is said of a builder that builds nothing."""
    try:
        raise AssertionError(create_app(Inline, gradio_builder=lambda *told: None))
    except ConfigurationError as error:
        return PlainTextResponse(str(error))


def of_the_readme() -> Any:
    """The app that the README's page belongs to."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```(python|py)\n(.*?)```", text, re.DOTALL)
    [page] = [block for language, block in blocks if language == "py" and "gradio" in block]
    namespace: dict[str, Any] = {}
    for block in (blocks[0][1], "from openenv_lite import create_app", page):
        exec(compile(block, "README.md", "exec"), namespace)
    return counted(namespace["app"])


def unmodified() -> Any:
    os.environ["ENABLE_WEB_INTERFACE"] = "true"
    try:
        return counted(Plan(target=str(PACKAGE)).app())
    finally:
        del os.environ["ENABLE_WEB_INTERFACE"]


if __name__ == "__main__":
    serve(
        {
            "inline": page(Inline, max_concurrent_envs=2),
            "threaded": page(Threaded),
            "awaiting": page(Awaiting),
            "tools": page(Toolbox),
            "parrot": page(Parrot),
            "bare": page(Inline, gradio_builder=bare, custom_tab_primary=True),
            "closed": page(Inline, mcp_token="a" * 16, control_token="b" * 16),
            "idle": page(Inline, idle_timeout_s=0.5),
            "production": create_app(
                Inline, mode="production", web_interface=True, gradio_builder=bare
            ),
            "mounted": mounted(page(Inline)),
            "readme": of_the_readme(),
            "wrong": wrong(),
            "unmodified": unmodified(),
        }
    )
