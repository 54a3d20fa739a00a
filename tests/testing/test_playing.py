import asyncio
import gc
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message

from openenv_lite import create_app
from openenv_lite.client.target import Target
from openenv_lite.errors import ConfigurationError, ConnectionLostError, FactoryError
from openenv_lite.testing import dial, play
from openenv_lite.testing.sessions import requesting
from openenv_lite.testing.sessions.game import ClassGame
from openenv_lite.testing.sessions.requesting import Asked, Requester
from openenv_lite.testing.sessions.seen import difference
from openenv_lite.testing.subject import ClassSubject, ServerSubject, subject_of
from tests.testing.gallery.lifecycle import ClosesWhatIsNotThere
from tests.testing.gallery.servers import Climb, SpoiltServer


def test_a_server_is_spoken_to_past_every_client() -> None:
    wire = dial(create_app(Climb))
    try:
        assert json.loads(wire.say("[]"))["type"] == "error"
        assert json.loads(wire.say('{"type": "state"}'))["type"] == "state"
        assert wire.fetch("PUT", "/health").status_code == 405
        wire.tell('{"type": "close"}')
        with pytest.raises(ConnectionLostError):
            wire.say('{"type": "state"}')
    finally:
        wire.close()


def test_a_class_is_served_to_be_spoken_to() -> None:
    wire = dial(Climb)
    try:
        assert wire.fetch("GET", "/health").json() == {"status": "healthy"}
    finally:
        wire.close()


def test_what_is_said_is_written_down() -> None:
    subject = subject_of(create_app(Climb))
    lines: list[str] = []
    wire = subject.served().dial(lines.append)
    wire.tell('{"type": "close"}')
    with pytest.raises(ConnectionLostError):
        wire.say("hello")
    wire.fetch("GET", "/health")
    wire.close()
    subject.close()
    assert lines == [
        """wire.tell('{"type": "close"}')""",
        "with suppress(OpenEnvError): wire.say('hello')  # ConnectionLostError",
        "wire.fetch('GET', '/health')  # 200",
    ]


class FailingServer(SpoiltServer):
    """Raises in place of an answer, but for the documents."""

    def answer(self, method: str, path: str, status: int, body: bytes) -> tuple[int, bytes]:
        if path == "/health":
            raise ValueError("ill")
        return status, body


def test_an_app_that_raises_does_not_end_the_check() -> None:
    subject = subject_of(FailingServer())
    assert isinstance(subject, ServerSubject)
    response: httpx.Response = subject.fetch("GET", "/health")
    assert response.status_code == 500
    subject.close()


class TypelessServer(SpoiltServer):
    """Sends flags and rewards of the wrong types."""

    def reply(self, frame: str, reply: Message) -> Message:
        reply["data"] = {"observation": {}, "reward": "good", "done": 1, "truncated": None}
        return reply


def test_flags_and_rewards_are_shown_as_they_are_sent() -> None:
    subject = subject_of(TypelessServer())
    game = subject.open()
    seen = game.reset()
    assert (seen.reward, seen.done, seen.truncated) == ("good", 1, None)
    game.close()
    subject.close()


def test_what_a_close_raises_is_remembered() -> None:
    subject = subject_of(ClosesWhatIsNotThere)
    assert isinstance(subject, ClassSubject)
    game: ClassGame = subject.open()
    game.close()
    assert isinstance(game.session.failed_close, AttributeError)
    subject.close()


class Unbuildable(Climb):
    """Its constructor raises."""

    def __init__(self) -> None:
        raise ValueError("no")


def test_what_cannot_be_played_leaves_nothing_open() -> None:
    with pytest.raises(FactoryError):
        play(Unbuildable)
    gc.collect()  # an event loop that is open would warn now


async def _listed(request: Request) -> JSONResponse:
    return JSONResponse([])


def test_a_server_of_another_kind_is_told_and_nothing_is_left_open() -> None:
    app = Starlette(routes=[Route("/schema", _listed)])
    with pytest.raises(ConfigurationError, match="no JSON object"):
        subject_of(app)
    gc.collect()


async def _works_on(request: Request) -> JSONResponse:
    return JSONResponse({}, background=BackgroundTask(asyncio.sleep, 60))


def test_work_that_goes_on_behind_an_answer_does_not_end_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requesting, "PATIENCE_S", 0.05)
    requester = Requester(Target.of("http://here", Starlette(routes=[Route("/", _works_on)]), {}))
    assert asyncio.run(requester.request(Asked("GET", "/", b"", {}))).status == 200


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({"a": None}, {}, "a: None, then (nothing)"),
        ({}, {"b": 1, "a": 2}, "b: (nothing), then 1"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "a[1]: 2, then 3"),
        ({"a": 1}, {"a": 1.0}, "a: 1, then 1.0"),
        ({"a": float("nan")}, {"a": float("nan")}, None),
    ],
)
def test_a_difference_is_named_where_it_is(one: Any, other: Any, told: str | None) -> None:
    assert difference(one, other) == told


class Wrapped:
    """An app around another, with nothing but the call."""

    def __init__(self) -> None:
        self._inner = create_app(Climb)

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return self._inner(scope, receive, send)


def test_an_app_is_whatever_serve_takes_for_one() -> None:
    subject = subject_of(Wrapped())
    assert isinstance(subject, ServerSubject)
    subject.close()
