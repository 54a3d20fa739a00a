import os

from openenv.core.env_server.http_server import create_app

try:
    from ..models import Dice, Table, Throw  # noqa: TID252
    from .dice_environment import DiceEnvironment
except ImportError:
    from models import Dice, Table, Throw
    from server.dice_environment import DiceEnvironment

app = create_app(
    DiceEnvironment,
    Throw,
    Dice,
    env_name="dice_env",
    max_concurrent_envs=int(os.environ.get("MAX_CONCURRENT_ENVS", "4")),
    state_cls=Table,
)
