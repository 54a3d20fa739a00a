"""What everybody may rely on who uses this environment."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from openenv_lite import CallToolAction, GenericEnvClient, create_app
from openenv_lite.testing import check_environment

from .models import HEIGHT, WIDTH
from .server.my_environment import MyEnvironment


def call(env: Any, name: str, **arguments: Any) -> Any:
    return env.step(CallToolAction(tool_name=name, arguments=arguments))


def picture(result: Any) -> Any:
    (block,) = result.observation["result"]["content"]
    assert block["mimeType"] == "image/png"
    return Image.open(io.BytesIO(base64.b64decode(block["data"])))


def test_it_keeps_the_contract() -> None:
    check_environment(MyEnvironment, budget_s=4)


def test_the_model_sees_what_it_does() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        before = picture(call(env, "screenshot"))
        after = picture(call(env, "move", x=200, y=120))
        again = picture(call(env, "screenshot"))
    assert before.size == (WIDTH, HEIGHT)
    assert before.tobytes() != after.tobytes() == again.tobytes()


def test_the_word_is_rewarded() -> None:
    env = MyEnvironment()
    call(env, "click", x=env.world.field[0] + 5, y=env.world.field[1] + 5)
    call(env, "type_text", text=f"{env.world.word}!")
    typed = call(env, "press_key", key="Backspace")
    sent = call(env, "click", x=env.world.button[0] + 5, y=env.world.button[1] + 5)
    assert (typed.reward, typed.done, sent.reward, sent.done) == (0.0, False, 1.0, True)


def test_nothing_is_typed_where_nothing_has_the_focus() -> None:
    env = MyEnvironment()
    call(env, "type_text", text="hello")
    call(env, "press_key", key="Enter")
    assert (env.world.text, env.world.sent) == ("", None)


@pytest.mark.parametrize("point", [(-1, 0), (WIDTH, 0), (0, -1), (0, HEIGHT), (0.5, 0)])
def test_what_is_outside_of_the_screen_is_refused(point: tuple[float, float]) -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        result = call(env, "click", x=point[0], y=point[1])
    assert result.observation["error"]["error_type"] == "invalid_args"
