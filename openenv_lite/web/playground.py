"""The page that any environment has: reset, a form for the action or each tool, what follows."""

import functools
import html
import re
from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr

from openenv_lite import codec
from openenv_lite.errors import OpenEnvError
from openenv_lite.types import EnvironmentMetadata
from openenv_lite.web.form import Form
from openenv_lite.web.stand_in import Played, WebManager

__all__ = ["playground"]

Play = Callable[..., Awaitable[Played]]

_PICTURE = re.compile(r"(data:image/[a-z]+;base64,)?[A-Za-z0-9+/\s]++={0,2}\s*+")
"""It never looks twice at a character: any text may be held to it, of any length."""
_BEGINNINGS = {"iVBORw0KGgo": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp"}
_MOST, _FIRST = 64, 8
"""A list of more elements is shown by the first of them."""


def playground(web_manager: WebManager, metadata: EnvironmentMetadata, title: str) -> gr.Blocks:
    """The page; its functions are called `reset`, and `step` or as the tools."""
    with gr.Blocks(title=title, analytics_enabled=False) as page:
        gr.Markdown(f"# {metadata.name}\n{metadata.description}")
        with gr.Row():
            with gr.Column():
                seed = gr.Textbox(label="seed", placeholder="of the episode; any if empty")
                again = gr.Button("Reset", variant="primary")
                played = _forms(web_manager)
            with gr.Column():
                outputs = _results()
        reset = functools.partial(_shown, functools.partial(_reset, web_manager))
        again.click(reset, [seed], outputs, api_name="reset", concurrency_limit=None)
        for name, button, form, play in played:
            step = functools.partial(_shown, functools.partial(_step, play, form))
            button.click(step, form.inputs, outputs, api_name=name, concurrency_limit=None)
    return page


def _forms(web_manager: WebManager) -> list[tuple[str, gr.Button, Form, Play]]:
    """A name, a button, inputs and what is done with them: of the action, or of each tool."""
    step = web_manager.step
    if not web_manager.tools:
        form = Form(codec.json_schema(web_manager.action_cls))
        return [("step", gr.Button("Step"), form, step)]
    found: list[tuple[str, gr.Button, Form, Play]] = []
    for tool in web_manager.tools:
        with gr.Tab(tool["name"]):
            gr.Markdown(tool.get("description", ""))
            form = Form(tool["inputSchema"])
            call = functools.partial(_call, step, tool["name"])
            found.append((tool["name"], gr.Button("Call"), form, call))
    return found


def _results() -> list[Any]:
    pictures = gr.HTML(label="Pictures")
    observation = gr.JSON(label="Observation")
    with gr.Row():
        reward, done = gr.Textbox(label="Reward"), gr.Textbox(label="Done")
    with gr.Accordion("State", open=False):
        state = gr.JSON(show_label=False)
    return [pictures, observation, reward, done, state]


async def _reset(web_manager: WebManager, seed: str) -> Played:
    return await web_manager.reset({"seed": seed} if seed else {})


async def _step(play: Play, form: Form, *given: Any) -> Played:
    return await play(form.values(given))


async def _call(step: Play, name: str, arguments: dict[str, Any]) -> Played:
    return await step({"type": "call_tool", "tool_name": name, "arguments": arguments})


async def _shown(play: Play, *given: Any) -> tuple[Any, ...]:
    """What a call gave, for each of the results."""
    try:
        result, state = await play(*given)
    except OpenEnvError as error:
        raise gr.Error(html.escape(_told(error), quote=False), print_exception=False) from error
    pictures: list[str] = []
    observation = _without_pictures(_heard(result["observation"]), pictures)
    reward, done = codec.encode(result["reward"]).decode(), str(result["done"]).lower()
    return _drawn(pictures), observation, reward, done, state


def _told(error: OpenEnvError) -> str:
    """The error with its faults, each with its place."""
    faults = [
        f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
        for each in error.details.get("errors", ())
    ]
    return "; ".join([error.message, *faults])


def _heard(observation: Any) -> Any:
    """The observation without what says nothing; of a tool call what was said, once."""
    if not isinstance(observation, dict):
        return observation
    result = observation.get("result")
    if not isinstance(result, dict) or "content" not in result:
        return {k: v for k, v in observation.items() if v or k not in ("metadata", "error")}
    said = result.get("data")
    if said is None:
        said = [_said(each) for each in result["content"]]
    return {"tool": observation.get("tool_name"), "result": said}


def _said(block: dict[str, Any]) -> Any:
    if block["type"] == "image":
        return f"data:{block['mimeType']};base64,{block['data']}"
    return block.get("text", block)


def _without_pictures(value: Any, found: list[str]) -> Any:
    """The value with a word where a picture is; what is too long to read is cut."""
    if isinstance(value, dict):
        return {name: _without_pictures(each, found) for name, each in value.items()}
    if isinstance(value, list):
        if len(value) > _MOST:
            value = [*value[:_FIRST], f"… {len(value)} in all"]
        return [_without_pictures(each, found) for each in value]
    source = _source(value) if isinstance(value, str) else None
    if source is None:
        return value
    found.append(source)
    return f"(picture {len(found)})"


def _source(text: str) -> str | None:
    """The address of a picture that is the text, in base64."""
    kinds = [kind for beginning, kind in _BEGINNINGS.items() if text.startswith(beginning)]
    match = _PICTURE.fullmatch(text) if kinds or text.startswith("data:image/") else None
    if match is None or match[1]:
        return match and text
    return f"data:image/{kinds[0]};base64,{text}"


def _drawn(pictures: list[str]) -> str:
    return "".join(f'<img src="{each}" style="max-width:100%">' for each in pictures)
