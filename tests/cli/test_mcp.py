"""`openenv-lite mcp`, as a process: its pipes and its end."""

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.cli.mcp import FINISH_S
from openenv_lite.cli.pipes import Lines
from tests.cli.process import COMMAND, ROOT, Attending, attending, run

NOISY, STUBBORN = "tests.cli.noisy:Noisy", "tests.cli.noisy:Stubborn"

PATIENCE_S = 3.9
"""Clients end a process by force 4 seconds after they have closed its stdin."""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def ended_in(process: Attending) -> float:
    """Seconds until it has ended, well."""
    began = time.monotonic()
    assert process.process.wait(30) == 0
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("target", "arguments", "tools"),
    [
        ("echo_env", (), {"echo_message", "echo_with_length", "echo_loudly"}),
        ("envs/echo_env", (), {"echo_message", "echo_with_length", "echo_loudly"}),
        (
            "envs/echo_env",
            ("--mode", "simulation"),
            {"echo_message", "echo_with_length", "recall"},
        ),
    ],
)
def test_a_module_or_a_ready_app_is_served_in_production_unless_told_otherwise(
    target: str, arguments: tuple[str, ...], tools: set[str]
) -> None:
    with attending(target, *arguments) as server:
        assert server.begin()["protocolVersion"] == "2025-11-25"
        server.say("tools/list", id=1)
        assert {each["name"] for each in server.hear()["result"]["tools"]} == tools
        assert server.end() == 0
        assert server.rest() == (b"", "")


def test_whatever_is_printed_is_kept_from_the_client() -> None:
    with attending(NOISY) as server:
        server.begin()
        server.call("shout", 1)
        assert server.hear_text() == "said"
        assert server.end() == 0
        out, err = server.rest()
        assert out == b""
        said = ["imported", "built", "by print", "by write", "by child", "closed"]
        assert err.splitlines() == said


def test_whoever_reads_stdin_finds_it_empty() -> None:
    with attending(NOISY) as server:
        server.begin()
        server.call("listen", 1)
        server.say("ping", id=2)
        assert [server.hear()["id"], server.hear_text()] == [2, "heard 0"]


@pytest.mark.parametrize("tool", ["wait", "stay", "hold"])
@pytest.mark.parametrize("how", ["eof", signal.SIGTERM, signal.SIGINT])
def test_ends_soon_while_a_tool_runs(tool: str, how: str | signal.Signals) -> None:
    with attending(NOISY) as server:
        server.begin()
        server.call(tool, 1)
        assert server.hear()["params"]["data"] == "waiting"
        began = time.monotonic()
        server.stdin.close() if isinstance(how, str) else server.process.send_signal(how)
        code = server.process.wait(30)
        assert time.monotonic() - began < PATIENCE_S
        out, err = server.rest()
        assert out == b""
        assert "Traceback" not in err
        if tool == "hold":
            assert "did not close in time: abandoned" in err
        else:
            assert (code, err.splitlines()[-1]) == (0, "closed")


def test_a_signal_ends_even_a_tool_that_holds_the_event_loop() -> None:
    with attending(STUBBORN) as server:
        server.begin()
        server.call("hold", 1)
        while server.process.stderr and server.process.stderr.readline() != b"holding\n":
            pass
        server.process.terminate()
        assert server.process.wait(10) == 1


def test_ends_at_once_when_nothing_runs() -> None:
    with attending(NOISY) as server:
        server.begin()
        server.stdin.close()
        assert ended_in(server) < FINISH_S
    with attending(NOISY) as server:
        server.begin()
        server.process.terminate()
        assert ended_in(server) < FINISH_S


def test_a_client_that_reads_no_more_ends_it() -> None:
    with attending(NOISY) as server:
        server.begin()
        server.stdout.close()
        server.say("ping", id=1)
        assert server.process.wait(10) == 0


def test_a_client_that_does_not_read_cannot_keep_it() -> None:
    with attending(NOISY) as server:
        server.begin()
        for identity in range(40):
            server.call("nothing" * 1000, identity)
            server.say("ping", id="x" * 9000)
        server.process.terminate()
        assert ended_in(server) < PATIENCE_S


def test_a_file_is_answered_to_its_end(tmp_path: Path) -> None:
    calls = [
        {
            "jsonrpc": "2.0",
            "id": identity,
            "method": "tools/call",
            "params": {"name": "count"},
        }
        for identity in (2, 3)
    ]
    questions, answers = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    questions.write_text("\r\n\n".join(json.dumps(each) for each in (INITIALIZE, *calls)))
    with questions.open() as stdin, answers.open("w") as stdout:
        command = [*COMMAND, "mcp", NOISY]
        subprocess.run(command, cwd=ROOT, stdin=stdin, stdout=stdout, timeout=30, check=True)
    found = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [each["id"] for each in found] == [1, 2, 3]
    assert found[-1]["result"]["content"] == [{"type": "text", "text": "counted"}]


def test_a_person_at_a_terminal_may_try_it() -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "mcp", "echo_env"]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=subprocess.PIPE) as process:
        assert process.stdout
        os.write(ours, json.dumps(INITIALIZE).encode() + b"\n")
        assert json.loads(process.stdout.readline())["id"] == 1
        os.write(ours, b"\x04")  # Ctrl-D
        assert process.wait(20) == 0
    os.close(ours)
    os.close(theirs)


def test_arguments_reach_the_environment_and_its_failure_is_one_line() -> None:
    result = run("mcp", NOISY, "--env", "failing=true")
    assert (result.returncode, result.stdout) == (1, "")
    assert "ValueError: no paper" in result.stderr
    last = "openenv-lite: FactoryError: Environment factory 'Noisy' failed to create instance."
    assert result.stderr.splitlines()[-1] == last


@pytest.mark.parametrize(
    ("target", "code", "told"),
    [
        ("nowhere", 2, "name a folder, or a module"),
        ("tests.client.serving:Peer.accept", 2, "create_app did not make"),
        ("gym_env", 1, "Environment does not support MCP"),
    ],
)
def test_what_cannot_be_served_so_is_told_in_one_line(target: str, code: int, told: str) -> None:
    result = run("mcp", target)
    assert (result.returncode, result.stdout) == (code, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


@given(st.lists(st.binary(max_size=12)), st.integers(1, 8))
def test_lines_are_the_same_however_the_bytes_come(chunks: list[bytes], limit: int) -> None:
    lines = Lines(limit)
    found = [line for chunk in chunks for line in lines.feed(chunk)] + [lines.rest()]
    whole = b"".join(chunks).split(b"\n")
    assert found == [line if len(line) <= limit else None for line in whole]


def test_of_a_line_without_end_no_more_is_kept_than_shows_it() -> None:
    lines = Lines(10)
    for _ in range(1000):
        assert lines.feed(b"x" * 1000) == []
    assert len(lines._line) == 11
    assert lines.feed(b"\nshort\n") == [None, b"short"]
