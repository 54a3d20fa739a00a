"""MyDomain behind tools. What it does is in its own module, and nothing of it is here."""

import functools
from collections.abc import Callable
from typing import Any

from my_domain import MyDomain

from openenv_lite import MCPEnvironment, Observation, State

try:
    from ..models import PROPERTIES, TOOLS
except ImportError:  # in the container this folder is no package
    from models import PROPERTIES, TOOLS

__all__ = ["MyEnvironment"]


class MyEnvironment(MCPEnvironment):
    """Each session has an object of its own, and each reset makes a new one."""

    SUPPORTS_CONCURRENT_SESSIONS = False  # True, once objects of the class share nothing

    def __init__(self) -> None:
        self.domain = MyDomain()
        for name in TOOLS:
            self.tool(self._forwarded(name))

    def _forwarded(self, name: str) -> Callable[..., Any]:
        """A method, of whichever object there is when it is called."""

        @functools.wraps(getattr(self.domain, name))
        def call(**arguments: Any) -> Any:
            return getattr(self.domain, name)(**arguments)

        return call

    def reset(self) -> Observation:
        """Begin with a new object."""
        self.domain = MyDomain()
        return Observation()

    def step(self, action: Any, **options: Any) -> Observation:
        """Call a tool; say here what is rewarded, and what ends the episode."""
        seen: Observation = super().step(action, **options)
        return seen

    @property
    def state(self) -> State:
        """For the trainer only: the base class's count, and the object's properties."""
        state: State = super().state
        for name in PROPERTIES:
            setattr(state, name, getattr(self.domain, name))
        return state
