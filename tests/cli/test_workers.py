"""`openenv-lite serve --workers N`: several processes that clients cannot tell from one."""

import contextlib
import functools
import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from openenv_lite import GenericEnvClient, VectorEnvClient
from openenv_lite.errors import UnknownSnapshotError
from tests.cli.process import Serving, run, serving
from tests.mcp.posting import (
    META,
    STATELESS,
    Client,
    Reply,
    exchange,
    fields_of_2026,
    meta,
    request,
)

ENOUGH = 12
"""Connections after which it is certain that each of two workers took some: but for 1 in 2048."""

LOST = "lost when the worker that held it ended"
COUNTING = ("tests.cli.counting:Counting", "--mode", "production", "--workers", "2")


def port_of(server: Serving) -> int:
    return int(server.url.rpartition(":")[2])


@contextlib.contextmanager
def socket_of(server: Serving, path: str = "/ws") -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{port_of(server)}{path}", close_timeout=0.2) as found:
        yield found


def ask(connection: ClientConnection, kind: str, **data: Any) -> Any:
    connection.send(json.dumps({"type": kind, "data": data} if data else {"type": kind}))
    return json.loads(connection.recv(timeout=20))


def id_of(connection: ClientConnection) -> str:
    assert connection.response is not None
    return connection.response.headers["x-openenv-session-id"]


def worker_of(session_id: str) -> str:
    return session_id.partition(".")[0]


@pytest.fixture(scope="module")
def lake() -> Iterator[Serving]:
    options = ("--workers", "2", "--max-concurrent-envs", "64")
    with serving("gym_env", "--env", "id=FrozenLake-v1", *options) as server:
        yield server


@pytest.fixture(scope="module")
def counting() -> Iterator[Serving]:
    with serving(*COUNTING) as server:
        yield server


def test_sockets_spread_and_the_limit_is_the_servers(lake: Serving) -> None:
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket_of(lake)) for _ in range(64)]
        at = [worker_of(id_of(each)) for each in opened]
        assert min(at.count("0"), at.count("1")) >= 16
        with socket_of(lake) as late:
            refusal = json.loads(late.recv(timeout=20))["data"]
        assert refusal["code"] == "CAPACITY_REACHED"
        assert (refusal["active_sessions"], refusal["max_sessions"]) == (64, 64)
        ask(opened[0], "reset")
        opened[0].send('{"type": "close"}')
        with pytest.raises(ConnectionClosedOK):
            opened[0].recv(timeout=20)
        with socket_of(lake) as next_one:  # which either worker takes
            assert ask(next_one, "reset")["type"] == "observation"


def test_every_worker_finds_a_session_that_the_url_names(lake: Serving) -> None:
    with socket_of(lake) as mine:
        ask(mine, "reset", seed=1)
        named = {"session_id": id_of(mine)}
        for _ in range(1, ENOUGH):
            reply = httpx.post(f"{lake.url}/step", params=named, json={"action": {"action": 0}})
            assert reply.status_code == 200
        state = httpx.get(f"{lake.url}/state", params=named).json()
        assert state["step_count"] == ENOUGH - 1
        assert ask(mine, "state")["data"]["step_count"] == ENOUGH - 1


def test_a_socket_that_broke_is_resumed_by_way_of_any_worker(lake: Serving) -> None:
    with contextlib.ExitStack() as stack:
        mine = stack.enter_context(socket_of(lake))
        ask(mine, "reset", seed=1)
        session_id = id_of(mine)
        for steps in range(1, ENOUGH):
            mine.socket.shutdown(socket.SHUT_RDWR)
            mine = stack.enter_context(socket_of(lake, f"/ws?session_id={session_id}"))
            assert ask(mine, "step", action=0)["type"] == "observation"
            assert ask(mine, "state")["data"]["step_count"] == steps
        mine.send('{"type": "close"}')
        state = functools.partial(httpx.get, f"{lake.url}/state", params={"session_id": session_id})
        until(state, lambda reply: reply.status_code == 404)


def outcome(get: Callable[[], Any]) -> Any:
    """What it returns, or the type of what it raises."""
    try:
        return get()
    except Exception as error:  # noqa: BLE001
        return type(error)


def until(get: Callable[[], Any], is_right: Callable[[Any], bool]) -> Any:
    """The first right outcome; what ends elsewhere takes a moment to be seen here."""
    deadline = time.monotonic() + 20
    while not is_right(found := outcome(get)):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_whoever_is_full_of_broken_sockets_makes_room_for_newcomers_elsewhere() -> None:
    options = ("--workers", "2", "--max-concurrent-envs", "4")
    with serving("gym_env", "--env", "id=FrozenLake-v1", *options) as server:
        for _ in range(4):  # each time, four that break leave all slots waiting for their clients
            with contextlib.ExitStack() as stack:
                opened = [stack.enter_context(socket_of(server)) for _ in range(4)]
                assert {ask(each, "reset")["type"] for each in opened} == {"observation"}
                for each in opened:
                    each.socket.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "forged",
    ["2.0.x", "9999.0.x", "-1.0.x", "0.x", "one.two.x", "99999999.1.x", "../0.0.x", "\u0660.0.x"],
)
def test_an_id_that_names_no_worker_is_unknown(lake: Serving, forged: str) -> None:
    reply = httpx.get(f"{lake.url}/state", params={"session_id": forged})
    assert (reply.status_code, reply.json()["detail"]) == (404, f"Unknown session_id: {forged}")


def test_a_worker_judges_a_request_as_if_it_had_come_to_it(lake: Serving) -> None:
    with socket_of(lake) as mine:
        ask(mine, "reset")  # the id is told before there is an environment
        named = {"session_id": id_of(mine)}
        for headers in ({"Host": "rebound.example"}, {"Origin": "http://evil.example"}):
            url, statuses = f"{lake.url}/reset", set()
            for _ in range(ENOUGH):
                statuses.add(httpx.post(url, params=named, headers=headers).status_code)
            assert statuses in ({421}, {403})
        big = b"x" * (9 * 2**20)
        replies = [
            httpx.post(f"{lake.url}/reset", params=named, content=big) for _ in range(ENOUGH)
        ]
        assert {each.status_code for each in replies} == {413}


def identity_of(client: Client) -> str:
    """Its `Mcp-Session-Id`."""
    return str(dict(client.fields)["mcp-session-id"])


def text(client: Client, tool: str, **arguments: Any) -> str:
    return str(client.call(tool, **arguments).result["content"][0]["text"])


def test_an_mcp_session_is_one_whoever_takes_its_requests(counting: Serving) -> None:
    clients = [Client(port_of(counting)) for _ in range(2)]
    for number in range(1, ENOUGH):
        assert [text(each, "count") for each in clients] == [str(number)] * 2
    for each in clients:
        for _ in range(3):
            reply = each.call("chat")
            assert reply.headers["content-type"] == "text/event-stream"
            assert [message.get("method") for message in reply.messages[:3]] == [
                "notifications/message"
            ] * 3
            assert exchange(each.port, fields=each.fields, method="GET").status == 200
        assert each.end() == 200
        assert {each.call("count").status for _ in range(6)} == {404}


def test_openenvs_dialect_finds_the_session_that_a_body_names(counting: Serving) -> None:
    def ask(method: str, **params: Any) -> Any:
        body = json.dumps(request(method, **params)).encode()
        return exchange(port_of(counting), body).message

    for _ in range(4):
        named = {"session_id": ask("openenv/session/create")["result"]["session_id"]}
        for number in range(1, 5):
            result = ask("tools/call", name="count", arguments={}, **named)["result"]
            assert str(number) in json.dumps(result)
        assert ask("openenv/session/close", **named)["result"]["closed"] is True
        assert "error" in ask("tools/call", name="count", arguments={}, **named)


def alone(server: Serving, tool: str, **arguments: Any) -> str:
    """What a tool tells a client without a session."""
    return text(Client(port_of(server), STATELESS), tool, **arguments)


def test_calls_without_a_handle_share_one_environment_of_the_server(counting: Serving) -> None:
    counts = [int(alone(counting, "count")) for _ in range(ENOUGH)]
    assert counts == list(range(1, ENOUGH + 1))


def test_a_handle_leads_to_its_environment_from_everywhere(counting: Serving) -> None:
    handles = [json.loads(alone(counting, "openenv_open_session")) for _ in range(ENOUGH)]
    assert len({alone(counting, "process", **each) for each in handles}) == 2
    for handle in handles:
        assert [alone(counting, "count", **handle) for _ in range(3)] == ["1", "2", "3"]
        assert alone(counting, "openenv_close_session", **handle) == "Closed"
        assert "Unknown or expired" in alone(counting, "count", **handle)


def test_tokens_are_asked_for_wherever_a_session_is() -> None:
    token = "a token nobody guesses"
    with serving(*COUNTING, OPENENV_MCP_TOKEN=token) as server:
        known = [("authorization", f"Bearer {token}")]
        client = Client(port_of(server), fields=known)
        assert text(client, "count") == "1"
        client.fields.remove(*known)
        assert {client.call("count").status for _ in range(ENOUGH)} == {401}
        client.fields += known
        assert text(client, "count") == "2"


def test_who_is_killed_is_replaced_and_what_it_held_is_refused_with_a_reason() -> None:
    with serving(*COUNTING, "--max-concurrent-envs", "6") as server:
        clients: dict[str, Client] = {}
        while len(clients) < 2:
            found = Client(port_of(server))
            clients[worker_of(identity_of(found))] = found
        pids = {number: int(text(each, "process")) for number, each in clients.items()}
        with ThreadPoolExecutor(8) as threads:
            resting = [threads.submit(clients["1"].call, "rest", seconds=30) for _ in range(4)]
            time.sleep(0.3)
            os.kill(pids["1"], signal.SIGKILL)
            ends = [outcome(each.result) for each in resting]
        told = [each for each in ends if isinstance(each, Reply)]
        assert {each.status for each in told} <= {404}
        assert {"has ended" in each.message["error"]["message"] for each in told} <= {True}
        reply = clients["1"].call("count")
        assert reply.status == 404
        assert LOST in reply.message["error"]["message"]
        assert text(clients["0"], "count") == "1"
        new = [Client(port_of(server)) for _ in range(5)]  # every slot but the one of clients["0"]
        assert [text(each, "count") for each in new] == ["1"] * 5
        assert "at capacity: 6/6" in json.dumps(Client(port_of(server)).call("count").message)
        assert server.process.poll() is None


def test_a_worker_reads_what_the_one_before_it_has_sealed() -> None:
    options = ("--mode", "production", "--workers", "2")
    with serving("tests.cli.asking:Asking", *options) as server:
        client = Client(port_of(server), STATELESS)
        capabilities: dict[str, Any] = {"_meta": {f"{META}clientCapabilities": {"elicitation": {}}}}
        call = {"name": "ask", "arguments": {}, **capabilities}
        asked = client.ask("tools/call", call).result
        asker = asked["inputRequests"]["sure"]["params"]["message"]
        os.kill(int(asker), signal.SIGKILL)
        answers = {"sure": {"action": "accept", "content": {"ok": True}}}
        again = {"inputResponses": answers, "requestState": asked["requestState"]}
        answer = functools.partial(client.ask, "tools/call", {**call, **again})
        reply = until(answer, lambda found: isinstance(found, Reply) and found.status == 200)
        assert reply.result["content"][0]["text"] != asker


def test_a_socket_is_told_that_its_worker_has_ended() -> None:
    with (
        serving("gym_env", "--env", "id=FrozenLake-v1", "--workers", "2") as server,
        contextlib.ExitStack() as stack,
    ):
        mine = stack.enter_context(socket_of(server))
        ask(mine, "reset", seed=1)
        path = f"/mcp?session_id={id_of(mine)}"
        guests = [stack.enter_context(socket_of(server, path)) for _ in range(ENOUGH)]
        os.kill(workers_of(server)[int(worker_of(id_of(mine)))], signal.SIGKILL)
        ends = [outcome(functools.partial(each.recv, timeout=20)) for each in guests]
        told = [each for each in ends if each is not ConnectionClosedError]
        assert told, "no guest came by way of the worker that lives"
        assert all("has ended" in json.loads(each)["error"]["message"] for each in told)
        assert outcome(lambda: ask(mine, "state")) is ConnectionClosedError
        named = {"session_id": id_of(mine)}
        refusals = [httpx.get(f"{server.url}/state", params=named) for _ in range(ENOUGH)]
        assert {(each.status_code, LOST in each.text) for each in refusals} == {(404, True)}
        with GenericEnvClient(base_url=server.url).sync() as client:
            assert client.reset(seed=1).observation["observation"] == 0


def workers_of(server: Serving) -> list[int]:
    """The processes of the workers, in order."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    names = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()}
    return [pid for pid, name in names.items() if b"spawn_main" in name]


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or waits only to be buried."""
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_workers_end_with_their_parent_and_clear_up() -> None:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        serving(*COUNTING, TMPDIR=folder) as server,
    ):
        text(Client(port_of(server)), "count")
        pids = workers_of(server)
        server.process.kill()
        until(lambda: [*map(has_ended, pids)], lambda found: found == [True, True])
        assert [*Path(folder).iterdir()] == []


def test_ends_when_told_to_and_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        with (
            serving("gym_env", "--workers", "2", TMPDIR=folder) as server,
            socket_of(server) as mine,
        ):
            ask(mine, "reset")
            (private,) = Path(folder).iterdir()
            assert private.stat().st_mode & 0o777 == 0o700
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(20) == 0
            assert server.process.stderr is not None
            assert server.process.stderr.read() == ""
        assert [*Path(folder).iterdir()] == []


def test_serves_on_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with (
        serving("gym_env", "--workers", "2", "--uds", path) as server,
        httpx.Client(transport=httpx.HTTPTransport(uds=path)) as client,
    ):
        assert client.get("http://localhost/health").status_code == 200
        server.process.terminate()
        assert server.process.wait(20) == 0
    assert not Path(path).exists()


def test_a_port_that_another_servers_workers_share_is_taken(lake: Serving) -> None:
    for workers in ("1", "2"):
        result = run("serve", "gym_env", "--workers", workers, "--port", str(port_of(lake)))
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert "choose another --port" in result.stderr


def test_workers_that_could_never_have_an_environment_are_refused() -> None:
    result = run("serve", "gym_env", "--workers", "3", "--max-concurrent-envs", "2")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "raise --max-concurrent-envs" in result.stderr
    result = run("serve", "tests.environments:Plain", "--workers", "2")
    assert result.returncode == 2


def test_workers_that_cannot_start_end_the_server() -> None:
    result = run("serve", "tests.cli.unstartable:Unstartable", "--workers", "2", "--port", "0")
    assert result.returncode == 2
    assert "cannot start" in result.stderr


def test_calls_under_way_end_before_the_workers_do() -> None:
    with serving(*COUNTING) as server, ThreadPoolExecutor(6) as threads:
        clients = [Client(port_of(server)) for _ in range(6)]
        calls = [threads.submit(text, each, "rest", seconds=0.8) for each in clients]
        time.sleep(0.4)
        server.process.terminate()
        assert [each.result() for each in calls] == ["rested"] * 6
        assert server.process.wait(20) == 0


def test_an_app_with_mounts_is_passed_on_to_as_a_whole() -> None:
    name, rounds = "count", range(1, ENOUGH)
    body = {"name": name, "arguments": {}, "_meta": meta()}
    headers = {field: str(value) for field, value in fields_of_2026("tools/call", name)}
    headers["accept"] = "application/json, text/event-stream"
    with serving("tests.cli.mounted:app", "--workers", "2") as server:
        for path in ("/mcp", "/inner/mcp"):
            call = functools.partial(httpx.post, f"{server.url}{path}", headers=headers)
            replies = [call(json=request("tools/call", **body)).json() for _ in rounds]
            told = [each["result"]["content"][0]["text"] for each in replies]
            assert told == [str(number) for number in rounds]


def test_snapshots_go_from_worker_to_worker_as_exports() -> None:
    """The workers share a key that nobody had to choose."""
    with (
        serving("tests.snapshots.worlds:Walk", "--workers", "2") as server,
        contextlib.ExitStack() as stack,
    ):
        clients: dict[str, Any] = {}
        for _ in range(ENOUGH):
            client = stack.enter_context(VectorEnvClient(server.url).sync())
            clients.setdefault(worker_of(client.sessions[0]), client)
        here, there = clients.values()
        here.reset(seeds=1)
        handles = here.snapshot()
        future = here.step([{"amount": 1}]).observations
        with pytest.raises(UnknownSnapshotError, match="export it there and import it here"):
            there.restore(handles)
        there.restore(there.import_(here.export(handles)))
        assert there.step([{"amount": 1}]).observations == future
