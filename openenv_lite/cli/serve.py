"""`openenv-lite serve`: one environment on a socket, by one process or several."""

import contextlib
import os
import secrets
from typing import Any

import click

from openenv_lite.cli.arguments import (
    control_token_option,
    env_option,
    log_at,
    log_level_option,
)
from openenv_lite.cli.listening import Listening, listening_on_path, listening_on_port
from openenv_lite.cli.running import run
from openenv_lite.cli.workers import run_workers
from openenv_lite.errors import ConfigurationError
from openenv_lite.loading import ASGIApp, Plan, has_controls, server_of
from openenv_lite.types import ServerMode
from openenv_lite.web import IN_ONE_PROCESS

__all__ = ["serve"]

_KEYS = ("OPENENV_MCP_KEY", "OPENENV_SNAPSHOT_KEY")
"""Variables that seal what one worker gives to a client and another gets back."""


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
    help="Processes; each session lives in one, and requests for it are passed on to that.",
)
@click.option(
    "--max-concurrent-envs",
    type=click.IntRange(1),
    envvar="MAX_CONCURRENT_ENVS",
    show_envvar=True,
    help="Environments that may exist at once, in all processes together.",
)
@click.option(
    "--blocking/--no-blocking",
    default=None,
    envvar="OPENENV_BLOCKING",
    show_envvar=True,
    help="Whether its plain methods may wait, and so run on threads; else what the class says.",
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
@click.option(
    "--record",
    "record_dir",
    type=click.Path(file_okay=False),
    envvar="OPENENV_RECORD_DIR",
    show_envvar=True,
    help="A folder in which to record all episodes, as JSON lines.",
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
        blocking=options["blocking"],
        control_token=options["control_token"],
        mcp_token=options["mcp_token"],
        allowed_hosts=options["allowed_hosts"] or None,
        allowed_origins=options["allowed_origins"] or None,
        record_dir=options["record_dir"],
    )
    app = plan.app()
    if options["workers"] > 1:
        _check_capacity(app, options["workers"])
    with contextlib.suppress(KeyboardInterrupt), _listening(options) as listening:
        # Only now, so that whoever reads the line can connect.
        _announce(plan, app, listening.address)
        if options["workers"] == 1:
            run(app, options["log_level"], listening.sockets)
        else:
            for key in _KEYS:
                os.environ[key] = os.environ.get(key) or secrets.token_urlsafe(32)
            run_workers(plan, options["log_level"], listening.sockets)


def _check_capacity(app: ASGIApp, workers: int) -> None:
    """Refuse workers that could never have an environment, or would refuse a page."""
    server = server_of(app)
    if server is not None and server.page is not None and not server.page_is_optional:
        raise ConfigurationError(IN_ONE_PROCESS)
    most = workers if server is None else server.pool.settings.max_sessions
    if most < workers:
        raise ConfigurationError(
            f"--workers {workers}, but the server holds {most} environment(s) at once, in all "
            "workers together: start fewer workers, or raise --max-concurrent-envs (above 1 the "
            "class must say SUPPORTS_CONCURRENT_SESSIONS = True)"
        )


def _listening(options: dict[str, Any]) -> contextlib.AbstractContextManager[Listening]:
    if options["uds"]:
        return listening_on_path(options["uds"], options["workers"])
    return listening_on_port(options["host"], options["port"], options["workers"])


def _announce(plan: Plan, app: ASGIApp, address: str) -> None:
    """One line, about what the app turned out to be."""
    server = server_of(app)
    what = plan.target if server is None else f"{server.blueprint.name} ({plan.target})"
    mode = ServerMode.SIMULATION if has_controls(app) else plan.mode
    click.echo(f"Serving {what} in {mode.value} mode on {address}")
