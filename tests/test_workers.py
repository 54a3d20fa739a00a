"""What the processes of one server tell each other, and share."""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite.workers import Line, Worker, new_id, whereabouts

numbers = st.integers(0, 3)
PLAIN = st.none() | st.booleans() | st.integers(0, 2**32) | st.text() | st.binary()
MESSAGES = st.dictionaries(st.text(), PLAIN | st.lists(st.tuples(st.binary(), st.binary())))


def worker(number: int, generation: int = 0) -> Worker:
    return Worker(number, generation, 4, "/nowhere")


@given(numbers, numbers, st.integers(0, 10**6), st.uuids())
def test_an_id_leads_back_to_the_worker_that_made_it(
    maker: int, reader: int, generation: int, name: Any
) -> None:
    identity = f"{worker(maker, generation).mark}{name}"
    assert worker(reader).holder_of(identity) == maker


@given(numbers, st.text() | st.from_regex(r"[0-9.\-]{0,12}"))
def test_whatever_a_client_sends_leads_to_a_worker_that_there_is(reader: int, sent: str) -> None:
    mine = worker(reader)
    assert 0 <= mine.holder_of(sent) < 4
    if mine.where(sent):
        assert sent.partition(".")[0].isascii()


def test_an_id_that_leads_nowhere_says_why() -> None:
    mine = worker(1, 5)
    assert "worker that held it ended" in mine.where("1.4.x")
    assert "name it in the URL" in mine.where("2.0.x")
    assert mine.where("1.5.x") == mine.where("4.0.x") == mine.where("x") == ""


def test_where_there_is_one_process_ids_say_nothing() -> None:
    assert "." not in new_id()
    assert whereabouts("0.0.x") == ""


@given(st.none() | st.text(), numbers)
def test_all_workers_agree_on_where_a_principals_common_environment_is(
    principal: str | None, reader: int
) -> None:
    assert worker(reader).host_of(principal) == worker(0).host_of(principal)


async def _lines() -> tuple[Line, Line]:
    ends = socket.socketpair()
    return tuple([Line(*await asyncio.open_connection(sock=end)) for end in ends])  # type: ignore[return-value]


@given(st.lists(MESSAGES, max_size=5))
def test_messages_arrive_as_they_were_sent(messages: list[dict[str, Any]]) -> None:
    async def play() -> None:
        here, there = await _lines()
        for each in messages:
            await here.send(each)
        for each in messages:
            assert _same(await there.receive(), each)
        here.close()
        assert await there.receive() is None
        there.close()

    asyncio.run(play())


def _same(found: Any, sent: dict[str, Any]) -> bool:
    """Pairs come as lists."""
    pairs = {k: [[*each] for each in v] if isinstance(v, list) else v for k, v in sent.items()}
    return bool(found == pairs)


def test_a_receiver_that_is_cancelled_halfway_loses_nothing() -> None:
    async def play() -> None:
        ends = socket.socketpair()
        there = Line(*await asyncio.open_connection(sock=ends[1]))
        frame = b"\x00\x00\x00\x04" + b"\x81\xa1a\x01"
        for cut in range(1, len(frame)):
            ends[0].sendall(frame[:cut])
            waiting = asyncio.create_task(there.receive())
            await asyncio.sleep(0.001)
            waiting.cancel()
            await asyncio.wait([waiting])
            ends[0].sendall(frame[cut:])
            assert await there.receive() == {"a": 1}
        ends[0].close()
        there.close()

    asyncio.run(play())


def test_who_has_gone_is_not_sent_to() -> None:
    async def play() -> None:
        here, there = await _lines()
        there.close()
        assert await here.receive() is None
        with pytest.raises(OSError, match=r"gone|lost"):
            await asyncio.wait_for(_send_on(here), 5)
        here.close()

    asyncio.run(play())


async def _send_on(line: Line) -> None:
    while True:
        await line.send({"a": b"x" * 2**16})


TAKER = """
import sys
from openenv_lite.workers import Worker, become, slots_of
become(Worker(int(sys.argv[1]), 0, 2, sys.argv[2]))
slots = slots_of(5, None)
for line in sys.stdin:
    print(slots.take() if line == "take\\n" else slots.give_back(), flush=True)
"""


@contextmanager
def taker(number: int, folder: str) -> Iterator["subprocess.Popen[str]"]:
    arguments = [sys.executable, "-c", TAKER, str(number), folder]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.kill()


def say(process: "subprocess.Popen[str]", *words: str) -> list[Any]:
    assert process.stdin
    assert process.stdout
    process.stdin.write("".join(f"{word}\n" for word in words))
    process.stdin.flush()
    told = [process.stdout.readline().strip() for _ in words]
    return [json.loads(each.lower().replace("none", "null")) for each in told]


def test_slots_are_the_servers_and_those_of_a_worker_that_is_killed_come_back() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        taker(0, folder) as one,
        taker(1, folder) as two,
    ):
        assert say(one, *["take"] * 3) == [True] * 3
        assert say(two, *["take"] * 3) == [True, True, False]
        assert say(one, "give_back") == [None]
        assert say(two, "take", "take") == [True, False]
        one.kill()
        one.wait()
        assert say(two, *["take"] * 3) == [True, True, False]
