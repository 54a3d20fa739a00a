import random
import threading

from openenv.core.env_server.interfaces import Environment, Transform
from openenv.core.rubrics import Rubric, WeightedSum

try:
    from ..models import Dice, Table, Throw  # noqa: TID252
except ImportError:
    from models import Dice, Table, Throw


class Hit(Rubric):
    def forward(self, action: Throw, observation: Dice) -> float:
        return float(sum(observation.thrown) == action.bet)


class Near(Rubric):
    def forward(self, action: Throw, observation: Dice) -> float:
        return 1 / (1 + abs(sum(observation.thrown) - action.bet))


class Counted(Transform[Dice]):
    def __call__(self, observation: Dice) -> Dice:
        observation.metadata["sum"] = sum(observation.thrown)
        return observation


class DiceEnvironment(Environment[Throw, Dice, Table]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__(transform=Counted(), rubric=WeightedSum([Hit(), Near()], [0.75, 0.25]))
        self._thread = threading.get_ident()
        self._state = Table()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        sides: int = 6,
        **kwargs: object,
    ) -> Dice:
        self._reset_rubric()
        self._dice = random.Random(seed)
        self._state = Table(episode_id=episode_id, sides=sides)
        return self._apply_transform(Dice(metadata={"options": sorted(kwargs)}))

    def step(self, action: Throw) -> Dice:
        if threading.get_ident() != self._thread:
            raise RuntimeError("built on another thread")
        self._state.step_count += 1
        thrown = [self._dice.randint(1, self._state.sides) for _ in range(2)]
        cut = self._state.step_count == 4
        seen = Dice(thrown=thrown, done=cut, truncated=cut)
        seen.reward = self._apply_rubric(action, seen)
        self._state.last_rubric = {n: each.last_score for n, each in self.rubric.named_rubrics()}
        return self._apply_transform(seen)

    @property
    def state(self) -> Table:
        return self._state
