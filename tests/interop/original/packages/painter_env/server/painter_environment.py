from openenv.core.env_server.interfaces import Environment

try:
    from ..models import PaintAction, PaintObservation, PaintState  # noqa: TID252
except ImportError:
    from models import PaintAction, PaintObservation, PaintState


class PainterEnvironment(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self):
        super().__init__()
        self.catalogue = ["red", "blue"]
        self._wall = ""
        self._state = PaintState()

    def fill(self, bucket):
        self._state.bucket = bucket

    def reset(self, seed=None, episode_id=None, wall="", **kwargs):
        self._wall = wall
        self._state = PaintState(episode_id=episode_id or "e", bucket=self._state.bucket)
        return PaintObservation(wall=self._wall)

    def step(self, action: PaintAction, timeout_s=None, **kwargs):
        self._state.step_count += 1
        self._wall += action.colour[0] * action.coats
        return PaintObservation(wall=self._wall, reward=float(action.coats), done=False)

    @property
    def state(self):
        return self._state
