from openenv.core.env_server import create_app
from openenv.core.env_server.types import ConcurrencyConfig

from .shop_environment import CallToolAction, CallToolObservation, ShopEnvironment


def build() -> ShopEnvironment:
    return ShopEnvironment(budget=5)


app = create_app(
    build,
    CallToolAction,
    CallToolObservation,
    "shop_env",
    concurrency_config=ConcurrencyConfig(max_concurrent_envs=4, session_timeout=600),
)
