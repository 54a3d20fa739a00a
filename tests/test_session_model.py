import asyncio
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv_lite import CallToolAction, ListToolsAction, ServerMode
from openenv_lite.blueprint import Blueprint
from openenv_lite.errors import (
    EpisodeDoneError,
    OpenEnvError,
    ResetRequiredError,
    SessionClosedError,
)
from openenv_lite.protocol import Phase
from openenv_lite.session import Session
from tests.environments import Add, Count, Toolbox
from tests.leaks import settled


class Episodes(RuleBasedStateMachine):
    """A session against a model of what is legal when; the author counts what really ran."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.ran = 0
        self.expected = 0
        self.phase = Phase.FRESH
        self.session = Session("s", Blueprint(self._kind()), ServerMode.SIMULATION)
        self.runner.run(self.session.open())

    def _kind(self) -> Any:
        machine = self

        class Modelled(Toolbox):
            BLOCKING = False

            def step(self, action: Any, done: bool = False, **options: Any) -> Any:
                machine.ran += 1
                seen = Count() if isinstance(action, Add) else super().step(action)
                seen.done = done
                return seen

        return Modelled

    def call(self, coroutine: Any) -> OpenEnvError | None:
        try:
            self.runner.run(coroutine)
        except OpenEnvError as error:
            return error
        return None

    @precondition(lambda self: self.phase is not Phase.CLOSED)
    @rule()
    def reset(self) -> None:
        assert self.call(self.session.reset()) is None
        self.phase = Phase.RUNNING

    @rule(done=st.booleans())
    def step(self, done: bool) -> None:
        error = self.call(self.session.step(Add(amount=1), {"done": done}))
        refusal = {
            Phase.FRESH: ResetRequiredError,
            Phase.DONE: EpisodeDoneError,
            Phase.CLOSED: SessionClosedError,
        }.get(self.phase)
        assert type(error) is (refusal or type(None))
        self.follow(refusal is None, done)

    @rule(action=st.sampled_from([ListToolsAction(), CallToolAction(tool_name="add")]))
    def tool_step(self, action: Any) -> None:
        error = self.call(self.session.step(action, {}))
        legal = self.phase in (Phase.FRESH, Phase.RUNNING)
        legal |= self.phase is Phase.DONE and isinstance(action, ListToolsAction)
        assert (error is None) is legal
        if self.phase is not Phase.DONE:
            self.follow(legal, done=False)
        elif legal:
            self.expected += 1

    @rule()
    def state(self) -> None:
        error = self.call(self.session.state())
        assert (error is None) is (self.phase is not Phase.CLOSED)

    @rule()
    def call_tool(self) -> None:
        error = self.call(self.session.call_tool("add", {"a": 1}))
        legal = self.phase in (Phase.FRESH, Phase.RUNNING)
        assert (error is None) is legal
        self.follow(legal, done=False)

    @precondition(lambda self: self.phase is Phase.DONE)
    @rule()
    def close(self) -> None:
        self.runner.run(self.session.close())
        self.phase = Phase.CLOSED

    def follow(self, ran: bool, done: bool) -> None:
        if ran:
            self.expected += 1
            self.phase = Phase.DONE if done else self.phase

    @invariant()
    def model_and_session_agree(self) -> None:
        assert self.session.phase is self.phase
        assert self.ran == self.expected

    def teardown(self) -> None:
        self.runner.run(self.session.close())
        self.runner.run(settled())
        self.runner.close()


TestEpisodes = Episodes.TestCase
TestEpisodes.settings = hypothesis.settings(max_examples=40, stateful_step_count=20)
