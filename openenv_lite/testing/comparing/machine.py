"""Sessions side by side as one Hypothesis state machine, wherever they are.

The model is each session's own script: whatever the others did meanwhile, and whatever became of
connections, a session that nobody else touches must show the same for the same calls. What the
sessions are reached by is a `Ground`: an environment's class, any client, any server.
"""

import enum
import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    precondition,
    rule,
)

from openenv_lite.errors import OpenEnvError, TransportError
from openenv_lite.testing.comparing.script import Script, outcome_of
from openenv_lite.testing.law import Violation
from openenv_lite.testing.sessions.seen import Seen

__all__ = ["CONTROLS", "Crowd", "Draw", "Ground", "Group", "Kept", "Party", "Power", "live"]

Draw = Callable[[st.SearchStrategy[Any]], Any]

SEEDS = st.integers(0, 2**31 - 1)

MOST_GROUPS = 3
MOST_SNAPSHOTS = 5
MOST_RISKS = 2
"""Calls called off between two resets of a session: each may have had any of several ends."""

CALLS = 12
"""Of one example of a law."""

CONTROLS = ("reset", "Reset", "step", "state", "close", "snapshot", "restore", "fork", "import")
"""What an agent must find nothing under."""


class Power(enum.Enum):
    """What can be done on a ground beside resets and steps."""

    TOOLS = enum.auto()
    SNAPSHOTS = enum.auto()
    SHARING = enum.auto()
    """Snapshots of one group can be restored in another."""
    CALLING_OFF = enum.auto()
    CUTTING = enum.auto()


class Party:
    """Sessions opened together, each known by a number: lanes, or clients of one each.

    A subclass defines what the ground's powers and ways ask for. What goes wrong in one session
    is returned in the place of its outcome, as an `OpenEnvError`, or raised where there is one.
    """

    def reset(self, seeds: Mapping[int, int | None]) -> dict[int, Any]:
        """Begin an episode in each of these at the same time; a `Seen` each."""
        raise NotImplementedError

    def step(self, actions: Mapping[int, Any]) -> dict[int, Any]:
        """One action in each of these at the same time; a `Seen` each."""
        raise NotImplementedError

    def state(self, number: int) -> Any:
        """The inner state."""
        raise NotImplementedError

    def call_tool(self, number: int, name: str, arguments: dict[str, Any]) -> Any:
        """Call a tool as an action."""
        raise NotImplementedError

    def snapshot(self, number: int) -> Any:
        """Save one."""
        raise NotImplementedError

    def restore(self, number: int, saved: Any) -> None:
        """Put one back."""
        raise NotImplementedError

    def fork(self, saved: Any) -> int:
        """A session more, begun at a saved moment; its number."""
        raise NotImplementedError

    def call_off(self, actions: Mapping[int, Any], patience: int) -> dict[int, Any]:
        """Begin steps and call them off after so many turns; `UNSEEN` where no reply came."""
        raise NotImplementedError

    def cut(self) -> None:
        """Break the connection; the next call takes the sessions up again."""
        raise NotImplementedError

    def attack(self, number: int, way: str, name: str) -> None:
        """Try a control by a way that an agent has; raises because it is refused."""
        raise NotImplementedError

    def close(self) -> None:
        """End all of them."""
        raise NotImplementedError


class Ground(Protocol):
    """Where sessions are had.

    Attributes:
        powers: What can be done there.
        most: Sessions of a party at its opening.
        ways: How an agent could try a control.
    """

    powers: frozenset[Power]
    most: int
    ways: tuple[str, ...]

    def open(self, count: int) -> Party:
        """So many sessions together."""

    def alone(self) -> Any:
        """A `Game`: a session that nobody else touches, by a way that is beyond doubt."""

    def action(self, draw: Draw, party: Party, number: int, last: Seen) -> Any:
        """A legal action after what was seen last, as plain values."""


class Group(NamedTuple):
    """A party, and the script of each of its sessions."""

    party: Party
    scripts: dict[int, Script]

    def add(self, method: str, moves: Mapping[int, Any], outcomes: Mapping[int, Any]) -> None:
        """Write down what was asked of several, and what came of it.

        Raises:
            Violation: Somebody else was answered.
        """
        if outcomes.keys() != moves.keys():
            raise Violation(f"{method} of {[*moves]} was answered for {[*outcomes]}")
        for number, move in moves.items():
            self.scripts[number].add(method, (move,), outcomes[number])


class Kept(NamedTuple):
    """A snapshot, and the script that led to it."""

    group: Group
    saved: Any
    script: Script


def _can(power: Power) -> Callable[["Crowd"], bool]:
    return lambda crowd: bool(crowd.groups) and power in crowd.ground.powers


_is_somebody_there = precondition(lambda crowd: bool(crowd.groups))


class Crowd(RuleBasedStateMachine):
    """Opens sessions and plays them in any order; at the end each script is judged alone.

    Args:
        ground: Where.

    Attributes:
        ground: As above.
        groups: Those that are open.
        kept: Snapshots.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.groups: list[Group] = []
        self.kept: list[Kept] = []
        self._ended: list[Script] = []

    @precondition(lambda crowd: len(crowd.groups) < MOST_GROUPS)
    @rule(data=st.data())
    def open(self, data: Any) -> None:
        """Open sessions, and begin an episode in each."""
        count = data.draw(st.integers(1, self.ground.most))
        party = self.ground.open(count)
        group = Group(party, {number: Script() for number in range(count)})
        self.groups.append(group)
        self._begin(data, group, group.scripts)

    @_is_somebody_there
    @rule(data=st.data())
    def reset(self, data: Any) -> None:
        """Begin another episode in some sessions of one party."""
        group = self._group(data)
        self._begin(data, group, _some(data, group.scripts))

    def _begin(self, data: Any, group: Group, numbers: Iterable[int]) -> None:
        seeds = {number: self.seed(data, group.scripts[number]) for number in numbers}
        outcomes = group.party.reset(seeds)
        for number, seed in seeds.items():
            if seed is not None:
                self._ended.append(group.scripts[number])
                group.scripts[number] = Script()
        group.add("reset", seeds, outcomes)

    def seed(self, data: Any, script: Script) -> int | None:
        """Of the next episode of this session; None to let its generator go on."""
        seed: int = data.draw(SEEDS)
        return seed

    @_is_somebody_there
    @rule(data=st.data())
    def step(self, data: Any) -> None:
        """One step in some sessions of one party, all at the same time."""
        group = self._group(data)
        ready = self._ready(group)
        if ready:
            moves = self._actions(data, group, _some(data, ready))
            group.add("step", moves, group.party.step(moves))

    def may_step(self, script: Script) -> bool:
        """Whether this session takes a step now."""
        return not script.is_over

    def _ready(self, group: Group) -> list[int]:
        return [number for number, script in group.scripts.items() if self.may_step(script)]

    def _actions(self, data: Any, group: Group, numbers: Iterable[int]) -> dict[int, Any]:
        return {number: self._action(data, group, number) for number in numbers}

    def _action(self, data: Any, group: Group, number: int) -> Any:
        last = group.scripts[number].last
        assert last is not None, "a session begins with an episode"
        return self.ground.action(data.draw, group.party, number, last)

    @_is_somebody_there
    @rule(data=st.data())
    def state(self, data: Any) -> None:
        """Read the inner state of one session."""
        group, number = self._session(data)
        seen = outcome_of(lambda: group.party.state(number))
        group.scripts[number].add("state", (), seen)

    @precondition(_can(Power.TOOLS))
    @rule(data=st.data())
    def call_tool(self, data: Any) -> None:
        """Call a tool in one session."""
        group, number = self._session(data)
        if self.may_step(group.scripts[number]):
            action = self._action(data, group, number)
            call = action["tool_name"], action["arguments"]
            seen = outcome_of(lambda: group.party.call_tool(number, *call))
            group.scripts[number].add("call_tool", call, seen)

    @precondition(_can(Power.SNAPSHOTS))
    @precondition(lambda crowd: len(crowd.kept) < MOST_SNAPSHOTS)
    @rule(data=st.data())
    def snapshot(self, data: Any) -> None:
        """Save one session."""
        group, number = self._session(data)
        saved = _sure("snapshot", lambda: group.party.snapshot(number))
        self.kept.append(Kept(group, saved, group.scripts[number].copy()))

    @precondition(lambda crowd: crowd._reachable())
    @rule(data=st.data())
    def restore(self, data: Any) -> None:
        """Put one session back to a saved moment, its own or another's."""
        kept = data.draw(st.sampled_from(self._reachable()))
        group = data.draw(st.sampled_from(self._homes(kept)))
        number = _one(data, group.scripts)
        _sure("restore", lambda: group.party.restore(number, kept.saved))
        self._ended.append(group.scripts[number])
        group.scripts[number] = kept.script.copy()

    @precondition(lambda crowd: crowd._reachable())
    @rule(data=st.data())
    def fork(self, data: Any) -> None:
        """Begin one session more at a saved moment."""
        kept = data.draw(st.sampled_from(self._reachable()))
        group = data.draw(st.sampled_from(self._homes(kept)))
        number = _sure("fork", lambda: group.party.fork(kept.saved))
        if number in group.scripts:
            raise Violation(f"fork gave the number {number}, which another session has")
        group.scripts[number] = kept.script.copy()

    def _homes(self, kept: Kept) -> list[Group]:
        """Where a snapshot can be restored."""
        if Power.SHARING in self.ground.powers:
            return self.groups
        return [group for group in self.groups if group is kept.group]

    def _reachable(self) -> list[Kept]:
        return [kept for kept in self.kept if self._homes(kept)]

    @precondition(_can(Power.CALLING_OFF))
    @rule(data=st.data(), patience=st.integers(0, 8))
    def call_off(self, data: Any, patience: int) -> None:
        """Begin steps of some sessions of one party, and call them off."""
        group = self._group(data)
        # What is drawn may not hang on how fast replies come: so the tries count, not their ends.
        ready = [each for each in self._ready(group) if group.scripts[each].risks < MOST_RISKS]
        if ready:
            moves = self._actions(data, group, _some(data, ready))
            group.add("step", moves, group.party.call_off(moves, patience))
            for number in moves:
                group.scripts[number].risks += 1

    @precondition(_can(Power.CUTTING))
    @rule(data=st.data())
    def cut(self, data: Any) -> None:
        """Break a connection, and come back: each session is where it was."""
        group = self._group(data)
        group.party.cut()
        for number, script in group.scripts.items():
            script.add("state", (), outcome_of(functools.partial(group.party.state, number)))

    @precondition(lambda crowd: crowd.groups and crowd.ground.ways)
    @rule(data=st.data(), name=st.sampled_from(CONTROLS))
    def attack(self, data: Any, name: str) -> None:
        """Try a control as an agent could; it is refused, and nothing has changed."""
        group, number = self._session(data)
        way = data.draw(st.sampled_from(self.ground.ways))
        refusal = outcome_of(lambda: group.party.attack(number, way, name))
        if not isinstance(refusal, OpenEnvError) or isinstance(refusal, TransportError):
            raise Violation(f"{name!r} as {way} is let through: {refusal}")

    @_is_somebody_there
    @rule(data=st.data())
    def close(self, data: Any) -> None:
        """End a party."""
        group = self._group(data)
        self.groups.remove(group)
        self._ended += group.scripts.values()
        group.party.close()

    def _group(self, data: Any) -> Group:
        group: Group = data.draw(st.sampled_from(self.groups))
        return group

    def _session(self, data: Any) -> tuple[Group, int]:
        group = self._group(data)
        return group, _one(data, group.scripts)

    def teardown(self) -> None:
        """Close what is open; then, unless something is amiss already, judge every script."""
        is_failing = sys.exception() is not None
        for group in self.groups:
            self._ended += group.scripts.values()
            group.party.close()
        if not is_failing:
            for script in self._ended:
                self._judge(script)

    def _judge(self, script: Script) -> None:
        fault = script.refuted(self.ground.alone)
        if fault is not None:
            raise Violation(f"a session shows what it would not show alone: {fault}")


def _some(data: Any, numbers: Iterable[int]) -> list[int]:
    chosen: list[int] = data.draw(st.lists(st.sampled_from([*numbers]), min_size=1, unique=True))
    return chosen


def _one(data: Any, numbers: Iterable[int]) -> int:
    number: int = data.draw(st.sampled_from([*numbers]))
    return number


def _sure(what: str, make: Callable[[], Any]) -> Any:
    """What a call returns that cannot fail.

    Raises:
        Violation: It does.
    """
    try:
        return make()
    except OpenEnvError as error:
        raise Violation(f"{what} raises {type(error).__name__}: {error.message}") from None


def live(crowd: Callable[[], Crowd], data: Any) -> None:
    """Let one example of Hypothesis's be the life of one crowd.

    Args:
        crowd: Makes it.
        data: Of the example: what `st.data()` draws.
    """
    settings = hypothesis.settings(stateful_step_count=CALLS, deadline=None)
    test: Any = get_state_machine_test(crowd, settings=settings)  # type: ignore[arg-type]
    test.hypothesis.inner_test(data)
