"""The single promises of a stream."""

import asyncio
import gc
import warnings

from openenv_lite.conversation.stream import MOST_KEPT, PULSE, Answer, Stream
from tests.leaks import on_loop


async def heard(stream: Stream, after: int | None = None) -> list[bytes]:
    return [event.body async for event in stream.read(after)]


@on_loop
async def test_the_answer_alone_is_no_stream() -> None:
    stream = Stream()
    waiting = asyncio.ensure_future(stream.only_answer())
    await asyncio.sleep(0)
    stream.finish(Answer(b"end"))
    assert await waiting == Answer(b"end")


@on_loop
async def test_what_comes_before_the_answer_makes_it_a_stream_at_once() -> None:
    stream = Stream()
    waiting = asyncio.ensure_future(stream.only_answer())
    await asyncio.sleep(0)
    stream.put(b"word")
    assert await asyncio.wait_for(waiting, 1) is None
    stream.finish(Answer(b"end"))
    assert await heard(stream) == [b"word", b"end"]


@on_loop
async def test_word_and_answer_at_once_are_a_stream_too() -> None:
    stream = Stream()
    stream.put(b"word")
    stream.finish(Answer(b"end"))
    assert await stream.only_answer() is None
    assert await heard(stream) == [b"word", b"end"]


@on_loop
async def test_the_last_messages_are_kept_for_who_is_away() -> None:
    stream = Stream("1")
    for number in range(MOST_KEPT + 10):
        stream.put(b"%d" % number)
    stream.finish(Answer(b"end"))
    assert await heard(stream, 0) == [*(b"%d" % n for n in range(11, MOST_KEPT + 10)), b"end"]
    assert MOST_KEPT == 256


@on_loop
async def test_silence_is_broken_by_a_pulse() -> None:
    stream = Stream("1")
    reading = stream.read(pulse_s=0.001)
    assert await anext(reading) is PULSE
    stream.put(b"word")
    assert (await anext(reading)).body == b"word"
    await reading.aclose()  # type: ignore[attr-defined]
    assert not stream.is_read


@on_loop
async def test_before_the_answer_is_all_but_the_answer() -> None:
    stream = Stream()
    for word in (b"a", b"end"):
        stream.put(word)
    stream.finish(Answer(bytes(bytearray(b"end"))))
    assert [event.body async for event in stream.before_answer()] == [b"a", b"end"]


@on_loop
async def test_a_stream_runs_what_makes_its_answer_and_says_when_that_is_over() -> None:
    ended: list[Stream] = []

    async def answering() -> Answer:
        await asyncio.sleep(0)
        return Answer(b"end")

    stream = Stream().run(answering(), ended.append)
    assert await heard(stream) == [b"end"]
    await stream.ended()
    await asyncio.sleep(0)
    assert ended == [stream]


@on_loop
async def test_a_stream_that_is_cancelled_before_it_began_leaves_nothing() -> None:
    ended: list[Stream] = []

    async def answering() -> Answer:
        return Answer(b"end")

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        stream = Stream().run(answering(), ended.append)
        stream.cancel()
        await stream.ended()
        await asyncio.sleep(0)
        gc.collect()
    assert [str(each.message) for each in told] == []
    assert (await heard(stream), ended) == ([], [stream])
    assert stream.answer == Answer(None, 202)


@on_loop
async def test_who_waits_may_be_cancelled_without_harm_to_the_stream() -> None:
    stream = Stream("1")
    for reading in (stream.only_answer(), heard(stream)):
        waiting = asyncio.ensure_future(reading)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    stream.put(b"word")
    stream.finish(Answer(b"end"))
    assert await heard(stream) == [b"word", b"end"]


@on_loop
async def test_a_stream_that_has_ended_says_nothing_more() -> None:
    stream = Stream("1")
    stream.put(b"word")
    stream.cancel()
    stream.put(b"late")
    stream.finish(Answer(b"later"))
    assert await heard(stream) == [b"word"]


@on_loop
async def test_a_slow_reader_that_was_replaced_takes_nothing_from_its_successor() -> None:
    stream = Stream("1")
    for number in range(4):
        stream.put(b"%d" % number)
    slow, quick = stream.read(), stream.read(0)
    assert (await anext(slow)).body == b"0"  # and is held up in sending it
    got = [(await anext(quick)).body for _ in range(4)]
    following = asyncio.ensure_future(anext(quick))
    assert [event.body async for event in slow] == []
    stream.put(b"news")
    assert [*got, (await following).body] == [b"0", b"1", b"2", b"3", b"news"]
    await quick.aclose()  # type: ignore[attr-defined]


@on_loop
async def test_what_a_lost_reader_was_not_sent_waits_for_the_next() -> None:
    stream = Stream("1")
    for word in (b"a", b"b", b"c"):
        stream.put(word)
    slow = stream.read()
    assert (await anext(slow)).body == b"a"
    stream.lose_reader()
    assert [event.body async for event in slow] == []
    stream.finish(Answer(b"end"))
    assert await heard(stream) == [b"b", b"c", b"end"]


@on_loop
async def test_who_claims_to_have_seen_the_future_hears_it_all_the_same() -> None:
    stream = Stream("0")
    coming = asyncio.ensure_future(anext(stream.read(10**17)))
    await asyncio.sleep(0)
    stream.put(b"word")
    assert (await asyncio.wait_for(coming, 5)).body == b"word"
    stream.finish(Answer(b"end"))
    assert await heard(stream) == [b"end"]
