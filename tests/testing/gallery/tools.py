"""Mistakes with tools."""

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from openenv_lite import (
    CallToolAction,
    CallToolObservation,
    MCPEnvironment,
    Observation,
)
from openenv_lite.types import ToolSpec
from tests.testing.gallery.exhibit import Exhibit

__all__ = ["EXHIBITS"]


class Shop(MCPEnvironment):
    """Nothing is wrong with it: a shop that can be asked for its wares."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self.tool(self.price)
        self.tool(self.stock)

    def price(self, ware: str) -> int:
        """What it costs."""
        return len(ware)

    def stock(self) -> list[str]:
        """What there is."""
        return ["apple", "pear"]


class ListsInAnyOrder(Shop):
    """Makes the list anew at each look, of what has no order."""

    def list_tools(self) -> list[ToolSpec]:
        """All, in some order."""
        return sorted(super().list_tools(), key=lambda _: random.SystemRandom().random())


class NumbersItsSessions(Shop):
    """Tells in a description how many came before."""

    visits: ClassVar[int] = 0

    def __init__(self) -> None:
        type(self).visits += 1
        self.tool(description=f"What there is, for visitor {self.visits}")(self.stock)


class SharesItsOrder(Shop):
    """Keeps the order of its tools in a list of the class, and every instance turns it round."""

    order: ClassVar[list[str]] = ["price", "stock"]

    def __init__(self) -> None:
        self.order.append(self.order.pop(0))
        for name in self.order:
            self.tool(getattr(self, name))


class MisspellsAType(Shop):
    """Writes a schema by hand that no validator knows, and has it checked by nobody."""

    def __init__(self) -> None:
        wrong = {"type": "object", "properties": {"ware": {"type": "str"}}, "required": ["ware"]}
        self.tool(input_schema=wrong, validate=False)(self.price)


class FetchesItsSchema(Shop):
    """Has part of a schema at an address that a client would have to fetch."""

    def __init__(self) -> None:
        ware = {"$ref": "https://example.org/schemas/ware.json"}
        schema = {"type": "object", "properties": {"ware": ware}, "required": ["ware"]}
        self.tool(input_schema=schema, validate=False)(self.price)


class ListsWhatIsNotThere(Shop):
    """Writes the list by hand, and one tool was never made."""

    def list_tools(self) -> list[ToolSpec]:
        """The tools, and one more."""
        return [
            *super().list_tools(),
            ToolSpec(name="refund", description="", input_schema=NOTHING),
        ]


NOTHING = {"type": "object", "properties": {}}


class AllowsMoreThanItTakes(Shop):
    """Writes a schema by hand that allows a text where the function wants a number."""

    def __init__(self) -> None:
        either = {"type": "object", "properties": {"count": {"type": ["integer", "string"]}}}
        self.tool(input_schema={**either, "required": ["count"]}, validate=False)(self.buy)

    def buy(self, count: int) -> int:
        """Buy so many."""
        return count


class AnnotatesNothing(Shop):
    """Forgets the annotations, so that the schema allows everything and the code fails on it."""

    def __init__(self) -> None:
        self.tool(self.label)

    def label(self, ware, times):  # type: ignore[no-untyped-def]
        """A label for a ware."""
        return "~".join([ware] * times)


class ReturnsOffItsSchema(Shop):
    """Says that it returns a number, and returns a text."""

    def price(self, ware: str) -> int:
        """What it costs."""
        return f"{len(ware)} coins"  # type: ignore[return-value]


class Receipt(Observation):
    """What a till prints."""

    total: int = 0


class PrintsReceipts(Shop):
    """Puts an observation of its own in the place of every result, whatever tools declare."""

    async def step_async(self, action: Any, **options: Any) -> Any:
        """Call the tool, and print a receipt."""
        seen = await super().step_async(action, **options)
        if isinstance(action, CallToolAction) and seen.error is None:
            return Receipt(total=1)
        return seen


class DispatchesByName(Shop):
    """Looks a tool's name up among all its attributes."""

    def step(self, action: Any, **options: Any) -> Any:
        """Call whatever has the name."""
        if not isinstance(action, CallToolAction):
            return super().step(action, **options)
        found = getattr(self, action.tool_name, None)
        if found is None:
            return super().step(action, **options)
        value = found(**action.arguments) if callable(found) else str(found)
        result = {"data": value, "structured_content": {"result": value}, "is_error": False}
        return CallToolObservation(tool_name=action.tool_name, result={"content": [], **result})


class LooksUpWithoutAsking(Shop):
    """Has a dict of tools of its own, and takes for granted that the name is in it."""

    def step(self, action: Any, **options: Any) -> Any:
        """Count the calls of each."""
        if isinstance(action, CallToolAction):
            self.calls[action.tool_name] += 1
        return super().step(action, **options)

    def __init__(self) -> None:
        super().__init__()
        self.calls = {"price": 0, "stock": 0}


class ChecksNothing(Shop):
    """Writes a schema by hand and switches its check off, though the function checks nothing."""

    def __init__(self) -> None:
        schema = {"type": "object", "properties": {"ware": {"type": "string"}}}
        self.tool(input_schema={**schema, "required": ["ware"]}, validate=False)(self.note)

    def note(self, **given: Any) -> str:
        """Remember a ware."""
        return f"noted: {given.get('ware')}"


class HidesAToolFromTrainers(Shop):
    """Takes a tool off one list, and a model still finds it on the other."""

    def list_tools(self) -> list[ToolSpec]:
        """All but one."""
        return [tool for tool in super().list_tools() if tool.name != "stock"]


class ChecksForTrainers(Shop):
    """Shapes results where only a trainer's calls pass."""

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any], timeout_s: float | None = None
    ) -> dict[str, Any]:
        """The result, with a note."""
        return {**await super().call_tool(name, arguments, timeout_s), "data": "checked"}


EXHIBITS = [
    Exhibit(ListsInAnyOrder, "tools_are_listed_in_one_order"),
    Exhibit(NumbersItsSessions, "sessions_list_the_same_tools"),
    Exhibit(SharesItsOrder, "sessions_list_the_same_tools"),
    Exhibit(MisspellsAType, "tool_schemas_are_sound"),
    Exhibit(FetchesItsSchema, "tool_schemas_are_sound"),
    Exhibit(ListsWhatIsNotThere, "fitting_arguments_are_taken"),
    Exhibit(AllowsMoreThanItTakes, "fitting_arguments_are_taken"),
    Exhibit(AnnotatesNothing, "fitting_arguments_make_no_type_errors"),
    Exhibit(ReturnsOffItsSchema, "structured_results_fit_their_schema"),
    Exhibit(PrintsReceipts, "structured_results_fit_their_schema"),
    Exhibit(DispatchesByName, "unknown_tools_are_refused"),
    Exhibit(LooksUpWithoutAsking, "unknown_tools_are_refused"),
    Exhibit(ChecksNothing, "wrong_arguments_are_refused"),
    Exhibit(HidesAToolFromTrainers, "everybody_is_listed_the_same_tools"),
    Exhibit(ChecksForTrainers, "tools_do_the_same_for_everybody"),
]
