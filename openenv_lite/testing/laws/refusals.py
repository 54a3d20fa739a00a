"""Refusals: what is legal succeeds, and what is not is refused, and does no harm."""

import contextlib
from typing import Any

from hypothesis import strategies as st

from openenv_lite import codec
from openenv_lite.client.remote_errors import error_of
from openenv_lite.errors import (
    ConnectionLostError,
    ExecutionError,
    OpenEnvError,
    ReplyTimeoutError,
    TransportError,
)
from openenv_lite.testing.law import Need, Unmet, Violation, law
from openenv_lite.testing.sessions.seen import Seen, short
from openenv_lite.testing.sessions.wire import Wire
from openenv_lite.testing.subject import ServerSubject
from openenv_lite.testing.trial import Episode, Player, Trial

__all__ = [
    "any_json_is_answered",
    "faulty_actions_are_refused",
    "http_bodies_are_checked",
    "legal_calls_succeed",
    "refused_actions_do_no_harm",
    "unknown_messages_are_refused",
    "wrong_methods_are_refused",
]

_CRASHES = (ExecutionError, TransportError)
"""How a call ends that was not refused, but went wrong."""

_READ_STATE = '{"type": "state"}'

_UNKNOWN = st.sampled_from(
    ["", "{", "hello", '{"type": "dance"}', '{"type": "Reset"}', "{}", '{"data": {}}']
)
_NO_OBJECTS = st.sampled_from(["[]", "null", "1", '"reset"', "true", '[{"type": "reset"}]'])

_NEVER_THERE = ("PUT", "PATCH")
"""Methods that a check may try on a server of somebody else's: they delete nothing."""


@law(
    "Every legal action can be carried out.",
    after=("replies_are_json", "reset_succeeds_at_any_time"),
    cause="`step` raises for an action that its type allows, or forgets to return an observation.",
    remedy="Narrow the type by constraints, answer the action with an observation that says why it "
    "has no effect, or tell the check which actions are legal by `actions=`.",
)
def legal_calls_succeed(trial: Trial) -> None:
    """Play an episode."""
    player = trial.open()
    seed = trial.seed()
    episode = Episode(seed, player.reset(seed))
    for _ in range(trial.draw(st.integers(0, 20))):
        if episode.seen[-1].done:
            break
        try:
            trial.go_on(player, episode)
        except ReplyTimeoutError:
            raise
        except OpenEnvError as error:
            raise Violation(f"a legal action fails: {error.message}") from None


@law(
    "An action that does not fit its schema is refused with a typed error.",
    after=("legal_calls_succeed",),
    cause="The schema promises a bound that decoding does not check, or the server lets a failed "
    "validation end the connection or look like a failure of the environment.",
    remedy="Declare bounds by the type, which checks them; answer with VALIDATION_ERROR.",
)
def faulty_actions_are_refused(trial: Trial) -> None:
    """Take some faulty actions in a running episode; a schema has many ways to be broken."""
    player = trial.open()
    _run_on(trial, player)
    for _ in range(trial.draw(st.integers(1, 10))):
        action, fault = trial.faulty_action()
        _expect_refusal(player, action, fault)


def _expect_refusal(player: Player, action: Any, fault: str) -> None:
    try:
        player.step(action)
    except _CRASHES as error:
        raise Violation(f"an action ({fault}) is not refused but fails: {error.message}") from None
    except OpenEnvError:
        return
    raise Violation(f"an action ({fault}) is carried out")


def _run_on(trial: Trial, player: Player) -> Seen:
    """An episode that is under way, and what was seen of it last."""
    last = trial.explore(player, trial.seed(), most=2).seen[-1]
    last = player.reset() if last.done else last
    if last.done:
        raise Unmet("an episode that is not over when it begins")
    return last


@law(
    "An action that is refused leaves the session as it was.",
    after=("faulty_actions_are_refused", "state_is_defined_at_any_time"),
    cause="The step is counted, or the episode given up, before the action is checked.",
    remedy="Check the action first; touch nothing until it is known to be whole.",
)
def refused_actions_do_no_harm(trial: Trial) -> None:
    """Compare the state before and after, and go on."""
    player = trial.open()
    last = _run_on(trial, player)
    before = player.state()
    action, fault = trial.faulty_action()
    with contextlib.suppress(OpenEnvError):
        player.step(action)
    after = player.state()
    for name in ("step_count", "episode_id"):
        trial.expect_same(
            before.get(name), after.get(name), f"{name}, refusing an action ({fault})"
        )
    _expect_going_on(trial, player, last)


def _expect_going_on(trial: Trial, player: Player, last: Seen) -> None:
    action = trial.action(player, last)
    try:
        player.step(action)
    except OpenEnvError as error:
        raise Violation(f"after a refusal a legal action fails: {error.message}") from None


@law(
    "A message that is no JSON, or of an unknown type, is answered with an error; the session "
    "goes on.",
    needs=(Need.WIRE,),
    cause="The server does not catch what decoding raises, and the connection ends with it.",
    remedy="Answer with an `error` message, INVALID_JSON or UNKNOWN_TYPE, and read on.",
)
def unknown_messages_are_refused(trial: Trial) -> None:
    """Say one, then ask for the state."""
    _expect_refused_frame(_connected(trial), trial.draw(_UNKNOWN))


@law(
    "JSON that is no object is answered with an error; the session goes on.",
    needs=(Need.WIRE,),
    after=("unknown_messages_are_refused",),
    cause="The server looks for `type` in whatever JSON it has read.",
    remedy="Answer with an `error` message, UNKNOWN_TYPE, and read on.",
)
def any_json_is_answered(trial: Trial) -> None:
    """Say some, then ask for the state."""
    _expect_refused_frame(_connected(trial), trial.draw(_NO_OBJECTS))


def _connected(trial: Trial) -> Wire:
    """A connection with a session.

    Raises:
        CapacityError, FactoryError, SessionError: The server has none for it.
    """
    wire = trial.dial()
    heard = _read(wire.say(_READ_STATE))
    if heard.get("type") == "error":
        error = error_of(heard["data"])
        if error.close_code is not None:
            raise error
    return wire


def _expect_refused_frame(wire: Wire, frame: str) -> None:
    try:
        heard = _read(wire.say(frame))
        if heard.get("type") != "error":
            raise Violation(f"{frame!r} is answered with {short(heard)}")
        wire.say(_READ_STATE)
    except ReplyTimeoutError as error:
        raise Violation(f"{frame!r} is not answered: {error.message}") from None
    except ConnectionLostError as error:
        raise Violation(f"{frame!r} ends the session: {error.message}") from None


def _read(reply: str) -> dict[str, Any]:
    heard = codec.parse(reply)
    return heard if isinstance(heard, dict) else {}


@law(
    "A route asked by a method that it does not have answers 405 and names those it has.",
    needs=(Need.WIRE,),
    cause="The route answers every method alike, or a catch-all route stands behind it.",
    remedy="Register each route with its methods; frameworks then answer 405 with `Allow`.",
)
def wrong_methods_are_refused(trial: Trial) -> None:
    """Try a documented path with an undocumented method."""
    subject = trial.subject
    assert isinstance(subject, ServerSubject)
    wrong = [
        (method, path)
        for path, documented in sorted(subject.paths.items())
        for method in _NEVER_THERE
        if "{" not in path and method.lower() not in documented
    ]
    if not wrong:
        raise Unmet("routes that lack a method")
    method, path = trial.draw(st.sampled_from(wrong))
    response = trial.dial().fetch(method, path)
    if response.status_code != 405:
        raise Violation(f"{method} {path} is answered with {response.status_code}")
    if not response.headers.get("allow"):
        raise Violation(f"{method} {path} is refused without an `Allow` header")


@law(
    "A request whose body does not fit is refused with a status from 400 to 499.",
    needs=(Need.EPISODES, Need.WIRE),
    after=("faulty_actions_are_refused",),
    cause="The body is read without a check, so that the failure looks like the server's own.",
    remedy="Check the body before anything is done with it, and answer 422.",
)
def http_bodies_are_checked(trial: Trial) -> None:
    """Post a step that is none."""
    body = trial.draw(st.sampled_from(["", "{", "[]", '"step"', "{}", '{"action": 5}', None]))
    if body is None:
        body = codec.encode({"action": trial.faulty_action()[0]}).decode()
    headers = {"content-type": "application/json"}
    response = trial.dial().fetch("POST", "/step", content=body, headers=headers)
    if not 400 <= response.status_code < 500:
        raise Violation(f"POST /step with {short(body)} is answered with {response.status_code}")
