"""`openenv-lite serve`, as a process."""

import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from openenv_lite import GenericEnvClient
from openenv_lite.errors import UnknownMessageError
from tests.cli.process import run, serving

TOKEN = "a token nobody guesses"


def test_says_in_one_line_what_is_served_and_is_reachable_by_then() -> None:
    with serving("gym_env", "--env", "id=CartPole-v1") as server:
        expected = f"Serving CartPole-v1 (gym_env) in simulation mode on {server.url}\n"
        assert server.line == expected
        assert httpx.get(f"{server.url}/health").json() == {"status": "healthy"}
        assert httpx.get(f"{server.url}/list_environments").json() == ["CartPole-v1"]


def test_variables_of_the_process_stand_for_options() -> None:
    with serving("echo_env", OPENENV_MODE="production", MAX_CONCURRENT_ENVS="1") as server:
        assert "in production mode" in server.line
        assert httpx.post(f"{server.url}/reset").status_code == 404


def test_a_ready_app_hears_of_mode_and_token() -> None:
    options = ("--mode", "production", "--control-token", TOKEN)
    with serving("envs/gym_env", *options) as server:
        assert httpx.post(f"{server.url}/reset").status_code == 404
        with (
            GenericEnvClient(base_url=server.url).sync() as agent,
            pytest.raises(UnknownMessageError),
        ):
            agent.reset()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with GenericEnvClient(base_url=server.url, headers=headers).sync() as trainer:
            assert trainer.reset(seed=1).done is False


def test_serves_on_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with serving("echo_env", "--uds", path) as server:
        assert server.line.endswith(f"on unix:{path}\n")
        transport = httpx.HTTPTransport(uds=path, retries=20)
        with httpx.Client(transport=transport) as client:
            _answers(lambda: client.get("http://localhost/health"))


def test_several_workers_serve_one_port_and_a_warning_tells_the_price() -> None:
    with serving("gym_env", "--env", "id=FrozenLake-v1", "--workers", "2") as server:
        _answers(lambda: httpx.get(f"{server.url}/health"))
        with GenericEnvClient(base_url=server.url).sync() as client:
            assert client.reset(seed=1).observation["observation"] == 0
        server.process.terminate()
        assert server.process.stderr is not None
        assert "Sessions live in one process" in server.process.stderr.read()


def test_ends_when_told_to_even_with_a_session_open() -> None:
    with serving("gym_env") as server, GenericEnvClient(base_url=server.url).sync() as client:
        client.reset()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "echo_env", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 2
    assert "choose another --port" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def _answers(get: object) -> None:
    assert callable(get)
    deadline = time.monotonic() + 20
    while True:
        try:
            assert get().status_code == 200
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
