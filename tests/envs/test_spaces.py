"""Spaces as types: `/schema` tells them whole, and both ways of conversion lose nothing."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from gym_env import environment
from gym_env.server.spaces import translate
from gymnasium import spaces
from PIL import Image

from openenv_lite import GenericEnvClient, codec, create_app
from openenv_lite.errors import ConfigurationError, InvalidMessageError
from tests.envs.medley import ACTIONS, ID


def client(**options: Any) -> Any:
    return GenericEnvClient(app=create_app(environment(ID, **options))).sync()


def schema_of(space: Any) -> Any:
    return codec.json_schema(translate(space, "Space").kind)


def test_the_schema_tells_every_bound() -> None:
    fields = schema_of(ACTIONS)["properties"]
    assert fields["turn left?"] == {"type": "integer", "minimum": -1, "maximum": 1}
    first, second = fields["push"]["prefixItems"]
    assert first == {"type": "number", "minimum": -1, "maximum": 1}
    assert second == {"type": "number", "minimum": 0}
    assert (fields["grid"]["minItems"], fields["grid"]["items"]["maxItems"]) == (2, 3)
    assert fields["both"]["prefixItems"][1]["prefixItems"][1]["maximum"] == 4
    assert (fields["word"]["minLength"], fields["word"]["maxLength"]) == (1, 4)


def test_whatever_a_space_samples_goes_both_ways() -> None:
    translation = translate(ACTIONS, "Space")
    for seed in range(50):
        ACTIONS.seed(seed)
        sampled = ACTIONS.sample()
        text = codec.encode(translation.from_gym(sampled))
        back = translation.to_gym(codec.Decoder(translation.kind).decode(text))
        assert back in ACTIONS
        assert translation.from_gym(back) == translation.from_gym(sampled)
        assert back["push"].dtype == np.float32


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("turn left?", 2),
        ("push", [0.0]),
        ("push", [-1.5, 0.0]),
        ("both", [[0, 2], [0, 0]]),
        ("both", [[0, 1], [0, 5]]),
        ("grid", [[0, 0, 0], [0, 0, 256]]),
        ("grid", [[0, 0], [0, 0]]),
        ("word", ""),
        ("word", "abc"),
        ("word", "ab\n"),
        ("turn right?", 0),
    ],
)
def test_nothing_outside_the_space_reaches_gymnasium(field: str, wrong: Any) -> None:
    ACTIONS.seed(0)
    action = translate(ACTIONS, "Space").from_gym(ACTIONS.sample())
    with client() as env:
        env.reset(seed=0)
        with pytest.raises(InvalidMessageError):
            env.step({"action": {**action, field: wrong}})
        assert not env.step({"action": action}).done


def test_a_space_without_a_type_is_the_operators_error() -> None:
    with pytest.raises(ConfigurationError, match="wrap the environment"):
        translate(spaces.Graph(spaces.Discrete(2), None), "Space")


def test_render_adds_a_png_after_each_reset_and_step() -> None:
    with client(render=True) as env:
        frame = env.reset(seed=0).observation["frame"]
    image = Image.open(io.BytesIO(base64.b64decode(frame)))
    assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (6, 4), (5, 5, 5))


def test_info_is_sent_where_wanted_without_what_json_cannot_hold() -> None:
    ACTIONS.seed(0)
    action = translate(ACTIONS, "Space").from_gym(ACTIONS.sample())
    with client(info=True) as env:
        assert env.reset(options={"steps": 2}).metadata == {"options": {"steps": 2}}
        result = env.step({"action": action})
    assert result.metadata == {"array": [0, 1, 2], "number": 0.5}
    with client() as env:
        assert env.reset().metadata == {}
