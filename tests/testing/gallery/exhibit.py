"""A mistake on show, and the law that names it."""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Exhibit"]


class Exhibit(NamedTuple):
    """One target that breaks one law.

    Attributes:
        target: What `check_environment` is given; for an app, a function that makes it.
        law: The only law that it breaks.
        is_app: Whether `target` makes an ASGI app rather than environments.
    """

    target: Callable[[], Any]
    law: str
    is_app: bool = False

    @property
    def name(self) -> str:
        """Of the class or function."""
        return self.target.__name__
