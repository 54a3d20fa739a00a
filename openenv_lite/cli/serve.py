"""`openenv-lite serve`: one environment on a socket, by one process or several."""

import contextlib
import os
import secrets
import socket
from typing import Any

import click
import msgspec
import uvicorn

from openenv_lite.cli.arguments import (
    control_token_option,
    env_option,
    log_at,
    log_level_option,
)
from openenv_lite.cli.loading import ASGIApp, Plan, has_controls, server_of
from openenv_lite.errors import ConfigurationError
from openenv_lite.server import HTTPEnvServer
from openenv_lite.types import ServerMode

__all__ = ["serve", "worker_app"]

_PLAN = "OPENENV_LITE_PLAN"
"""Variable in which the plan travels to worker processes, as JSON."""

_KEY = "OPENENV_MCP_KEY"
"""Variable that seals what one worker gives to an MCP client and another gets back."""

_UVICORN: dict[str, Any] = {
    "ws": "websockets-sansio",
    "ws_per_message_deflate": False,
    # Above the app's own limit in characters, so that a long message meets its typed error.
    "ws_max_size": 16 * 2**20,
    "ws_ping_interval": 20.0,
    # A client without a thread answers pings only while it is called, and a model may think long.
    "ws_ping_timeout": 900.0,
    "timeout_graceful_shutdown": 10,
    "access_log": False,
    "log_config": None,
}

_WORKERS_WARNING = (
    "Sessions live in one process. With {workers} workers only WebSocket sessions are sure to stay "
    "together; sessions named over HTTP or MCP may reach a worker that does not know them. "
    "Each worker holds up to --max-concurrent-envs environments."
)


@click.command()
@click.argument("target")
@env_option
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in ServerMode]),
    default=ServerMode.SIMULATION.value,
    envvar="OPENENV_MODE",
    show_default=True,
    show_envvar=True,
    help="Who owns the episode: a trainer, or nobody.",
)
@click.option("--host", default="127.0.0.1", envvar="HOST", show_default=True, show_envvar=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    envvar="PORT",
    show_default=True,
    show_envvar=True,
    help="0 takes a free one.",
)
@click.option("--uds", type=click.Path(), help="Path of a Unix socket, instead of host and port.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    envvar="WORKERS",
    show_default=True,
    show_envvar=True,
    help="Processes.",
)
@click.option(
    "--max-concurrent-envs",
    type=click.IntRange(1),
    envvar="MAX_CONCURRENT_ENVS",
    show_envvar=True,
    help="Environments that may exist at once, in each process.",
)
@control_token_option
@click.option(
    "--mcp-token",
    envvar="OPENENV_MCP_TOKEN",
    show_envvar=True,
    help="Bearer token that /mcp and /ws then want of everybody. Prefer the variable.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    envvar="OPENENV_ALLOWED_HOSTS",
    show_envvar=True,
    help="A name that /mcp and /ws may be called by; * for any. May be given several times.",
)
@click.option(
    "--allowed-origin",
    "allowed_origins",
    multiple=True,
    metavar="SCHEME://HOST[:PORT]",
    envvar="OPENENV_ALLOWED_ORIGINS",
    show_envvar=True,
    help="A web page that may call /mcp and /ws. May be given several times.",
)
@log_level_option
def serve(target: str, arguments: dict[str, Any], **options: Any) -> None:
    """Serve TARGET over HTTP, WebSocket and MCP.

    TARGET is a module, a module:name (an environment class, a factory, a function that returns a
    class, or an ASGI app), or a folder with an openenv.yaml.
    """
    log_at(options["log_level"])
    plan = Plan(
        target=target,
        arguments=arguments,
        mode=ServerMode(options["mode"]),
        max_concurrent_envs=options["max_concurrent_envs"],
        control_token=options["control_token"],
        mcp_token=options["mcp_token"],
        allowed_hosts=options["allowed_hosts"] or None,
        allowed_origins=options["allowed_origins"] or None,
    )
    app = plan.app()
    if options["workers"] > 1:
        click.echo(_WORKERS_WARNING.format(workers=options["workers"]), err=True)
    with contextlib.suppress(KeyboardInterrupt):
        _serve_on_path(plan, app, options) if options["uds"] else _serve_on_port(plan, app, options)


class _Server(uvicorn.Server):
    """Lets go of MCP clients that only listen before it waits for requests to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop gracefully."""
        server = getattr(getattr(self.config.app, "state", None), "server", None)
        if isinstance(server, HTTPEnvServer):
            server.let_go()
        await super().shutdown(sockets)


def worker_app() -> ASGIApp:
    """The app of one worker process, made from the plan its parent left."""
    level, plan = msgspec.json.decode(os.environ[_PLAN], type=tuple[str, Plan])
    log_at(level)
    return plan.app()


def _serve_on_path(plan: Plan, app: ASGIApp, options: dict[str, Any]) -> None:
    _announce(plan, app, f"unix:{options['uds']}")
    _run(plan, app, options, uds=options["uds"])


def _serve_on_port(plan: Plan, app: ASGIApp, options: dict[str, Any]) -> None:
    """Listen before anything is said, so that whoever reads the line can connect."""
    listener = _listen(options["host"], options["port"])
    host, port = listener.getsockname()[:2]
    _announce(plan, app, f"http://{f'[{host}]' if ':' in host else host}:{port}")
    if options["workers"] == 1:
        config = uvicorn.Config(app, log_level=options["log_level"], **_UVICORN)
        _Server(config).run(sockets=[listener])
    else:
        listener.close()
        _run(plan, app, options, host=host, port=port)


def _run(plan: Plan, app: ASGIApp, options: dict[str, Any], **address: Any) -> None:
    """Let uvicorn listen, by itself or in workers that make the app anew."""
    shared = {**_UVICORN, "log_level": options["log_level"], **address}
    if options["workers"] == 1:
        uvicorn.run(app, **shared)
        return
    os.environ[_KEY] = os.environ.get(_KEY) or secrets.token_urlsafe(32)
    os.environ[_PLAN] = msgspec.json.encode((options["log_level"], plan)).decode()
    uvicorn.run(
        "openenv_lite.cli.serve:worker_app", factory=True, workers=options["workers"], **shared
    )


def _announce(plan: Plan, app: ASGIApp, address: str) -> None:
    """One line, about what the app turned out to be."""
    server = server_of(app)
    what = plan.target if server is None else f"{server.blueprint.name} ({plan.target})"
    mode = ServerMode.SIMULATION if has_controls(app) else plan.mode
    click.echo(f"Serving {what} in {mode.value} mode on {address}")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({error.strerror or error}): choose another --port or "
            "--host; --port 0 takes a free one"
        ) from None
