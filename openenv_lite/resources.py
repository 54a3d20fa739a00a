"""Resources: what a client may read by URI, one at a time or by a template of many."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, Unpack
from urllib.parse import unquote

from openenv_lite import codec
from openenv_lite.content import EmbeddedResource, present
from openenv_lite.errors import ConfigurationError, UnknownResourceError
from openenv_lite.offers import (
    Completer,
    Offer,
    OfferOptions,
    Registry,
    accepted,
    completions_of,
)

__all__ = ["Resource", "ResourceOptions", "ResourceRegistry"]

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_URI = 2048
"""Characters of a URI that is still compared with templates."""

_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_BRACES = re.compile("[{}]")
_BEYOND_SEGMENT = re.compile("[/?#]")
_VARIABLE = re.compile(r"(\+?)([^\W\d]\w*)(\*?)")


class ResourceOptions(OfferOptions, total=False):
    """How a resource is declared.

    Attributes:
        mime_type: Of its contents; else text/plain for text, application/octet-stream for bytes
            and application/json for other values.
        size: Bytes, where it is known.
        annotations: MCP's (`audience`, `priority`, `lastModified`), sent as they are.
        complete: By variable of the template, what it may be completed to.
    """

    mime_type: str | None
    size: int | None
    annotations: dict[str, Any] | None
    complete: Mapping[str, Completer] | None


class Resource(Offer):
    """A function that gives the contents behind a URI, or behind each URI of a template.

    Args:
        uri: With `{variables}` it is a template, and they are the function's arguments: `{x}` one
            segment of the path, `{+x}` or `{x*}` all the rest.
        function: Returns text, bytes, a value to be sent as JSON, or `EmbeddedResource`s.

    Attributes:
        is_template: Whether it stands for many.
        declaration: What MCP tells of it.
        completions: By variable.
    """

    kind: ClassVar[str] = "Resource"

    def __init__(
        self, uri: str, function: Callable[..., Any], **options: Unpack[ResourceOptions]
    ) -> None:
        given = accepted(options, ResourceOptions)
        super().__init__(function, given["name"], given["description"])
        self.uri = uri
        self.mime_type = given["mime_type"]
        self._template = _Template(uri)
        self.is_template = bool(self._template.names)
        self._refuse_mismatch()
        self.completions = completions_of(given["complete"], self)
        self.declaration = present(
            **{"uriTemplate" if self.is_template else "uri": uri},
            name=self.name,
            title=given["title"],
            description=self.description or None,
            mimeType=self.mime_type,
            size=None if self.is_template else given["size"],
            annotations=given["annotations"],
            icons=given["icons"],
            _meta=given["meta"],
        )

    def match(self, uri: str) -> dict[str, str] | None:
        """The variables for which this template gives the URI; None where it never does."""
        return self._template.match(uri)

    def contents(self, value: Any, uri: str) -> list[dict[str, Any]]:
        """What the function returned, as `resources/read` shows it.

        Args:
            value: The function's return value.
            uri: The URI that was asked for.
        """
        parts = value if isinstance(value, list | tuple) else [value]
        if parts and all(isinstance(part, EmbeddedResource) for part in parts):
            return [part.contents() for part in parts]
        return [self._content(value, uri)]

    def _content(self, value: Any, uri: str) -> dict[str, Any]:
        if isinstance(value, bytes):
            mime_type = self.mime_type or "application/octet-stream"
            return EmbeddedResource(uri=uri, blob=value, mime_type=mime_type).contents()
        plain = isinstance(value, str)
        mime_type = self.mime_type or ("text/plain" if plain else "application/json")
        text = value if plain else codec.encode(value).decode()
        return EmbeddedResource(uri=uri, text=text, mime_type=mime_type).contents()

    def _refuse_mismatch(self) -> None:
        variables, taken = set(self._template.names), self.signature.names
        known = variables if self.signature.takes_any else set(taken)
        if not self.signature.required <= variables <= known:
            raise ConfigurationError(
                f"The variables of {self.uri!r} must be the arguments of {self.name!r}, "
                f"which are: {', '.join(taken) or 'none'}"
            )


class ResourceRegistry(Registry[Resource]):
    """The resources of one environment, in the order in which they were added.

    Called, it is the decorator that adds one: `@resource("notes://{day}")`.

    Attributes:
        on_update: Called with the URI of a resource whose contents changed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_update: Callable[[str], None] | None = None

    def add(self, resource: Resource) -> None:
        """Add a resource; one of the same URI is replaced."""
        self._change(lambda entries: entries.update({resource.uri: resource}))

    def remove(self, uri: str) -> None:
        """Take away what was declared with this URI or template.

        Raises:
            UnknownResourceError: Nothing was.
        """
        self.declared(uri)
        self._change(lambda entries: entries.pop(uri, None))

    def changed(self, uri: str) -> None:
        """Tell those who subscribed that the contents behind the URI changed."""
        if self.on_update is not None:
            self.on_update(uri)

    def resources(self) -> list[dict[str, Any]]:
        """What MCP tells of those that are no templates."""
        return [each.declaration for each in self._entries.values() if not each.is_template]

    def templates(self) -> list[dict[str, Any]]:
        """What MCP tells of the templates."""
        return [each.declaration for each in self._entries.values() if each.is_template]

    def declared(self, uri: str) -> Resource:
        """The resource declared with exactly this URI or template.

        Raises:
            UnknownResourceError: There is none.
        """
        resource = self._entries.get(uri)
        if resource is None:
            raise _unknown(uri)
        return resource

    def find(self, uri: str) -> tuple[Resource, dict[str, str]]:
        """The resource behind a URI, and the variables of its template.

        Raises:
            UnknownResourceError: There is none.
        """
        entries = self._entries
        resource = entries.get(uri)
        if resource is not None and not resource.is_template:
            return resource, {}
        for each in entries.values():
            variables = each.match(uri) if each.is_template else None
            if variables is not None:
                return each, variables
        raise _unknown(uri)

    def __call__(self, uri: str, **options: Unpack[ResourceOptions]) -> Callable[[F], F]:
        """Declare the decorated function, which stays as it is."""

        def register(function: F) -> F:
            self.add(Resource(uri, function, **options))
            return function

        return register


class _Template:
    """The part of RFC 6570 that paths need: `{x}` one segment, `{+x}` and `{x*}` all the rest."""

    def __init__(self, text: str) -> None:
        literals_and_expressions = _EXPRESSION.split(text)
        variables = [_variable(each, text) for each in literals_and_expressions[1::2]]
        self.names = [name for name, _ in variables]
        if len(set(self.names)) < len(self.names):
            raise ConfigurationError(f"{text!r} names a variable twice")
        self._literals = literals_and_expressions[::2]
        self._single = [not takes_rest for _, takes_rest in variables]

    def match(self, uri: str) -> dict[str, str] | None:
        """The variables, decoded; None where it does not fit or a path would climb."""
        values = self._values(uri) if len(uri) <= LONGEST_URI else None
        if values is None:
            return None
        try:
            decoded = [unquote(each, errors="strict") for each in values]
        except UnicodeDecodeError:
            return None
        if not all(map(_stays_below, decoded, self._single)):
            return None
        return dict(zip(self.names, decoded, strict=True))

    def _values(self, uri: str) -> list[str] | None:
        """The parts between the literals, each as short as can be: nothing is tried twice."""
        position, values = len(self._literals[0]), []
        if not uri.startswith(self._literals[0]) or _BRACES.search(uri):
            return None
        last = len(self._single) - 1
        for index, is_single in enumerate(self._single):
            literal = self._literals[index + 1]
            end = _end(uri, literal, position, is_last=index == last)
            value = uri[position:end]
            if end <= position or (is_single and _BEYOND_SEGMENT.search(value)):
                return None
            values.append(value)
            position = end + len(literal)
        return values if position == len(uri) else None


def _end(uri: str, literal: str, start: int, is_last: bool) -> int:
    """Where the value that starts here ends; -1 where it does not."""
    if not is_last:
        return uri.find(literal, start + 1)
    return len(uri) - len(literal) if uri.endswith(literal) else -1


def _variable(expression: str, text: str) -> tuple[str, bool]:
    """Name of a variable, and whether it takes all the rest."""
    match = _VARIABLE.fullmatch(expression)
    if match is None:
        raise ConfigurationError(
            f"Expression {{{expression}}} in {text!r}: use {{x}} for one segment of the path, or "
            "{x*} for all the rest"
        )
    return match[2], bool(match[1] or match[3])


def _stays_below(value: str, one_segment: bool) -> bool:
    """Whether, used as a path, it stays in the directory it is joined to."""
    segments = re.split(r"[/\\]", value)
    if "\0" in value or ".." in segments:
        return False
    return len(segments) == 1 if one_segment else segments[0] != ""


def _unknown(uri: str) -> UnknownResourceError:
    return UnknownResourceError(f"Unknown resource: {uri[:LONGEST_URI]!r}", uri=uri[:LONGEST_URI])
