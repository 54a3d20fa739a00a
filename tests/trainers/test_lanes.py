"""Episodes in lanes: a batch is one message, nobody meets, and nothing is left."""

import gc
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from openenv_lite import create_app
from openenv_lite.client.sync_vector_client import SyncVectorEnvClient
from openenv_lite.client.vector_plan import Place, VectorPlan
from openenv_lite.errors import (
    CapacityError,
    FactoryError,
    OpenEnvError,
    TransportError,
    UnknownSessionError,
)
from openenv_lite.trainers.lanes import TrainerLanes
from tests.environments import Toolbox
from tests.server.serving import Served, serving
from tests.trainers.guessing import Guessing, emptied

IDLE_S = 100.0


class Clock:
    """Stands still until it is turned."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(create_app(Guessing)) as served:
        yield served
        emptied(served)


def lanes(clock: Clock | None = None, **where: Any) -> TrainerLanes:
    place = Place(where.get("base_url"), where.get("app"), where.get("env"))
    return TrainerLanes(VectorPlan.of(place, 1, {"encoding": "json"}), IDLE_S, clock or Clock())


@pytest.mark.parametrize("place", ["tcp", "app", "env"])
def test_a_batch_is_played_to_the_end(place: str, server: Served) -> None:
    where: dict[str, Any] = {"base_url": server.http}
    where = {"tcp": where, "app": {"app": server.app}, "env": {"env": Guessing}}[place]
    played = lanes(**where)
    tickets = played.begin([{"secret": secret} for secret in range(8)])
    assert len({*tickets}) == 8
    for number in range(8):
        outcomes = played.act({ticket: {"number": number} for ticket in tickets})
        assert [*outcomes] == tickets
        assert outcomes[tickets[0]].reward == 1.0
        assert all(each.reward == -0.1 for each in [*outcomes.values()][1:])
        played.end([tickets.pop(0)])
    assert not [ticket for ticket in tickets if ticket in played]
    played.close()


def test_a_batch_that_began_together_is_one_message(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    send = SyncVectorEnvClient.send

    def counted(self: Any, actions: Any, named: Any) -> None:
        sent.append(len(actions))
        send(self, actions, named)

    monkeypatch.setattr(SyncVectorEnvClient, "send", counted)
    played = lanes(base_url=server.http)
    first = played.begin([{"secret": 5}] * 3)
    second = played.begin([{"secret": 6}] * 2)
    outcomes = played.act({ticket: {"number": 5} for ticket in [*first, *second]})
    assert [each.reward for each in outcomes.values()] == [1.0] * 3 + [-0.1] * 2
    assert sorted(sent) == [2, 3]
    assert server.statistics.active == 5
    played.close()


def test_a_model_is_told_what_it_did_wrong_in_its_lane(server: Served) -> None:
    played = lanes(base_url=server.http)
    good, bad, over = played.begin([{"secret": 1}] * 3)
    played.act({over: {"number": 1}})
    outcomes = played.act({good: {"number": 1}, bad: {"numbers": 1}, over: {"number": 1}})
    assert outcomes[good].reward == 1.0
    assert (outcomes[bad].is_error, outcomes[bad].done) == (True, False)
    assert (outcomes[over].is_error, outcomes[over].done) == (True, True)
    played.close()


def test_sessions_end_with_the_last_of_those_that_began_together(server: Served) -> None:
    played = lanes(base_url=server.http)
    tickets = played.begin([{}] * 3)
    played.begin([{}])
    played.end(tickets[:2])
    assert server.statistics.active == 4
    played.end(tickets)
    played.end(tickets)
    assert server.statistics.active == 1
    played.close()
    played.close()


def test_an_episode_that_is_not_heard_of_is_ended(server: Served) -> None:
    clock = Clock()
    played = lanes(clock, base_url=server.http)
    cut_off, played_on = played.begin([{"secret": 6}]), played.begin([{"secret": 6}])
    clock.now += IDLE_S - 1
    played.act({played_on[0]: {"number": 1}})
    clock.now += 1
    played.begin([{}])
    assert cut_off[0] not in played
    assert played_on[0] in played
    with pytest.raises(UnknownSessionError, match="idle for too long"):
        played.act({cut_off[0]: {"number": 6}})
    played.close()


def test_a_ticket_is_of_no_use_elsewhere(server: Served) -> None:
    played, other = lanes(base_url=server.http), lanes(base_url=server.http)
    (ticket,) = played.begin([{}])
    other.begin([{}])
    with pytest.raises(UnknownSessionError, match="another process"):
        other.act({ticket: {"number": 1}})
    played.close()
    other.close()


def test_options_differ_from_row_to_row(server: Served) -> None:
    played = lanes(base_url=server.http)
    rows = [{"secret": n % 2, "seed": n, "lanes": [9], "seeds": 3} for n in range(4)]
    tickets = played.begin(rows)
    outcomes = played.act({ticket: {"number": 1} for ticket in tickets})
    assert [each.reward for each in outcomes.values()] == [-0.1, 1.0, -0.1, 1.0]
    played.close()
    assert played.begin([]) == []


def test_seeds_are_each_rows_own(server: Served) -> None:
    first, second = (lanes(base_url=server.http) for _ in range(2))
    told = []
    for played in (first, second):
        tickets = played.begin([{"seed": seed} for seed in range(10)])
        outcomes = played.act({ticket: {"number": 10} for ticket in tickets})
        told.append([each.metadata["secret"] for each in outcomes.values()])
        played.close()
    assert told[0] == told[1]
    assert len({*told[0]}) > 1


def test_all_begin_or_none(server: Served) -> None:
    played = lanes(base_url=server.http)
    played.begin([{}] * 60)
    with pytest.raises(CapacityError):
        played.begin([{}] * 60)
    with pytest.raises(OpenEnvError):
        played.begin([{"secret": "six"}, {}])
    assert server.statistics.active == 60
    played.close()


def test_an_environment_that_cannot_be_built_leaves_nothing() -> None:
    built = itertools.count()

    class Scarce(Guessing):
        def __init__(self) -> None:
            if next(built) > 3:
                raise RuntimeError("no more")
            super().__init__()

    with serving(create_app(Scarce)) as server:
        played = lanes(base_url=server.http)
        with pytest.raises(FactoryError):
            played.begin([{}] * 6)
        emptied(server)


def test_a_lost_server_is_told_and_its_episodes_are_forgotten() -> None:
    with serving(create_app(Guessing)) as server:
        played = lanes(base_url=server.http)
        (ticket,) = played.begin([{}])
    with pytest.raises(TransportError):
        played.act({ticket: {"number": 1}})
    assert ticket not in played
    with serving(create_app(Toolbox)) as server:
        played = lanes(base_url=server.http)
        (ticket,) = played.begin([{}])
        action = {"type": "call_tool", "tool_name": "shout", "arguments": {"text": "hi"}}
        assert played.act({ticket: action})[ticket].text == "HI"
        played.close()
        emptied(server)


def test_nothing_is_left_of_lanes_that_were_let_go_of(server: Served) -> None:
    played = lanes(base_url=server.http)
    played.begin([{}] * 4)
    assert server.statistics.active == 4
    del played
    gc.collect()
    emptied(server)
