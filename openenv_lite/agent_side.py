"""What an `MCPEnvironment` offers the agent: tools, resources and prompts, and how they are called.

The trainer's side, reset and step, is in `environment`.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, ClassVar, Literal, TypeVar

from openenv_lite.content import Outcome
from openenv_lite.context import IN_PROGRESS, Context
from openenv_lite.errors import ConfigurationError, ExecutionError, ToolFailedError
from openenv_lite.failures import offer_failure
from openenv_lite.offers import Completion, Offer
from openenv_lite.prompts import PromptRegistry
from openenv_lite.resources import ResourceRegistry
from openenv_lite.tools import Tool, ToolRegistry, ToolSource
from openenv_lite.types import ServerMode

__all__ = ["AgentSide"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class AgentSide:
    """Tools, resources and prompts; they may come and go at any time.

    Attributes:
        tools: The registry behind `tool`; likewise `resources` and `prompts`.
        server_mode: The mode the environment is served in.
    """

    TOOL_TIMEOUT_S: ClassVar[float] = 30.0
    """Seconds an async tool, resource or prompt may take, beside its waits for the client; a plain
    `def` cannot be interrupted."""

    tools: ToolRegistry
    resources: ResourceRegistry
    prompts: PromptRegistry
    server_mode: ServerMode
    run_function: Callable[..., Awaitable[Any]]
    """Calls a plain function with the keyword arguments given, where it belongs; a session sets it
    to its executor."""
    run_coroutine: Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]
    """Waits for an async tool from within a plain `def step`; a session sets it to its executor."""
    _sources: dict[str, ToolSource]
    _connected: list[str]

    def _offer_nothing_yet(self) -> None:
        self.tools = ToolRegistry()
        self.resources = ResourceRegistry()
        self.prompts = PromptRegistry()
        self.run_function = _call_here
        self.run_coroutine = _run_here
        self._sources = {}
        self._connected = []

    @property
    def context(self) -> Context:
        """Of the call in progress; outside of one, nobody listens to it."""
        return IN_PROGRESS.get()

    @property
    def tool(self) -> ToolRegistry:
        """The decorator that declares a tool: `@self.tool`, or `@self.tool(mode="production")`."""
        return self.tools

    @property
    def resource(self) -> ResourceRegistry:
        """The decorator that declares a resource: `@self.resource("notes://{day}")`."""
        return self.resources

    @property
    def prompt(self) -> PromptRegistry:
        """The decorator that declares a prompt: `@self.prompt`."""
        return self.prompts

    def mount(self, prefix: str, source: ToolSource) -> None:
        """Offer another server's tools too, each as `prefix_name`, once `connect` has run.

        Raises:
            ConfigurationError: The prefix is empty or taken.
        """
        if not prefix or prefix in self._sources:
            raise ConfigurationError(f"Mount under a prefix of its own, not {prefix!r}")
        self._sources[prefix] = source

    async def connect(self) -> None:
        """Reach every mounted source and take over its tools; a session does so when it begins.

        Raises:
            ConfigurationError: There is a tool of that name already.
        """
        try:
            for prefix, source in self._sources.items():
                tools = await source.connect()
                self._connected.append(prefix)
                for tool in tools:
                    self._take_over(tool.renamed(f"{prefix}_{tool.name}"))
        except BaseException:
            await self.disconnect()
            raise

    def _take_over(self, tool: Tool) -> None:
        if tool.name in self.tools:
            raise ConfigurationError(f"A mounted tool would replace {tool.name!r}; rename one")
        self.tools.add(tool)

    async def disconnect(self) -> None:
        """Let go of what was connected, the last first; a session does so before `close`."""
        while self._connected:
            prefix = self._connected.pop()
            try:
                await self._sources[prefix].close()
            except Exception:
                log.exception("What is mounted as %r could not be closed", prefix)

    async def invoke_tool(
        self, name: str, arguments: Mapping[str, Any], timeout_s: float | None = None
    ) -> Outcome:
        """Call one tool.

        Raises:
            UnknownToolError, InvalidArgumentsError: Nothing of the author's ran.
            CapabilityError, InvalidAnswerError: The client could not be asked, or not understood.
            ToolFailedError: The tool raised, or took too long.
            InputRequired: The call is to be made again with answers.
        """
        tool = self.tools.get(name, self.server_mode)
        bound = tool.bind(arguments, self.context)
        return await self._perform(tool, bound, tool.outcome, timeout_s)

    def invoke_inline(
        self, name: str, arguments: Mapping[str, Any], timeout_s: float | None = None
    ) -> Outcome:
        """As `invoke_tool`, where nothing can be awaited: a plain tool is called here and now."""
        tool = self.tools.get(name, self.server_mode)
        if tool.is_async:
            waiting = functools.partial(self.invoke_tool, name, arguments, timeout_s)
            outcome: Outcome = self.run_coroutine(waiting)
            return outcome
        return self.use(tool, arguments, self.context)

    def use(self, tool: Tool, arguments: Mapping[str, Any], context: Context) -> Outcome:
        """Call a plain tool here and now."""
        bound = tool.bind(arguments, context)
        try:
            return tool.outcome(tool.function(**bound))
        except BaseException as error:
            failure = offer_failure(tool, error, self.server_mode)
            if failure is None:
                raise
            raise failure from error

    async def read_resource(self, uri: str) -> list[dict[str, Any]]:
        """The contents behind a URI: `{"uri", "mimeType", "text" | "blob" (base64)}` each.

        Raises:
            UnknownResourceError, InvalidArgumentsError: Nothing of the author's ran.
            ExecutionError: The function raised, or took too long.
        """
        resource, variables = self.resources.find(uri)
        bound = resource.bind(variables, self.context)
        return await self._perform(resource, bound, functools.partial(resource.contents, uri=uri))

    async def get_prompt(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A prompt filled in: `{"description", "messages": [{"role", "content": block}]}`.

        Raises:
            UnknownPromptError, InvalidArgumentsError: Nothing of the author's ran.
            ExecutionError: The function raised, or took too long.
        """
        prompt = self.prompts.get(name)
        return await self._perform(prompt, prompt.bind(arguments, self.context), prompt.messages)

    async def complete(
        self,
        kind: Literal["prompt", "resource"],
        name: str,
        argument: str,
        text: str,
        given: Mapping[str, str],
    ) -> list[str]:
        """What an argument may be completed to; nothing where the author declared nothing.

        Args:
            kind: What the argument is of.
            name: The prompt's name, or the resource's template.
            argument: Which one.
            text: What there is of it so far.
            given: The other arguments that are known.

        Raises:
            UnknownPromptError, UnknownResourceError: There is no such thing.
        """
        offer = self.prompts.get(name) if kind == "prompt" else self.resources.declared(name)
        completion = offer.completions.get(argument)
        if completion is None:
            return []
        return await self._perform(completion, {"text": text, "given": dict(given)}, list)

    async def _perform(
        self,
        offer: Offer | Completion,
        bound: Mapping[str, Any],
        shape: Callable[[Any], T],
        timeout_s: float | None = None,
    ) -> T:
        """Call an author's function where it belongs; what it raises leaves as a typed error."""
        try:
            if offer.is_async:
                return shape(await self._within(timeout_s or self.TOOL_TIMEOUT_S, offer, bound))
            return shape(await self.run_function(offer.function, **bound))
        except BaseException as error:
            failure = offer_failure(offer, error, self.server_mode)
            if failure is None:
                raise
            raise failure from error

    async def _within(
        self, seconds: float, offer: Offer | Completion, bound: Mapping[str, Any]
    ) -> Any:
        """Wait for an async function; only our own limit counts as its timing out."""
        allowance = self.context.allow(seconds)
        try:
            return await allowance.spend(offer.function(**bound))
        except TimeoutError:
            if not allowance.is_spent:
                raise
        text = f"{offer.kind} {offer.name!r} timed out"
        if isinstance(offer, Tool):
            raise ToolFailedError(text, error_type="timeout")
        raise ExecutionError(text)


async def _call_here(function: Callable[..., Any], /, **arguments: Any) -> Any:
    return function(**arguments)


def _run_here(function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(function())
