"""Every way in which our replies differ from the original's on purpose, and why.

Two rules of this file. A difference is as narrow as it can be: it says what the original's replies
would be if they were ours, and everything else must still be equal. One that no row of the table
needs fails a test, so the list never grows stale.
"""

import re
from dataclasses import dataclass

from tests.interop import rewriting as to
from tests.interop.rewriting import (
    Rewrite,
    anywhere,
    error,
    instead,
    invalid,
    metadata,
    rpc_error,
    state,
)

__all__ = ["DIFFERENCES", "Difference"]


@dataclass(frozen=True)
class Difference:
    """One intended difference.

    `rewrite(original, ours)` gives the replies we owe instead of the original's; ours are only
    looked at for free text.
    """

    name: str
    why: str
    rewrite: Rewrite
    rows: str = ""
    """Regular expression of the row names it may touch; all by default."""

    def touches(self, row: str) -> bool:
        """Whether the difference may apply to the row of this name."""
        return re.search(self.rows, row) is not None


WIDER_COERCIONS = {
    "an int as text with spaces": ("int_parsing", "count", " 5 "),
    "an int as a boolean": ("int_type", "count", True),
    "a float as a boolean": ("float_type", "ratio", True),
    "a boolean as 1.0": ("bool_parsing", "flag", 1.0),
    "a boolean as yes": ("bool_parsing", "flag", "yes"),
    "a boolean as on": ("bool_parsing", "flag", "on"),
}
"""Rows of what Pydantic takes and msgspec refuses, and the fault that we report."""

DIFFERENCES = [
    *(
        Difference(
            f"narrower coercion: {row}",
            "An action is refused rather than guessed at; numbers in text are still numbers.",
            instead(..., invalid(*fault), state()),
            rows=f"^plain ws: {row}$",
        )
        for row, fault in WIDER_COERCIONS.items()
    ),
    Difference(
        "step before reset",
        "The author's code would run without an episode; a typed error says what to do.",
        instead(
            error("RESET_REQUIRED", "No episode has begun: send a reset before the first step"),
            state(None),
        ),
        rows="^plain ws: step before reset$",
    ),
    Difference(
        "step after the end",
        "The author's code would run on an episode that is over.",
        instead(
            ...,
            ...,
            error("EPISODE_DONE", "The episode is over: send a reset to begin the next one"),
            state(step_count=1, last="hi"),
        ),
        rows="^plain ws: step after the end$",
    ),
    Difference(
        "production has no controls",
        "Whoever can reach a production server could end its episodes; no such message exists.",
        instead(
            error("UNKNOWN_TYPE", "Unknown message type: reset"),
            error("UNKNOWN_TYPE", "Unknown message type: step"),
            error("UNKNOWN_TYPE", "Unknown message type: state"),
        ),
        rows="^plain_production ws: controls$",
    ),
    Difference(
        "tasks are for trainers",
        "A task may hold its answer, which an agent on a production server is not to read.",
        instead({"status": 404, "type": "application/json", "body": {"detail": "Not Found"}}),
        rows="http: production has no splits$",
    ),
    Difference(
        "tasks of another name",
        "A pattern for every name would take the paths of an author's own routes.",
        instead({"status": 404, "type": "application/json", "body": {"detail": "Not Found"}}),
        rows="^quiz http: another name$",
    ),
    Difference(
        "reset options are checked before the author's code runs",
        "The original fails inside the author's reset, after it has begun another episode.",
        instead(..., state(None)),
        rows="^plain ws: reset with a seed that is no number$",
    ),
    Difference(
        "JSON that is no object costs an error, not the episode",
        "The original closes the connection with the text of a Python error.",
        instead(..., error("UNKNOWN_TYPE", "Unknown message type: "), state()),
        rows="^plain ws: a JSON (array|text|number|null|true)$",
    ),
    Difference(
        "a binary frame costs an error, not the episode",
        "As above.",
        instead(
            ...,
            error("INVALID_JSON", "Invalid JSON: binary frame; this protocol sends JSON as text"),
            state(),
        ),
        rows="^plain ws: a binary frame$",
    ),
    Difference(
        "NaN, Infinity, numbers out of range and lone surrogates are no JSON",
        "RFC 8259 has none of them; the original turns the first three into null and fails to "
        "send the last, even in every state message after it.",
        instead(..., error("INVALID_JSON", ""), state()),
        rows="^plain ws: (a NaN|an Infinity) literal$|too large to hold$|a lone surrogate$",
    ),
    Difference(
        "wording of what is no JSON",
        "Where Python's parser finds no fault there is no sentence of its to repeat.",
        anywhere(to.json_wording),
        rows="^plain ws: (a NaN|an Infinity) literal$|too large to hold$|a lone surrogate$",
    ),
    Difference(
        "broken JSON over HTTP: the sentence says where",
        "The original adds the position to the path; no other path holds one.",
        anywhere(to.whole_body),
        rows="http: .* with broken JSON$",
    ),
    Difference(
        "the MCP socket says no more of broken JSON than POST does",
        "One dialect, one sentence.",
        instead(rpc_error(-32700, "Parse error", None), ...),
        rows="^tools mcp socket: not JSON$",
    ),
    Difference(
        "first fault only",
        "msgspec stops at the first fault; a client mends one fault at a time anyway.",
        anywhere(to.first_fault_only),
    ),
    Difference(
        "a nested Struct is an object",
        "msgspec does not tell a class from a dict where it expects either.",
        anywhere(to.kind_of_fault("model_type", "dict_type")),
    ),
    Difference(
        "a choice among texts must be a text first",
        "msgspec names the type before the choices.",
        anywhere(to.kind_of_fault("literal_error", "string_type")),
    ),
    Difference(
        "wording of a fault",
        "Kind, place and input of a fault are the contract; the sentence is the validator's own, "
        "and the web address leads to Pydantic's documentation, which we do not use.",
        anywhere(to.fault_wording),
    ),
    Difference(
        "metadata of a class that does not compute it",
        "The original builds and closes an environment for each question; ours asks the class.",
        instead(metadata("BrokenEnv")),
        rows="^broken http: the factory fails on metadata$",
    ),
    Difference(
        "a retry hint for the refused",
        "A trainer that is refused for capacity should know when to come again.",
        anywhere(to.with_retry_after),
    ),
    Difference(
        "failures over HTTP are JSON",
        "The original answers text/plain without a cause.",
        anywhere(to.json_failure),
        rows=" http: ",
    ),
    Difference(
        "HEAD is allowed",
        "Starlette answers HEAD wherever it answers GET.",
        anywhere(to.allow_head),
        rows="http: (POST|DELETE) on ",
    ),
    Difference(
        "no FastMCP mark",
        "FastMCP notes in `meta` that it wrapped a result, for its own client; OpenEnv's clients "
        "read `data`. Tools are called directly here.",
        anywhere(to.without_fastmcp_mark),
        rows="^tools|^undocumented",
    ),
    Difference(
        "no output schema",
        "OpenEnv's clients ignore it; `structured_content` is there without it.",
        anywhere(to.without_output_schema),
        rows="^tools|^undocumented",
    ),
    Difference(
        "a tool without a docstring has an empty description",
        "Null makes the original's own client lose every tool of the environment.",
        anywhere(to.described),
        rows="^undocumented",
    ),
    Difference(
        "a bad tool call is the caller's fault",
        "MCP: -32602 for an unknown tool or arguments that do not fit. The original says -32603 "
        "and lets Pydantic's text out; `data` lists the faults instead.",
        anywhere(to.bad_call),
        rows="^tools (ws mcp|mcp http): (an unknown tool|bad arguments|arguments missing)$",
    ),
    Difference(
        "arguments that do not fit are invalid_args",
        "The original guesses the kind from words in Pydantic's text, and mostly wrong.",
        anywhere(to.bad_arguments),
        rows="^tools ws: call with ",
    ),
    Difference(
        "an invalid request keeps its id",
        "JSON-RPC: the id is null only where it cannot be read; the sentence is ours.",
        anywhere(to.invalid_request),
        rows="^tools (ws mcp|mcp http|mcp socket): ",
    ),
    Difference(
        "an array on the MCP socket costs an error, not the session",
        "The original closes the connection; over HTTP it answers as we do on both.",
        instead(
            rpc_error(-32700, "Parse error", None),
            rpc_error(-32601, "Method not found: tools/dance", 1),
        ),
        rows="^tools mcp socket: an array$",
    ),
    Difference(
        "what a tool raised stays inside in production",
        "It may hold paths, keys or another user's data; the log has it.",
        instead(
            {
                "status": 200,
                "type": "application/json",
                "body": rpc_error(-32603, "Error calling tool 'fail'", 1),
            }
        ),
        rows="^tools_production mcp http: production: call that raises$",
    ),
    Difference(
        "schema: what a reset of a tool environment shows",
        "The original tells the schema of a call's result, which requires a tool's name.",
        anywhere(to.reset_schema),
        rows="^tools http: schema$",
    ),
    Difference(
        "schema: truncated",
        "Ended by its own rules or cut off: a learner must know which.",
        anywhere(to.with_truncated),
        rows="http: .*schema$",
    ),
    Difference(
        "schema: tool errors inlined",
        "msgspec knows a choice among texts as an enum, not as a class.",
        anywhere(to.tool_error_inlined),
        rows="^tools http: schema$",
    ),
    Difference(
        "schema: titles and descriptions",
        "Pydantic makes a title of each field's name; a description is the author's docstring.",
        anywhere(to.schema_notes),
        rows="http: .*schema$",
    ),
    Difference(
        "schema: what goes without saying",
        "`additionalProperties: true` and the type beside an enum mean nothing; msgspec sorts an "
        "enum and shows an empty default.",
        anywhere(to.schema_defaults),
        rows="http: .*schema$",
    ),
]
