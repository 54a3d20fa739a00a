"""Tools of the fixture that ask the client in the middle of a call."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from openenv_lite import Context, Elicit, Question, Roots, Sample

__all__ = ["ASKING", "ASKING_AGAIN"]


class Name(Struct):
    """Who somebody is."""

    name: str


class Color(Struct):
    """What somebody likes."""

    color: str


class Confirmation(Struct):
    """Whether to go on."""

    ok: bool


class Account(Struct):
    """How to reach somebody."""

    username: Annotated[str, Meta(description="User's response")]
    email: Annotated[str, Meta(description="User's email address")]


class Profile(Struct):
    """A form with a default for each kind of field."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


PLAIN_CHOICES = ["option1", "option2", "option3"]
TITLED_CHOICES = [
    {"const": f"value{number}", "title": f"{ordinal} Option"}
    for number, ordinal in enumerate(("First", "Second", "Third"), 1)
]
CHOICES = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": PLAIN_CHOICES},
        "titledSingle": {"type": "string", "oneOf": TITLED_CHOICES},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": PLAIN_CHOICES}},
        "titledMulti": {"type": "array", "items": {"anyOf": TITLED_CHOICES}},
    },
}


async def test_sampling(prompt: str, context: Context) -> str:
    """Has the client's model write something."""
    answer = await context.sample(prompt, max_tokens=100)
    return f"LLM response: {answer.text}"


async def test_missing_capability(context: Context) -> str:
    """Needs a client that can sample."""
    answer = await context.sample("Say hi", max_tokens=10)
    return answer.text


async def test_elicitation(message: str, context: Context) -> str:
    """Shows the person a form."""
    answer = await context.elicit(message, Account)
    return f"User response: action={answer.action}, content={answer.content}"


async def test_elicitation_sep1034_defaults(context: Context) -> str:
    """Shows the person a form that is filled in already."""
    answer = await context.elicit("Please review your profile", Profile)
    return f"Elicitation completed: action={answer.action}, content={answer.content}"


async def test_elicitation_sep1330_enums(context: Context) -> str:
    """Lets the person choose, in each of the ways that a form knows."""
    answer = await context.elicit("Please choose", CHOICES)
    return f"Elicitation completed: action={answer.action}, content={answer.content}"


async def test_streaming_elicitation(context: Context) -> str:
    """Tells of its progress, then shows the person a form."""
    context.progress(1, 2)
    answer = await context.elicit("What is your name?", Name)
    return f"User response: action={answer.action}"


ASKING = (
    test_sampling,
    test_missing_capability,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_streaming_elicitation,
)


async def test_input_required_result_elicitation(context: Context) -> str:
    """Asks the person for a name."""
    answers = await context.ask(user_name=Elicit("What is your name?", Name))
    name: Name = answers["user_name"].content
    return f"Hello, {name.name}!"


async def test_input_required_result_sampling(context: Context) -> str:
    """Asks the client's model."""
    question = Sample("What is the capital of France?", max_tokens=100)
    answers = await context.ask(capital_question=question)
    return str(answers["capital_question"].text)


async def test_input_required_result_list_roots(context: Context) -> str:
    """Asks for the client's roots."""
    answers = await context.ask(client_roots=Roots())
    return ", ".join(root.uri for root in answers["client_roots"])


async def test_input_required_result_request_state(context: Context) -> str:
    """Asks for a confirmation."""
    answers = await context.ask(confirm=Elicit("Please confirm", Confirmation))
    return f"state-ok: {answers['confirm'].action}"


async def test_input_required_result_tampered_state(context: Context) -> str:
    """Asks for a confirmation, and never sees one that was forged."""
    answers = await context.ask(confirm=Elicit("Please confirm", Confirmation))
    return f"Confirmed: {answers['confirm'].action}"


async def test_input_required_result_multiple_inputs(context: Context) -> str:
    """Asks for three things at once."""
    answers = await context.ask(
        user_name=Elicit("What is your name?", Name),
        greeting=Sample("Generate a greeting", max_tokens=50),
        client_roots=Roots(),
    )
    name: Name = answers["user_name"].content
    return f"{answers['greeting'].text} {name.name}, {len(answers['client_roots'])} roots"


async def test_input_required_result_multi_round(context: Context) -> str:
    """Asks one thing after the other."""
    first = await context.ask(step1=Elicit("Step 1: What is your name?", Name))
    second = await context.ask(step2=Elicit("Step 2: What is your favorite color?", Color))
    return f"{first['step1'].content.name} likes {second['step2'].content.color}"


async def test_input_required_result_capabilities(context: Context) -> str:
    """Asks only what the client can answer."""
    possible: dict[str, tuple[str, Question]] = {
        "user_name": ("elicitation", Elicit("What is your name?", Name)),
        "greeting": ("sampling", Sample("Generate a greeting", max_tokens=50)),
        "client_roots": ("roots", Roots()),
    }
    asked = {key: each for key, (need, each) in possible.items() if context.supports(need)}
    return f"Answered: {', '.join(await context.ask(**asked))}"


ASKING_AGAIN = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
)
