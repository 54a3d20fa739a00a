"""Property test: `transformers` reads off a method what the tool's schema says.

python -m tests.trainers.with_trl.describe
"""

import inspect
import json
import keyword

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transformers.utils import get_json_schema

from openenv_lite.trainers.hints import inlined
from openenv_lite.trainers.methods import attribute_name, method_of
from openenv_lite.types import ToolSpec

FRAGMENTS = ["Args:", "\n  Args:\n    x: y", "Returns: ", "Raises:\n", '(choices: ["a"])', "x: "]
FRAGMENTS += ["\n\n", "\t", "  ", "\\n", "*", "'''", '"""', "{x}", "%s", "\u2028", "kwArgs:"]
NAMES = ["self", "class", "return", "Args", "Returns", "my-name", "2nd", "x", "x_", "a.b", "_", "é"]
TYPES = ["string", "integer", "number", "boolean", "null", "array", "object"]
DEFINITIONS = {"Point": {"type": "object", "properties": {"x": {"type": "integer"}}}, "Id": {}}
WHOLE = {"anyOf", "oneOf"}
"""Keywords that a hint says wholly or not at all."""

texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=8), max_size=5).map("".join)
names = st.sampled_from(NAMES) | st.text(min_size=1, max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(0.5, 9)
extras = st.fixed_dictionaries(
    {},
    optional={
        "description": texts,
        "title": texts,
        "default": scalars,
        "minimum": st.integers(0, 3),
        "pattern": st.sampled_from(["a  b", "Args:", "(choices:"]),
    },
)
leaves = st.one_of(
    st.just({}),
    st.sampled_from(TYPES).map(lambda kind: {"type": kind}),
    st.lists(st.sampled_from(TYPES), min_size=1, unique=True).map(lambda kinds: {"type": kinds}),
    st.lists(scalars, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    st.just({"enum": [[1], {}]}),
    scalars.map(lambda value: {"const": value}),
    st.sampled_from(["#/$defs/Point", "#/$defs/Id"]).map(lambda name: {"$ref": name}),
)


def nested(inner):
    return st.one_of(
        inner.map(lambda each: {"type": "array", "items": each}),
        inner.map(lambda each: {"type": "object", "additionalProperties": each}),
        inner.map(lambda each: {"type": "object", "properties": {"x": each}, "required": ["x"]}),
        st.tuples(st.sampled_from(["anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
    )


schemas = st.builds(lambda schema, extra: {**extra, **schema}, st.recursive(leaves, nested), extras)


@st.composite
def tools(draw):
    fields = draw(st.dictionaries(names, schemas, max_size=4))
    required = [name for name in fields if draw(st.booleans())]
    schema = {"type": "object", "properties": fields, "required": required, "$defs": DEFINITIONS}
    return ToolSpec(name=draw(names), description=draw(texts), input_schema=schema)


def alternatives(schema):
    """What a schema allows, in one form: a set of kinds and values."""
    members = schema.get("anyOf") or schema.get("oneOf")
    if "const" in schema or "enum" in schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        found = {"null" if value is None else ("value", json.dumps(value)) for value in values}
    elif members:
        found = set().union(*map(alternatives, members))
    else:
        kinds = schema.get("type", "anything")
        found = {kind(each, schema) for each in (kinds if isinstance(kinds, list) else [kinds])}
    return found | ({"null"} if schema.get("nullable") else set())


def kind(name, schema):
    inner = {"array": "items", "object": "additionalProperties"}.get(name)
    held = alternatives(schema[inner]) if inner in schema else {"anything"}
    return (name, tuple(sorted(map(str, held)))) if inner else name


def said(description):
    """A description, and the keywords that it tells."""
    text, mark, rest = description.rpartition("JSON Schema: ")
    return (text.strip(), json.loads(rest)) if mark else (description, {})


def harmless(text):
    for word in ("Args", "Returns", "Raises", "(choices"):
        text = text.replace(f"{word}:", f"{word} :")
    return text


def check_field(shown, field, name):
    description, unsaid = said(shown.pop("description"))
    own = " ".join(field.pop("description", "").split())
    assert description == (harmless(own) or ("" if unsaid else name))
    field.pop("title", None)
    assert unsaid == {key: field.pop(key) for key in unsaid}
    for key in {"items", "additionalProperties"} & unsaid.keys():
        shown.pop(key, None)
    if not WHOLE & unsaid.keys():
        assert alternatives(shown) == alternatives(field)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(tools())
@example(
    ToolSpec(
        name="_class",
        description="Args: none.\n\nArgs:\n    self: Who.\n        And why.\n\nReturns: it.",
        input_schema={"type": "object", "properties": {"self": {}, "class": {"type": "integer"}}},
    )
)
def check(tool):
    calls = []
    method = method_of(tool, lambda self, name, arguments: calls.append((name, arguments)))
    public = attribute_name(tool.name, {})
    holder = type("Holder", (), {public: method})()
    assert not public.startswith("_")
    assert [each for each, _ in inspect.getmembers(holder, inspect.ismethod)] == [public]
    told = get_json_schema(getattr(holder, public))["function"]
    fields = tool.input_schema["properties"]
    assert told["name"] == tool.name
    assert told.keys() == {"name", "description", "parameters"}
    parameters = told["parameters"]
    shown = parameters["properties"]
    own_names = dict(zip(shown, fields, strict=True))
    assert not any(keyword.iskeyword(name) for name in shown)
    assert all(
        name == own
        for name, own in own_names.items()
        if own.isascii()
        and own.isalpha()
        and not keyword.iskeyword(own)
        and own not in ("Args", "Returns", "Raises")
    )
    required = [name for name in fields if name in tool.input_schema.get("required", ())]
    assert [own_names[name] for name in parameters.get("required", [])] == required
    for name, own in own_names.items():
        field = inlined(fields[own], DEFINITIONS)
        if "Args:\n" not in tool.description:  # else that may describe it
            check_field(shown[name], field, name)
    getattr(holder, public)(**dict.fromkeys(shown, 1))
    assert calls == [(tool.name, dict.fromkeys(fields, 1))]


if __name__ == "__main__":
    check()
    print(json.dumps("as the schemas say"))
