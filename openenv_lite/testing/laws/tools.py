"""Tools: what is listed is what there is, and whoever calls a tool gets the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from openenv_lite.errors import (
    ConfigurationError,
    InvalidArgumentsError,
    OpenEnvError,
    RequestError,
    ToolFailedError,
    UnknownToolError,
)
from openenv_lite.schemas import Check, check_of
from openenv_lite.testing.law import Need, Unmet, Violation, law
from openenv_lite.testing.overhearing import overheard
from openenv_lite.testing.sessions.seen import Seen, difference, short
from openenv_lite.testing.strangers.calling import Speaker, calls_of, error_of, result_in, succeeded
from openenv_lite.testing.trial import Player, Trial
from openenv_lite.types import ServerMode

__all__ = [
    "everybody_is_listed_the_same_tools",
    "fitting_arguments_are_taken",
    "fitting_arguments_make_no_type_errors",
    "sessions_list_the_same_tools",
    "structured_results_fit_their_schema",
    "tool_schemas_are_sound",
    "tools_are_listed_in_one_order",
    "tools_do_the_same_for_everybody",
    "unknown_tools_are_refused",
    "wrong_arguments_are_refused",
]


@law(
    "Two looks at the list of tools, with nothing between them, show the same in the same order.",
    cause="The list is made of a set, or of what is shuffled or drawn at each look.",
    remedy="Declare tools in `__init__`, and let the list follow that order.",
    needs=(Need.TOOLS,),
)
def tools_are_listed_in_one_order(trial: Trial) -> None:
    """Look some times."""
    player = trial.open()
    first = player.tools()
    for _ in range(_LOOKS):
        _expect_same_list(first, player.tools(), "listed again")


@law(
    "Every new session lists the same tools in the same order.",
    cause="A tool, or its description, depends on chance, on the time or on a counter of the "
    "class, or tools are kept in a list that all instances share.",
    remedy="Declare tools in `__init__` by `self.tool`, from nothing but the class.",
    needs=(Need.TOOLS,),
    after=("tools_are_listed_in_one_order",),
)
def sessions_list_the_same_tools(trial: Trial) -> None:
    """Look in one session after the other."""
    lists = []
    for _ in range(_SESSIONS):
        player = trial.open()
        lists.append(player.tools())
        player.close()
    for other in lists[1:]:
        _expect_same_list(lists[0], other, "listed in a session of its own")


_LOOKS = 8
_SESSIONS = 4
"""Enough that chance is noticed; for every session an environment is built."""


def _expect_same_list(
    one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]], what: str
) -> None:
    found = difference([each["name"] for each in one], [each["name"] for each in other])
    found = found or difference(list(one), list(other))
    if found is not None:
        raise Violation(f"{what}: {found}")


@law(
    "The input schema of every tool is a valid JSON Schema of an object that refers to nothing "
    "outside of itself, and no two tools have one name.",
    cause="The schema is written by hand, or comes from another server, and nobody checked it.",
    remedy="Let the signature tell it, or pass `input_schema` without `validate=False`: it is then "
    "checked when the tool is declared.",
    needs=(Need.TOOLS,),
)
def tool_schemas_are_sound(trial: Trial) -> None:
    """Look at each."""
    tools = trial.open().tools()
    names = [tool["name"] for tool in tools]
    for tool in tools:
        _checked(tool["name"], tool["input_schema"], "input")
        if names.count(tool["name"]) > 1:
            raise Violation(f"{names.count(tool['name'])} tools are called {tool['name']!r}")


def _checked(name: str, schema: Any, which: str) -> Check:
    """What checks values against the schema of a tool.

    Raises:
        Violation: It is none.
    """
    owner = f"The {which} schema of {name!r}"
    if not isinstance(schema, dict):
        raise Violation(f"{owner} is {short(schema)}")
    try:
        return check_of(schema, owner)
    except ConfigurationError as error:
        raise Violation(error.message) from None


@law(
    "Every listed tool can be called by its name, with any arguments that fit its schema.",
    check_id="runtime.tool_declaration_accuracy",
    cause="The list is written by hand, or the schema allows what the function does not take.",
    remedy="List what is in the registry, and let the signature tell the schema.",
    needs=(Need.TOOLS,),
    after=("tool_schemas_are_sound", "sessions_list_the_same_tools"),
)
def fitting_arguments_are_taken(trial: Trial) -> None:
    """Call a tool as its schema says."""
    player = _begun(trial)
    name, arguments = _drawn_call(trial, player)
    try:
        seen = player.call_tool(name, arguments)
    except (UnknownToolError, InvalidArgumentsError) as error:
        raise Violation(f"{name!r} is listed, and its call is refused: {error.message}") from None
    failure = error_of(seen)
    if failure is not None and failure.get("error_type") in ("tool_not_found", "invalid_args"):
        raise Violation(f"{name!r} is listed, and its call is refused: {failure.get('message')}")


def _begun(trial: Trial) -> Player:
    """A session in which tools can be called."""
    player = trial.open()
    if trial.subject.offers(Need.EPISODES):
        player.reset(trial.seed())
    return player


def _drawn_call(trial: Trial, player: Player) -> tuple[str, dict[str, Any]]:
    trial.drawn += 1
    call: tuple[str, dict[str, Any]] = trial.draw(calls_of(player.tools()))
    return call


@law(
    "Arguments that fit a tool's schema do not make it raise what only a mistake in its code "
    "raises: a TypeError, AttributeError, NameError or NotImplementedError.",
    cause="A parameter has no annotation, so that its schema allows everything, or the annotation "
    "allows more, None for instance, than the code takes.",
    remedy="Annotate every parameter with the type that the code needs.",
    needs=(Need.OBJECTS, Need.TOOLS),
    after=("fitting_arguments_are_taken",),
)
def fitting_arguments_make_no_type_errors(trial: Trial) -> None:
    """Call a tool, and listen to what it raises."""
    player = _begun(trial)
    name, arguments = _drawn_call(trial, player)
    with overheard() as raised:
        player.call_tool(name, arguments)
    for error in raised:
        if isinstance(error, TypeError | AttributeError | NameError | NotImplementedError):
            raise Violation(f"{name!r} raises {type(error).__name__}: {error}")


@law(
    "A tool that declares an output schema returns structured content that fits it.",
    cause="The function returns something else than its annotation says, or the environment's own "
    "`step` puts something else in the place of the result.",
    remedy="Annotate what is returned, or return what is annotated.",
    needs=(Need.TOOLS,),
    after=("fitting_arguments_are_taken",),
)
def structured_results_fit_their_schema(trial: Trial) -> None:
    """Call a tool as a model does, by MCP's own rules."""
    mcp = trial.converse()
    declared = [each for each in mcp.ask("tools/list", {})["tools"] if "outputSchema" in each]
    if not declared:
        raise Unmet("tools with output schemas, and none declares one")
    checks = {
        each["name"]: _checked(each["name"], each["outputSchema"], "output") for each in declared
    }
    trial.drawn += 1
    name, arguments = trial.draw(calls_of(declared))
    result = mcp.ask("tools/call", {"name": name, "arguments": arguments})
    if result.get("isError"):
        raise Unmet("calls that succeed")
    structured = result.get("structuredContent")
    try:
        checks[name](structured)
    except InvalidArgumentsError as error:
        text = error.message.removeprefix("Invalid argument ")
        raise Violation(f"{name!r} returns {short(structured)}: {text}") from None


@law(
    "A call of a tool that is not listed is refused in a way that the model can read, and the "
    "session goes on.",
    cause="The environment's own `step` looks the name up among its attributes, or in a dict "
    "without asking whether it is there.",
    remedy="Leave the look-up to `super().step(action)`, or raise `UnknownToolError`.",
    needs=(Need.TOOLS,),
    after=("tools_are_listed_in_one_order",),
)
def unknown_tools_are_refused(trial: Trial) -> None:
    """Call a tool by a name that is nobody's."""
    player = _begun(trial)
    tools = player.tools()
    trial.drawn += 1
    name = trial.draw(_NAMES)
    if name in [each["name"] for each in tools]:
        raise Unmet("names that no tool has")
    seen = _told(player, name, {}, f"the unknown tool {name!r}")
    if seen is not None and succeeded(seen):
        raise Violation(f"a call of {name!r}, which is not listed, gives {short(result_in(seen))}")
    _expect_unharmed(player, tools, f"a call of the unknown tool {name!r}")


_NAMES = st.sampled_from(
    [
        *("none", "reset", "close", "get_metadata", "list_tools", "begin", "state", "disconnect"),
        *("__init__", "__class__", "__dict__", "tools", "step_async", "rng", "run_function", ""),
    ]
) | st.text("abc_.", min_size=1, max_size=12)


@law(
    "A tool call with arguments that its schema forbids is refused in a way that the model can "
    "read, and the session goes on.",
    cause="The environment's own `step` passes the arguments on unchecked, or the tool was "
    "declared with `validate=False` and does not check them either.",
    remedy="Leave the call to `super().step(action)`, or raise `InvalidArgumentsError`.",
    needs=(Need.TOOLS,),
    after=("tool_schemas_are_sound", "unknown_tools_are_refused"),
)
def wrong_arguments_are_refused(trial: Trial) -> None:
    """Call a tool with one thing wrong."""
    player = _begun(trial)
    tools = player.tools()
    name, arguments, fault = trial.bad_call(player)
    seen = _told(player, name, arguments, f"a call of {name!r} with {fault}")
    if seen is not None and succeeded(seen):
        raise Violation(f"{name!r} takes {short(arguments)}, though its schema forbids {fault}")
    _expect_unharmed(player, tools, f"a call of {name!r} with {fault}")


def _told(player: Player, name: str, arguments: dict[str, Any], what: str) -> Seen | None:
    """What is seen of a call that must fail; None where it raised what a model is told.

    Raises:
        Violation: It raised something else.
    """
    try:
        return player.call_tool(name, arguments)
    except (RequestError, ToolFailedError):
        return None
    except OpenEnvError as error:
        raise Violation(f"{what} ends in {type(error).__name__}: {error.message}") from None


def _expect_unharmed(player: Player, tools: list[dict[str, Any]], what: str) -> None:
    try:
        _expect_same_list(tools, player.tools(), f"after {what}, tools are not as before")
    except OpenEnvError as error:
        raise Violation(f"after {what} the session fails: {error.message}") from None


@law(
    "A trainer's list of tools, as an action, and a model's, over MCP, are the same.",
    cause="`list_tools` is overridden, which MCP's own list knows nothing of.",
    remedy="Add and remove tools by the registry, `self.tools`; with `mode=` a tool exists in one "
    "mode only.",
    needs=(Need.EPISODES, Need.TOOLS),
    after=("fitting_arguments_are_taken",),
)
def everybody_is_listed_the_same_tools(trial: Trial) -> None:
    """Look as a trainer, then as a model."""
    player = trial.open()
    mine = [_shown(each) for each in player.tools()]
    player.close()
    mcp = trial.converse()
    theirs = [_shown(each) for each in mcp.ask("tools/list", {})["tools"]]
    _expect_same_list(mine, theirs, "a trainer is listed something else than a model")


def _shown(tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = tool["input_schema"] if "input_schema" in tool else tool.get("inputSchema")
    return {"name": tool["name"], "input_schema": schema}


@law(
    "A tool gives the same whether a trainer calls it as an action or a model over MCP.",
    cause="`call_tool` is overridden, which is on the trainer's way only; or the environment's own "
    "`step` looks at who calls.",
    remedy="Override `step` (or `step_async`) in its place: both ways go through it.",
    needs=(Need.EPISODES, Need.TOOLS),
    after=(
        "same_seed_same_episode",
        "unknown_tools_are_refused",
        "everybody_is_listed_the_same_tools",
    ),
)
def tools_do_the_same_for_everybody(trial: Trial) -> None:
    """Play some calls as actions, and the same over MCP, from the same seed."""
    door, seed = trial.knock(ServerMode.SIMULATION), trial.seed()
    trainer = Speaker(door, "trainer", trial.lines)
    tools = trainer.tools()
    trainer.reset(seed)
    played = []
    for _ in range(trial.draw(st.integers(1, 3))):
        trial.drawn += 1
        call = trial.draw(calls_of(tools))
        data = trainer.step(*call)
        played.append((call, data.get("observation")))
        if data.get("done"):
            break
    trainer.close()
    model = Speaker(door, "model", trial.lines)
    model.reset(seed)
    for (name, arguments), observation in played:
        answer = model.rpc("tools/call", {"name": name, "arguments": arguments})
        _expect_same_result(name, observation, answer)


def _expect_same_result(name: str, observation: Any, answer: Mapping[str, Any]) -> None:
    if not isinstance(observation, dict) or "tool_name" not in observation:
        raise Unmet("observations of tool calls, and this environment has some of its own making")
    result = answer.get("result")
    failed = "error" in answer or (isinstance(result, dict) and bool(result.get("is_error")))
    expected = observation.get("result")
    fails = expected is None or (isinstance(expected, dict) and bool(expected.get("is_error")))
    found = None if failed and fails else difference(expected, result)
    if found is not None:
        raise Violation(
            f"a trainer's call of {name!r} gives something else than a model's: {found}"
        )
