"""Prompts: conversations that a person at the client may begin with."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, Unpack, overload

from openenv_lite.content import Message, messages_of, present
from openenv_lite.errors import UnknownPromptError
from openenv_lite.offers import (
    Completer,
    Offer,
    OfferOptions,
    Registry,
    accepted,
    completions_of,
)

__all__ = ["Message", "Prompt", "PromptOptions", "PromptRegistry"]

F = TypeVar("F", bound=Callable[..., Any])


class PromptOptions(OfferOptions, total=False):
    """How a prompt is declared.

    Attributes:
        complete: By argument, what it may be completed to.
    """

    complete: Mapping[str, Completer] | None


class Prompt(Offer):
    """A function that gives messages; its arguments arrive as text and are converted.

    It returns text (one message of the user's), a `Message`, whatever else can be content, or a
    list of these.

    Attributes:
        declaration: What MCP tells of it.
        completions: By argument.
    """

    kind: ClassVar[str] = "Prompt"

    def __init__(self, function: Callable[..., Any], **options: Unpack[PromptOptions]) -> None:
        given = accepted(options, PromptOptions)
        super().__init__(function, given["name"], given["description"])
        self.completions = completions_of(given["complete"], self)
        self.declaration = present(
            name=self.name,
            title=given["title"],
            description=self.description or None,
            arguments=self._arguments() or None,
            icons=given["icons"],
            _meta=given["meta"],
        )

    def _arguments(self) -> list[dict[str, Any]]:
        fields = self.signature.json_schema().get("properties", {})
        return [
            present(
                name=name,
                description=fields[name].get("description"),
                required=name in self.signature.required,
            )
            for name in self.signature.names
        ]

    def messages(self, value: Any) -> dict[str, Any]:
        """What the function returned, as `prompts/get` shows it."""
        return present(description=self.description or None, messages=messages_of(value))


class PromptRegistry(Registry[Prompt]):
    """The prompts of one environment, in the order in which they were added.

    Called, it is the decorator that adds one: `@prompt`, or `@prompt(title="Review code")`.
    """

    def add(self, prompt: Prompt) -> None:
        """Add a prompt; one of the same name is replaced."""
        self._change(lambda entries: entries.update({prompt.name: prompt}))

    def remove(self, name: str) -> None:
        """Take away the prompt of this name.

        Raises:
            UnknownPromptError: There is none.
        """
        self.get(name)
        self._change(lambda entries: entries.pop(name, None))

    def get(self, name: str) -> Prompt:
        """The prompt of this name.

        Raises:
            UnknownPromptError: There is none.
        """
        prompt = self._entries.get(name)
        if prompt is None:
            raise UnknownPromptError(f"Unknown prompt: {name!r}")
        return prompt

    def prompts(self) -> list[dict[str, Any]]:
        """What MCP tells of them."""
        return [prompt.declaration for prompt in self._entries.values()]

    @overload
    def __call__(self, function: F) -> F: ...

    @overload
    def __call__(
        self, function: None = None, **options: Unpack[PromptOptions]
    ) -> Callable[[F], F]: ...

    def __call__(self, function: F | None = None, **options: Any) -> F | Callable[[F], F]:
        """Add the decorated function, which stays as it is; the options are `PromptOptions`."""

        def register(function: F) -> F:
            self.add(Prompt(function, **options))
            return function

        return register if function is None else register(function)
