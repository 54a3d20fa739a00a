"""`openenv-lite replay`, and `serve --record`."""

import json
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from gym_env import environment

from openenv_lite import create_app
from openenv_lite.cli.commands import cli
from openenv_lite.client import GenericEnvClient, MCPToolClient, VectorEnvClient
from openenv_lite.recording import load, table
from openenv_lite.types import ServerMode
from tests.cli.process import run, serving
from tests.client.serving import serve
from tests.environments import Toolbox
from tests.recording.telling import Dice, Loaded

DICE = "tests.recording.telling:Dice"
LOADED = "tests.recording.telling:Loaded"


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


def line(**told: Any) -> str:
    """A line of a recording, as anybody can write one."""
    began = {"event": "begin", "session": "s", "episode": "e", "step": 0, "time": 0.0, "seed": 1}
    return json.dumps({**began, "observation": "{}", "environment": DICE, **told})


def write(path: Path, *lines: str) -> None:
    path.write_bytes("".join(f"{each}\n" for each in lines).encode("latin-1"))


def record(folder: Path, kind: Any = Dice, seeds: int = 3) -> None:
    with GenericEnvClient(app=create_app(kind, record_dir=str(folder))).sync() as env:
        for seed in range(seeds):
            env.reset(seed=seed)
            for number in range(4):
                env.step({"number": number})


def test_the_environment_that_was_recorded_does_the_same(tmp_path: Path) -> None:
    record(tmp_path)
    found = replay(tmp_path, DICE)
    assert found.exit_code == 0, found.output
    for row in ("episodes       │ 3", "same           │ 3", "differs        │ 0"):
        assert row in found.output


def test_an_environment_that_does_something_else_fails_the_command(tmp_path: Path) -> None:
    record(tmp_path)
    (path,) = tmp_path.iterdir()
    found = replay(path, LOADED)
    assert found.exit_code == 1
    assert "differs        │ 3" in found.output
    for seed in range(3):
        assert re.search(rf"│ {seed} +│ 3 +│ observation\.rol", found.output), found.output
    first, *_ = load(path)
    assert first.episode[:6] in found.output


def test_a_server_that_runs_is_played_on(tmp_path: Path) -> None:
    record(tmp_path)
    with serve(create_app(Dice)) as url:
        assert replay(tmp_path, url).exit_code == 0
        refused = replay(tmp_path, url, "--env", "a=1")
    assert refused.exit_code == 2
    assert "leave --env out" in refused.stderr
    with serve(create_app(Loaded)) as url:
        assert replay(tmp_path, url).exit_code == 1


def test_a_client_recorded_which_server_it_was(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with serve(create_app(Dice)) as url:
        with VectorEnvClient(url, num_envs=2, autoreset="same_step", record=path).sync() as envs:
            envs.reset(seeds=1)
            for number in range(10):
                envs.step([{"number": number % 6}] * 2)
        unnamed = replay(path)
        assert unnamed.exit_code == 2
        assert f"It was recorded on {url}: name that as TARGET to play there" in unnamed.stderr
        found = replay(path, url)
        assert found.exit_code == 0, found.output
        assert "same           │ 6" in found.output
    gone = replay(path, url)
    assert gone.exit_code == 1
    assert "ConnectionFailedError" in gone.stderr


def test_an_app_of_another_process_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with GenericEnvClient(app=create_app(Dice), record=path).sync() as env:
        env.reset(seed=1)
    found = replay(path)
    assert found.exit_code == 2
    assert "does not tell what was played: name the TARGET" in found.stderr
    assert replay(path, DICE).exit_code == 0


@pytest.mark.parametrize("named", ["intruder:Game", DICE, "{folder}:Game", "{url}"])
def test_nothing_that_a_file_names_is_run_or_called(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "intruder.py").write_text("raise SystemExit('it ran')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENENV_CONTROL_TOKEN", "the operator's secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        name = named.format(folder=tmp_path, url=url)
        write(tmp_path / "f", line(environment=name))
        found = replay(tmp_path / "f")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert found.exit_code == 2
    assert f"It was recorded on {name}: name that as TARGET to play there" in found.stderr
    assert "intruder" not in sys.modules


@pytest.mark.parametrize(
    "target", ["http://[", "unix://", "http://", "http://127.0.0.1:99999", "http://a:b"]
)
def test_what_is_no_url_is_told_in_one_line(target: str, tmp_path: Path) -> None:
    write(tmp_path / "f", line())
    found = replay(tmp_path / "f", target)
    assert found.exit_code == 2, found.exception
    assert f"{target} is no URL of a server" in found.stderr


def test_a_mode_that_is_none_is_told(tmp_path: Path) -> None:
    write(tmp_path / "f", line(mode="bogus"))
    found = replay(tmp_path / "f", DICE)
    assert found.exit_code == 2
    assert "the mode 'bogus', and there are only simulation and production" in found.stderr


@pytest.mark.parametrize(
    "faulty",
    [
        line(observation="}{"),
        line(observation='"\\ud800"'),
        line(observation="[" * 100_000 + "]" * 100_000),
        line(options="[1]"),
        line(options="5"),
        line(metadata='"a"'),
        line(seed=2**63),
        line(seed=10**400),
        line(step="1"),
        line(event="step", action="{"),
        line()[:-1] + ',"more":' + "[" * 100_000 + "]" * 100_000 + "}",
        line().replace("}", "\xff}"),
    ],
    ids=range(12),
)
def test_a_line_that_is_no_event_is_left_out(
    faulty: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "f", faulty)
    found = replay(tmp_path / "f", DICE)
    assert found.exit_code == 2, found.exception
    assert "holds no e" in found.stderr
    assert "the line at byte 0 is no event and is left out" in caplog.text
    write(tmp_path / "f", faulty, line(observation='{"rolled":[1]}'))
    assert [episode.observation for episode in load(tmp_path / "f")] == [{"rolled": [1]}]
    assert table(tmp_path / "f").num_rows == 1
    assert "differs        │ 1" in replay(tmp_path / "f", DICE).output


@pytest.mark.parametrize("depth", range(700, 1000, 20))
def test_what_is_deeply_nested_ends_in_no_traceback(depth: int, tmp_path: Path) -> None:
    deep = "[" * depth + "]" * depth
    write(tmp_path / "f", line(observation=deep))
    write(tmp_path / "g", line(observation="{}"), line(event="step", step=1, action=deep))
    for name in "fg":
        found = replay(tmp_path / name, DICE)
        assert found.exception is None or isinstance(found.exception, SystemExit)
        assert found.exit_code in (0, 1, 2)


def test_control_characters_of_a_file_reach_no_terminal(tmp_path: Path) -> None:
    nasty = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"
    observation = json.dumps({"rolled": [nasty], nasty: 1})
    write(tmp_path / "f", line(observation=observation, episode=nasty, environment=nasty))
    for found in (replay(tmp_path / "f", DICE), replay(tmp_path / "f")):
        printed = found.stdout + found.stderr
        assert r"\x1b" in printed
        assert printed.replace("\n", "").isprintable()


def test_an_environment_with_arguments_is_played_with_them(tmp_path: Path) -> None:
    app = create_app(environment("CartPole-v1"), record_dir=str(tmp_path))
    with GenericEnvClient(app=app).sync() as env:
        env.reset(seed=3)
        while not env.step({"action": 1}).done:
            pass
        env.reset()
        env.step({"action": 0})
    found = replay(tmp_path, "gym_env", "--env", "id=CartPole-v1")
    assert found.exit_code == 0, found.output
    assert "same           │ 2" in found.output


@pytest.mark.parametrize("mode", list(ServerMode))
def test_an_agents_calls_are_played_in_the_mode_they_were_made_in(
    mode: ServerMode, tmp_path: Path
) -> None:
    app = create_app(Toolbox, mode=mode, record_dir=str(tmp_path))
    with MCPToolClient(app=app).sync() as agent:
        agent.call_tool("serve" if mode is ServerMode.PRODUCTION else "peek")
        agent.call_tool("add", a=1)
    found = replay(tmp_path, "tests.environments:Toolbox")
    assert found.exit_code == 0, found.output
    assert "same           │ 1" in found.output


def test_a_class_of_which_only_one_may_live_is_played_session_after_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dice, "SUPPORTS_CONCURRENT_SESSIONS", False)
    for _ in range(4):
        record(tmp_path, seeds=1)
    found = replay(tmp_path, DICE)
    assert found.exit_code == 0, found.output
    assert "same           │ 4" in found.output


def test_what_was_found_before_it_ends_in_an_error_is_told(tmp_path: Path) -> None:
    record(tmp_path, seeds=1)
    write(tmp_path / "z.jsonl", line(mode="bogus"))
    found = replay(tmp_path, DICE)
    assert found.exit_code == 2
    assert "same           │ 1" in found.output
    assert "bogus" in found.stderr


def test_episodes_without_a_seed_are_told_and_fail_nothing(tmp_path: Path) -> None:
    with GenericEnvClient(app=create_app(Dice, record_dir=str(tmp_path))).sync() as env:
        env.reset()
        env.step({"number": 1})
    found = replay(tmp_path, DICE)
    assert found.exit_code == 0
    assert "not comparable │ 1" in found.output
    assert "1 x recorded without a seed" in found.output


def test_only_some_of_many_differences_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    record(tmp_path, seeds=15)
    found = replay(tmp_path, LOADED)
    assert "and 5 more" in found.output
    assert "differs        │ 15" in found.output


@pytest.mark.parametrize("text", ["", "# README"])
def test_what_is_no_recording_is_told_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text(text)
    found = replay(tmp_path / "f", DICE)
    assert found.exit_code == 2
    assert "holds no events" in found.stderr
    assert replay(tmp_path / "nowhere").exit_code == 2


def test_a_served_environment_is_recorded_by_each_worker_and_played_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with serving(DICE, "--workers", "2", "--record", str(runs)) as server:
        for seed in range(8):
            with GenericEnvClient(base_url=server.url).sync() as env:
                env.reset(seed=seed)
                env.step({"number": 1})
    files = [*runs.iterdir()]
    assert 1 <= len(files) <= 2
    assert sorted(episode.seed or 0 for episode in load(runs)) == [*range(8)]
    found = run("replay", str(runs), DICE)
    assert found.returncode == 0, found.stderr
    assert "same           │ 8" in found.stdout


def test_a_server_that_is_killed_has_told_all_that_its_clients_saw(tmp_path: Path) -> None:
    with (
        serving(DICE, "--record", str(tmp_path)) as server,
        GenericEnvClient(base_url=server.url).sync() as env,
    ):
        env.reset(seed=3)
        seen = [env.step({"number": 1}).observation for _ in range(3)]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(20)
    (episode,) = load(tmp_path)
    assert [act.observation for act in episode.acts] == seen
    assert not episode.is_over
    assert replay(tmp_path, DICE).exit_code == 0


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = run("serve", DICE, "--record", str(tmp_path / "file" / "runs"), "--port", "0")
    assert found.returncode == 2
    assert re.fullmatch(r"openenv-lite: Cannot record in .*\n", found.stderr)
