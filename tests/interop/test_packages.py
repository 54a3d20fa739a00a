"""What was written for OpenEnv runs on our server, unmodified, and does what it does on its own."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastmcp
import httpx
import pytest
from websockets.asyncio.client import connect

from openenv_lite.client import VectorEnvClient
from openenv_lite.errors import SnapshotsUnsupportedError
from tests.cli.process import serving
from tests.interop.exchange import play
from tests.interop.messages import ROWS
from tests.interop.processes import Driver, Fleet, open_fleet
from tests.interop.rows import LIST, STATE, Request, Row, bare_step, call, post, reset
from tests.interop.test_messages import reconciled, text_of
from tests.interop.test_original_clients import SAME

PACKAGES = Path(__file__).parent / "original" / "packages"

TRAJECTORIES = {
    "dice_env": (
        STATE,
        reset(seed=4, episode_id="e", sides=8, unknown=1),
        bare_step(bet=7),
        STATE,
        bare_step(bet="8"),
        bare_step(bet=1),
        bare_step(bet=5),
        bare_step(bet=5),
        STATE,
        reset(seed=4, episode_id="e"),
        bare_step(bet=7),
        STATE,
    ),
    "shop_env": (
        LIST,
        reset(seed=1, episode_id="e"),
        call("add", product="a", price=2),
        call("look"),
        call("look", at=["b"]),
        call("picture"),
        call("whisper", text="quiet"),
        call("add", product="b", price=9),
        call("dance"),
        STATE,
        call("add", product="b"),
        call("add", product="c"),
        STATE,
        reset(episode_id="king", guest="king"),
        LIST,
        call("haggle"),
        call("haggle"),
        LIST,
    ),
    "riddle_env": (
        LIST,
        reset(seed=1, episode_id="e", split="train", index=1),
        LIST,
        call("hint"),
        call("answer", text="3"),
        call("dance", now=True),
        STATE,
        call("answer", text="4"),
        STATE,
        reset(split="train", index=None),
        reset(split="test", index=0),
        call("answer", text="0"),
    ),
    "late_riddle_env": (
        LIST,
        reset(episode_id="e", index=1),
        call("hint"),
        call("answer", text="4"),
        STATE,
    ),
    "parrot_env": (
        reset(episode_id="e"),
        bare_step(message="hello"),
        bare_step(message="21"),
        STATE,
        reset(episode_id="f"),
        bare_step(message="4"),
        bare_step(message="goodbye"),
        STATE,
    ),
    "walk_env": (
        reset(seed=4, episode_id="e"),
        bare_step(by=0.5),
        bare_step(by="1"),
        STATE,
        bare_step(by=5),
        STATE,
    ),
    "my_echo": (
        reset(episode_id="e"),
        bare_step(message="hi"),
        bare_step(message="a long one"),
        bare_step(massage="hi"),
        STATE,
    ),
}
"""What is sent to each package; `my_echo` is the one that `openenv init` writes."""

RIDDLES = (
    Request("GET", "/riddles/train?most=3"),
    Request("GET", "/riddles/train?most=x"),
    post("/step", {"action": {}}),
    Request("GET", "/health", headers={"origin": "http://riddles.example"}),
    Request("GET", "/riddle_env/splits"),
    post("/riddle_env/tasks", {"split": "train"}),
    post("/riddle_env/num_tasks", {"split": "test"}),
    post("/riddle_env/task", {"split": "train", "index": 1}),
    post("/riddle_env/task", {"split": "train", "index": 2}),
    post("/riddle_env/task_range", {"split": "train"}),
)
"""What is asked of the tasks of a package, and of the routes that its author put on the app."""

OUR_OWN_WORDS = {
    "plain ws: step with null data",
    "plain ws: step with data a list",
    "plain ws: step with data a text",
    "tools http: schema",
}
"""Rows whose answer is the model's own where theirs is the envelope's: `model_type`, not
`dict_type`; or says more of the state's type."""


@pytest.fixture(scope="module")
def template(original_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `openenv init` writes."""
    folder = tmp_path_factory.mktemp("init")
    command = [str(original_python), "-m", "openenv.cli", "init", "my_echo"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / "my_echo"


@pytest.fixture(scope="module")
def folders(template: Path) -> list[str]:
    return [str(template), *(str(PACKAGES / name) for name in TRAJECTORIES if name != "my_echo")]


@pytest.fixture(scope="module")
def at_home(original_python: Path, folders: list[str]) -> Iterator[Fleet]:
    """Each folder on OpenEnv's own server."""
    with open_fleet(original_python, "tests.interop.original.unmodified", *folders) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def adopted(original_python: Path, folders: list[str]) -> Iterator[Fleet]:
    """Each folder, and each class of `original.serve`, on our server."""
    with open_fleet(original_python, "tests.interop.original.adopted", *folders) as fleet:
        yield fleet


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def row(name: str) -> Row:
    return Row(name, name, "/ws", TRAJECTORIES[name])


def without_marks(value: Any) -> Any:
    """Replies without what only one of the servers adds.

    FastMCP marks a result that is no object, Pydantic adds the bounds of a fault, and ours tells
    of a truncation beside `done` too.
    """
    if isinstance(value, list):
        return [without_marks(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: without_marks(each) for key, each in value.items() if key not in ("ctx", "url")}
    if kept.get("meta") == {"fastmcp": {"wrap_result": True}}:
        kept["meta"] = None
    if {"observation", "truncated"} <= kept.keys():
        assert kept.pop("truncated") is kept["observation"]["truncated"] is True
    return kept


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_package_reaches_the_same_trajectories(at_home: Fleet, adopted: Fleet, name: str) -> None:
    expected = without_marks(play(row(name), at_home.ports[name]))
    assert sum(each["type"] == "observation" for each in expected) >= 3
    assert text_of(without_marks(play(row(name), adopted.ports[name]))) == text_of(expected)


def test_the_template_is_served_from_the_command_line(
    original_python: Path, template: Path, at_home: Fleet
) -> None:
    expected = play(row("my_echo"), at_home.ports["my_echo"])
    with serving(str(template), python=original_python) as server:
        assert text_of(play(row("my_echo"), port_of(server.url))) == text_of(expected)
        assert httpx.get(f"{server.url}/list_environments").json() == ["my_echo"]


def test_in_production_a_package_has_no_controls(original_python: Path) -> None:
    folder = str(PACKAGES / "shop_env")
    with serving(folder, "--mode", "production", python=original_python) as server:
        assert httpx.post(f"{server.url}/reset").status_code == 404
        assert asyncio.run(left_after_buying(server.url)) == {"result": 4}


async def left_after_buying(url: str) -> Any:
    async with fastmcp.Client(f"{url}/mcp") as client:
        return (await client.call_tool("add", {"product": "a"})).structured_content


def test_mcp_clients_find_the_tools_and_their_calls_are_steps(adopted: Fleet) -> None:
    names, left, cart = asyncio.run(shopping(f"{adopted.urls['shop_env']}/mcp"))
    assert names == ["add", "look", "picture", "whisper"]
    assert (left, cart) == ({"result": 3}, {"cart": ["a"]})


def test_mcp_clients_are_told_of_tools_that_come_and_go(adopted: Fleet) -> None:
    url = adopted.urls["shop_env"]
    seen = asyncio.run(haggling(url))
    assert [("haggle" in names) for names in seen] == [False, True, False]


async def haggling(url: str) -> list[list[str]]:
    seen = []
    async with connect(f"{url.replace('http', 'ws', 1)}/ws") as trainer:
        assert trainer.response is not None
        session = trainer.response.headers["x-openenv-session-id"]
        async with fastmcp.Client(f"{url}/mcp?session_id={session}") as client:
            seen.append([tool.name for tool in await client.list_tools()])
            await trainer.send(json.dumps(reset(guest="king")))
            await trainer.recv()
            seen.append([tool.name for tool in await client.list_tools()])
            await client.call_tool("haggle", {})
            seen.append([tool.name for tool in await client.list_tools()])
    return seen


@pytest.mark.parametrize("name", ["riddle_env", "late_riddle_env"])
def test_tool_actions_of_a_plain_class_are_tools_to_mcp_clients(adopted: Fleet, name: str) -> None:
    names, error = asyncio.run(asking(f"{adopted.urls[name]}/mcp"))
    assert (names, error) == (["answer", "hint"], "reset first")


async def asking(url: str) -> tuple[list[str], str]:
    async with fastmcp.Client(url) as client:
        names = [tool.name for tool in await client.list_tools()]
        failed = await client.call_tool("hint", {}, raise_on_error=False)
        return names, failed.content[0].text


@pytest.mark.parametrize("request_", RIDDLES)
def test_tasks_and_routes_of_a_package_are_its_own(
    at_home: Fleet, adopted: Fleet, request_: Request
) -> None:
    row = Row("tasks", "riddle_env", "", (request_,))
    told = [play(row, fleet.ports["riddle_env"]) for fleet in (at_home, adopted)]
    assert text_of(told[0]) == text_of(told[1])
    assert told[0][0]["status"] != 404


async def shopping(url: str) -> tuple[list[str], Any, Any]:
    async with fastmcp.Client(url) as client:
        names = [tool.name for tool in await client.list_tools()]
        left = await client.call_tool("add", {"product": "a", "price": 2})
        cart = await client.call_tool("look", {})
        return names, left.structured_content, cart.structured_content


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("dice_env", [{"bet": 7}, {"bet": 5}, {"bet": 2}]),
        ("walk_env", [{"by": 0.1}, {"by": 0.2}]),
    ],
)
def test_many_lanes_play_what_one_connection_plays(
    adopted: Fleet, name: str, actions: list[dict[str, Any]]
) -> None:
    alone = Row(name, name, "/ws", (reset(seed=4), *(bare_step(**each) for each in actions)))
    expected = [each["data"]["reward"] for each in play(alone, adopted.ports[name])]
    with VectorEnvClient[Any, Any, Any](adopted.urls[name], num_envs=3).sync() as envs:
        rewards = [envs.reset(seeds=[4] * 3).rewards]
        rewards += [envs.step([each] * 3).rewards for each in actions]
    assert [{*each} for each in rewards] == [{each} for each in expected]


def test_snapshots_are_refused_with_a_typed_error(adopted: Fleet) -> None:
    with VectorEnvClient[Any, Any, Any](adopted.urls["dice_env"], num_envs=1).sync() as envs:
        envs.reset()
        with pytest.raises(SnapshotsUnsupportedError, match="DiceEnvironment"):
            envs.snapshot()


@pytest.mark.parametrize("scenario", SAME)
def test_their_clients_see_the_same_of_their_classes_at_both_servers(
    driver: Driver, original: Fleet, adopted: Fleet, scenario: str
) -> None:
    assert driver.play(scenario, adopted) == driver.play(scenario, original)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name not in OUR_OWN_WORDS], ids=lambda row: row.name
)
def test_their_classes_answer_alike_at_both_servers(
    original: Fleet, adopted: Fleet, row: Row
) -> None:
    """To the letter, or but for the differences that are declared for our own classes too."""
    theirs = play(row, original.ports[row.app])
    ours = play(row, adopted.ports[row.app])
    if text_of(without_marks(ours)) != text_of(without_marks(theirs)):
        assert text_of(ours) == text_of(reconciled(row, theirs, ours).expected)


def test_metadata_of_a_package_is_its_own(at_home: Fleet, adopted: Fleet) -> None:
    for name in TRAJECTORIES.keys() - {"walk_env"}:  # theirs builds one off the one thread for it
        told = [httpx.get(f"{fleet.urls[name]}/metadata").json() for fleet in (at_home, adopted)]
        assert json.dumps(told[0], sort_keys=True) == json.dumps(told[1], sort_keys=True)
