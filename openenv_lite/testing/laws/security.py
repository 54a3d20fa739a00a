"""Security: in production nobody reaches a control, and a model never learns what is the trainer's.

An attack counts only if it shows: by an observation in its envelope, a state, or a result of a
method that no agent has. A page that answers 200 to everything proves nothing.
"""

import itertools
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

from hypothesis import strategies as st

from openenv_lite.errors import ConnectionFailedError
from openenv_lite.testing.law import Need, Unmet, Violation, law
from openenv_lite.testing.sessions.seen import short
from openenv_lite.testing.strangers import attacks
from openenv_lite.testing.strangers.attacks import Attempt, Frames
from openenv_lite.testing.strangers.calling import Speaker, calls_of, succeeded
from openenv_lite.testing.strangers.crowding import Crowd, Ending
from openenv_lite.testing.strangers.door import Door
from openenv_lite.testing.strangers.evidence import (
    Proof,
    has_result,
    leak_in,
    proof_of_control,
    shows_lanes,
    shows_session,
)
from openenv_lite.testing.strangers.ways import RPC_WAYS, said_on
from openenv_lite.testing.subject import ServerSubject
from openenv_lite.testing.trial import Player, Trial
from openenv_lite.tools import is_reserved
from openenv_lite.types import ServerMode

__all__ = [
    "capacity_is_refused_by_name",
    "health_survives_attacks",
    "hidden_parameters_stay_hidden",
    "models_learn_no_rewards",
    "no_control_in_the_documents",
    "no_control_is_a_method",
    "no_control_is_a_tool",
    "no_control_over_http",
    "no_control_over_lanes",
    "no_control_over_websockets",
    "slots_come_back",
]

_NOWHERE = "/no-such-thing"


@law(
    "In production no HTTP request reaches a control: not by another spelling of the path, a "
    "prefix, a method, or a header.",
    cause="A route of the trainer's was left in, or an app that serves simulation is mounted.",
    remedy="Serve agents from an app of their own: `create_app(Env, mode='production')` has no "
    "control routes at all. Give the trainer another address, or the control token.",
    needs=(Need.PRODUCTION,),
)
def no_control_over_http(trial: Trial) -> None:
    """Try requests of one kind."""
    door = trial.knock()
    ways = attacks.http_ways(_prefixes(door), trial.some_action())
    tried: Sequence[Attempt] = trial.draw(st.sampled_from(ways))
    proof = _proof(trial, door)
    for attempt, reply in zip(tried, door.request_all(tried), strict=True):
        if 200 <= reply.status < 300 and proof(reply.body):
            trial.lines.append(f"door.request({attempt})  # {reply.status} {short(reply.body)}")
            raise Violation(f"{attempt.method} {attempt.path} answers {short(reply.body)}")


@law(
    "In production no message on a WebSocket is a control, whatever its type and wherever it is.",
    cause="`/ws` knows the same messages in every mode, or an app that serves simulation is "
    "mounted somewhere.",
    remedy="Decide by the mode and the control token which messages exist, as `openenv_lite` does.",
    needs=(Need.PRODUCTION,),
    after=("no_control_over_http",),
)
def no_control_over_websockets(trial: Trial) -> None:
    """Say things of one kind."""
    door = trial.knock()
    ways = attacks.socket_ways(_prefixes(door), trial.some_action())
    tried: Sequence[Frames] = trial.draw(st.sampled_from(ways))
    proof = _proof(trial, door)
    for frames in tried:
        for number, said in enumerate(said_on(door, frames)):
            if shows_session(said, proof):
                shown = frames._replace(messages=frames.messages[: number + 1])
                trial.lines.append(f"door.converse({shown})[-1]  # {short(said)}")
                raise Violation(f"{short(frames.messages[number])} is answered with {short(said)}")


@law(
    "In production our subprotocol has no messages for trainers either: no reset, step, state, "
    "snapshot, restore or fork of a lane.",
    cause="The lanes are served as in simulation, where only `/ws` without them was looked after.",
    remedy="Serve `/ws` by `create_app(..., mode='production')`, which decodes no such messages.",
    needs=(Need.PRODUCTION, Need.LANES),
    after=("no_control_over_websockets",),
)
def no_control_over_lanes(trial: Trial) -> None:
    """Open a lane and say what a trainer would."""
    door = trial.knock()
    message = trial.draw(st.sampled_from(attacks.lane_messages(trial.some_action())))
    opening, asking = {"type": "open", "id": 1}, {**message, "id": 2}
    said = _lane_replies(door, opening, asking)
    if shows_lanes(said, asking["id"]):
        call = f"door.converse('/ws', {opening!r}, {asking!r}, subprotocol={_LANES!r})[-1]"
        trial.lines.append(f"{call}  # {short(said)}")
        raise Violation(f"{short(asking)} is answered with {short(said)}")


_LANES = "openenv-lite.json"


def _lane_replies(door: Door, *messages: Any) -> Any:
    """What is said to the last message.

    Raises:
        Unmet: Nobody there speaks our subprotocol.
    """
    try:
        socket = door.socket("/ws", _LANES)
    except ConnectionFailedError:
        raise Unmet(Need.LANES.value) from None
    try:
        if socket.subprotocol != _LANES:
            raise Unmet(Need.LANES.value)
        return [socket.ask(each) for each in messages][-1]
    finally:
        socket.close()


@law(
    "In production no JSON-RPC method is a control, on any way to `/mcp`.",
    cause="The methods are looked up by name on an object that also has the controls.",
    remedy="Keep a table of the methods that agents may call, and answer -32601 to all others.",
    needs=(Need.PRODUCTION,),
    after=("no_control_over_websockets",),
)
def no_control_is_a_method(trial: Trial) -> None:
    """Call methods of one spelling by one way."""
    door, action = trial.knock(), trial.some_action()
    asked_by, patterns = trial.draw(st.sampled_from(RPC_WAYS))
    requests = [attacks.rpc_request("", "no/such/method", action)] + [
        attacks.rpc_request(name, attacks.spelled(pattern, name), action)
        for name, pattern in itertools.product(attacks.EVENTS, patterns)
    ]
    (_, usual), *answers = asked_by(door, requests)
    proof = proof_of_control(trial.subject.schemas, usual)
    for request, (line, answer) in zip(requests[1:], answers, strict=False):
        if proof(answer) or (has_result(answer) and not has_result(usual)):
            trial.lines.append(f"door.{line}  # {short(answer)}")
            raise Violation(f"{request['method']} is answered with {short(answer)}")


def _proof(trial: Trial, door: Door) -> Proof:
    return proof_of_control(trial.subject.schemas, door.request("POST", _NOWHERE, {}).body)


def _prefixes(door: Door) -> list[str]:
    """Where something of the server's is: apps mounted in it, and what its document tells."""
    documented = [
        path.rpartition("/")[0]
        for path in door.server.paths
        if path.rpartition("/")[2].lower() in attacks.CONTROLS
    ]
    found = dict.fromkeys([*attacks.mounts_of(door.server.app), *documented])
    return [each.rstrip("/") for each in found if each.rstrip("/")]


@law(
    "The OpenAPI document of a server in production names no control.",
    check_id="mode_endpoint_consistency",
    cause="The document is written by hand, or made of another list of routes than is served.",
    remedy="Make it of the routes that are there; `create_app` does.",
    needs=(Need.PRODUCTION,),
    after=("no_control_over_http",),
)
def no_control_in_the_documents(trial: Trial) -> None:
    """Look for the trainer's paths."""
    door = trial.knock()
    trial.lines.append("door.request('GET', '/openapi.json').body['paths'].keys()")
    named = [path for path in door.server.paths if path.strip("/").lower() in attacks.CONTROLS]
    if named:
        raise Violation(f"/openapi.json names {', '.join(named)}")


@law(
    "No tool that a model can list or call bears the name of a control, in whatever spelling, "
    "however late it was added.",
    cause="The tool was put past the registry, which refuses such names, or `list_tools` or "
    "`call_tool` is overridden.",
    remedy="Add tools by `self.tool` only, and give the tool another name.",
    needs=(Need.PRODUCTION, Need.TOOLS),
    after=("unknown_tools_are_refused",),
)
def no_control_is_a_tool(trial: Trial) -> None:
    """Call some tools, look at the list after each, and call controls by name."""
    agent = trial.open_agent()
    tools = _without_controls(agent)
    for _ in range(trial.draw(st.integers(0, 3))):
        trial.drawn += 1
        agent.call_tool(*trial.draw(calls_of(tools)))
        tools = _without_controls(agent)
    name = trial.draw(st.sampled_from(attacks.TOOL_NAMES))
    if succeeded(agent.call_tool(name, {})):
        raise Violation(f"a model can call {name!r}")


def _without_controls(agent: Player) -> list[dict[str, Any]]:
    """The tools there are.

    Raises:
        Violation: One bears a control's name.
    """
    tools = agent.tools()
    for tool in tools:
        if is_reserved(tool["name"]):
            raise Violation(f"a model is shown the tool {tool['name']!r}")
    return tools


@law(
    "What a model sees of its tool call holds no reward, and neither the seed nor the session's "
    "id.",
    cause="The environment's own `step` puts them into the result, or the tool returns them.",
    remedy="Leave them to the observation's `reward` and `done`, and to `state`, which only the "
    "trainer sees.",
    check_id="runtime.oracle_containment",
    needs=(Need.EPISODES, Need.TOOLS),
    after=("tools_do_the_same_for_everybody",),
)
def models_learn_no_rewards(trial: Trial) -> None:
    """Play some calls as a trainer, and the same as a model, whose answers are looked into."""
    door = trial.knock(ServerMode.SIMULATION)
    seed = trial.draw(st.integers(_LEAST_SEED, 2**31 - 1))
    calls, rewards = _played(trial, Speaker(door, "trainer", trial.lines), seed)
    model = Speaker(door, "model", trial.lines)
    model.reset(seed)
    secrets = {"seed": str(seed), "session's id": model.session_id or str(seed)}
    for (name, arguments), reward in zip(calls, rewards, strict=True):
        answer = model.rpc("tools/call", {"name": name, "arguments": arguments})
        leak = leak_in(answer, reward, secrets)
        if leak is not None:
            raise Violation(f"the answer to {name!r} holds {leak}")


_LEAST_SEED = 1_618_033_989
"""No number that a tool might tell for reasons of its own."""


def _played(
    trial: Trial, trainer: Speaker, seed: int
) -> tuple[list[tuple[str, dict[str, Any]]], list[Any]]:
    """Drawn calls of tools, and the reward of each."""
    calls, rewards = [], []
    tools = trainer.tools()
    trainer.reset(seed)
    for _ in range(trial.draw(st.integers(1, 3))):
        trial.drawn += 1
        calls.append(trial.draw(calls_of(tools)))
        seen = trainer.step(*calls[-1])
        rewards.append(seen.get("reward"))
        if seen.get("done"):
            break
    trainer.close()
    return calls, rewards


@law(
    "The schema of a tool shows no parameter that is not the model's to fill in.",
    cause="A method was declared as a tool through its class, so that `self` became an argument, "
    "or the parameter of the context has no annotation.",
    remedy="Declare bound methods (`self.tool(self.move)`), and annotate `context: Context`.",
    needs=(Need.TOOLS,),
)
def hidden_parameters_stay_hidden(trial: Trial) -> None:
    """Look at the names of all arguments."""
    for tool in trial.open().tools():
        for name, schema in tool["input_schema"].get("properties", {}).items():
            is_open = not {"type", "anyOf", "oneOf", "$ref", "enum", "const"} & {*schema}
            if name in _NEVER or name.startswith("_") or (name in _INJECTED and is_open):
                raise Violation(f"the tool {tool['name']!r} asks the model for {name!r}")


_NEVER = ("self", "cls")
_INJECTED = ("context", "ctx", "session", "session_id", "request", "environment", "env")


@law(
    "Nothing that a stranger sends makes a server in production unhealthy.",
    cause="What could not be read raised where nobody catches it, and the server is marked as "
    "failed or has stopped.",
    remedy="Answer what cannot be read by an error of the protocol, and keep nothing of it.",
    needs=(Need.PRODUCTION,),
)
def health_survives_attacks(trial: Trial) -> None:
    """Send something that cannot be read, then ask for the health."""
    door = trial.knock()
    before = door.request("GET", "/health").status
    if not 200 <= before < 300:
        raise Unmet("a server that is healthy to begin with")
    attack = trial.draw(st.sampled_from(attacks.NONSENSE))
    if isinstance(attack, Attempt):
        trial.lines.append(f"door.request({attack})")
        door.request(*attack)
    else:
        trial.lines.append(f"door.converse({attack})")
        said_on(door, attack)
    trial.lines.append("door.request('GET', '/health').status")
    after = door.request("GET", "/health").status
    if after != before:
        raise Violation(f"/health says {after} after {short(attack)}, and {before} before it")


@law(
    "A server that has no room for one more session says so: by the error CAPACITY_REACHED, or by "
    "503, 429 or 1013; its other sessions go on.",
    cause="The environment is built without asking whether there is room, or the refusal is an "
    "exception that nobody catches.",
    remedy="Answer with the typed error, and close the connection; clients then try again later.",
    needs=(),
)
def capacity_is_refused_by_name(trial: Trial) -> None:
    """Fill the server, and look at the refusal."""
    crowd = Crowd(trial.knock(ServerMode.SIMULATION, most=1), trial.lines)
    crowd.fill()
    crowd.expect_all_alive()


_ENTERED: WeakSet[ServerSubject] = WeakSet()
"""Where there was room when the law below was first put to the test; it may be its own doing that
there is none any more."""


@law(
    "However a session ends, its place is free again.",
    cause="The place is given back only where the client says goodbye, and not where the "
    "connection breaks, or not at all.",
    remedy="Give it back in a `finally` around all that the connection does.",
    needs=(),
    after=("capacity_is_refused_by_name", "closed_sessions_make_room"),
)
def slots_come_back(trial: Trial) -> None:
    """Fill the server, end one session, and open another."""
    door = trial.knock(ServerMode.SIMULATION, most=1)
    crowd = Crowd(door, trial.lines)
    ending = trial.draw(st.sampled_from(Ending))
    has_room = crowd.enters_soon()
    if not has_room and door.server.app is not None and door.server not in _ENTERED:
        raise Violation("nobody can enter, though all sessions there were have ended")
    _ENTERED.add(door.server)
    crowd.fill()
    crowd.leave(ending)
    if not crowd.enters_soon():
        raise Violation(f"nobody can take the place of a session that ended by: {ending.value}")
