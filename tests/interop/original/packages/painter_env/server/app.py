from openenv.core.env_server.http_server import create_app

try:
    from ..models import PaintAction, PaintObservation  # noqa: TID252
    from .gradio_ui import build_ui
    from .painter_environment import PainterEnvironment
except ImportError:
    from models import PaintAction, PaintObservation
    from server.gradio_ui import build_ui
    from server.painter_environment import PainterEnvironment

app = create_app(
    PainterEnvironment,
    PaintAction,
    PaintObservation,
    env_name="painter_env",
    max_concurrent_envs=4,
    gradio_builder=build_ui,
    custom_tab_name="Wall",
)
