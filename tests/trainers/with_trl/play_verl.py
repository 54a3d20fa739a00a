"""The real verl plays: its tool registry, its tool agent, and our agent loop; a script speaks.

Prints as JSON what came of it.

python -m tests.trainers.with_trl.play_verl GUESSING_URL PAINTING_URL
"""

import asyncio
import gc
import json
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import hydra
from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import ToolListWrap
from verl.experimental.agent_loop.tool_agent_loop import ToolAgentLoop
from verl.tools.tool_registry import load_all_tools

from openenv_lite.errors import ConfigurationError, OpenEnvError
from tests.leaks import settled
from tests.trainers.with_trl.readme import examples
from tests.trainers.with_trl.scripted import Script, given

PROMPT = [{"role": "user", "content": "Guess."}]
TOOL = "openenv_lite.trainers.verl.VerlTool"


def call(*numbers: int, name: str = "guess") -> str:
    wanted = [{"name": name, "arguments": {"number": number}} for number in numbers]
    return "".join(f"<tool_call>{json.dumps(each)}</tool_call>" for each in wanted)


def loaded(tool: str, **config: Any) -> Any:
    """A tool, as verl's workers load it."""
    entry = {"class_name": TOOL, "config": {"type": "native", "tool": tool, **config}}
    return loaded_from(OmegaConf.to_yaml({"tools": [entry]}))


def loaded_from(text: str) -> Any:
    """The tools of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tools.yaml"
        path.write_text(text)
        return load_all_tools(str(path), None)


async def with_tools(tools: list[Any], *says: str, **row: Any) -> dict[str, Any]:
    """A trajectory of verl's own tool agent."""
    script = Script(*says)
    loop = ToolAgentLoop(**given(script), tools=ToolListWrap(tools))
    output = await loop.run({}, raw_prompt=PROMPT, **row)
    return told(script, output)


async def in_loop(url: str, *says: str, **row: Any) -> dict[str, Any]:
    """A trajectory of our agent loop."""
    config = {
        "_target_": "openenv_lite.trainers.verl.VerlAgentLoop",
        "name": "guessing",
        "environment": {"base_url": url, "max_sessions": 3, "headers": {"x-run": "1"}},
    }
    return await in_this_loop(OmegaConf.create(config), *says, **row)


async def in_this_loop(config: Any, *says: str, **row: Any) -> dict[str, Any]:
    """A trajectory of an agent loop, made as verl's workers make it."""
    script = Script(*says)
    loop = hydra.utils.instantiate(config=config, **given(script), tools=ToolListWrap([]))
    return told(script, await loop.run({}, raw_prompt=PROMPT, **row))


async def as_the_readme_says(url: str) -> list[float]:
    """The reward of its agent loop, and of its tool and function."""
    loops, tools = examples("yaml", url)
    (config,) = OmegaConf.create(loops)
    in_ours = await in_this_loop(config, call(3), call(6), extra_info={"secret": 6})
    in_verls = await with_tools(loaded_from(tools), call(3), call(6), "Well.", **secret(6))
    names: dict[str, Any] = {}
    exec(examples("py", url)[0], names)
    info = {"tool_rewards": in_verls["rewards"]}
    return [in_ours["reward"], names["compute_score"]("guessing", "", None, info)]


def told(script: Script, output: Any) -> dict[str, Any]:
    assert pickle.loads(pickle.dumps(output.extra_fields)) == output.extra_fields
    return {
        "asked": script.asked,
        "unsaid": len(script.left),
        "reward": output.reward_score,
        "rewards": output.extra_fields["tool_rewards"],
        "turns": output.num_turns,
        "masked": output.response_mask.count(0),
        "fields": sorted(output.extra_fields),
    }


def secret(number: int) -> dict[str, Any]:
    """A row of a table that has columns of other rows."""
    return {"tools_kwargs": {"guess": {"create_kwargs": {"secret": number, "seed": None}}}}


async def played(guessing: str, painting: str) -> dict[str, Any]:
    (guess,) = loaded("guess", base_url=guessing, max_sessions=3)
    (paint,) = loaded("paint", base_url=painting)
    seen: dict[str, Any] = {"schemas": [dumped(guess), dumped(paint)]}
    says = [call(3), call(7, 5), call(6), call(6), call(6, name="reset"), "Well."]
    seen["tools"] = await with_tools([guess], *says, **secret(6))
    rows = [secret(number % 10) for number in range(24)]
    seen["many"] = await asyncio.gather(
        *(with_tools([guess], call(3), call(5), "Well.", **row) for row in rows)
    )
    seen["loop"] = await in_loop(guessing, call(3), call(6), "No more.", extra_info={"secret": 6})
    infos = [{"secret": number % 10, "index": number} for number in range(24)]
    seen["loops"] = await asyncio.gather(
        *(in_loop(guessing, call(3), call(5), "Well.", extra_info=info) for info in infos)
    )
    seen["readme"] = await as_the_readme_says(guessing)
    seen["picture"] = await picture(paint)
    seen["refused"] = [await refused(guessing), await refused("http://127.0.0.1:9")]
    gc.collect()
    await asyncio.sleep(0)  # what a collected trajectory asks the loop to do has begun now
    await settled()
    return seen


def dumped(tool: Any) -> Any:
    """As verl shows it to a chat template."""
    return tool.tool_schema.model_dump(exclude_unset=True, exclude_none=True)


async def picture(paint: Any) -> Any:
    class Agent:
        """Stands for verl's data of a trajectory."""

    instance, _ = await paint.create(create_kwargs={})
    arguments = {"spot": {"x": 1}, "size": 3, "colour": "blue"}
    response, reward, metrics = await paint.execute(instance, arguments, agent_data=Agent())
    await paint.release(instance)
    (image,) = response.image
    return [response.text, image.size, image.getpixel((0, 0)), reward, metrics]


async def refused(url: str) -> str:
    """Why there are no tools; verl would tell a model, not us."""
    try:
        loaded("shout", base_url=url)
    except (ConfigurationError, OpenEnvError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(played(*sys.argv[1:]))))
