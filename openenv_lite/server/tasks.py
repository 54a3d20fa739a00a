"""What there is to play, as ORS has it: splits and their tasks, for a trainer who then chooses one.

A task may hold its answer, so these are controls like `/state`: no agent's server has them.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openenv_lite import codec
from openenv_lite.pool import Pool, Scout
from openenv_lite.server.failures import json_response
from openenv_lite.server.http import Endpoint, body_of, session_id_of
from openenv_lite.types import ServerMode

__all__ = ["TaskRoute", "TaskRoutes"]

Form = Callable[[Any], bytes]

Index = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Of a size that Python's own sequences take."""


class _OfSplit(msgspec.Struct, forbid_unknown_fields=True):
    split: str


class _AtIndex(_OfSplit):
    index: Index


class _InRange(_OfSplit):
    start: Index | None = None
    stop: Index | None = None


class TaskRoute(Route):
    """`/{env_name}/...` for one name, however its letters are written; other names stay free.

    Args:
        name: Of the environment; any text.
        last: What comes after the name.
        endpoint: What answers.
        limit: Bytes a body may have.
    """

    def __init__(self, name: str, last: str, endpoint: Endpoint, limit: int) -> None:
        method = "GET" if last == "splits" else "POST"
        super().__init__(f"/{{env_name}}/{last}", endpoint, methods=[method], max_body_size=limit)
        self.path_regex = re.compile(rf"/(?P<env_name>{re.escape(name)})/{last}\Z", re.IGNORECASE)


class TaskRoutes:
    """The answers, each from an environment that has a slot; a call is never an episode.

    Args:
        pool: Where environments come from.
        mode: The mode of the app the routes stand in.
        name: Of the environment.
    """

    def __init__(self, pool: Pool, mode: ServerMode, name: str) -> None:
        self._pool = pool
        self._scout = Scout(pool, mode)
        self._mode = mode
        self._name = name

    def endpoints(self) -> dict[str, Endpoint]:
        """What answers, by the last part of its path."""
        return {
            "splits": self.splits,
            "tasks": self.tasks,
            "num_tasks": self.num_tasks,
            "task": self.task,
            "task_range": self.task_range,
        }

    async def splits(self, request: Request) -> Response:
        """Name the splits of the tasks, each with its type."""
        return await self._ask(request, _splits, "list_splits")

    async def tasks(self, request: Request) -> Response:
        """Return all tasks of a split."""
        body = await body_of(request, _OfSplit)
        form = _under("tasks", env_name=self._name)
        return await self._ask(request, form, "list_tasks", body["split"])

    async def num_tasks(self, request: Request) -> Response:
        """Count the tasks of a split."""
        body = await body_of(request, _OfSplit)
        return await self._ask(request, _under("num_tasks"), "num_tasks", body["split"])

    async def task(self, request: Request) -> Response:
        """Return one task, as it is reset with its split and index."""
        body = await body_of(request, _AtIndex)
        return await self._ask(request, _under("task"), "get_task", body["split"], body["index"])

    async def task_range(self, request: Request) -> Response:
        """Return the tasks of a split from one index up to another."""
        body = await body_of(request, _InRange)
        bounds = body.get("start"), body.get("stop")
        return await self._ask(request, _under("tasks"), "get_task_range", body["split"], *bounds)

    async def _ask(self, request: Request, form: Form, name: str, *args: Any) -> Response:
        if name not in self._pool.blueprint.tasks:
            return _unsupported(name)
        named = session_id_of(request)
        lent = self._scout.lent() if named is None else self._pool.lease(self._mode, named)
        async with lent as session:
            try:
                body = await session.ask(name, *args, form=form)
            except NotImplementedError:
                return _unsupported(name)
            except IndexError:
                return json_response({"detail": "Invalid task index"}, 400)
        return Response(body, media_type="application/json")


def _unsupported(name: str) -> Response:
    return json_response({"detail": f"{name} is not supported for this environment"}, 501)


def _under(key: str, **others: Any) -> Form:
    return lambda value: _encode({key: value, **others})


def _splits(found: Any) -> bytes:
    return _encode([_split(each) for each in found])


def _split(found: Any) -> Any:
    """A split as an object; one of an unknown name is for validation, as OpenEnv has it."""
    if not isinstance(found, str):
        return found
    kind = found if found in ("train", "validation", "test") else "validation"
    return {"name": found, "type": kind}


def _plain(value: Any) -> Any:
    """As every reply has it; what no other may hold by its attributes, as OpenEnv does."""
    if hasattr(value, "model_dump") or hasattr(value, "tolist"):
        return codec.plain(value)
    return vars(value) if hasattr(value, "__dict__") else str(value)


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
