"""A server that records, whatever its clients speak."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from openenv_lite import HTTPEnvServer, create_app
from openenv_lite.client import GenericEnvClient, MCPToolClient, VectorEnvClient
from openenv_lite.errors import ConfigurationError
from openenv_lite.recording import load
from openenv_lite.session import Session
from openenv_lite.types import ServerMode
from tests.client.serving import serve
from tests.environments import Toolbox
from tests.recording.telling import Await, Dice, Thread, events, told

EVERY_EXECUTOR = pytest.mark.parametrize("kind", [Dice, Thread, Await])


def test_where_nothing_is_recorded_sessions_are_the_plain_ones(tmp_path: Path) -> None:
    async def kinds() -> list[type]:
        servers = HTTPEnvServer(Dice), HTTPEnvServer(Dice, record_dir=str(tmp_path))
        pools = [server.pool for server in servers]
        sessions = [await pool.open(ServerMode.SIMULATION) for pool in pools]
        for pool, session in zip(pools, sessions, strict=True):
            await pool.close(session)
        return [type(session) for session in sessions]

    plain, recorded = asyncio.run(kinds())
    assert plain is Session
    assert recorded is not Session


def test_a_folder_that_cannot_be_written_stops_the_server_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="Cannot record in"):
        create_app(Dice, record_dir=str(tmp_path / "file"))


def test_an_app_that_is_made_by_somebody_else_is_told_by_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENENV_RECORD_DIR", str(tmp_path))
    with GenericEnvClient(app=create_app(Dice, env_name="my dice")).sync() as env:
        env.reset()
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("my_dice-")


@EVERY_EXECUTOR
def test_clients_at_the_same_time_are_told_in_one_file(kind: Any, tmp_path: Path) -> None:
    async def play(app: Any, seed: int) -> list[Any]:
        async with GenericEnvClient(app=app) as env:
            results = [await env.reset(seed=seed)]
            results += [await env.step({"number": number}) for number in range(4)]
            return [result.observation["rolled"] for result in results]

    async def play_all() -> list[list[Any]]:
        app = create_app(kind, record_dir=str(tmp_path))
        return await asyncio.gather(*(play(app, seed) for seed in range(8)))

    seen = asyncio.run(play_all())
    assert len([*tmp_path.iterdir()]) == 1
    found = {
        episode.seed: [episode.observation, *(act.observation for act in episode.acts)]
        for episode in load(tmp_path)
    }
    assert [[each["rolled"] for each in found[seed]] for seed in range(8)] == seen


@EVERY_EXECUTOR
@pytest.mark.parametrize("autoreset", ["disabled", "same_step", "next_step"])
def test_lanes_are_sessions_and_told_as_such(kind: Any, autoreset: str, tmp_path: Path) -> None:
    app = create_app(kind, record_dir=str(tmp_path))
    with VectorEnvClient(app=app, num_envs=3, autoreset=autoreset).sync() as envs:
        envs.reset(seeds=[1, 2, 3])
        steps = 4 if autoreset == "disabled" else 7
        for number in range(steps):
            envs.step([{"number": number % 6}] * 3)
        sessions = envs.sessions
    episodes = load(tmp_path)
    assert {episode.session for episode in episodes} == {*sessions}
    counts = [len(episode.acts) for episode in episodes if episode.session == sessions[0]]
    assert counts == {"disabled": [4], "same_step": [4, 3], "next_step": [4, 2]}[autoreset]
    assert all(episode.is_over and episode.is_whole for episode in episodes)


def test_requests_without_a_session_are_episodes_of_their_own(tmp_path: Path) -> None:
    app = create_app(Dice, record_dir=str(tmp_path))
    with serve(app) as url:
        assert httpx.post(f"{url}/reset", json={"seed": 3}).status_code == 200
        assert httpx.post(f"{url}/step", json={"action": {"number": 1}}).status_code == 200
    reset, step = load(tmp_path)
    assert (reset.seed, len(reset.acts)) == (3, 0)
    assert (step.seed, step.acts[0].action["number"]) == (None, 1)


@pytest.mark.parametrize("mode", list(ServerMode))
def test_an_agents_calls_over_mcp_are_told(mode: ServerMode, tmp_path: Path) -> None:
    app = create_app(Toolbox, mode=mode, record_dir=str(tmp_path))
    with MCPToolClient(app=app).sync() as agent:
        agent.list_tools()
        assert agent.call_tool("add", a=1, b=5) == 6
        assert agent.call_tool("shout", text="hey") == "HEY"
    (episode,) = load(tmp_path)
    assert [act.action["tool_name"] for act in episode.acts] == ["add", "shout"]
    assert [act.observation["result"]["data"] for act in episode.acts] == [6, "HEY"]
    assert episode.mode == mode


def test_a_disk_that_is_full_breaks_no_episode(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Dice, record_dir=str(tmp_path))
    with GenericEnvClient(app=app).sync() as env:
        env.reset(seed=1)
        env.step({"number": 1})
        (path,) = tmp_path.iterdir()
        path.unlink()
        path.symlink_to("/dev/full")
        env.new_session().reset(seed=1)  # writes to the file that is open
    with GenericEnvClient(app=app).sync() as env:  # and this one opens it again
        first = env.reset(seed=1)
        results = [env.step({"number": 1}) for _ in range(4)]
    assert first.observation["rolled"] == [0]
    assert results[-1].done
    assert len([each for each in caplog.records if "Cannot record" in each.message]) == 1


def test_a_session_that_is_given_up_is_told_to_its_end(tmp_path: Path) -> None:
    async def play() -> None:
        server = HTTPEnvServer(Thread, record_dir=str(tmp_path))
        session = await server.pool.open(ServerMode.SIMULATION)
        await session.reset()
        await server.aclose()

    asyncio.run(play())
    assert told(tmp_path, "event") == [("begin",), ("end",)]


def test_a_pool_that_begins_again_goes_on_in_its_file(tmp_path: Path) -> None:
    async def play() -> None:
        server = HTTPEnvServer(Dice, record_dir=str(tmp_path))
        for _ in range(2):
            server.pool.start()
            session = await server.pool.open(ServerMode.SIMULATION)
            await session.reset()
            await server.aclose()

    asyncio.run(play())
    assert len([*tmp_path.iterdir()]) == 1
    assert [event["event"] for event in events(tmp_path)] == ["begin", "end"] * 2
