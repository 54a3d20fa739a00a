"""From the original's replies to those we owe: the functions that differences are made of.

A change looks at one JSON object of the original's and its counterpart in ours, which it needs for
free text only.
"""

from collections.abc import Callable
from typing import Any

__all__ = [
    "Rewrite",
    "allow_head",
    "anywhere",
    "bad_arguments",
    "bad_call",
    "described",
    "error",
    "fault_wording",
    "first_fault_only",
    "instead",
    "invalid",
    "invalid_request",
    "json_failure",
    "json_wording",
    "kind_of_fault",
    "reset_schema",
    "rpc_error",
    "schema_defaults",
    "schema_notes",
    "state",
    "tool_error_inlined",
    "whole_body",
    "with_retry_after",
    "with_truncated",
    "without_fastmcp_mark",
    "without_output_schema",
]

Json = dict[str, Any]
Replies = list[Any]
Rewrite = Callable[[Replies, Replies], Replies]
Change = Callable[[Json, Json], Json]


def anywhere(change: Change) -> Rewrite:
    """Apply `change(original, ours)` to each JSON object and its counterpart, outermost first."""

    def walk(original: Any, ours: Any) -> Any:
        if isinstance(original, dict) and isinstance(ours, dict):
            changed = change(original, ours)
            return {key: walk(each, ours.get(key)) for key, each in changed.items()}
        if isinstance(original, list) and isinstance(ours, list):
            return [*map(walk, original, ours), *original[len(ours) :]]
        return original

    return walk


def instead(*replies: Any) -> Rewrite:
    """Exactly these replies; `...` stands for the original's at that place."""

    def rewrite(original: Replies, ours: Replies) -> Replies:
        del ours
        return [original[at] if reply is ... else reply for at, reply in enumerate(replies)]

    return rewrite


def state(episode_id: str | None = "episode", step_count: int = 0, last: str = "") -> Json:
    """The reply to a state message; by default as after a reset."""
    data = {"episode_id": episode_id, "step_count": step_count, "last": last}
    return {"type": "state", "data": data}


def error(code: str, message: str, **details: Any) -> Json:
    """An error frame."""
    return {"type": "error", "data": {"message": message, "code": code, **details}}


def metadata(name: str) -> Json:
    """The reply of `/metadata` for a class that says nothing of itself."""
    unknown = dict.fromkeys(("readme_content", "author", "documentation_url"))
    described = {"name": name, "description": f"{name} environment", "version": "1.0.0"}
    return {"status": 200, "type": "application/json", "body": {**described, **unknown}}


def rpc_error(code: int, message: str, request_id: int | None) -> Json:
    """A JSON-RPC error."""
    fault = {"code": code, "message": message, "data": None}
    return {"jsonrpc": "2.0", "id": request_id, "error": fault}


def invalid(kind: str, place: str, given: Any) -> Json:
    """The error frame for one fault in an action."""
    fault = {"type": kind, "loc": [place], "msg": "", "input": given}
    return error("VALIDATION_ERROR", "Invalid message", errors=[fault])


def first_fault_only(original: Json, ours: Json) -> Json:
    """Of several faults the one that we report."""
    for key in ("errors", "detail"):
        faults, reported = original.get(key), ours.get(key)
        if isinstance(faults, list) and len(faults) > 1 and isinstance(reported, list):
            mine = [(each["type"], each["loc"]) for each in reported]
            return {**original, key: [e for e in faults if (e["type"], e["loc"]) in mine[:1]]}
    return original


def is_fault(value: Json) -> bool:
    """Whether it is one entry of a list of validation faults."""
    return {"type", "loc", "msg", "input"} <= value.keys()


def fault_wording(original: Json, ours: Json) -> Json:
    """Our sentence in the place of Pydantic's; without its web address and message parameters."""
    if not is_fault(original) or not ours.get("msg"):
        return original
    kept = {key: each for key, each in original.items() if key not in ("url", "ctx")}
    return {**kept, "msg": ours["msg"]}


def kind_of_fault(theirs: str, mine: str) -> Change:
    """One kind of fault goes by another name."""
    return lambda original, ours: (
        {**original, "type": mine}
        if is_fault(original) and (original["type"], ours.get("type")) == (theirs, mine)
        else original
    )


def json_wording(original: Json, ours: Json) -> Json:
    """Our parser's account of what is no JSON."""
    said = str(ours.get("message", ""))
    if original.get("code") == "INVALID_JSON" and said.startswith("Invalid JSON: "):
        return {**original, "message": said}
    return original


def with_retry_after(original: Json, ours: Json) -> Json:
    """The refusal plus a hint when to come again."""
    hint = ours.get("retry_after")
    if "max_sessions" in original and isinstance(hint, int | float) and hint > 0:
        return {**original, "retry_after": hint}
    return original


def whole_body(original: Json, ours: Json) -> Json:
    """Broken JSON is a fault of the body as a whole."""
    del ours
    return {**original, "loc": ["body"]} if original.get("type") == "json_invalid" else original


def json_failure(original: Json, ours: Json) -> Json:
    """A failure as JSON, with the cause in simulation mode."""
    if original.get("status") != 500:
        return original
    return {**original, "type": "application/json", "body": {"detail": ours["body"]["detail"]}}


def allow_head(original: Json, ours: Json) -> Json:
    """HEAD is allowed wherever GET is."""
    del ours
    return {**original, "allow": ["GET", "HEAD"]} if original.get("allow") == ["GET"] else original


def without_fastmcp_mark(original: Json, ours: Json) -> Json:
    """No note of FastMCP's to itself."""
    del ours
    mark = original.get("meta")
    return {**original, "meta": None} if isinstance(mark, dict) and "fastmcp" in mark else original


def without_output_schema(original: Json, ours: Json) -> Json:
    """A tool without a published result schema."""
    del ours
    return {**original, "outputSchema": None} if "outputSchema" in original else original


def described(original: Json, ours: Json) -> Json:
    """An empty description for a tool that has none."""
    del ours
    if "inputSchema" in original and original["description"] is None:
        return {**original, "description": ""}
    return original


def bad_call(original: Json, ours: Json) -> Json:
    """A call that nothing could be run for: the caller's fault, in our words."""
    text = str(original.get("message", ""))
    unknown = text.startswith("Unknown tool:")
    if original.get("code") != -32603 or not (unknown or "validation error for call[" in text):
        return original
    if unknown:
        return {**original, "code": -32602}
    return {**original, "code": -32602, "message": ours["message"], "data": ours["data"]}


def bad_arguments(original: Json, ours: Json) -> Json:
    """As `bad_call`, in the observation of a step."""
    if "validation error for call[" in str(original.get("message")) and "error_type" in original:
        return {"error_type": "invalid_args", "message": ours["message"]}
    return original


def invalid_request(original: Json, ours: Json) -> Json:
    """A request that breaks JSON-RPC: the first fault in our words, under the id it carried."""
    fault, mine = original.get("error"), ours.get("error")
    if not isinstance(fault, dict) or not isinstance(mine, dict) or fault["code"] != -32600:
        return original
    if "validation error" not in fault["message"] or ours["id"] not in (1, None):
        return original
    return {**original, "id": ours["id"], "error": {**fault, "message": mine["message"]}}


def reset_schema(original: Json, ours: Json) -> Json:
    """What a reset shows by our account."""
    if "reset_observation" in original:
        return {**original, "reset_observation": ours["reset_observation"]}
    return original


def schema_notes(original: Json, ours: Json) -> Json:
    """Titles and descriptions are notes for people; ours are the author's own or none."""
    notes = {key for key in ("title", "description") if isinstance(original.get(key), str)}
    kept = {key: each for key, each in original.items() if key not in notes}
    return {**kept, **{key: ours[key] for key in notes & ours.keys()}}


def schema_defaults(original: Json, ours: Json) -> Json:
    """What says nothing is left out; an empty default is said."""
    silent: Json = {} if "additionalProperties" in ours else {"additionalProperties": True}
    if "enum" in original and sorted(original["enum"]) == ours.get("enum"):
        silent = {**silent, "type": "string"}
        original = {**original, "enum": ours["enum"]}
    kept = {key: each for key, each in original.items() if (key, each) not in silent.items()}
    if ours.get("default") == {} and original.get("type") == "object":
        kept["default"] = {}
    return kept


def with_truncated(original: Json, ours: Json) -> Json:
    """One property more of every observation."""
    if {"done", "reward", "metadata"} <= original.keys() and "truncated" in ours:
        return {**original, "truncated": {"type": "boolean", "default": False}}
    return original


def tool_error_inlined(original: Json, ours: Json) -> Json:
    """The kinds of tool errors stand where they are used, and further fields are no fault."""
    del ours
    if "ToolErrorType" in original and "ToolError" in original:
        kinds = sorted(original["ToolErrorType"]["enum"])
        error = {**original["ToolError"]}
        error.pop("additionalProperties")
        error["properties"] = {**error["properties"], "error_type": {"enum": kinds}}
        return {"ToolError": error}
    return original
