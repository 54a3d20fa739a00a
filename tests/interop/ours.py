"""Our server: the environments of `original/serve.py`, written for openenv_lite."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from openenv_lite import (
    Action,
    CallToolAction,
    CallToolObservation,
    Environment,
    MCPEnvironment,
    Observation,
    State,
    create_app,
)
from openenv_lite.content import Image
from tests.interop.serving import serve


class Point(msgspec.Struct):
    x: int
    y: int = 0


class PlainAction(Action):
    text: str
    count: int = 1
    ratio: float = 0.0
    flag: bool = False
    numbers: list[int] = []
    point: Point | None = None
    level: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)] | None = None
    behave: Literal["echo", "raise", "nan", "int", "bool", "note", "end"] = "echo"


class PlainObservation(Observation):
    text: str = ""
    count: int = 0
    ratio: float = 0.0
    flag: bool = False
    numbers: list[int] = []
    point: Point | None = None
    seed: int | None = None
    difficulty: str | None = None


class PlainState(State):
    last: str = ""


REWARDS: dict[str, Any] = {"nan": float("nan"), "int": 1, "bool": True, "end": None}


class PlainEnv(Environment[PlainAction, PlainObservation, PlainState]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self._state = PlainState()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        difficulty: str | None = None,
    ) -> PlainObservation:
        if difficulty == "impossible":
            raise RuntimeError("no such difficulty")
        self._state = PlainState(episode_id=episode_id or "episode")
        return PlainObservation(text="ready", seed=seed, difficulty=difficulty)

    def step(
        self, action: PlainAction, timeout_s: float | None = None, **kwargs: Any
    ) -> PlainObservation:
        if action.behave == "raise":
            raise RuntimeError("bad luck")
        self._state.step_count += 1
        self._state.last = action.text
        return PlainObservation(
            text=action.text,
            count=action.count,
            ratio=action.ratio,
            flag=action.flag,
            numbers=action.numbers,
            point=action.point,
            reward=REWARDS.get(action.behave, 0.5),
            done=action.behave == "end",
            metadata={"note": action.text} if action.behave == "note" else {},
        )

    @property
    def state(self) -> PlainState:
        return self._state


class BrokenEnv(PlainEnv):
    def __init__(self) -> None:
        raise RuntimeError("no display")


class Riddle(msgspec.Struct):
    id: str
    answer: int


class Remark:
    """Neither a model nor a dataclass."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts = (1, Riddle(id="inner", answer=2))


RIDDLES: dict[str, list[Any]] = {
    "train": [Riddle(id=f"train-{n}", answer=2 * n) for n in range(3)],
    "hard": [{"id": "hard-0", "answer": None}, Remark("odd"), UUID(int=7), ("a", 1.5), "text"],
}


class QuizEnv(PlainEnv):
    """Its episodes are tasks of a dataset."""

    def list_splits(self) -> list[Any]:
        return ["train", "hard", {"name": "hidden", "type": "test"}, Riddle(id="all", answer=0)]

    def list_tasks(self, split: str) -> list[Any]:
        return RIDDLES[split]

    async def num_tasks(self, split: str) -> int:
        return len(RIDDLES[split])

    def get_task(self, split: str, index: int) -> Any:
        return RIDDLES[split][index]

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[Any]:
        if split == "hard":
            raise NotImplementedError("one by one")
        return RIDDLES[split][start:stop]

    def reset(  # type: ignore[override]
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str = "train",
        index: int = 0,
    ) -> PlainObservation:
        super().reset(seed, episode_id)
        return PlainObservation(text=RIDDLES[split][index].id)


class ToolsEnv(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()
        self._total = 0

        @self.tool()
        def add(a: int, b: int = 2) -> int:
            """Add two numbers."""
            self._total += 1
            return a + b

        @self.tool()
        def echo(message: str) -> str:
            """Say it again."""
            return message

        @self.tool()
        def fail() -> str:
            """Raise."""
            raise ValueError("bad luck")

        @self.tool()
        def pair(a: int) -> dict[str, int]:
            """Two numbers in a dict."""
            return {"a": a, "twice": 2 * a}

        @self.tool()
        def names() -> list[str]:
            """Two names."""
            return ["ada", "bob"]

        @self.tool()
        def nothing() -> None:
            """Give nothing back."""

        @self.tool()
        def untyped(value):  # type: ignore[no-untyped-def]
            """Give the same back."""
            return value

        @self.tool()
        def picture() -> Image:
            """A picture."""
            return Image(data=b"not really", format="png")

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> Observation:
        self._state = State(episode_id=episode_id or "episode")
        return Observation(metadata={"status": "ready"})

    @property
    def state(self) -> State:
        self._state.step_count = self._total
        return self._state


class UndocumentedEnv(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()

        @self.tool()
        def hush() -> int:
            return 1


def plain(
    env: type[PlainEnv] = PlainEnv,
    capacity: int = 64,
    mode: str = "simulation",
    name: str = "plain",
) -> Any:
    return create_app(
        env,
        PlainAction,
        PlainObservation,
        env_name=name,
        max_concurrent_envs=capacity,
        mode=mode,
    )


def tools(env: type[MCPEnvironment] = ToolsEnv, mode: str = "simulation") -> Any:
    return create_app(
        env,
        CallToolAction,
        CallToolObservation,
        env_name="tools",
        max_concurrent_envs=64,
        mode=mode,
    )


if __name__ == "__main__":
    serve(
        {
            "plain": plain(),
            "quiz": plain(QuizEnv, name="quiz"),
            "tools": tools(),
            "undocumented": tools(UndocumentedEnv),
            "small": plain(capacity=1),
            "broken": plain(BrokenEnv),
            "plain_production": plain(mode="production"),
            "tools_production": tools(mode="production"),
        }
    )
