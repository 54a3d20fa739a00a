"""The runtime by every transport, put to the test by the machine that `sessions_never_meet` is."""

import copy
import functools
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from openenv_lite import create_app
from openenv_lite.client import VectorEnvClient
from openenv_lite.testing.comparing.machine import SEEDS, Crowd
from openenv_lite.testing.comparing.script import Script
from openenv_lite.testing.laws.lives import sessions_never_meet
from openenv_lite.testing.running import Broken, Check, Terms
from openenv_lite.testing.subject import subject_of
from tests.leaks import settled
from tests.testing.gallery.snapshots import Walk
from tests.testing.grounds import GROUNDS, OneClass
from tests.testing.parties import LaneParty
from tests.testing.worlds import Auction, Awaited, Bazaar, Drift, OnThread, Sea

SETTINGS = hypothesis.settings(
    max_examples=4,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[*hypothesis.HealthCheck],
)
SEARCHING = {
    "max_examples": 150,
    "stateful_step_count": 60,
    "phases": [hypothesis.Phase.generate],
}
"""Until something is found."""


class Runtime(Crowd):
    """As authors are judged, and more strictly: our own sessions refuse, count and end exactly."""

    ground: OneClass

    def __init__(self, ground: OneClass) -> None:
        super().__init__(ground)
        self.sessions_before = ground.sessions()
        self.threads_before = frozenset(threading.enumerate())

    def seed(self, data: Any, script: Script) -> int | None:
        """Some resets go on with the generator of the episode before."""
        seed: int | None = data.draw(st.none() | SEEDS if script.calls else SEEDS)
        return seed

    def may_step(self, script: Script) -> bool:
        """Also after the end of an episode, where the step is refused."""
        return True

    @precondition(lambda crowd: crowd.movable())
    @rule(data=st.data())
    def carry(self, data: Any) -> None:
        """Take a snapshot away and bring it back."""
        place = data.draw(st.sampled_from(self.movable()))
        kept = self.kept[place]
        self.kept[place] = kept._replace(saved=kept.group.party.carried(kept.saved))

    def movable(self) -> list[int]:
        return [place for place, kept in enumerate(self.kept) if kept.group in self.groups]

    @invariant()
    def every_session_counts_and_no_other(self) -> None:
        opened = sum(len(group.scripts) for group in self.groups)
        self.ground.expect_sessions(self.sessions_before + opened)

    def teardown(self) -> None:
        super().teardown()
        self.ground.expect_sessions(self.sessions_before)
        self.ground.runner.run(settled(self.threads_before))


def put_to_the_test(ground: OneClass, **settings: Any) -> None:
    chosen = hypothesis.settings(SETTINGS, **settings)
    machine: Any = functools.partial(Runtime, ground)
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.parametrize("kind", [Drift, OnThread, Awaited, Bazaar, Auction])
@pytest.mark.parametrize("way", GROUNDS)
def test_sessions_never_meet(way: str, kind: Any) -> None:
    with GROUNDS[way](kind) as ground:
        put_to_the_test(ground)


class SwapsReplies(LaneParty):
    """What one lane is told is the other's."""

    def step(self, actions: Mapping[int, Any]) -> dict[int, Any]:
        outcomes = super().step(actions)
        return dict(zip(outcomes, reversed(outcomes.values()), strict=True))


class StepsAgainAfterACut(LaneParty):
    """Sends what was not answered once more, though it had arrived."""

    is_cut = False

    def cut(self) -> None:
        super().cut()
        self.is_cut = True

    def step(self, actions: Mapping[int, Any]) -> dict[int, Any]:
        if self.is_cut:
            super().step(actions)
        return super().step(actions)


class StaysBehind(LaneParty):
    """Goes without a word, so that the server keeps its sessions."""

    def close(self) -> None:
        self.cut()


class ForksOneSea(Drift):
    """A mutant: what is saved is the number of an object that all forks then sail on."""

    seas: ClassVar[list[Sea]] = []

    def snapshot(self) -> Any:
        self.seas.append(copy.deepcopy(self.sea))
        return len(self.seas) - 1

    def restore(self, saved: Any) -> Any:
        self.sea = self.seas[saved]


class OneSeaForAll(Drift):
    """A mutant whose lanes are one."""

    def reset(self) -> Any:
        seen = super().reset()
        self.sea.trail = _TRAIL
        return seen


_TRAIL: list[float] = []


@pytest.mark.parametrize(
    ("way", "kind", "party", "fault"),
    [
        ("lanes here", Drift, SwapsReplies, "alone, then among others"),
        ("lanes json app", Awaited, SwapsReplies, "alone, then among others"),
        ("lanes msgpack app", Drift, StepsAgainAfterACut, "alone, then among others"),
        ("lanes msgpack app", Drift, StaysBehind, r"^\d+, not \d+"),
        ("lanes here", ForksOneSea, LaneParty, "alone, then among others"),
        ("lanes json app", ForksOneSea, LaneParty, "alone, then among others"),
        ("plain app", OneSeaForAll, None, "alone, then among others"),
    ],
)
def test_what_is_wrong_is_found(
    way: str, kind: Any, party: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.leaks._PATIENCE_S", 0.3)

    def opened(count: int) -> Any:
        return party(VectorEnvClient(**ground.place, num_envs=count), ground.runner)

    with GROUNDS[way](kind) as ground:
        if party is not None:
            monkeypatch.setattr(ground, "open", opened)
        with pytest.raises(AssertionError, match=fault):
            put_to_the_test(ground, **SEARCHING)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_a_server_with_few_slots_is_no_fault_of_its_sessions(slots: int) -> None:
    subject = subject_of(create_app(Walk, max_concurrent_envs=slots))
    try:
        verdict = Check(subject, Terms(actions=st.just({"by": 1}))).verdict(sessions_never_meet, 1)
    finally:
        subject.close()
    assert not isinstance(verdict, Broken), verdict
