"""A class of ours around a class of OpenEnv's whose actions are the author's own."""

import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from openenv_lite.environment import TASK_METHODS, Environment
from openenv_lite.signature import is_async

__all__ = ["Wrapped", "calling", "is_overridden", "members", "wrapped"]


class Wrapped:
    """What every such class has.

    Attributes:
        make: Makes an instance of the author's class.
        run: Calls a plain function where the author wants it.
        theirs: The instance of the author's class.
    """

    make: Callable[[], Any]
    run: Callable[..., Any]

    def __init__(self) -> None:
        self.theirs: Any = self.run(self.make)

    @property
    def state(self) -> Any:
        """Their state, as they keep it."""
        return self.run(getattr, self.theirs, "state")

    def close(self) -> Any:
        """Close theirs."""
        return self.run(self.theirs.close)


class _Wrapped(Wrapped, Environment[Any, Any, Any]):
    """Of any actions."""


def wrapped(factory: Callable[[], Any], kind: type, base: type) -> type:
    """A class of ours whose instances each keep one that the factory makes.

    Args:
        factory: What makes instances of the author's class.
        kind: The author's class.
        base: The class of OpenEnv's it derives from, whose async methods call the plain ones.
    """
    step = "step_async" if is_overridden(kind, base, "step_async") else "step"
    namespace = {**members(factory, kind, base), step: calling(kind, step)}
    return type(kind.__name__, (_Wrapped,), namespace)


def members(factory: Callable[[], Any], kind: Any, base: type) -> dict[str, Any]:
    """What a class of ours takes over from the author's, but for how it steps."""
    in_one_thread = bool(kind.REQUIRES_SINGLE_THREAD_EXECUTOR)
    reset = "reset_async" if is_overridden(kind, base, "reset_async") else "reset"
    own = [reset, *(name for name in TASK_METHODS if callable(getattr(kind, name, None)))]
    own += ["get_metadata"] if is_overridden(kind, base, "get_metadata") else []
    return {
        "__doc__": kind.__doc__,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "SUPPORTS_CONCURRENT_SESSIONS": bool(kind.SUPPORTS_CONCURRENT_SESSIONS),
        "BLOCKING": in_one_thread or bool(getattr(kind, "BLOCKING", True)),
        "make": staticmethod(factory),
        "run": staticmethod(_in_one_thread(kind.__name__) if in_one_thread else _here),
        **{name: calling(kind, name) for name in own},
    }


def _here(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def _in_one_thread(name: str) -> Callable[..., Any]:
    """Runs the calls of all instances of a class on the same thread, while their own waits."""
    thread = ThreadPoolExecutor(1, thread_name_prefix=f"openenv-{name}")

    def run(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        call = functools.partial(function, *args, **kwargs)
        return thread.submit(contextvars.copy_context().run, call).result()

    return run


def is_overridden(kind: type, base: type, name: str) -> bool:
    """Whether the author wrote a method of their own; OpenEnv then calls the async one of two."""
    return getattr(kind, name) is not getattr(base, name)


def calling(kind: type, name: str) -> Callable[..., Any]:
    """A method that calls theirs of this name, `def` or `async def` as it.

    It names their parameters but no types of them: OpenEnv passes options on as they came.
    """
    theirs = getattr(kind, name)

    @functools.wraps(theirs)
    def plain(self: Wrapped, *args: Any, **kwargs: Any) -> Any:
        return self.run(getattr(self.theirs, name), *args, **kwargs)

    @functools.wraps(theirs)
    async def awaiting(self: Wrapped, *args: Any, **kwargs: Any) -> Any:
        return await getattr(self.theirs, name)(*args, **kwargs)

    call: Any = awaiting if is_async(theirs) else plain
    call.__annotations__ = {k: v for k, v in theirs.__annotations__.items() if k == "return"}
    return call  # type: ignore[no-any-return]
