import itertools
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import openenv_lite
from openenv_lite import Action, CallToolAction, ListToolsAction, ServerMode, protocol
from openenv_lite.errors import (
    CapacityError,
    EpisodeDoneError,
    InvalidJSONError,
    InvalidMessageError,
    OpenEnvError,
    RequestError,
    ResetRequiredError,
    SessionClosedError,
    UnknownMessageError,
)
from openenv_lite.protocol import TABLE, Event, Phase
from openenv_lite.types import StepResult
from tests.environments import Add
from tests.test_codec import BROKEN, JSON

SIMULATION, PRODUCTION = ServerMode.SIMULATION, ServerMode.PRODUCTION
DECODERS = {
    (kind, mode, control): protocol.MessageDecoder(kind, mode, control)
    for kind in (Add, Action, CallToolAction, dict[str, Any])
    for mode in ServerMode
    for control in (False, True)
}
TRAINER = DECODERS[Add, SIMULATION, False]


@pytest.mark.parametrize(("event", "phase"), list(itertools.product(Event, Phase)))
def test_every_event_in_every_phase_leads_on_or_is_refused(event: Event, phase: Phase) -> None:
    cell = getattr(TABLE[event], phase.value)
    if isinstance(cell, Phase):
        assert protocol.advance(event, phase) is cell
    else:
        with pytest.raises(cell, match=r"\w"):
            protocol.advance(event, phase)


def test_the_refusals_of_the_table_are_these() -> None:
    refusals = {
        (event, phase, getattr(row, phase.value))
        for event, row in TABLE.items()
        for phase in Phase
        if not isinstance(getattr(row, phase.value), Phase)
    }
    assert refusals == {
        (Event.STEP, Phase.FRESH, ResetRequiredError),
        (Event.STEP, Phase.DONE, EpisodeDoneError),
        (Event.CALL_TOOL, Phase.DONE, EpisodeDoneError),
        *((event, Phase.CLOSED, SessionClosedError) for event in Event),
    }


def test_production_knows_no_control() -> None:
    assert {event for event, row in TABLE.items() if row.in_production} == {
        Event.LIST_TOOLS,
        Event.CALL_TOOL,
    }


def test_the_diagram_in_the_documents_is_the_table() -> None:
    text = (Path(openenv_lite.__file__).parent / "ARCHITECTURE.md").read_text()
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (\w+)$", text, re.MULTILINE))
    assert drawn == {
        (phase.value, getattr(row, phase.value).value, event.value)
        for event, row in TABLE.items()
        for phase in Phase
        if isinstance(getattr(row, phase.value), Phase)
    }


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"type": "reset"}, "Reset"),
        ({"type": "reset", "data": {"seed": -1, "anything": []}}, "Reset"),
        ({"type": "step", "data": {"amount": 1}}, "Step"),
        ({"type": "step", "data": {"amount": "1", "metadata": {"a": 1}}}, "Step"),
        ({"type": "state"}, "ReadState"),
        ({"type": "mcp", "data": {}}, "Mcp"),
        ({"type": "close"}, "Close"),
    ],
)
def test_a_good_message_is_typed(message: Any, kind: str) -> None:
    assert type(TRAINER.decode(json.dumps(message))).__name__ == kind


@pytest.mark.parametrize("kind", ["reset", "step", "state", "mcp", "close"])
@pytest.mark.parametrize(
    "extra", [{"extra": 1}, {"id": 1}, {"data": 5}, {"data": None}, {"data": []}, {"data": "x"}]
)
def test_a_field_too_many_or_mistyped_is_a_fault(kind: str, extra: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        TRAINER.decode(json.dumps({"type": kind, **extra}))
    assert caught.value.errors
    assert caught.value.code == "VALIDATION_ERROR"


@pytest.mark.parametrize("kind", ["step", "mcp"])
def test_data_is_required_where_the_message_is_nothing_without(kind: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        TRAINER.decode(json.dumps({"type": kind}))
    assert caught.value.errors[0]["type"] == "missing"


@pytest.mark.parametrize("kind", [None, "", "RESET", "reset ", 5, [], {}, True, "snapshot", "é"])
def test_an_unknown_type_is_told(kind: Any) -> None:
    with pytest.raises(UnknownMessageError, match="Unknown message type"):
        TRAINER.decode(json.dumps({"type": kind}))


@pytest.mark.parametrize("message", [[], [1], 5, "reset", None, True, {}, {"data": {}}])
def test_anything_but_an_object_with_a_type_is_an_unknown_message(message: Any) -> None:
    with pytest.raises(UnknownMessageError):
        TRAINER.decode(json.dumps(message))


@pytest.mark.parametrize("text", [t.decode("utf-8", "replace") for t in BROKEN], ids=len)
def test_broken_text_is_a_typed_error_for_every_decoder(text: str) -> None:
    for decoder in DECODERS.values():
        with pytest.raises(RequestError):
            decoder.decode(text)


MESSAGES = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["reset", "step", "state", "mcp", "close"]) | JSON}
).flatmap(
    lambda head: st.fixed_dictionaries(
        {},
        optional={
            "data": JSON
            | st.fixed_dictionaries(
                {},
                optional={
                    "amount": JSON,
                    "metadata": JSON,
                    "type": st.sampled_from(["list_tools", "call_tool"]) | JSON,
                    "tool_name": JSON,
                    "arguments": JSON,
                },
            ),
            "extra": JSON,
        },
    ).map(lambda rest: {**rest, **head})
)


@given(st.sampled_from(sorted(DECODERS, key=str)), MESSAGES.map(json.dumps) | st.text())
def test_a_frame_is_a_message_or_a_typed_error_that_can_be_sent(key: Any, text: str) -> None:
    decoder = DECODERS[key]
    try:
        message = decoder.decode(text)
    except RequestError as error:
        reply = msgspec.json.decode(protocol.encode_error(error))
        assert reply["type"] == "error"
        assert {"message", "code"} <= reply["data"].keys()
    else:
        assert type(message) in decoder.names


@given(MESSAGES)
def test_a_control_in_production_is_as_unknown_as_nonsense(message: dict[str, Any]) -> None:
    message = {**message, "type": ["reset", "step", "state"][len(message) % 3]}
    with pytest.raises((UnknownMessageError, InvalidJSONError)) as caught:
        DECODERS[Add, PRODUCTION, False].decode(json.dumps(message))
    assert caught.value.code in ("UNKNOWN_TYPE", "INVALID_JSON")


@pytest.mark.parametrize("kind", [Action, ListToolsAction, CallToolAction])
@pytest.mark.parametrize("way", ["frame", "body"])
def test_an_environment_of_tools_takes_both_tool_actions(kind: Any, way: str) -> None:
    for data, expected in (
        ({"type": "list_tools"}, ListToolsAction),
        ({"type": "call_tool", "tool_name": "x"}, CallToolAction),
    ):
        if way == "body":
            action = protocol.decode_action(data, kind)
        else:
            frame = json.dumps({"type": "step", "data": data})
            action = DECODERS.get((kind, SIMULATION, False), DECODERS[Action, SIMULATION, False])
            action = action.decode(frame).data
        assert isinstance(action, expected)


def test_a_tool_action_may_leave_its_type_out() -> None:
    frame = '{"type":"step","data":{"tool_name":"x"}}'
    assert isinstance(
        DECODERS[CallToolAction, SIMULATION, False].decode(frame).data, CallToolAction
    )


def test_a_fault_inside_an_action_is_told_relative_to_it() -> None:
    with pytest.raises(InvalidMessageError) as caught:
        TRAINER.decode('{"type":"step","data":{"amount":"x"}}')
    assert caught.value.errors[0]["loc"] == ["amount"]


@given(JSON)
def test_replies_are_objects_with_type_and_data(value: Any) -> None:
    result = StepResult({"a": value}, reward=0.5, done=False)
    for kind, text in (
        ("observation", protocol.encode_observation(result)),
        ("state", protocol.encode_state(value)),
        ("mcp", protocol.encode_mcp(value)),
        ("error", protocol.encode_error(CapacityError("full", active_sessions=1))),
        ("error", protocol.encode_error(OpenEnvError("text", input=value))),
    ):
        reply = msgspec.json.decode(text)
        assert reply.keys() == {"type", "data"}
        assert reply["type"] == kind
