"""What builders of published packages do with `web_manager`, in one."""

import asyncio
import json

import gradio as gr
from openenv.core.env_server.interfaces import Environment


def build_ui(web_manager, action_fields, metadata, is_chat_env, title, quick_start_md):
    env = web_manager.env
    about = {
        "fields": [field["name"] for field in action_fields],
        "choices": web_manager.env.catalogue,
        "is_environment": isinstance(web_manager.env, Environment),
        "name": metadata.name,
        "title": title,
        "is_chat_env": is_chat_env,
        "quick_start": bool(quick_start_md),
    }

    async def reset(wall):
        return json.dumps(await web_manager.reset_environment({"wall": wall}))

    async def paint(colour):
        try:
            data = await web_manager.step_environment({"colour": colour})
        except Exception as error:  # noqa: BLE001
            return f"Error: {error}"
        return json.dumps(data)

    async def fill(bucket):
        web_manager.env.fill(bucket)
        return bucket

    async def reset_elsewhere(wall):
        loop = asyncio.get_running_loop()
        observation = await loop.run_in_executor(None, lambda: web_manager.env.reset(wall=wall))
        web_manager.episode_state.action_logs = []
        return observation.wall

    async def threaded():
        return await web_manager._run_sync_in_thread_pool(lambda: env.state.bucket)

    def state():
        return json.dumps(web_manager.get_state())

    def log():
        episode = web_manager.episode_state
        return json.dumps([[each.action, each.reward] for each in episode.action_logs])

    with gr.Blocks() as blocks:
        box, out = gr.Textbox(), gr.Textbox()
        for name, function, inputs in (
            ("wall", reset, [box]),
            ("paint", paint, [box]),
            ("fill", fill, [box]),
            ("elsewhere", reset_elsewhere, [box]),
            ("bucket", threaded, []),
            ("get_state", state, []),
            ("log", log, []),
            ("about", lambda: json.dumps(about), []),
        ):
            gr.Button(name).click(function, inputs, out, api_name=name)
    return blocks
