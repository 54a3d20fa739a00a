"""What an author may ask the client in the middle of a call, and what the answers are."""

import uuid
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

from openenv_lite import codec
from openenv_lite.content import messages_of, present
from openenv_lite.errors import ConfigurationError, InvalidAnswerError, InvalidMessageError

__all__ = [
    "Elicit",
    "ElicitURL",
    "Elicited",
    "Question",
    "Root",
    "Roots",
    "Sample",
    "Sampled",
    "flat_schema",
]

T = TypeVar("T")

_SENT = ("$schema", "type", "properties", "required")
"""All that a client reads of the schema of a form."""

_PRIMITIVES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


class Question(msgspec.Struct, frozen=True):
    """Something only the client can answer."""

    method: ClassVar[str]

    def params(self) -> dict[str, Any]:
        """The request's `params`, in camelCase without nulls."""
        raise NotImplementedError

    def needs(self) -> dict[str, Any]:
        """The capability that a client must have declared."""
        raise NotImplementedError

    def read(self, result: Any) -> Any:
        """The client's result as the author's answer.

        Raises:
            InvalidAnswerError: It is not the answer to this question.
        """
        raise NotImplementedError


class Elicited(msgspec.Struct, frozen=True):
    """What the person said; `content` is None unless they accepted."""

    action: Literal["accept", "decline", "cancel"]
    content: Any = None


class Elicit(Question, frozen=True):
    """A form for the person at the client.

    Attributes:
        message: What it is for.
        schema: A class with flat fields (text, numbers, booleans, choices), whose instance the
            answer's `content` will be; or a JSON Schema, sent as it is.
    """

    method: ClassVar[str] = "elicitation/create"
    message: str
    schema: type | dict[str, Any]

    def params(self) -> dict[str, Any]:
        """The request's `params`.

        Raises:
            ConfigurationError: The class has a field that no form can show.
        """
        return {"message": self.message, "requestedSchema": self._requested()}

    def needs(self) -> dict[str, Any]:
        """The capability that a client must have declared."""
        return {"elicitation": {}}

    def read(self, result: Any) -> Elicited:
        """The person's answer, its content of the class asked for."""
        answer = _convert(result, Elicited)
        if answer.action != "accept":
            return Elicited(answer.action)
        content = {} if answer.content is None else answer.content
        if isinstance(self.schema, dict):
            return Elicited("accept", _checked(content, self.schema))
        return Elicited("accept", _convert(content, self.schema))

    def _requested(self) -> dict[str, Any]:
        return self.schema if isinstance(self.schema, dict) else flat_schema(self.schema)


class ElicitURL(Question, frozen=True):
    """A page for the person to visit, where what they enter does not pass the client."""

    method: ClassVar[str] = "elicitation/create"
    message: str
    url: str
    elicitation_id: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))

    def params(self) -> dict[str, Any]:
        """The request's `params`."""
        return {
            "mode": "url",
            "message": self.message,
            "url": self.url,
            "elicitationId": self.elicitation_id,
        }

    def needs(self) -> dict[str, Any]:
        """The capability that a client must have declared."""
        return {"elicitation": {"url": {}}}

    def read(self, result: Any) -> Elicited:
        """Whether the person agreed to go there; what they did there is not known."""
        return Elicited(_convert(result, Elicited).action)


class Sampled(msgspec.Struct, frozen=True, rename="camel"):
    """What the client's model said; `content` is an MCP block."""

    role: str
    content: dict[str, Any]
    model: str
    stop_reason: str | None = None

    @property
    def text(self) -> str:
        """The text; empty where the model gave a picture or sound."""
        return str(self.content.get("text", ""))


class Sample(Question, frozen=True):
    """A completion by the client's model.

    Attributes:
        messages: Text, or `Message`s; what names no role is the user's.
        max_tokens: The most the model may write.
        model_preferences: `hints`, and `costPriority` and the like, as MCP has them.
    """

    method: ClassVar[str] = "sampling/createMessage"
    messages: Any
    max_tokens: int = 1000
    system_prompt: str | None = None
    temperature: float | None = None
    stop_sequences: list[str] | None = None
    include_context: Literal["none", "thisServer", "allServers"] | None = None
    model_preferences: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None

    def params(self) -> dict[str, Any]:
        """The request's `params`."""
        return present(
            messages=messages_of(self.messages),
            maxTokens=self.max_tokens,
            systemPrompt=self.system_prompt,
            temperature=self.temperature,
            stopSequences=self.stop_sequences,
            includeContext=self.include_context,
            modelPreferences=self.model_preferences,
            metadata=self.metadata,
        )

    def needs(self) -> dict[str, Any]:
        """The capability that a client must have declared."""
        return {"sampling": {}}

    def read(self, result: Any) -> Sampled:
        """What the model said."""
        return _convert(result, Sampled)


class Root(msgspec.Struct, frozen=True):
    """A directory or file that the client lets the server know of."""

    uri: str
    name: str | None = None


class _RootList(msgspec.Struct):
    roots: list[Root]


class Roots(Question, frozen=True):
    """The client's roots."""

    method: ClassVar[str] = "roots/list"

    def params(self) -> dict[str, Any]:
        """The request's `params`."""
        return {}

    def needs(self) -> dict[str, Any]:
        """The capability that a client must have declared."""
        return {"roots": {}}

    def read(self, result: Any) -> list[Root]:
        """The roots."""
        return _convert(result, _RootList).roots


def flat_schema(kind: type) -> dict[str, Any]:
    """JSON Schema of a class as forms take it: an object of plain fields, without references.

    Raises:
        ConfigurationError: It is no class with fields, or a field is neither text, number,
            boolean nor choice.
    """
    schema = codec.json_schema(kind) if codec.is_supported(kind) else {}
    if schema.get("type") != "object" or "properties" not in schema:
        raise ConfigurationError(f"A form needs a class with fields, or a JSON Schema: {kind!r}")
    definitions = schema.pop("$defs", {})
    fields = schema["properties"]
    schema["properties"] = {n: _flat(n, each, definitions) for n, each in fields.items()}
    return {key: schema[key] for key in _SENT if key in schema}


def _flat(name: str, field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    field = _choice(_without_null(field), definitions)
    if isinstance(field.get("items"), dict):
        field["items"] = _choice(field["items"], definitions)
    if _is_choice_of_many(field) or field.get("type") in _PRIMITIVES:
        return field
    raise ConfigurationError(
        f"A form cannot show {name!r}: make it text, a number, a boolean or a choice of texts"
    )


def _is_choice_of_many(field: dict[str, Any]) -> bool:
    items = field.get("items") or {}
    return field.get("type") == "array" and items.get("type") == "string" and "enum" in items


def _choice(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The field itself in place of a reference to it, and a choice of texts named as text."""
    target = field.get("$ref", "").rpartition("/")[2]
    field = {**definitions.get(target, {}), **{k: v for k, v in field.items() if k != "$ref"}}
    is_choice = all(isinstance(each, str) for each in field.get("enum", [None]))
    return {"type": "string", **field} if is_choice else field


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A form leaves an optional field out, rather than send null."""
    field = dict(field)
    kinds = [each for each in field.pop("anyOf", []) if each != {"type": "null"}]
    if len(kinds) == 1:
        field = {**kinds[0], **field}
    if None in field.get("enum", []):
        field["enum"] = [each for each in field["enum"] if each is not None]
    if field.get("default", ...) is None:
        del field["default"]
    return field


def _checked(content: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """What a form gave, against the fields, types and choices that its schema names."""
    if not isinstance(content, dict):
        raise InvalidAnswerError("The content of an answer must be an object")
    missing = [name for name in schema.get("required", []) if name not in content]
    if missing:
        raise InvalidAnswerError(f"The answer lacks {missing[0]!r}")
    for name, field in schema.get("properties", {}).items():
        if name in content and not _fits(content[name], field):
            raise InvalidAnswerError(f"The answer's {name!r} does not fit its schema")
    return content


def _fits(value: Any, field: dict[str, Any]) -> bool:
    if field.get("type") == "array":
        items = field.get("items", {})
        return isinstance(value, list) and all(_fits(each, items) for each in value)
    kind = _PRIMITIVES.get(field.get("type", ""), object)
    is_number = kind in (int, _PRIMITIVES["number"])
    if not isinstance(value, kind) or (is_number and isinstance(value, bool)):
        return False
    titles = field.get("oneOf", field.get("anyOf", []))
    titled = [each["const"] for each in titles if "const" in each]
    choices = field.get("enum", titled)
    return not choices or value in choices


def _convert(value: Any, kind: type[T]) -> T:
    try:
        converted: T = codec.convert(value, kind)
    except InvalidMessageError as error:
        fault = error.errors[0] if error.errors else {"loc": [], "msg": error.message}
        place = ".".join(str(step) for step in fault["loc"])
        text = f"The answer does not fit at {place!r}: {fault['msg']}"
        raise InvalidAnswerError(text, **error.details) from None
    return converted
