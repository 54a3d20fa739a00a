"""What everybody may rely on who uses this environment."""

from pathlib import Path
from typing import Any

import pytest

from openenv_lite import CallToolAction, GenericEnvClient, create_app
from openenv_lite.testing import check_environment

from .server.my_environment import MOST_ENTRIES, MyEnvironment


def call(env: Any, name: str, **arguments: Any) -> Any:
    return env.step(CallToolAction(tool_name=name, arguments=arguments))


def total(read: Any) -> int:
    return sum(map(int, read.observation["result"]["data"].split()))


def test_it_keeps_the_contract() -> None:
    check_environment(MyEnvironment, budget_s=4)


def test_the_answer_is_rewarded_and_a_wrong_one_is_not() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        right = total(call(env, "read_file", path="numbers.txt"))
        wrong = call(env, "write_file", path="answer.txt", text=str(right + 1))
        found = call(env, "write_file", path="answer.txt", text=f"{right}\n")
    assert (wrong.reward, wrong.done, found.reward, found.done) == (0.0, False, 1.0, True)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "a/../../secret", "nowhere", ".", "\0"]
)
def test_no_path_leads_out_of_the_folder_and_a_wrong_one_is_told(path: str) -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        result = call(env, "read_file", path=path)
    assert result.observation["error"]["error_type"] == "execution_error"


@pytest.mark.parametrize("path", ["numbers.txt", "./numbers.txt", "a/../numbers.txt", "."])
def test_the_task_cannot_be_changed(path: str) -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        before = call(env, "read_file", path="numbers.txt").observation
        assert call(env, "write_file", path=path, text="0").observation["error"]
        assert call(env, "delete", path=path).observation["error"]
        assert call(env, "read_file", path="numbers.txt").observation == before


def test_there_is_room_for_so_many_files_and_a_folder_makes_room() -> None:
    with GenericEnvClient(app=create_app(MyEnvironment)).sync() as env:
        env.reset(seed=7)
        for number in range(MOST_ENTRIES - 2):  # beside numbers.txt and the folder
            assert not call(env, "write_file", path=f"many/{number}", text="").observation["error"]
        assert call(env, "write_file", path="more", text="").observation["error"]
        call(env, "delete", path="many")
        assert not call(env, "write_file", path="more", text="").observation["error"]
        assert call(env, "list_files").observation["result"]["data"] == ["more", "numbers.txt"]


def test_its_folder_ends_with_it() -> None:
    env = MyEnvironment()
    assert Path(env.directory).exists()
    env.close()
    assert not Path(env.directory).exists()
