"""Who chooses the actions of a rollout."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from openenv_lite.cli.sampling import Sampler
from openenv_lite.client import GenericEnvClient
from openenv_lite.client.http import transport_to
from openenv_lite.errors import ConfigurationError, ConnectionFailedError
from openenv_lite.loading import attribute, search_in

__all__ = ["Policy", "policy_named"]

Policy = Callable[[Any, random.Random], Any]
"""From the latest observation and the episode's generator to an action; sync or async."""


async def policy_named(name: str, client: GenericEnvClient) -> Policy:
    """`random`, or a function named `MODULE:FUNC`.

    Args:
        name: As given on the command line.
        client: Reaches the environment, whose schema a random policy is made from.

    Raises:
        ConfigurationError: No such function, or an action schema nothing can be drawn from.
        ConnectionFailedError: Nothing answers.
    """
    schema = await _action_schema(client)
    if name != "random":
        return _function(name)
    if {"tool_name", "arguments"} <= schema.get("properties", {}).keys():
        return await _random_tools(client)
    sampler = Sampler(schema)
    return lambda observation, rng: sampler.draw(rng)


def _function(name: str) -> Policy:
    module, separator, function = name.partition(":")
    if not separator:
        raise ConfigurationError(f"--policy {name!r}: give random or MODULE:FUNC")
    search_in(Path.cwd())
    policy: Policy = attribute(module, function)
    return policy


async def _random_tools(client: GenericEnvClient) -> Policy:
    listed = await client.step({"type": "list_tools"})
    samplers = {tool["name"]: Sampler(tool["input_schema"]) for tool in listed.observation["tools"]}
    if not samplers:
        raise ConfigurationError("The environment has no tools to draw from: use --policy")
    names = sorted(samplers)

    def choose(observation: Any, rng: random.Random) -> Any:
        name = rng.choice(names)
        return {"type": "call_tool", "tool_name": name, "arguments": samplers[name].draw(rng)}

    return choose


async def _action_schema(client: GenericEnvClient) -> dict[str, Any]:
    target = client.target
    transport = transport_to(target)
    url = target.http_url("schema")
    try:
        async with httpx.AsyncClient(transport=transport, headers=target.settings.headers) as http:
            reply = (await http.get(url)).raise_for_status().json()
        schema: dict[str, Any] = reply["action"]
    except httpx.TransportError as error:
        raise ConnectionFailedError(
            f"Nothing answers at {target.base_url} ({error}): start a server with "
            "`openenv-lite serve`, or name an environment instead of a URL"
        ) from error
    except (httpx.HTTPStatusError, ValueError, LookupError, TypeError) as error:
        raise ConfigurationError(f"{url} gives no action schema: check the URL") from error
    return schema
