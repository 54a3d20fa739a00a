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


@pytest.mark.parametrize("target", ["echo_env", "envs/echo_env"])
def test_a_class_and_a_ready_app_hear_who_may_call_their_mcp(target: str) -> None:
    door = ("--allowed-host", "tools.example.com", "--allowed-origin", "https://app.example.com")
    with serving(target, *door, OPENENV_MCP_TOKEN=TOKEN) as server:

        def status(**headers: str) -> int:
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            return httpx.post(f"{server.url}/mcp", json=call, headers=headers).status_code

        known = {"Host": "tools.example.com", "Authorization": f"Bearer {TOKEN}"}
        assert status(**known) == 200
        assert status(**known, Origin="https://app.example.com") == 200
        assert status(**known, Origin="https://other.example.com") == 403
        assert status(**{**known, "Host": "localhost"}) == 421
        assert status(**{**known, "Authorization": "Bearer x"}) == 401


def test_a_setting_that_cannot_be_is_told_in_one_line() -> None:
    result = run("serve", "echo_env", "--mcp-token", "short")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "mcp_token" in result.stderr


def test_ends_when_told_to_even_with_a_session_open() -> None:
    with serving("gym_env") as server, GenericEnvClient(base_url=server.url).sync() as client:
        client.reset()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


def test_a_client_that_only_listens_does_not_hold_the_end_up() -> None:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    with serving("echo_env") as server, httpx.Client(base_url=server.url) as client:
        session_id = client.post("/mcp", json=hello).headers["mcp-session-id"]
        headers = {"Mcp-Session-Id": session_id, "Accept": "text/event-stream"}
        with client.stream("GET", "/mcp", headers=headers) as stream:
            server.process.send_signal(signal.SIGINT)
            assert stream.read() == b""
        assert server.process.wait(5) == 0


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
