"""Sessions that belong to objects: they end with them, keep to them, and are bounded."""

import asyncio
import functools
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from openenv_lite import create_app
from openenv_lite.errors import CapacityError, ConnectionFailedError, SessionClosedError
from openenv_lite.trainers.async_episodes import AsyncEpisodes
from openenv_lite.trainers.episodes import Episodes
from openenv_lite.trainers.trajectories import Trajectories
from tests.environments import Awaiting, Threaded, Toolbox
from tests.leaks import on_loop, until
from tests.server.serving import Served, serving
from tests.trainers.guessing import Guessing, emptied

SECRET = {"secret": 6}


class Owner:
    """What a trainer keeps of a trajectory."""


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(create_app(Guessing)) as served:
        yield served
        emptied(served)


def trajectories(
    server: Served, max_sessions: int = 100, idle_s: float = 60, **options: Any
) -> Trajectories:
    with Episodes(server.http) as episodes:
        toolbox = episodes.toolbox
    new = functools.partial(AsyncEpisodes, server.http, toolbox=toolbox, **options)
    return Trajectories(new, max_sessions, idle_s)


async def gone(server: Served) -> None:
    await until(lambda: server.statistics.active == 0)


@on_loop
async def play_to_the_end(server: Served) -> None:
    owner, known = Owner(), trajectories(server)
    trajectory = known.of(owner)
    assert server.statistics.active == 0
    outcome = await trajectory.call("guess", {"number": 3}, {"secret": 6})
    assert (outcome.text, outcome.reward) == ("It is higher.", -0.1)
    assert known.of(owner) is trajectory
    outcome = await known.of(owner).call("guess", {"number": 6}, {"secret": 3})  # it has begun
    assert (outcome.reward, outcome.done, trajectory.reward) == (1.0, True, 0.9)
    await gone(server)
    outcome = await trajectory.call("guess", {"number": 6})
    assert outcome.done
    assert "The episode is over" in outcome.text
    await trajectory.end()
    await trajectory.end()


def test_an_episode_is_played_in_one_session(server: Served) -> None:
    play_to_the_end(server)


def test_a_session_ends_with_its_owner(server: Served) -> None:
    @on_loop
    async def test() -> None:
        known, owners = trajectories(server), [Owner() for _ in range(5)]
        await asyncio.gather(
            *(known.of(each).call("guess", {"number": 3}, SECRET) for each in owners)
        )
        assert server.statistics.active == 5
        del owners[2:]
        await until(lambda: server.statistics.active == 2)
        owners.clear()
        await gone(server)

    test()


def test_an_owner_may_be_collected_in_a_cycle_and_in_another_thread(server: Served) -> None:
    @on_loop
    async def test() -> None:
        known, owner = trajectories(server), Owner()
        owner.itself = owner  # type: ignore[attr-defined]
        await known.of(owner).call("guess", {"number": 3}, SECRET)
        del owner
        await asyncio.to_thread(gc.collect)
        await gone(server)

    test()


def test_owners_do_not_meet(server: Served) -> None:
    @on_loop
    async def test() -> None:
        known, owners = trajectories(server), [Owner() for _ in range(8)]

        async def play(secret: int, owner: Owner) -> list[float]:
            guesses = ({"number": number} for number in range(secret + 1))
            calls = [known.of(owner).call("guess", each, {"secret": secret}) for each in guesses]
            return [float(each.reward or 0) for each in await asyncio.gather(*calls)]

        played = await asyncio.gather(*(play(*each) for each in enumerate(owners)))
        for secret, rewards in enumerate(played):
            assert rewards == [-0.1] * secret + [1.0]  # calls at once keep their order
        owners.clear()
        await gone(server)

    test()


def test_one_that_is_not_called_for_long_ends(server: Served) -> None:
    @on_loop
    async def test() -> None:
        owner, known = Owner(), trajectories(server, idle_s=0.05)
        await known.of(owner).call("guess", {"number": 3}, SECRET)
        await gone(server)
        with pytest.raises(SessionClosedError, match=r"for 0\.05 s"):
            await known.of(owner).call("guess", {"number": 3}, SECRET)

    test()


def test_who_comes_when_there_are_enough_waits(server: Served) -> None:
    @on_loop
    async def test() -> None:
        known, owners = trajectories(server, max_sessions=2), [Owner() for _ in range(3)]
        await known.of(owners[0]).call("guess", {"number": 3}, SECRET)
        await known.of(owners[1]).call("guess", {"number": 3}, SECRET)
        late = asyncio.create_task(known.of(owners[2]).call("guess", {"number": 3}, SECRET))
        given_up = asyncio.create_task(known.of(Owner()).call("guess", {"number": 3}, SECRET))
        await asyncio.sleep(0.05)
        assert not late.done()
        given_up.cancel()
        del owners[0]
        assert (await late).text == "It is higher."
        assert server.statistics.active == 2
        owners.clear()
        del late
        await gone(server)

    test()


def test_one_that_is_given_up_in_a_call_ends_too() -> None:
    Awaiting.cancelled.clear()
    with serving(create_app(Awaiting)) as server:

        @on_loop
        async def test() -> None:
            known = trajectories(server)

            async def run() -> None:
                owner = Owner()
                await known.of(owner).call("add", {"amount": -1})  # which never ends

            running = asyncio.create_task(run())
            await until(lambda: server.statistics.steps == 1)
            running.cancel()
            await asyncio.wait([running])
            del running
            gc.collect()
            await gone(server)

        test()
    assert Awaiting.cancelled == [-1]


def test_a_call_that_takes_long_holds_nobody_up() -> None:
    Threaded.gate.clear()
    Threaded.entered.clear()
    with serving(create_app(Threaded)) as server:

        @on_loop
        async def test() -> None:
            known = trajectories(server)
            waiting, quick = known.new(), known.new()
            late = asyncio.create_task(waiting.call("add", {"amount": -1}))
            await until(Threaded.entered.is_set)
            assert (await quick.call("add", {"amount": 1})).text == '{"total":1}'
            assert not late.done()
            Threaded.gate.set()
            assert (await late).text == '{"total":-1}'
            await asyncio.gather(waiting.end(), quick.end())

        test()


def test_what_the_model_wrote_in_place_of_arguments_it_is_told(server: Served) -> None:
    @on_loop
    async def test() -> None:
        owner, known = Owner(), trajectories(server)
        for wrong in ([3], "3", None, {"number": "three"}, {"number": 3, "more": 1}):
            outcome = await known.of(owner).call("guess", wrong)
            assert outcome.is_error
            assert not outcome.done
        assert (await known.of(owner).call("reset", {})).is_error
        assert known.of(owner).failure is None
        del owner
        await gone(server)

    test()


def test_what_is_not_the_models_fault_is_kept(server: Served) -> None:
    @on_loop
    async def test() -> None:
        known = trajectories(server, max_sessions=101)
        owners = [Owner() for _ in range(100)]
        await asyncio.gather(*(known.of(each).begin({}) for each in owners))
        with pytest.raises(CapacityError) as refused:
            await known.of(last := Owner()).begin({})
        assert known.of(last).failure is refused.value
        del last, refused
        owners.clear()
        gc.collect()
        await gone(server)

    test()


def test_it_can_be_let_go_after_its_loop(server: Served) -> None:
    known, owners = trajectories(server), [Owner()]

    async def begin() -> None:
        await known.of(owners[0]).begin({})
        await known.of(owners[0]).end()

    asyncio.run(begin())
    owners.clear()
    emptied(server)


def test_a_server_of_tools_is_played_too() -> None:
    with serving(create_app(Toolbox)) as server:

        @on_loop
        async def test() -> None:
            trajectory = trajectories(server).new()
            assert (await trajectory.begin({})).text == ""
            assert (await trajectory.call("shout", {"text": "hi"})).text == "HI"
            await trajectory.end()

        test()
        emptied(server)
    with pytest.raises(ConnectionFailedError):
        trajectories(server)
