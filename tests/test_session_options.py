from typing import Any

import pytest

from openenv_lite import (
    ListToolsAction,
)
from openenv_lite.errors import (
    InvalidMessageError,
)
from openenv_lite.protocol import Phase
from tests.environments import Add, Count, Inline, Toolbox
from tests.leaks import on_loop
from tests.test_session import session


@pytest.mark.parametrize(
    "options",
    [
        {"self": 1},
        {"operation": 1},
        {"function": 1},
        {"action": 1},
        {"name": 1},
        {"call": 1},
        {"method": 1},
        {"args": 1, "kwargs": 2},
        {"lane": 1},
        {"__class__": 1},
        {"": 1},
        {"a b": 1},
    ],
    ids=repr,
)
@pytest.mark.parametrize("blocking", [True, False])
@on_loop
async def test_no_name_of_an_option_can_break_a_call(options: Any, blocking: bool) -> None:
    class Open(Inline):
        BLOCKING = blocking

        def reset(self, seed: int | None = None, **options: Any) -> Any:  # type: ignore[override]
            return Count(metadata=options)

        def step(self, action: Add, **options: Any) -> Any:  # type: ignore[override]
            return Count(metadata=options)

    async with session(Open) as one:
        passed = {k: v for k, v in options.items() if k not in ("self", "action")}
        assert (await one.reset(options)).metadata in (passed, options)
        assert (await one.step(Add(amount=1), options)).metadata == passed
    async with session(Toolbox) as tools:
        await tools.reset(options)
        await tools.step(ListToolsAction(), options)


@pytest.mark.parametrize("name", ["operation", "function", "options", "event", "method"])
@on_loop
async def test_authors_may_name_their_options_as_they_like(name: str) -> None:
    scope: dict[str, Any] = {"Count": Count, "Add": Add}
    exec(
        f"def reset(self, {name}='none'): return Count(metadata=dict(got={name}))\n"
        f"def step(self, action, {name}='none'): return Count(metadata=dict(got={name}))",
        scope,
    )
    made = type("Named", (Inline,), {"reset": scope["reset"], "step": scope["step"]})
    async with session(made) as one:
        assert (await one.reset({name: "x"})).metadata == {"got": "x"}
        assert (await one.step(Add(amount=1), {name: "x"})).metadata == {"got": "x"}


@on_loop
async def test_an_option_that_does_not_fit_never_reaches_the_author() -> None:
    async with session(Inline) as one:
        with pytest.raises(InvalidMessageError) as caught:
            await one.reset({"start": "x"})
        assert caught.value.errors[0]["loc"] == ["start"]
        assert one.phase is Phase.FRESH
        await one.reset({"start": 1})
        with pytest.raises(InvalidMessageError):
            await one.step(Add(amount=1), {"bonus": []})
        assert (await one.step(Add(amount=1))).observation.total == 2


@on_loop
async def test_a_seed_and_an_episode_id_need_no_parameter_of_the_authors() -> None:
    class Careless(Inline):
        def reset(self) -> Any:  # type: ignore[override]
            return Count(metadata={"draw": self.rng.random()})

    async with session(Careless) as one, session(Careless) as two:
        draws = [(await each.reset({"seed": 3})).metadata for each in (one, two)]
        assert draws[0] == draws[1]
        await one.reset({"episode_id": "mine"})
        assert (await one.state())["episode_id"] == "mine"


@on_loop
async def test_the_base_counts_steps_for_authors_without_a_state_of_their_own() -> None:
    async with session(Inline) as one:
        await one.reset()
        first = await one.state()
        await one.step(Add(amount=1))
        assert await one.state() == {**first, "step_count": 1}
        await one.reset()
        again = await one.state()
        assert again["step_count"] == 0
        assert again["episode_id"] != first["episode_id"]
        assert one.steps == 1
