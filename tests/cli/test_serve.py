"""`openenv-lite serve`, as a process."""

import signal
import socket
import time
from pathlib import Path
from typing import Any

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


def test_one_worker_knows_what_another_has_sealed() -> None:
    with serving("tests.cli.asking:Asking", "--mode", "production", "--workers", "2") as server:
        _answers(lambda: httpx.get(f"{server.url}/health"))
        deadline = time.monotonic() + 30
        asked_by, answered_by = "", ""
        while asked_by == answered_by:  # each call is a connection, for whichever worker takes it
            assert time.monotonic() < deadline, "only one worker takes connections"
            asked = _call(server.url)
            asked_by = asked["inputRequests"]["sure"]["params"]["message"]
            answer = {"sure": {"action": "accept", "content": {"ok": True}}}
            again = {"inputResponses": answer, "requestState": asked["requestState"]}
            answered_by = _call(server.url, **again)["content"][0]["text"]


def _call(url: str, **more: object) -> Any:
    prefix = "io.modelcontextprotocol/"
    capabilities: dict[str, object] = {f"{prefix}clientCapabilities": {"elicitation": {}}}
    meta = {f"{prefix}protocolVersion": "2026-07-28", **capabilities}
    params = {"name": "ask", "arguments": {}, "_meta": meta, **more}
    headers = {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "ask",
        "Accept": "application/json, text/event-stream",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    reply = httpx.post(f"{url}/mcp", json=body, headers=headers).json()
    assert "result" in reply, reply
    return reply["result"]


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
