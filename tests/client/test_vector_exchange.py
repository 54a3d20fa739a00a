"""The vector exchange alone: no socket, no loop, no time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.batches import Autoreset, Closed, Opened, Refused, Results
from openenv_lite.client.transport import lost
from openenv_lite.client.vector_exchange import VectorExchange
from openenv_lite.client.vector_plan import Lanes
from openenv_lite.errors import (
    ConnectionLostError,
    EpisodeDoneError,
    RequestError,
    SessionAttachedError,
    UnknownSessionError,
)


def exchange(num_envs: int = 2, batch_size: int | None = None) -> VectorExchange:
    return VectorExchange(Lanes(num_envs, batch_size, Autoreset.DISABLED))


def opened(num_envs: int = 2, batch_size: int | None = None) -> VectorExchange:
    made = exchange(num_envs, batch_size)
    request = made.open(beginning=True)
    made.opened(request, Opened(request.id, [*range(num_envs)], [f"s{i}" for i in range(num_envs)]))
    return made


def ask(made: VectorExchange) -> int:
    request = made.step([1, 2], None)
    made.sent(request)
    return request.id


def results(request: int) -> Results[Any]:
    return Results(request, [0], [request], [None], [False])


@given(st.data())
def test_each_reply_reaches_its_request_in_whatever_order_they_come(data: Any) -> None:
    made = opened()
    plans = data.draw(st.lists(st.sampled_from(["asked", "posted", "given up"]), max_size=12))
    numbers: dict[int, str] = {}
    for plan in plans:
        request = made.step([1, 2], None)
        (made.post if plan == "posted" else made.sent)(request)
        numbers[request.id] = plan
        if plan == "given up":
            cancel = made.give_up(request.id)
            assert cancel is not None
            assert cancel.id == request.id
    for number in data.draw(st.permutations([*numbers])):
        made.told(results(number))
    for number, plan in numbers.items():
        if plan == "asked":
            assert made.result(number).observations == [number]
    posted = [number for number, plan in numbers.items() if plan == "posted"]
    assert [made.result(made.next_posted()).id for _ in posted] == posted
    assert not made.is_owed
    assert not made._replies


def test_an_error_that_names_nobody_is_everybodys_who_waits() -> None:
    made = opened()
    first, second = ask(made), ask(made)
    made.told(results(first))
    made.told(Refused(None, {"code": "EPISODE_DONE", "message": "over"}))
    assert made.result(first).id == first
    with pytest.raises(EpisodeDoneError):
        made.result(second)


def test_whoever_gives_up_a_recv_leaves_its_reply_to_the_next() -> None:
    made = opened()
    requests = [made.step([1, 2], None) for _ in range(3)]
    for request in requests:
        made.post(request)
    first, second = made.next_posted(), made.next_posted()
    made.put_back(first)
    made.put_back(second)
    assert [made.next_posted() for _ in range(3)] == [request.id for request in requests]


def test_with_a_batch_size_there_is_always_something_to_receive() -> None:
    made = opened(num_envs=4, batch_size=2)
    request = made.receive()
    assert request is not None
    made.post(request)
    assert request.wait == 2
    assert made.receive() is None
    with pytest.raises(RequestError, match=r"send\(\)"):
        opened().receive()


def test_lost_lanes_are_taken_up_again() -> None:
    made = opened()
    number = ask(made)
    made.broken(lost(1006, ""))
    with pytest.raises(ConnectionLostError):
        made.result(number)
    request = made.open(beginning=False)
    assert request.sessions == ["s0", "s1"]


def test_lanes_the_server_has_lost_too_can_only_be_begun_anew() -> None:
    made = opened()
    ask(made)
    made.broken(lost(1006, ""))
    request = made.open(beginning=False)
    assert not made.bereft(request, SessionAttachedError("the old connection has them"))
    assert made.bereft(request, UnknownSessionError("gone"))
    with pytest.raises(ConnectionLostError, match=r"call reset\(\)"):
        made.open(beginning=False)
    assert made.open(beginning=True).sessions is None


def test_lanes_nothing_was_asked_of_are_opened_again_silently() -> None:
    made = opened()
    made.broken(lost(1006, ""))
    assert made.open(beginning=False).sessions is None


def test_what_came_before_a_loss_stays_and_one_recv_tells_of_it() -> None:
    made = opened()
    requests = [made.step([1, 2], None) for _ in range(4)]
    for request in requests:
        made.post(request)
    made.told(results(requests[0].id))
    made.broken(lost(1006, ""))
    assert made.result(made.next_posted()).id == requests[0].id
    with pytest.raises(ConnectionLostError):
        made.result(made.next_posted())
    with pytest.raises(RequestError):
        made.receive()
    assert not made._replies


def test_a_close_answers_whoever_waits() -> None:
    made = opened()
    number = ask(made)
    made.ended()
    with pytest.raises(ConnectionLostError, match="this client"):
        made.result(number)
    assert made.sessions == []
    made.told(Closed(number, []))
    assert not made.has(number)


@pytest.mark.parametrize(("seeds", "sent"), [(7, [7, 8]), ([4, None], [4, None]), (None, None)])
def test_seeds_count_up_from_one(seeds: Any, sent: Any) -> None:
    assert exchange().reset(seeds, None, {}).seeds == sent


def test_one_of_each_for_each_lane() -> None:
    made = exchange(num_envs=3)
    assert made.reset(7, [2, 0], {}).seeds == [7, 8]
    for wrong in (lambda: made.step([1], None), lambda: made.reset([1], [0, 1], {})):
        with pytest.raises(ValueError, match="one for each"):
            wrong()


def test_a_fork_made_before_a_loss_is_noticed_is_still_known_when_it_is_sent() -> None:
    """Given up then, it may have made lanes, so requests for all name those that are known."""
    made = opened()
    request = made.fork("handle")
    made.broken(lost(1006, "gone"))
    again = made.open(beginning=False)
    made.opened(again, Opened(again.id, [0, 1], ["s0", "s1"]))
    made.sent(request)
    made.give_up(request.id)
    assert made.step([1, 2], None).lanes == [0, 1]
    made.told(Opened(request.id, [2], ["s2"]))
    leftover = made.leftover()
    assert leftover is not None
    assert leftover.lanes == [2]
