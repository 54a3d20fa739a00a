"""Loads refuse a wrong answer, whoever gives it."""

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.apps.saved import BYTES, world
from benchmarks.benches import BENCHES
from benchmarks.drives import saving
from benchmarks.drives.batches import ENCODINGS, check_reply, opening, read, step, turns
from benchmarks.drives.codec import answering
from benchmarks.drives.exchange import Target, count, messages
from benchmarks.drives.holding import Holding
from benchmarks.drives.poles import GymnasiumPlayer, Play, Player, Script, script
from benchmarks.drives.raw import BINARY, framed, payload_of
from benchmarks.machine import ROOT
from benchmarks.processes import Running, loading, serving
from benchmarks.servers import INLINE, own_servers, served
from openenv_lite import batches
from openenv_lite.session import Session
from openenv_lite.types import ServerMode

HERE = Target("127.0.0.1:1", 1, 0.01)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_limit_answers_every_batch_rightly(encoding: str) -> None:
    answer = answering(encoding, 3)
    for number, batch in enumerate(turns(3)):
        check_reply(number, batch, read(encoding, answer(step(encoding, number, batch))))


def wrong(reply: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**reply, **changes}


def test_a_wrong_reply_to_a_batch_is_refused() -> None:
    batch = turns(2)[0]
    reply = read("json", answering("json", 2)(step("json", 7, batch)))
    check_reply(7, batch, reply)
    swapped = wrong(reply, observations=reply["observations"][::-1])
    for each in (
        wrong(reply, id=8),
        wrong(reply, lanes=[1, 0]),
        wrong(reply, errors={"0": {}}),
        wrong(reply, rewards=[1.0, 2.0]),
        swapped,
    ):
        with pytest.raises(ValueError, match="was answered with"):
            check_reply(7, batch, each)


@pytest.mark.parametrize("form", [batches.JSON, batches.MSGPACK])
def test_the_requests_are_those_that_our_server_reads(form: batches.Format) -> None:
    encoding = form.subprotocol.rpartition(".")[2]
    decode = batches.RequestDecoder(dict[str, Any], form, ServerMode.SIMULATION).decode
    assert decode(opening(encoding, 5)).count == 5
    request = decode(step(encoding, 4, ["a", "b"]))
    assert (request.id, len(request.actions)) == (4, 2)


def test_no_two_lanes_or_batches_say_the_same() -> None:
    texts = [text for batch in turns(1024) for text in batch]
    assert len({*texts}) == len(texts) == 1024 * len(messages(0))


def test_a_raw_frame_is_masked_and_only_a_whole_one_is_read() -> None:
    frame = framed(b"hello", BINARY)
    mask, masked = frame[2:6], frame[6:]
    assert bytes(a ^ b for a, b in zip(masked, mask * 2, strict=False)) == b"hello"
    assert payload_of(b"\x82\x05hello", BINARY) == b"hello"
    assert payload_of(b"\x81\x7e\x00\x80" + b"x" * 128) == b"x" * 128
    for broken in (b"\x81\x05hell", b"\x82\x05hello", b"\x81\x05hello!"):
        with pytest.raises(ValueError, match="Not one whole frame"):
            payload_of(broken)


def test_a_call_counts_for_all_its_lanes() -> None:
    said: list[str] = []
    sample = count(said.append, ["a", "b"], HERE._replace(server=own_process()), lanes=8)
    assert said[:3] == ["a", "b", "a"]
    assert sample.steps % 8 == 0
    assert 0 < sample.steps <= 8 * len(said)
    assert len(sample.latencies) == 8


def own_process() -> int:
    return int(Path("/proc/self/stat").read_text().split()[0])


class Cheating(GymnasiumPlayer):
    """Plays the first pole with the wrong hand once."""

    def prepared(self, actions: list[int]) -> Any:
        prepared = super().prepared(actions)
        prepared[0] = 1 - prepared[0]
        return prepared


@pytest.fixture(scope="module")
def poles() -> Script:
    return script(3)


def play(kind: type[GymnasiumPlayer], poles: Script) -> None:
    gymnasium = importlib.import_module("gymnasium")
    vector = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 3)
    player: Player = kind(vector)
    once = Play(player, poles)
    for _ in range(2 * len(poles.actions)):
        once(None)
    vector.close()


def test_gymnasiums_vector_ends_where_single_environments_do(poles: Script) -> None:
    play(GymnasiumPlayer, poles)


def test_poles_that_were_pushed_wrongly_are_noticed(poles: Script) -> None:
    with pytest.raises(ValueError, match=r"rewards of round|ended elsewhere"):
        play(Cheating, poles)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(own_servers()[INLINE]) as running:
        yield running


@pytest.mark.parametrize(
    "words",
    ["crowd 3", "frames msgpack 3", "frames json 3", "lanes msgpack 3 halves", "lanes json 3 sync"],
)
def test_a_load_counts_steps_that_it_checked(server: Running, words: str) -> None:
    drive, *arguments = words.split()
    with loading(f"benchmarks.drives.{drive}", *arguments) as load:
        sample = load.run(server, 0.05)
    assert sample.steps > 0
    assert 0.04 < sample.seconds < 5


def test_idle_sessions_are_held_and_weighed(server: Running) -> None:
    with loading("benchmarks.drives.holding", "130", found=Holding) as load:
        held = load.run(server, 0.05)
    assert held.opening.steps == 30
    assert 0 < held.alone[2] < 1
    assert 0 < held.beside[2] < 1


@pytest.fixture(scope="module")
def saving_server() -> Iterator[Running]:
    with serving(served("benchmarks.apps.saved:Saved")) as running:
        yield running


@pytest.mark.parametrize("place", [saving.SESSION, saving.HERE, saving.TCP])
def test_what_is_saved_and_forked_is_judged_and_timed(place: str, saving_server: Running) -> None:
    with loading("benchmarks.drives.saving", place, found=saving.Saving) as load:
        taken = load.run(saving_server, 0.05)
    assert all(0 < each < 1 for each in taken)


def test_a_lane_that_went_astray_is_noticed() -> None:
    class Astray(saving.Sessions):
        async def restore(self, session: Session, saved: bytes) -> None:
            """It stays where it is."""

    async def play() -> None:
        sessions = Astray()
        first = await sessions.opened()
        await first.reset()
        await saving.timed(sessions, first, 0.05)

    with pytest.raises(ValueError, match="Turn 1 was followed by turn 3"):
        asyncio.run(play())


def test_the_saved_world_is_as_large_as_is_told() -> None:
    assert BYTES - 28 < len(msgspec.msgpack.encode(world())) <= BYTES


def test_every_bench_has_a_command() -> None:
    told = command("--help")
    assert told.returncode == 0
    assert all(name in told.stdout for name in BENCHES)


def test_an_unknown_bench_is_a_usage_error() -> None:
    refused = command("nonsense")
    assert refused.returncode == 2
    assert "'nonsense' is none of" in refused.stderr


def test_a_bench_measures_checks_and_saves(tmp_path: Path) -> None:
    told = command("one", "--seconds", "0.02", "--rounds", "1", "--into", str(tmp_path))
    assert told.returncode == 0, told.stderr
    saved = json.loads((tmp_path / "one.json").read_text())
    (bench,) = saved["benches"]
    assert all(row["values"][0] > 0 for row in bench["figures"])
    assert {"commit", "processor", "ours"} <= saved["machine"].keys()
    assert "sync client, msgpack / sync client, plain" in told.stdout


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
