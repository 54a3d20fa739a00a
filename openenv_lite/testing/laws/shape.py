"""Shape: replies are JSON, and fit the schemas that the target advertises."""

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import httpx
from hypothesis import strategies as st

from openenv_lite import codec
from openenv_lite.errors import ConfigurationError, InvalidJSONError
from openenv_lite.testing.fitting import whole
from openenv_lite.testing.law import Need, Unmet, Violation, law
from openenv_lite.testing.sessions.seen import Seen, short
from openenv_lite.testing.strategies import valid
from openenv_lite.testing.subject import Subject
from openenv_lite.testing.trial import Player, Trial

__all__ = [
    "done_is_a_bool",
    "environment_tells_its_name",
    "observations_fit_their_schema",
    "replies_are_json",
    "schemas_are_json_schema",
    "server_tells_its_health",
    "some_action_is_legal",
    "states_fit_their_schema",
    "truncated_means_done",
]

_SOME = st.integers(0, 20)

_NAMED_ELSEWHERE = {"reward", "done", "truncated"}
"""Fields with a law of their own."""

_LONGEST_S = 0.25
"""What one example may spend on comparing values with a schema."""


@law(
    "Action, observation and state each have a JSON Schema that needs nothing from elsewhere.",
    needs=(),
    cause="A schema was written by hand, or altered by a hook of the type.",
    remedy="Let the types make their schemas, and put what they refer to under `$defs`.",
)
def schemas_are_json_schema(trial: Trial) -> None:
    """Read the three of them."""
    trial.dial().fetch("GET", "/schema")
    for name in ("action", "observation", "state"):
        refusal = trial.subject.fitting.refusal(name)
        if refusal is not None:
            raise Violation(refusal)


@law(
    "The action's schema allows an action.",
    needs=(),
    after=("schemas_are_json_schema",),
    cause="Two bounds of a field contradict each other, or a choice is empty.",
    remedy="Mend the bounds of the action's fields.",
)
def some_action_is_legal(trial: Trial) -> None:
    """Look for one."""
    trial.dial().fetch("GET", "/schema")
    try:
        actions = valid(trial.subject.schemas["action"])
    except ConfigurationError as error:
        raise Violation(error.message) from None
    if actions.is_empty:
        raise Violation("no value satisfies all bounds of the action's schema")


@law(
    "Every reply is JSON, its numbers finite.",
    cause="A division by zero or an empty mean gave NaN, or an observation holds an object that "
    "is no plain value.",
    remedy="Return numbers, texts, lists and dicts; leave out, or replace, what has no value.",
)
def replies_are_json(trial: Trial) -> None:
    """Play an episode and look at what was returned, before it is encoded."""
    player = trial.open()
    try:
        seen = player.reset(trial.seed())
        _expect_finite(player)
        for _ in range(trial.draw(_SOME)):
            if seen.done:
                break
            seen = player.step(trial.action(player, seen))
            _expect_finite(player)
        player.state()
    except InvalidJSONError as error:
        raise Violation(error.message) from None


def _expect_finite(player: Player) -> None:
    """The reward is another law's."""
    fields = codec.to_builtins(player.raw)
    beside = {**fields, "reward": None} if isinstance(fields, dict) else fields
    for path, number in _numbers(beside, ""):
        if not math.isfinite(number):
            raise Violation(f"{path.lstrip('.')} is {number!r}, for which JSON has no word")


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _numbers(each, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _numbers(each, f"{path}[{place}]")


@law(
    "Every observation fits the advertised schema, that of a reset included.",
    check_id="runtime.observation_schema",
    after=("schemas_are_json_schema", "replies_are_json"),
    cause="A field holds another type than its class declares, or has a value out of its bounds.",
    remedy="Return what the observation's class says, or change the class.",
)
def observations_fit_their_schema(trial: Trial) -> None:
    """Play an episode and compare each observation, but for what has a law of its own."""
    player = trial.open()
    episode = trial.explore(player, trial.seed())
    until = perf_counter() + _LONGEST_S
    for number, seen in enumerate(episode.seen):
        schema = _schema_of(trial.subject, seen, is_first=number == 0)
        if schema is not None and perf_counter() < until:
            what = f"after step {number}" if number else "after the reset"
            _expect_fit(trial.subject, schema, seen, what)


def _schema_of(subject: Subject, seen: Seen, is_first: bool) -> str | None:
    """Which schema is the observation's; of tools, only a call's result has one."""
    schemas = subject.schemas
    if (
        is_first
        and schemas.get("reset_observation", schemas["observation"]) != (schemas["observation"])
    ):
        return "reset_observation"
    if subject.acts_by_tools and not _is_of_a_call(seen):
        return None
    return "observation"


def _is_of_a_call(seen: Seen) -> bool:
    return isinstance(seen.observation, dict) and "tool_name" in seen.observation


def _expect_fit(subject: Subject, name: str, seen: Seen, what: str) -> None:
    if not isinstance(seen.observation, dict):
        raise Violation(f"{what}, the observation is {short(seen.observation)}: not an object")
    value = whole(seen, subject.schemas[name])
    faults = subject.fitting.faults(name, value)
    others = [fault for fault in faults if {*fault["loc"][:1]}.isdisjoint(_NAMED_ELSEWHERE)]
    if others:
        raise Violation(f"{what}, {_told(others[0])}")


def _told(fault: dict[str, Any]) -> str:
    place = ".".join(str(step) for step in fault["loc"])
    return f"{place or 'the whole'}: {fault['msg'][:300]}"


@law(
    "The state fits the advertised schema.",
    check_id="runtime.state_contract",
    after=("schemas_are_json_schema",),
    cause="The state's class declares other fields or types than the environment returns.",
    remedy="Return what the state's class says, or change the class.",
)
def states_fit_their_schema(trial: Trial) -> None:
    """Play an episode and compare the state; one that is empty says that there is none."""
    player = trial.open()
    trial.explore(player, trial.seed(), most=5)
    state = player.state()
    if not state:
        raise Unmet("a state, and that of the environment is empty")
    faults = trial.subject.fitting.faults("state", state)
    if faults:
        raise Violation(f"in the state, {_told(faults[0])}")


@law(
    "`done` and `truncated` are true or false, nothing else.",
    check_id="runtime.observation_schema",
    cause="A count, a text or a NumPy bool is passed on as it is, or a reply leaves `done` out.",
    remedy="Turn it into a bool: `done=bool(lives == 0)`.",
)
def done_is_a_bool(trial: Trial) -> None:
    """Play an episode and look at the flags of each reply."""
    episode = trial.explore(trial.open(), trial.seed())
    for seen in episode.seen:
        for name, flag in (("done", seen.done), ("truncated", seen.truncated)):
            if type(flag) is not bool:
                raise Violation(f"{name} is {short(flag)}")


@law(
    "An episode that was cut off is done.",
    after=("done_is_a_bool",),
    cause="A time limit sets `truncated` and leaves `done` as it was, as in Gymnasium.",
    remedy="Set both: `done` says that the episode is over, `truncated` that it was cut off.",
)
def truncated_means_done(trial: Trial) -> None:
    """Play an episode and compare the flags of each reply."""
    episode = trial.explore(trial.open(), trial.seed())
    for number, seen in enumerate(episode.seen):
        if seen.truncated and not seen.done:
            raise Violation(f"after step {number}, truncated is True and done is False")


@law(
    "The environment tells its name and describes itself.",
    needs=(),
    cause="`get_metadata` returns something else than an `EnvironmentMetadata`, or raises.",
    remedy="Return `EnvironmentMetadata(name=..., description=...)`, or leave `get_metadata` out.",
)
def environment_tells_its_name(trial: Trial) -> None:
    """Ask for the metadata."""
    response = trial.dial().fetch("GET", "/metadata")
    told = _json_in(response)
    if not isinstance(told, dict):
        raise Violation(f"GET /metadata: {response.status_code} {short(response.text)}")
    for name in ("name", "description"):
        if not isinstance(told.get(name), str):
            raise Violation(f"the {name} in /metadata is {short(told.get(name))}")


def _json_in(response: httpx.Response) -> Any:
    """What is said; None where it is no success, or no JSON."""
    try:
        return response.json() if response.status_code == 200 else None
    except ValueError:
        return None


@law(
    "`/health` answers at once that the server is healthy.",
    needs=(Need.WIRE,),
    cause="The route is missing, or says it in other words than orchestrators look for.",
    remedy='Answer GET /health with 200 and {"status": "healthy"}.',
)
def server_tells_its_health(trial: Trial) -> None:
    """Ask."""
    response = trial.dial().fetch("GET", "/health")
    told = _json_in(response)
    if not isinstance(told, dict) or told.get("status") != "healthy":
        raise Violation(f"GET /health: {response.status_code} {short(response.text)}")
