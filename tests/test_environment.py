from typing import Any

import pytest

from openenv_lite import (
    CallToolAction,
    Environment,
    ListToolsAction,
    MCPEnvironment,
    Observation,
    ServerMode,
)
from openenv_lite.content import openenv_result
from openenv_lite.errors import (
    CapabilityError,
    ConfigurationError,
    ConnectionFailedError,
    InvalidAnswerError,
    OpenEnvError,
    ToolFailedError,
)
from openenv_lite.tools import Tool
from tests.environments import Count, Inline, Toolbox
from tests.leaks import on_loop


class Bare(Environment):  # type: ignore[type-arg]
    """Calls no `super().__init__`, as authors forget to."""

    def __init__(self) -> None:
        self.own = 1

    def reset(self, seed: int | None = None) -> Any:
        return Observation(metadata={"draw": self.rng.random()})


def test_the_base_needs_no_super_init() -> None:
    made = Bare()
    assert made.state.step_count == 0
    assert made.get_metadata().name == "Bare"
    assert made.close() is None


def test_what_is_not_defined_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Bare must define step"):
        Bare().step(None)


def test_a_seed_fixes_the_draws_and_no_seed_lets_them_go_on() -> None:
    one, two = Inline(), Inline()
    draws = [each.reset(seed=7).metadata["draw"] for each in (one, two)]
    assert draws[0] == draws[1]
    assert one.reset().metadata["draw"] == two.reset().metadata["draw"] != draws[0]
    assert one.reset(seed=7).metadata["draw"] == draws[0]


def test_a_seed_reaches_through_an_overriding_reset() -> None:
    class Deeper(Inline):
        def reset(self, seed: int | None = None, start: int = 0) -> Any:
            return super().reset(seed, start)

    assert Deeper().reset(seed=7).metadata == Inline().reset(7).metadata


def test_instances_draw_independently() -> None:
    assert Inline().reset().metadata["draw"] != Inline().reset().metadata["draw"]
    assert Inline().rng is not Inline().rng


def test_a_tool_environment_is_alive_from_its_construction() -> None:
    made = Toolbox()
    listed = made.step(ListToolsAction())
    assert [tool.name for tool in listed.tools][:3] == ["add", "shout", "peek"]
    called = made.step(CallToolAction(tool_name="add", arguments={"a": 1}))
    assert called.result["data"] == 2
    assert (
        made.step(CallToolAction(tool_name="shout", arguments={"text": "x"})).result["data"] == "X"
    )


@on_loop
async def test_its_async_step_works_inside_a_loop() -> None:
    made = Toolbox()
    for name, arguments, value in (("add", {"a": 1}, 2), ("shout", {"text": "x"}, "X")):
        action = CallToolAction(tool_name=name, arguments=arguments)
        assert (await made.step_async(action)).result["data"] == value


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("nowhere", {}, "tool_not_found"),
        ("serve", {}, "tool_not_found"),
        ("add", {}, "invalid_args"),
        ("add", {"a": "x"}, "invalid_args"),
        ("add", {"a": 1, "z": 1}, "invalid_args"),
        ("fail", {}, "execution_error"),
        ("explain", {}, "execution_error"),
    ],
)
def test_a_call_that_fails_is_an_observation(name: str, arguments: Any, kind: str) -> None:
    seen = Toolbox().step(CallToolAction(tool_name=name, arguments=arguments))
    assert seen.error.error_type == kind
    assert seen.result is None


def test_the_mode_decides_which_tools_exist() -> None:
    made = Toolbox()
    made.server_mode = ServerMode.PRODUCTION
    names = {tool.name for tool in made.list_tools()}
    assert "serve" in names
    assert "peek" not in names
    seen = made.step(CallToolAction(tool_name="fail"))
    assert "secret" not in seen.error.message


def test_other_actions_go_to_the_authors_own_step() -> None:
    class Both(Toolbox):
        def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
            return Count(total=action)

    assert Both().step(5).total == 5
    with pytest.raises(NotImplementedError, match="Toolbox takes tool actions only"):
        Toolbox().step(5)


@pytest.mark.parametrize("name", ["reset", "STEP", "State", "cLoSe"])
def test_a_control_cannot_become_a_tool(name: str) -> None:
    class Escape(MCPEnvironment):
        def __init__(self) -> None:
            self.tool(name=name)(lambda: "out")

    with pytest.raises(ConfigurationError):
        Escape()


def test_registries_are_not_shared() -> None:
    one, two = Toolbox(), Toolbox()
    one.tool(name="extra")(lambda: 1)
    assert "extra" not in {tool.name for tool in two.list_tools()}


class Source:
    """Tools that live elsewhere; what is done to it is kept in `log`."""

    def __init__(self, log: list[str], name: str, fails: str = "") -> None:
        self.log, self.name, self.fails = log, name, fails

    async def connect(self) -> list[Tool]:
        self.log.append(f"connect {self.name}")
        if self.fails == "connect":
            raise ConnectionFailedError(f"{self.name} is gone")
        return [Tool(lambda: self.name, name=each) for each in ("reset", "look")]

    async def close(self) -> None:
        self.log.append(f"close {self.name}")
        if self.fails == "close":
            raise OSError("will not")


@on_loop
async def test_what_is_mounted_is_taken_over_under_its_prefix_and_let_go_in_reverse() -> None:
    made, log = Toolbox(), list[str]()
    made.mount("a", Source(log, "A", fails="close"))
    made.mount("b", Source(log, "B", fails="close"))
    await made.connect()
    names = [tool.name for tool in made.list_tools()]
    assert names[-4:] == ["a_reset", "a_look", "b_reset", "b_look"]
    assert (await made.call_tool("b_reset", {}))["data"] == "B"
    await made.disconnect()
    assert log == ["connect A", "connect B", "close B", "close A"]


@on_loop
async def test_where_one_source_fails_the_others_are_let_go() -> None:
    made, log = Toolbox(), list[str]()
    made.mount("a", Source(log, "A"))
    made.mount("b", Source(log, "B", fails="connect"))
    with pytest.raises(ConnectionFailedError, match="B is gone"):
        await made.connect()
    await made.disconnect()
    assert log == ["connect A", "connect B", "close A"]


@on_loop
async def test_a_mounted_tool_replaces_no_other() -> None:
    made, log = Toolbox(), list[str]()
    made.tool(name="a_look")(lambda: "own")
    made.mount("a", Source(log, "A"))
    with pytest.raises(ConfigurationError, match="'a_look'"):
        await made.connect()
    assert (await made.call_tool("a_look", {}))["data"] == "own"
    assert log == ["connect A", "close A"]


@pytest.mark.parametrize("prefix", ["", "a"])
def test_a_prefix_is_for_one_source(prefix: str) -> None:
    made = Toolbox()
    made.mount("a", Source([], "A"))
    with pytest.raises(ConfigurationError, match="prefix"):
        made.mount(prefix, Source([], "B"))


@on_loop
async def test_a_tool_gives_the_same_whichever_way_it_is_called() -> None:
    made = Toolbox()
    outcome = await made.invoke_tool("add", {"a": 1})
    assert (outcome.data, outcome.structured) == (2, {"result": 2})
    assert made.invoke_inline("add", {"a": 1}) == outcome
    assert await made.call_tool("add", {"a": 1}) == openenv_result(outcome)


@pytest.mark.parametrize("kind", [CapabilityError, InvalidAnswerError, ToolFailedError])
@on_loop
async def test_what_an_author_lets_pass_is_told_as_it_is(kind: type[OpenEnvError]) -> None:
    made = Toolbox()
    made.server_mode = ServerMode.PRODUCTION

    @made.tool
    def refuse() -> None:
        raise kind("told", fine=1, odd=object())

    with pytest.raises(kind, match="told") as caught:
        await made.invoke_tool("refuse", {})
    assert caught.value.details == {}
    with pytest.raises(kind, match="told"):
        made.invoke_inline("refuse", {})
    seen = await made.step_async(CallToolAction(tool_name="refuse"))
    assert seen.error.message == "told"


@on_loop
async def test_a_tool_may_change_what_there_is_to_call() -> None:
    made = Toolbox()

    @made.tool
    async def learn(name: str) -> str:
        made.tool(name=name)(lambda: name)
        return "learned"

    await made.invoke_tool("learn", {"name": "dance"})
    assert (await made.invoke_tool("dance", {})).data == "dance"
    with pytest.raises(ToolFailedError, match="reserved"):
        await made.invoke_tool("learn", {"name": "reset"})
